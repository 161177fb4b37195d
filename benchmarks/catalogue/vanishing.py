"""Vanishing gradients of a deep sigmoid net as facts, for the row on initialisation (003 6.2.5)."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import archonnx

from .facts import Measured, Row


def gradients(**arguments: Any) -> list[float]:
    """Norms of the gradients of the weights, first layer first, in the first epoch of ``deep_sigmoid``."""
    spec = archonnx.load("deep_sigmoid", **arguments)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"epochs": 1}
        run = archonnx.train(spec, Path(folder) / "run", settings=settings, device="cpu", watch="grads")
        (epoch,) = run.history
    return [norms["gradient"] for path, norms in epoch["watch"].items() if path.endswith(".W")]


def add(row: Row) -> None:
    """Enter the facts into a row."""

    @row.fact(
        "12 sigmoid layers: the first layer's gradient is below a millionth of the last one's, and grows with each "
        "layer, by `archonnx train --watch grads`"
    )
    def vanishing() -> Measured:
        norms = gradients()
        grows = all(before < after for before, after in pairwise(norms))
        return Measured(f"{norms[0]:.1e} of {norms[-1]:.1e}", grows and norms[0] < 1e-6 * norms[-1])

    @row.fact("12 relu layers with He's initialisation: the first layer's gradient is within a factor 10 of the last")
    def kept() -> Measured:
        norms = gradients(activation="relu", init="he_normal")
        return Measured(f"{norms[0]:.2f} of {norms[-1]:.2f}", 0.1 < norms[0] / norms[-1] < 10)
