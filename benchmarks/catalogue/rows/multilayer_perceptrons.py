"""Multilayer perceptrons and their transfer functions."""

from __future__ import annotations

from statistics import fmean

import numpy as np

from benchmarks.proof import CLAIMS, figures

from .. import backprop
from ..facts import Measured, Row
from ..training import each, mean, train

ROW = Row(
    "1.2",
    "Shallow and deep multilayer perceptrons, with all transfer functions",
    "003 3.1, 3.4, 4; 004 04",
    ("xor", "digits_mlp", "digits_transfer"),
)
SMOOTH = (
    "linear", "sigmoid", "tanh", "arctan", "relu", "leaky_relu(0.1)", "PRelu", "elu", "selu", "gelu",
    "gelu(approximate=true)", "softplus",
)  # fmt: skip
"""Transfer functions whose derivative is not zero almost everywhere, and which keep the units apart."""


@ROW.fact("one hidden layer solves XOR: all four cases with every seed")
def exclusive_or() -> Measured:
    """A perceptron cannot learn this."""
    shares = each("xor", "train", "accuracy")
    return Measured(f"{min(shares):.0%} at least", min(shares) == 1)


@ROW.fact("two hidden layers: digits, accuracy on a stratified 20%, mean of five seeds at least 0.965", slow=True)
def digits() -> Measured:
    """As ``make proof`` measures it."""
    claim = next(claim for claim in CLAIMS if claim.spec == "digits_mlp")
    seen = figures(claim)
    return Measured(f"{fmean(seen):.4f} (from {min(seen):.4f} to {max(seen):.4f})", claim.holds(seen))


@ROW.fact("shallow (1 hidden layer) and deep (4): digits, mean of three seeds at least 0.93", slow=True)
def shallow_and_deep() -> Measured:
    """The same spec, of two depths."""
    means = {d: mean("digits_transfer", "test", "accuracy", depth=d) for d in (1, 4)}
    return Measured(", ".join(f"{depth}: {share:.3f}" for depth, share in means.items()), min(means.values()) >= 0.93)


@ROW.fact(f"{len(SMOOTH)} transfer functions: each learns digits, mean of three seeds at least 0.93", slow=True)
def transfer_functions() -> Measured:
    """All but the step and softmax, which have facts of their own."""
    means = {t: mean("digits_transfer", "test", "accuracy", transfer=t) for t in SMOOTH}
    shown = ", ".join(f"{name} {share:.3f}" for name, share in means.items())
    return Measured(shown, min(means.values()) >= 0.93)


@ROW.fact("softmax between layers, at a higher rate: digits, mean of three seeds at least 0.85", slow=True)
def softmax_between_layers() -> Measured:
    """Outputs that sum to 1 make small signals."""
    share = mean("digits_transfer", "test", "accuracy", transfer="softmax", lr=0.01)
    return Measured(f"{share:.3f}", share >= 0.85)


@ROW.fact("the step passes no gradient: the layers below stay as drawn, to the bit; the layer above learns (over 0.5)")
def step() -> Measured:
    """A net of steps is a linear classifier of random features."""
    before = train("digits_transfer", settings={"epochs": 1}, transfer="step")[-1].trainer.parameters
    done = train("digits_transfer", transfer="step")[-1]
    after, share = done.trainer.parameters, done.metrics["test"]["accuracy"]
    moved = [path for path in after if not np.array_equal(after[path], before[path])]
    holds = moved == ["dense.2.W", "dense.2.b"] and share > 0.5
    return Measured(f"moved: {', '.join(moved)}; accuracy {share:.3f}", holds)


@ROW.fact("layers without a transfer function are one affine map: gap of the logarithms of the outputs below 1e-4")
def linear_layers() -> Measured:
    """The product of four matrices beside the net of four layers."""
    trainer = train("digits_transfer", settings={"epochs": 2}, transfer="linear", depth=3)[-1].trainer
    x = np.random.default_rng(0).uniform(size=(50, 64)).astype(np.float32)
    weight, bias = np.eye(64), np.zeros(64)
    for number in range(4):
        w, b = (trainer.parameters[f"dense.{number}.{name}"].astype(np.float64) for name in "Wb")
        weight, bias = weight @ w, bias @ w + b
    logits = x @ weight + bias
    expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    gap = np.abs(np.log(trainer.predict({"image": x})["probs"]) - expected).max()
    return Measured(f"{gap:.1e}", bool(gap < 1e-4))


backprop.add(ROW)
