"""Recurrent networks: gradients through time by hand, by two algorithms, and by their norms; memory and causality."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

import archonnx
from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.loops.scan import Scan
from archonnx.compiler.passes.manager import optimise
from archonnx.grammar.diagnostics import SpecError

from ..facts import Measured, Row
from ..images import digits
from ..recurrence import Array, numbers, outputs, outputs_of, spec
from ..training import each, final, model_of, train

ROW = Row(
    "3.1",
    "Recurrent networks",
    "003 6.2.5, 8.1 to 8.7, 15.9; 004 10",
    ("bptt_by_hand", "rtrl", "exploding", "finite_memory", "tones", "exposure", "spelled_digits"),
)
SEQUENCES = {28: [[1, -1], [1, 1]], 29: [[2, 1], [1, -1]]}
"""The inputs of the two questions."""


@ROW.fact("exercise 003 15.9.28: do(2)/dU is [[0, 0.5], [-0.25, -0.25]], to the last bit in f32 and f64")
def by_hand_28() -> Measured:
    """The printed solution is no matrix."""
    found = [outputs(spec("bptt_by_hand", dtype), x=SEQUENCES[28])["slope_U"] for dtype in (DType.f32, DType.f64)]
    gap = max(float(np.abs(one - [[0, 0.5], [-0.25, -0.25]]).max()) for one in found)
    return Measured(f"off by {gap:g}", gap == 0)


@ROW.fact(
    "exercise 003 15.9.29: do(2)/dW is 2.789468091e-10 [[6, 5], [-12, -10]], within 1e-9 in f64 and 1e-6 in f32; the "
    "states are (6, 5) and (28, 6)"
)
def by_hand_29() -> Measured:
    """The printed solution has 24 for 22, and 1/4 for the derivative of the sigmoid there."""
    wanted = 2.789468091e-10 * np.array([[6, 5], [-12, -10]])
    gaps = []
    for dtype in (DType.f32, DType.f64):
        found = outputs(spec("bptt_by_hand", dtype, question=29), x=SEQUENCES[29])
        assert found["states"].tolist() == [[6, 5], [28, 6]]
        gaps.append(float(np.abs(found["slope_W"] / wanted - 1).max()))
    return Measured(f"{gaps[1]:.0e} and {gaps[0]:.0e}", gaps[1] < 1e-9 and gaps[0] < 1e-6)


@ROW.fact("the gradients of both exercises agree with central differences within 1e-7")
def differences() -> Measured:
    """The largest relative error."""
    checks = [archonnx.gradcheck(archonnx.load("bptt_by_hand", question=question)) for question in SEQUENCES]
    worst = max(one.error for check in checks for group in check.checked.values() for one in group)
    return Measured(f"{worst:.0e}", all(check.ok for check in checks) and worst <= 1e-7)


@ROW.fact("the gradients of a net of 7 steps by `scan` are those of the net written out step by step, within 1e-13")
def unrolled() -> Measured:
    """In f64, of an LSTM."""
    text = """
