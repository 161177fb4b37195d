"""The library's blocks against NumPy, and the sizes of convolutions and pools."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from archonnx.compiler.elaborate.library import SPECS
from archonnx.compiler.ir.types import Array
from archonnx.grammar.outline import outline
from archonnx.grammar.source import Source
from tests.support.elaborated import initial, model, numbers, output, program

X = numbers(3, 4)


def test_dense() -> None:
    w, b = numbers(4, 2, seed=1), numbers(2, seed=2)
    of = program(model("net = Dense(2)\noutput y = net(x)"))
    assert initial(of)["net.b"].tolist() == [0, 0]
    np.testing.assert_allclose(output(of, {"net.W": w, "net.b": b}, x=X), X @ w + b, rtol=1e-5, atol=1e-6)
    of = program(model("net = Dense(2, bias=false, init=normal(0, 0.02))\noutput y = net(x)", "x: [B, T, 4]"))
    assert list(of.parameters) == ["net.W"]
    x = numbers(3, 5, 4)
    np.testing.assert_allclose(output(of, {"net.W": w}, x=x), x @ w, rtol=1e-5, atol=1e-6)


def test_mlp() -> None:
    of = program(model("net = MLP([8, 8, 2], activation=tanh)\noutput y = net(x)"))
    p = initial(of)
    h = X
    for i in range(3):
        h = h @ p[f"net.dense.{i}.W"] + p[f"net.dense.{i}.b"]
        h = np.tanh(h) if i < 2 else h
    np.testing.assert_allclose(output(of, p, x=X), h, rtol=1e-4, atol=1e-5)


def test_embedding() -> None:
    of = program(model("net = Embedding(6, 3)\noutput y = net(k)", "k: i64[B, T]"))
    w, k = numbers(6, 3), np.array([[0, 5], [2, 2]])
    np.testing.assert_array_equal(output(of, {"net.W": w}, k=k), w[k])


def test_dropout_in_use_is_the_identity() -> None:
    np.testing.assert_array_equal(output(model("output y = Dropout(0.9)(x)"), x=X), X)


# ---------------------------------------------------------------- convolution, pooling


def pairs(padding: str, kernel: list[int], dilation: list[int]) -> list[tuple[int, int]]:
    spans = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return {
        "valid": [(0, 0) for _ in spans],
        "same": [(s // 2, s - s // 2) for s in spans],
        "full": [(s, s) for s in spans],
    }[padding]


def windows(x: Array, kernel: list[int], stride: list[int], padding: str, dilation: list[int], fill: float) -> Array:
    """``[B, c, *positions, *kernel]``, by going through all positions."""
    x = np.pad(x, [(0, 0), (0, 0), *pairs(padding, kernel, dilation)], constant_values=fill)
    axes = list(zip(x.shape[2:], kernel, stride, dilation, strict=True))
    sizes = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in axes]
    out = np.empty((*x.shape[:2], *sizes, *kernel), x.dtype)
    for at in itertools.product(*map(range, sizes)):
        cut = tuple(slice(p * s, p * s + d * (k - 1) + 1, d) for p, (_, k, s, d) in zip(at, axes, strict=True))
        out[(slice(None), slice(None), *at)] = x[(slice(None), slice(None), *cut)]
    return out


SHAPES = {1: [7], 2: [7, 6], 3: [5, 4, 6]}


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same", "full"])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (2, 2, 1), (3, 2, 1), (2, 1, 2)])
def test_convolution(rank: int, padding: str, kernel: int, stride: int, dilation: int) -> None:
    dims = ", ".join(map(str, SHAPES[rank]))
    call = f"Conv(3, kernel={kernel}, stride={stride}, padding={padding}, dilation={dilation})"
    of = program(model(f"net = {call}\noutput y = net(x)", f"x: [B, 2, {dims}]"))
    x, w, b = numbers(2, 2, *SHAPES[rank]), numbers(3, 2, *[kernel] * rank, seed=1), numbers(3, seed=2)
    cut = windows(x, [kernel] * rank, [stride] * rank, padding, [dilation] * rank, 0.0)
    expected = np.moveaxis(np.tensordot(cut, w, ([1, *range(rank + 2, 2 * rank + 2)], [1, *range(2, rank + 2)])), -1, 1)
    actual = output(of, {"net.W": w, "net.b": b}, x=x)
    assert str(of.infer.outputs["y"].type) == f"f32[B, {', '.join(map(str, expected.shape[1:]))}]"
    np.testing.assert_allclose(actual, expected + b.reshape(-1, *[1] * rank), rtol=1e-4, atol=1e-5)


def test_convolution_with_lists_and_groups() -> None:
    call = "Conv(4, kernel=[3, 2], stride=[2, 1], groups=2, bias=false)"
    of = program(model(f"net = {call}\noutput y = net(x)", "x: [B, 4, 7, 6]"))
    x, w = numbers(2, 4, 7, 6), numbers(4, 2, 3, 2, seed=1)
    cut = windows(x, [3, 2], [2, 1], "valid", [1, 1], 0.0)
    halves = [np.einsum("bcxyij,ocij->boxy", cut[:, 2 * g : 2 * g + 2], w[2 * g : 2 * g + 2]) for g in range(2)]
    np.testing.assert_allclose(output(of, {"net.W": w}, x=x), np.concatenate(halves, 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("arguments", "kernel", "stride", "padding"), [
    ("", 2, 2, "valid"),
    ("3, stride=1, padding=same", 3, 1, "same"),
    ("3", 3, 3, "valid"),
    ("2, 1", 2, 1, "valid"),
])  # fmt: skip
def test_max_pool(rank: int, arguments: str, kernel: int, stride: int, padding: str) -> None:
    dims = ", ".join(map(str, SHAPES[rank]))
    x = numbers(2, 2, *SHAPES[rank])
    cut = windows(x, [kernel] * rank, [stride] * rank, padding, [1] * rank, -np.inf)
    actual = output(model(f"output y = MaxPool({arguments})(x)", f"x: [B, 2, {dims}]"), x=x)
    np.testing.assert_array_equal(actual, cut.max(tuple(range(rank + 2, 2 * rank + 2))))


def test_sizes_may_be_symbolic() -> None:
    of = program(model("output y = x |> Conv(2, kernel=3, padding=same) |> MaxPool(2)", "x: [B, 1, H, W]"))
    assert str(of.infer.outputs["y"].type) == "f32[B, 2, H // 2, W // 2]"
    for height, width in ((6, 4), (9, 5)):
        assert output(of, x=numbers(2, 1, height, width)).shape == (2, 2, height // 2, width // 2)


# ---------------------------------------------------------------- the whole library


def test_every_declaration_of_the_library_has_a_case() -> None:
    """Its name stands in one of these test files, where it is run against NumPy (directly or through what uses it)."""
    here = Path(__file__).parent
    tested = "".join(path.read_text("utf-8") for path in [*here.glob("test_std_*.py"), here / "test_optimizers.py"])
    helpers = {"per_axis", "padding_pairs", "output_size", "per_channel"}  # of convolutions, pools and norms
    names = {
        item.name
        for path in sorted((SPECS / "std").glob("*.arch"))
        for item in outline(Source(path.name, path.read_text("utf-8")))
    }
    assert sorted(name for name in names - helpers if f"{name}(" not in tested and f'"{name}"' not in tested) == []
