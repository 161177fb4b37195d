"""Convolution, pooling, resizing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

import archonnx
from archonnx.runtime.training.trainer import Trainer
from benchmarks.proof import CLAIMS, figures

from .. import counting
from ..facts import Measured, Row
from ..training import trainer_of
from ..windows import Setting, expected

ROW = Row(
    "2.1",
    "Convolution, pooling, resizing",
    "001, convolution; 002 5; 003 7, 15.7",
    ("digits_cnn", "hospital", "convolution_counts", "digits_augmented"),
)
LAYERS = ("Conv", "Conv", "DepthwiseConv", "ConvTranspose", "MaxPool", "AveragePool")
SETTINGS, TOGETHER = 200, 25
CHANNELS = 4


def compiled(statements: list[str]) -> Trainer:
    """A model of these statements, on the CPU."""
    text = "model Net():\n" + "".join(f"    {line}\n" for line in statements)
    return trainer_of(text, batch_size=2)


def drawn(*shape: int, seed: int = 0) -> Any:
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# ---------------------------------------------------------------- sizes


def _padding(rng: np.random.Generator, layer: str, reach: list[int]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Padding as a word, a number, or pairs: its text, and its value."""
    pooling = layer in ("MaxPool", "AveragePool")
    known = {"valid": [(0, 0) for _ in reach]}
    if layer != "ConvTranspose":
        known["same"] = [(r // 2, r - r // 2) for r in reach]
    if layer in ("Conv", "DepthwiseConv"):
        known |= {"full": [(r, r) for r in reach], "causal": [(r, 0) for r in reach]}
    most = min(reach) if pooling or layer == "ConvTranspose" else 3
    number = int(rng.integers(0, most + 1))
    known[str(number)] = [(number, number) for _ in reach]
    pairs = [(int(rng.integers(0, most + 1)), int(rng.integers(0, most + 1))) for _ in reach]
    known[str([list(pair) for pair in pairs])] = pairs
    text = list(known)[int(rng.integers(0, len(known)))]
    return text, tuple(known[text])


def settings(count: int) -> Iterator[Setting]:
    """Random settings of all layers over 1, 2 and 3 axes, whose windows fit."""
    rng = np.random.default_rng(2026)
    while count:
        layer, n = LAYERS[int(rng.integers(0, len(LAYERS)))], int(rng.integers(1, 4))
        ranges = ((5, 10) if n < 3 else (4, 7), (1, 5 if n < 3 else 4), (1, 4), (1, 3))
        sizes, kernel, stride, dilation = (tuple(map(int, rng.integers(*bounds, n))) for bounds in ranges)
        if layer in ("MaxPool", "AveragePool"):
            dilation = (1,) * n if layer == "AveragePool" else dilation
            reach = [k - 1 for k in kernel]  # pads are smaller than the window's elements
        else:
            reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        text, pads = _padding(rng, layer, reach)
        if text == "same" and layer == "MaxPool":
            dilation = (1,) * n
        more = tuple(int(rng.integers(0, s)) for s in stride)
        groups = int(rng.choice([1, 2])) if layer == "Conv" else 1
        setting = Setting(layer, sizes, kernel, stride, dilation, pads, text, groups, more)
        extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        fits = all(n + sum(p) >= e for n, p, e in zip(sizes, pads, extents, strict=True))
        if min(setting.places) > 0 and (fits or layer == "ConvTranspose"):
            yield setting
            count -= 1


@ROW.fact(
    f"for {SETTINGS} random settings, sizes are those of the formula, and values those of NumPy to 1e-4", slow=True
)
def sizes_and_values() -> Measured:
    """Types proved at compile time, shapes that onnxruntime gives, and the formula; values beside all windows."""
    every = list(settings(SETTINGS))
    right, worst = 0, 0.0
    for begin in range(0, SETTINGS, TOGETHER):
        some = every[begin : begin + TOGETHER]
        inputs = [f"input x{i}: [B, {CHANNELS}, {str(list(s.sizes))[1:-1]}]" for i, s in enumerate(some)]
        layers = [f"net{i} = {s.call}" for i, s in enumerate(some)]
        trainer = compiled([*inputs, *layers, *(f"output y{i} = net{i}(x{i})" for i in range(len(some)))])
        images = {f"x{i}": drawn(2, CHANNELS, *s.sizes, seed=begin + i) for i, s in enumerate(some)}
        results = trainer.predict(images)
        for i, s in enumerate(some):
            weights = [array for path, array in trainer.parameters.items() if path.startswith(f"net{i}.")]
            truth = expected(images[f"x{i}"], s, weights)
            proved = trainer.model.infer.outputs[f"y{i}"].type.shape[2:]
            sizes = {
                tuple(map(str, shape)) for shape in (proved, results[f"y{i}"].shape[2:], s.places, truth.shape[2:])
            }
            right += len(sizes) == 1
            worst = max(worst, float(np.abs(results[f"y{i}"] - truth).max()) if len(sizes) == 1 else np.inf)
    kinds = len({(s.layer, len(s.sizes)) for s in every})
    return Measured(f"{right} of {SETTINGS}, {kinds} kinds, {worst:.0e}", right == SETTINGS and worst < 1e-4)


@ROW.fact("a 3x3 kernel keeps 5x5 with `same` by padding to 7x7 (001 draws 6x6, which leaves 4x4)")
def same_padding() -> Measured:
    """`same`, one zero at both ends, and one at one end."""
    paddings = ("same", "1", "[[0, 1], [0, 1]]")
    trainer = compiled([
        "input x: [B, 1, 5, 5]",
        *(f"output y{i} = x |> Conv(1, padding={padding})" for i, padding in enumerate(paddings)),
    ])  # fmt: skip
    shapes = [tuple(map(str, value.type.shape[2:])) for value in trainer.model.infer.outputs.values()]
    text = ", ".join("x".join(shape) for shape in shapes)
    return Measured(text, shapes == [("5", "5"), ("5", "5"), ("4", "4")])


# ---------------------------------------------------------------- worked examples


counting.add(ROW)


@ROW.fact("the hospital: a plan of 3, 2, 1 doses and 1 to 5 patients need 3, 8, 14, 20, 26, 14, 5; the plan is learned")
def hospital() -> Measured:
    """Exactly by the plan, and within 0.05 by a convolution trained on other days."""
    with tempfile.TemporaryDirectory() as folder:
        run = archonnx.train("hospital", Path(folder) / "run")
        made = run.predict({"patients": np.array([[[1, 2, 3, 4, 5]]], np.float32)})
        plan = run.parameters["conv.W"].ravel()[::-1]
    doses, needed = np.array([3, 8, 14, 20, 26, 14, 5]), made["needed"].ravel()
    gap = float(np.abs(made["estimate"].ravel() - doses).max())
    text = f"{', '.join(f'{n:g}' for n in needed)}; learned {', '.join(f'{p:.3f}' for p in plan)}"
    return Measured(text, bool((needed == doses).all()) and gap < 0.05)


@ROW.fact("the element-wise product of 001: [[1, 2], [3, 4]] * [[5, 6], [7, 8]] = [[5, 12], [21, 32]]")
def elementwise_product() -> Measured:
    """In onnxruntime."""
    trainer = compiled(["input a: [B, 2, 2]", "input b: [B, 2, 2]", "output c = a * b"])
    given = {"a": np.array([[[1, 2], [3, 4]]], np.float32), "b": np.array([[[5, 6], [7, 8]]], np.float32)}
    product = trainer.predict(given)["c"][0].tolist()
    return Measured(str([[int(n) for n in row] for row in product]), product == [[5, 12], [21, 32]])


# ---------------------------------------------------------------- properties


def _shifted(layer: str, shift: tuple[int, int]) -> tuple[Any, Any]:
    """The layer's result for an image rolled by a shift, and its result rolled."""
    trainer = compiled(["input x: [B, 3, 12, 10]", f"output y = x |> {layer}"])
    x = drawn(2, 3, 12, 10)
    results = [trainer.predict({"x": image})["y"] for image in (np.roll(x, shift, (2, 3)), x)]
    return results[0], np.roll(results[1], shift, (2, 3))


@ROW.fact(
    "a convolution of a shifted image is the shifted convolution: away from the border, and everywhere if circular"
)
def equivariance() -> Measured:
    """By 2 down and 3 right: with circular padding everywhere, with zeros where no kernel reaches over a border."""
    one, other = _shifted("Conv(4, kernel=[3, 5], padding=circular)", (2, 3))
    everywhere = float(np.abs(one - other).max())
    one, other = _shifted("Conv(4, kernel=[3, 5], padding=same)", (2, 3))
    inside = float(np.abs(one - other)[:, :, 3:-1, 5:-2].max())
    border = float(np.abs(one - other)[:, :, :3].max())
    text = f"{everywhere:.0e} and {inside:.0e}; at the border {border:.1f}"
    return Measured(text, max(everywhere, inside) < 1e-5 and border > 0.1)


@ROW.fact("an unshared convolution is not equivariant to shifts (003 15.7.1)")
def unshared() -> Measured:
    """The same comparison for kernels of their own at each position."""
    one, other = _shifted("LocallyConnected(4, padding=1)", (2, 3))
    gap = float(np.abs(one - other)[:, :, 3:-1, 5:-2].max())
    return Measured(f"{gap:.1f}", gap > 0.1)


@ROW.fact("max pooling after a shift by its stride is shifted by one, and a global pool does not change")
def pools_and_shifts() -> Measured:
    """Equivariance to multiples of the stride; invariance."""
    trainer = compiled(["input x: [B, 3, 12, 10]", "output y = x |> MaxPool(2)", "output z = x |> GlobalMaxPool"])
    x = drawn(2, 3, 12, 10)
    moved, still = trainer.predict({"x": np.roll(x, (2, 4), (2, 3))}), trainer.predict({"x": x})
    same = np.array_equal(moved["y"], np.roll(still["y"], (1, 2), (2, 3))) and np.array_equal(moved["z"], still["z"])
    return Measured("exactly" if same else "not", same)


@ROW.fact("a transposed convolution is the transpose: <conv(x), y> = <x, transposed(y)> to 1e-5")
def transposed() -> Measured:
    """With one kernel for both, stride 2, dilation 2, in two groups."""
    geometry = "kernel=[3, 2], stride=2, dilation=[1, 2], groups=2, padding=1, bias=false"
    trainer = compiled([
        "input x: [B, 4, 9, 8]", "input y: [B, 6, 5, 4]",
        f"down = Conv(6, {geometry})", f"up = ConvTranspose(4, {geometry}, output_padding=[0, 1])",
        "output a = down(x)", "output b = up(y)",
    ])  # fmt: skip
    trainer.parameters["up.W"] = trainer.parameters["down.W"]
    x, y = drawn(2, 4, 9, 8), drawn(2, 6, 5, 4, seed=1)
    made = trainer.predict({"x": x, "y": y})
    left, right = float((made["a"] * y).sum()), float((x * made["b"]).sum())
    return Measured(f"{left:.4f} and {right:.4f}", abs(left - right) < 1e-5 * max(1, abs(left)) and left != 0)


@ROW.fact("inverse pooling: pooling what was unpooled gives it back, for the largest and for the mean")
def unpooling() -> Measured:
    """Positive numbers put where the largest stood, and spread over windows."""
    trainer = compiled([
        "input u: [B, 3, 4, 5]", "input x: [B, 3, 8, 10]",
        "output a = max_unpool(u, x) |> MaxPool(2)", "output b = average_unpool(u, 2) |> AveragePool(2)",
    ])  # fmt: skip
    u = np.abs(drawn(2, 3, 4, 5)) + 0.1
    made = trainer.predict({"u": u, "x": drawn(2, 3, 8, 10, seed=1)})
    gaps = [float(np.abs(made[name] - u).max()) for name in "ab"]
    return Measured(f"{gaps[0]:.0e} and {gaps[1]:.0e}", max(gaps) < 1e-6)


@ROW.fact("digits CNN: at least 0.98 on a stratified test part of 20%, mean of five seeds", slow=True)
def digits() -> Measured:
    """The same five runs as in docs/proof.md."""
    seen = figures(next(claim for claim in CLAIMS if claim.spec == "digits_cnn"))
    return Measured(f"{fmean(seen):.4f} ({min(seen):.4f} to {max(seen):.4f})", fmean(seen) >= 0.98)


def _on_moved(most: int) -> float:
    """The share of all digits that are read one place up, down, left or right of where they stand."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    padded = np.pad(digits.images / 16, [(0, 0), (1, 1), (1, 1)]).astype(np.float32)[:, None]
    with tempfile.TemporaryDirectory() as folder:
        run = archonnx.train(archonnx.load("digits_augmented", most=most), Path(folder) / "run")
        moved = [padded[:, :, down : down + 8, right : right + 8] for down, right in ((0, 1), (2, 1), (1, 0), (1, 2))]
        right = [run.predict({"image": images})["probs"].argmax(axis=1) == digits.target for images in moved]
    return float(np.mean(right))


@ROW.fact("digits one place off are read at least 0.9 of the time by a net that was trained on moved ones", slow=True)
def augmentation() -> Measured:
    """And at most 0.8 by one that was not."""
    seen, unseen = _on_moved(1), _on_moved(0)
    return Measured(f"{seen:.3f}, without {unseen:.3f}", seen >= 0.9 and unseen <= 0.8)
