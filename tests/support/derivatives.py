"""Gradients of expressions of the language against central differences in float64."""

from __future__ import annotations

from collections.abc import Mapping
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


def check_both_orders(call: str, inputs: str, fields: Mapping[str, Array]) -> None:
    """Gradients of first and second order of ``call``, along a random direction of each float input that it uses.

    Of the sum of r + r^3, which bends a straight call, and of the sum of squares of its gradient, in float64.

    Args:
        call: an expression of the inputs; no scalar, perhaps.
        inputs: their types.
        fields: the point, by name.
    """
    used = program(model(f"output result = {call}", inputs)).infer.inputs
    names = [name for name, value in used.items() if value.type.dtype.is_float]
    lines = [f"result = {call}", "value = sum(result + result * result * result)", "output first = value"]
    lines += [f"{name}1 = grad(value, {name})\noutput first_{name} = {name}1" for name in names]
    lines += ["bent = " + " + ".join(f"sum({name}1 * {name}1)" for name in names), "output second = bent"]
    lines += [f"output second_{name} = grad(bent, {name})" for name in names]
    graph = program(model("\n".join(lines), inputs), float_type=DType.f64).infer
    start = {name: fields[name].astype(np.float64) if name in names else fields[name] for name in graph.inputs}
    generator = np.random.default_rng(1)
    direction = {name: generator.standard_normal(start[name].shape) for name in names}

    def at(step: float) -> dict[str, Array]:
        return interpret(graph, {**start, **{name: start[name] + step * direction[name] for name in names}})

    here, up, down = at(0), at(1e-5), at(-1e-5)
    for order in ("first", "second"):
        slope = (up[order] - down[order]) / 2e-5
        actual = sum((here[f"{order}_{name}"] * direction[name]).sum() for name in names)
        np.testing.assert_allclose(actual, slope, rtol=1e-5, atol=1e-7)