param W: [3, 16] ~ glorot_uniform()
param U: [4, 16] ~ orthogonal()
fn step(x_t, h, c):
    i, f, g, o = split(x_t @ W + h @ U, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c
scan x_t in x along 1, h = zeros([2, 4]), c = zeros([2, 4]):
    h, c = step(x_t, h, c)
a = zeros([2, 4])
b = zeros([2, 4])
for t in range(7):
    a, b = step(x[:, t], a, b)
output by_scan = concat([grad(sum(h * h), W), grad(sum(h * h), U)], axis=0)
output by_steps = concat([grad(sum(a * a), W), grad(sum(a * a), U)], axis=0)
"""
    found = outputs_of(text, "x: [2, 7, 3]", x=numbers(2, 7, 3))
    gap = float(np.abs(found["by_scan"] - found["by_steps"]).max())
    return Measured(f"{gap:.0e}", gap < 1e-13 and bool(found["by_scan"].any()))


@cache
def _terms() -> dict[str, Array]:
    """For outputs o(t) of 6 steps, and each step t': whether U, or W, as used at t' has a part in the gradient."""
    text = """
param U: [6, 2, 3] ~ normal(0, 1)
param W: [6, 3, 3] ~ normal(0, 1)
scan x_t in x along 0, U_t in U along 0, W_t in W along 0, h = zeros([3]) -> o along 0:
    h = tanh(x_t @ U_t + h @ W_t)
    emit sum(h)
output of_U = stack([grad(o[t], U) for t in range(6)])
output of_W = stack([grad(o[t], W) for t in range(6)])
"""
    found = outputs_of(text, "x: [6, 2]", x=numbers(6, 2))
    return {name: np.abs(value).sum((-1, -2)) > 0 for name, value in found.items()}


QUESTIONS = {12: ("of_U", [3, 3, 3]), 13: ("of_W", [4]), 15: ("of_U", [4]), 16: ("of_U", [3, 3]),
             17: ("of_U", [5, 5, 5]), 18: ("of_U", [4, 4]), 19: ("of_W", [4, 4]), 20: ("of_U", [2, 4])}  # fmt: skip
"""Of which matrix, and the lengths of the sequences."""
PRINTED = {12: 18, 13: 6, 15: 10, 16: 12, 17: 45, 18: 20, 19: 12, 20: 13}


@ROW.fact(
    "exercises 003 15.9.12 to 15.9.20: gradients have as many terms that are not 0 as printed, but for 14, where "
    "the same count gives 8 (printed with a question mark: 14)"
)
def terms() -> Measured:
    """Question 14 has outputs at odd steps only, and asks for W, whose use at t = 1 meets h(0) = 0."""
    found = {q: sum(int(_terms()[of][:n, :n].sum()) for n in lengths) for q, (of, lengths) in QUESTIONS.items()}
    odd = sum(int(_terms()["of_W"][:n:2, :n].sum()) for n in (6, 4, 2))
    return Measured(", ".join(map(str, found.values())) + f"; {odd}", found == PRINTED and odd == 8)


@ROW.fact(
    "real-time recurrent learning gives the gradient of back-propagation through time, within 1e-5 at 1, 20, 60 steps"
)
def rtrl() -> Measured:
    """In f32, relative to the largest number of each gradient."""
    gaps = []
    for length in (1, 20, 60):
        found = outputs(spec("rtrl"), x=numbers(length, 3), y=numbers(length, 2, seed=1))
        for of in "UW":
            size = max(float(np.abs(found[f"bptt_{of}"]).max()), 1e-3)
            gaps.append(float(np.abs(found[f"rtrl_{of}"] - found[f"bptt_{of}"]).max()) / size)
    return Measured(f"{max(gaps):.0e}", max(gaps) < 1e-5)


@ROW.fact("its state has the n^3 numbers of dh/dU at any length; back-propagation keeps n for each step")
def memory() -> Measured:
    """Counted in the graphs, for n = 8: the largest state; and what the scan of the gradient reads of the first one."""
    (forward,) = [node for node in spec("rtrl", n=8).infer.nodes if isinstance(node.op, Scan) and node.op.states == 5]
    largest = max(_size(value) for value in forward.inputs[:5])
    text = "model Net():\n    input x: [1, T, 3]\n    loss l = sum(RNN(8)(x).h ** 2)\n"
    kept: list[int] = []
    for length in (20, 60):
        graph = optimise(bind(gradient_graph(model_of(text), "l"), {"T": length}))
        first, _ = [node for node in graph.nodes if isinstance(node.op, Scan)]
        kept.append(sum(_size(value) for value in first.outputs[1:]))
    return Measured(f"{largest}; {kept[0]} and {kept[1]} for 20 and 60 steps", largest == 8**3 and kept == [160, 480])


def _size(value: Value) -> int:
    assert value.type.static_shape is not None
    return math.prod(value.type.static_shape)


@ROW.fact("the norm of dh(T)/dh(0) changes by the spectral radius at each step: by 0.9 and by 1.1, within 1e-3")
def radius() -> Measured:
    """From 50 to 100 steps, by onnxruntime."""
    rates = []
    for wanted in (0.9, 1.1):
        trainer = archonnx.Trainer(archonnx.load("exploding", radius=wanted), device="cpu", steps=1)
        found = trainer.call("norms", h=np.zeros(16, np.float32))
        rates.append((float(found["twice"]) / float(found["once"])) ** (1 / 50))
    return Measured(", ".join(f"{rate:.4f}" for rate in rates), np.allclose(rates, [0.9, 1.1], atol=1e-3))


@ROW.fact(
    "with the radius 1.1, 50 steps and a bound on the norm of gradients, a net learns to keep its first input (an "
    "error below 0.6, where guessing has 1, for each of three seeds); without the bound training stops at NaN",
    slow=True,
)
def clipping() -> Measured:
    """The bound is `clip_norm = 1`."""
    errors = each("exploding", "test", "objective")
    try:
        train("exploding", bounded=False)
    except SpecError as error:
        stopped = error.diagnostics[0].code == "AX0610"
    else:
        stopped = False
    shown = ", ".join(f"{error:.2f}" for error in errors)
    return Measured(f"{shown}; {'stopped' if stopped else 'went on'}", max(errors) < 0.6 and stopped)


@ROW.fact(
    "a product of signs 3 steps apart is learned by a window of 4 steps (every sign right), and not by one of 3, which "
    "guesses but for the first steps of a sequence (0.575)",
    slow=True,
)
def window() -> Measured:
    """Accuracies on the test part."""
    four, three = (final("finite_memory", "test", "accuracy", window=steps) for steps in (4, 3))
    return Measured(f"{four:.3f} and {three:.3f}", four == 1 and three < 0.62)


@ROW.fact(
    "what an output depends on, by the zeros of its gradient: in a recurrent net all steps up to it, in one of both "
    "directions all steps, in one with a window of 3 those three"
)
def causality() -> Measured:
    """Of 6 steps: for each output and each input whether there is a slope."""
    steps, made = np.arange(6), {}
    for name, net in {
        "RNN": "RNN(3)(x).hs",
        "both": "Bidirectional(LSTM(3), GRU(3))(x).hs",
        "window": 'rearrange(rearrange(x, "b t c -> b c t") |> Conv(3, kernel=3, padding=causal), "b c t -> b t c")',
    }.items():
        text = f"y = {net}\noutput slopes = stack([grad(sum(sin(y[0, t])), x)[0] for t in range(6)])"
        made[name] = np.abs(outputs_of(text, "x: [1, 6, 2]", x=numbers(1, 6, 2))["slopes"]).sum(-1) > 0
    before = steps[None] <= steps[:, None]
    wanted = {"RNN": before, "both": np.ones((6, 6), bool), "window": before & (steps[None] > steps[:, None] - 3)}
    shown = ", ".join(f"{name} {int(found.sum())} of 36" for name, found in made.items())
    return Measured(shown, all(np.array_equal(made[name], wanted[name]) for name in wanted))


@ROW.fact(
    "frames of tones that last for four: labels by both directions are better than by one, and those better than by "
    "each frame alone, by 0.05 each (mean accuracy of three seeds)",
    slow=True,
)
def tones() -> Measured:
    """As many labels as frames."""
    both, one, none = (
        float(np.mean(each("tones", "test", "accuracy", layer=layer))) for layer in ("both", "forward", "none")
    )
    return Measured(f"{both:.3f}, {one:.3f}, {none:.3f}", both > one + 0.05 and one > none + 0.05)


@ROW.fact(
    "exposure bias: a net that was trained with teacher forcing, on its own: the last four of 32 points are off by "
    "more than three times as much as the first four, and those by more than three times as much as if it is led",
    slow=True,
)
def exposure() -> Measured:
    """Mean squares of errors, three seeds."""
    shown, holds = [], True
    for seed in range(3):
        found = train("exposure", seed=seed)[-1].metrics["test"]
        led, near, far = (float(found[name]) for name in ("error_forced", "near", "far"))
        shown.append(f"{led:.0e}, {near:.0e}, {far:.0e}")
        holds &= far > 3 * near and near > 3 * led
    return Measured("; ".join(shown), holds)


NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@ROW.fact(
    "a picture of a digit is spelled letter by letter, with attention over 16 places of a convolution: exact words in "
    "0.9 of the held-out pictures, and all ten words; the weights of each letter sum to 1",
    slow=True,
)
def spelled() -> Measured:
    """A word is exact if all its letters are right and nothing follows. Even weights have 0.61 on ink."""
    found = train("spelled_digits")[-1]
    exact = float(found.metrics["test"]["exact"])
    pictures = (digits()[0] + 1) / 2
    made = found.trainer.predict({"image": pictures})
    words = {"".join(chr(96 + code) for code in letters if code) for letters in made["letters"].tolist()}
    weights = made["attention"]
    ink = pictures.reshape(-1, 4, 2, 4, 2).max((2, 4)).reshape(-1, 1, 16) > 0.25
    shown = f"{exact:.3f}; {(weights * ink).sum(-1).mean():.2f} of the weight on ink"
    return Measured(shown, exact > 0.9 and set(NAMES) <= words and float(np.abs(weights.sum(-1) - 1).max()) < 1e-5)
