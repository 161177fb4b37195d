"""Backpropagation by hand: the exercises 003 15.4.2 to 15.4.5, whose solutions are fractions.

The fractions are those of a computation by hand; the printed solutions (003 16.4) slip in three of the four.
"""

from __future__ import annotations

from functools import partial

import numpy as np

import archonnx

from .facts import Measured, Row

SOLUTIONS: dict[str, dict[str, object]] = {
    "backprop_relu_one_weight": {"W1": [[-1 / 8, -1 / 16], [0, 0]]},
    "backprop_relu_both_layers": {"W1": [[-1 / 16, -1 / 8], [0, 0]], "w2": [-1 / 8, 0]},
    "backprop_relu_three_units": {"W1": [[0, 0], [0, 0], [-1 / 16, -1 / 8]], "w2": [0, 0, -1 / 4]},
    "backprop_sigmoid": {"W1": [[-1 / 16, -1 / 32], [1 / 16, 1 / 32]], "b1": [-1 / 16, 1 / 16]},
}
"""For each exercise the gradients that it asks for."""
EXERCISES = dict(zip(SOLUTIONS, range(2, 6), strict=True))
"""Their numbers in section 003 15.4."""


def add(row: Row) -> None:
    """Enter the exercises in a row: their specs, and that their gradients are right to the last bit."""
    row.specs = (*row.specs, *SOLUTIONS)
    for name, number in EXERCISES.items():
        asked = " and ".join(f"dJ/d{of}" for of in SOLUTIONS[name])
        claim = f"exercise 003 15.4.{number}: {asked} are the fractions found by hand, in f32 and f64"
        row.fact(claim)(partial(solved, name))
    row.fact("the gradients of all four exercises agree with central differences within 1e-7")(differences)


def solved(name: str) -> Measured:
    """The largest deviation of the gradients that an exercise asks for; all of these fractions are exact floats."""
    deviations = []
    for dtype in ("f32", "f64"):
        trace = archonnx.trace(archonnx.load(name, dtype=dtype), device="cpu")
        for of, solution in SOLUTIONS[name].items():
            gradient = trace[of].gradient
            assert gradient is not None
            deviations.append(float(np.abs(gradient - np.array(solution)).max()))
    return Measured(f"off by {max(deviations):g} at most", max(deviations) == 0)


def differences() -> Measured:
    """The largest relative error."""
    checks = [archonnx.gradcheck(name) for name in SOLUTIONS]
    worst = max(one.error for check in checks for group in check.checked.values() for one in group)
    return Measured(f"{worst:.0e}", all(check.ok for check in checks) and worst <= 1e-7)
