"""The tables of ``docs/numbers.md``: what functions of the library give at kinks and at infinities, computed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.source import Source

KINKS: dict[str, tuple[float, ...]] = {
    "relu(x)": (0,),
    "abs(x)": (0,),
    "max(x, 1.0)": (1,),
    "min(x, 1.0)": (1,),
    "clip(x, -1, 1)": (-1, 1),
    "relu6(x)": (0, 6),
    "hard_tanh(x)": (-1, 1),
    "hard_sigmoid(x)": (-3, 3),
    "hard_swish(x)": (-3, 3),
    "soft_shrink(x)": (-0.5, 0.5),
    "hard_shrink(x)": (-0.5, 0.5),
    "leaky_relu(x, 0.25)": (0,),
    "elu(x, 0.5)": (0,),
    "selu(x)": (0,),
    "celu(x, 2)": (0,),
    "mae(x, t)": (0,),
    "huber(x, t)": (-1, 0, 1),
    "smooth_l1(x, t, 0.5)": (-0.5, 0, 0.5),
    "quantile_loss(x, t, 0.9)": (0,),
    "hinge(x, 1 + t)": (1,),
    "squared_hinge(x, 1 + t)": (1,),
    "safe_sqrt(x)": (0,),
    "sqrt(x)": (0,),
    "norm(x)": (0,),
    "norm(x, 0.5)": (0,),
    "x ** 0": (0,),
    "x ** 0.5": (0,),
}
"""Calls of x, where t is 0, and the points at which they bend."""
EXTREMES = (
    "relu(x)", "sigmoid(x)", "tanh(x)", "softplus(x)", "log_sigmoid(x)", "erf(x)", "softsign(x)", "arctan(x)",
    "tanhshrink(x)", "soft_shrink(x)", "hard_shrink(x)", "hard_sigmoid(x)", "hard_tanh(x)", "hard_swish(x)", "relu6(x)",
    "leaky_relu(x)", "elu(x)", "selu(x)", "celu(x)", "silu(x)", "mish(x)", "gelu(x)", "step(x)", "exp(x)", "expm1(x)",
    "log(x)", "log1p(x)", "sqrt(x)", "abs(x)", "sign(x)", "max(x, 0.0)", "nan_to_num(x)",
)  # fmt: skip
"""Calls of x of which values at infinities and NaN are shown."""


def kinks() -> str:
    """Slopes of first and second order where they jump, beside those of both sides."""
    rows = ["| | at x | slope before | slope at it | slope after | second |", "| --- | --- | --- | --- | --- | --- |"]
    for call, points in KINKS.items():
        _, before, _ = _derivatives(call, [p - 1e-6 for p in points])
        _, at, bend = _derivatives(call, points)
        _, after, _ = _derivatives(call, [p + 1e-6 for p in points])
        shown = [" and ".join(map(_figure, values)) for values in (points, before, at, after, bend)]
        rows.append(f"| `{call}` | {' | '.join(shown)} |")
    return "\n".join(rows)


def extremes() -> str:
    """Values at infinities, 0 and NaN."""
    points = (-math.inf, 0.0, math.inf, math.nan)
    rows = ["| | -inf | 0 | inf | NaN |", "| --- | --- | --- | --- | --- |"]
    for call in EXTREMES:
        values = _outputs(f"output y = {call}", points)["y"]
        rows.append(f"| `{call}` | {' | '.join(map(_figure, values))} |")
    return "\n".join(rows)


def _derivatives(call: str, points: Sequence[float]) -> list[list[float]]:
    """Value, slope and second derivative, each point by itself."""
    body = f"y = sum({call})\noutput d0 = y\ng = grad(y, x)\noutput d1 = sum(g)\noutput d2 = sum(grad(sum(g), x))"
    found = [_outputs(body.replace("(x, t", "(x, 0 * x").replace("1 + t", "1 + 0 * x"), [p]) for p in points]
    return [[float(result[f"d{order}"]) for result in found] for order in range(3)]


def _outputs(body: str, points: Sequence[float]) -> dict[str, np.ndarray]:
    text = "model M():\n    input x: [n]\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    graph = elaborate(parse_spec(Source("numbers.arch", text)), float_type=DType.f64).infer
    return interpret(graph, {"x": np.array(points, np.float64)})


def _figure(value: float) -> str:
    """Four digits; a zero has no sign."""
    if math.isnan(value):
        return "NaN"
    return (
        re.sub(r"e([+-])0*(\d)", r"e\1\2", f"{round(float(value), 4) + 0.0:.4g}")
        if abs(value) < 1e6
        else f"{value:.3g}"
    )
