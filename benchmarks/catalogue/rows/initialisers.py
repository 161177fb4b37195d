"""Initial values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.support.oracles.initialisers import INITIALISERS, SHAPE

from .. import vanishing
from ..facts import Measured, Row
from ..training import train, trainer_of

ROW = Row(
    "1.6",
    "Initial values: zero, normal, uniform, He, Xavier, LeCun, orthogonal",
    "003 6.4, 6.2.5; 002 3.1; 001, weight initialization; 004 05, 06",
    ("symmetry", "deep_sigmoid"),
)


def drawn(initialisers: Iterable[str], shape: tuple[int, int] = SHAPE) -> dict[str, Any]:
    """A matrix from each initialiser, as a trainer starts with it."""
    rows, columns = shape
    lines = [f"    param w{i}: [{rows}, {columns}] ~ {init}" for i, init in enumerate(initialisers)]
    total = " + ".join(f"sum(w{i})" for i in range(len(lines)))
    text = "model Drawn():\n    input x: [B]\n" + "\n".join(lines) + f"\n    output y = x + {total}\n"
    parameters = trainer_of(text).parameters
    return {init: parameters[f"w{i}"].astype(np.float64) for i, init in enumerate(initialisers)}


@ROW.fact(f"{len(INITIALISERS)} settings, {SHAPE[0]} x {SHAPE[1]} draws: variances as by formula, to 4%", slow=True)
def variances() -> Measured:
    """He 2 / n_in, Xavier 1 / n_in and 2 / (n_in + n_out), LeCun 1 / n_in, and the others."""
    gaps = {init: abs(w.var() / INITIALISERS[init].variance - 1) for init, w in drawn(INITIALISERS).items()}
    worst = max(gaps, key=lambda init: gaps[init])
    return Measured(f"largest gap {gaps[worst]:.1%}, `{worst}`", gaps[worst] <= 0.04)


@ROW.fact("orthogonal: W W^T is the identity, to 1e-5")
def orthogonality() -> Measured:
    """More columns than rows: the rows are orthonormal."""
    w = drawn(["orthogonal()"], (30, 50))["orthogonal()"]
    gap = float(abs(w @ w.T - np.eye(len(w))).max())
    return Measured(f"{gap:.0e}", gap <= 1e-5)


@ROW.fact("zero weights: units stay equal, to the bit, 10 epochs; accuracy below 0.5, drawn above 0.95", slow=True)
def symmetry() -> Measured:
    """Sigmoid units on digits, accuracy on what they were trained with."""
    apart = 0.0
    for epochs in (1, 4, 10):
        done = train("symmetry", settings={"epochs": epochs})[-1]
        w = done.trainer.parameters["first.W"]
        apart = max(apart, float(np.abs(np.subtract(w, w[:, :1])).max()))
    moved = float(abs(w).max())
    equal = done.metrics["train"]["accuracy"]
    other = train("symmetry", init="glorot_uniform")[-1].metrics["train"]["accuracy"]
    shown = f"apart by {apart:g} (having moved {moved:.2f}); accuracy {equal:.2f}, drawn {other:.2f}"
    return Measured(shown, apart == 0 and moved > 0.1 and equal < 0.5 and other > 0.95)


@ROW.fact("zero weights and relu: nothing but the last bias moves (dead units)")
def dead_units() -> Measured:
    """003 6.4: the derivative of relu is 0 at 0, and the last weights see only zeros."""
    parameters = train("symmetry", settings={"epochs": 2}, transfer="relu")[-1].trainer.parameters
    moved = [path for path, value in parameters.items() if value.any()]
    return Measured(", ".join(moved), moved == ["last.b"])


def spread(init: str, transfer: str, depth: int = 20, width: int = 256) -> float:
    """The mean square of activations behind ``depth`` layers, where that of the inputs is 1."""
    text = f"""model Deep():
    input x: [B, {width}]
    h = x
    for _ in range({depth}):
        h = {transfer}(h |> Dense({width}, bias=false, init={init}))
    output size: [] = mean(h * h)
"""
    x = np.random.default_rng(0).normal(size=(200, width)).astype(np.float32)
    return float(trainer_of(text, batch_size=200).predict({"x": x})["size"])


@ROW.fact("20 layers keep the size of signals: He with relu, LeCun with selu; Xavier's halves it in a relu layer")
def signals() -> Measured:
    """Mean squares of activations: within a factor of 3 of the input's, and about 2^-20 of it."""
    sizes = {pair: spread(*pair) for pair in (("he_normal", "relu"), ("lecun_normal", "selu"), ("xavier", "relu"))}
    shown = ", ".join(f"{init} and {transfer} {size:.2g}" for (init, transfer), size in sizes.items())
    he, selu, xavier = sizes.values()
    kept = all(1 / 3 < size < 3 for size in (he, selu))
    return Measured(shown, kept and 1 / 3 < xavier * 2**20 < 3)


vanishing.add(ROW)
