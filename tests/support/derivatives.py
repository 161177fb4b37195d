"""Gradients of expressions of the language against central differences in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array, DType
from tests.support.elaborated import loss_and_gradients, model, numbers, program


def check_gradient(call: str, before: str, value: Array, fields: dict[str, Any], inputs: str) -> None:
    """The gradient of a function of ``call`` with respect to ``w``, along a random direction, in float64.

    Args:
        call: an expression of ``w`` and the fields; no scalar, perhaps.
        before: declarations that it uses.
        value: of ``w``.
        fields: the inputs, by name.
        inputs: their types, ``"t: [5, 4]; k: i64[5]"``; all must be used in the call, or the model is refused.
    """
    shape = ", ".join(map(str, value.shape))
    inputs = "; ".join(["unused: [1]", inputs] if inputs else ["unused: [1]"])
    text = model(
        f"param w: [{shape}] = 0\nr = {call}\nloss objective = sum(r * cos(r)) + 0 * sum(unused)", inputs, before
    )
    of = program(text, float_type=DType.f64)
    fields = {"unused": np.zeros(1), **fields}
    direction = numbers(*value.shape, seed=9).astype(np.float64)
    w = value.astype(np.float64)

    def loss(at: Array) -> float:
        given = {**fields, "w": at}
        return float(interpret(of.evaluate, {name: given[name] for name in of.evaluate.inputs})["objective"])

    slope = (loss(w + 1e-6 * direction) - loss(w - 1e-6 * direction)) / 2e-6
    analytic = float((loss_and_gradients(of, "objective", {**fields, "w": w})["w"] * direction).sum())
    np.testing.assert_allclose(analytic, slope, rtol=2e-6, atol=1e-7)
