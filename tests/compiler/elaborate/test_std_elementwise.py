"""The library's elementwise functions and reductions: values by NumPy at ordinary and at special numbers, in NumPy
and in onnxruntime; gradients of first and second order by central differences, and by hand at the edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.onnx_export import export
from tests.support.derivatives import check_both_orders
from tests.support.elaborated import codes, expression, model, numbers, output, program
from tests.support.onnx_run import run_onnx

INF, NAN = np.inf, np.nan
X, Y = numbers(3, 4), numbers(3, 4, seed=1)
P = np.abs(X) + 0.3
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, 2.5], np.float32)
PAIRS = tuple(np.stack(np.meshgrid(SPECIAL, SPECIAL)).reshape(2, -1))
PAIR = "x: [B]; y: [B]"

UNARY: dict[str, tuple[Callable[[Array], Array], Array]] = {
    "square(x)": (np.square, X),
    "reciprocal(x)": (np.reciprocal, P),
    "rsqrt(x)": (lambda x: 1 / np.sqrt(x), P),
    "safe_sqrt(x)": (np.sqrt, P),
    "cbrt(x)": (np.cbrt, X),
    "exp2(x)": (np.exp2, X),
    "log2(x)": (np.log2, P),
    "log10(x)": (np.log10, P),
    "logit(x)": (lambda x: np.log(x / (1 - x)), P / 3),
    "degrees(x)": (np.degrees, X / 50),
    "radians(x)": (np.radians, X),
    "trunc(x)": (np.trunc, 3 * X),
    "sinc(x)": (np.sinc, X),
    "signbit(x)": (np.signbit, X),
    "isfinite(x)": (np.isfinite, X),
    "nan_to_num(x)": (np.nan_to_num, X),
    "clip(x, -1, 0.5)": (lambda x: np.clip(x, -1, 0.5), X),
    "clamp(x, -1, 0.5)": (lambda x: np.clip(x, -1, 0.5), X),
    "lerp(x, 1, 0.25)": (lambda x: x + 0.25 * (1 - x), X),
    "var(x)": (np.var, X),
    "var(x, axis=1, ddof=1)": (lambda x: np.var(x, axis=1, ddof=1), X),
    "var(x, axis=[0, 1], keep=true)": (lambda x: np.var(x, keepdims=True), X),
    "var(x, axis=0, ddof=1)": (lambda x: np.var(x, axis=0, ddof=1), X),
    "std(x, axis=-1)": (lambda x: np.std(x, axis=-1), X),
    "std(x, 0, keep=true, ddof=1)": (lambda x: np.std(x, axis=0, keepdims=True, ddof=1), X),
    "norm(x)": (np.linalg.norm, X),
    "norm(x, 1, axis=0)": (lambda x: np.linalg.norm(x, 1, axis=0), X),
    "norm(x, inf, axis=1)": (lambda x: np.linalg.norm(x, INF, axis=1), X),
    "norm(x, -inf, axis=1, keep=true)": (lambda x: np.linalg.norm(x, -INF, axis=1, keepdims=True), X),
    "norm(x, 3, axis=1)": (lambda x: np.linalg.norm(x, 3, axis=1), X),
    "norm(x, 2.5, axis=-1)": (lambda x: np.linalg.norm(x, 2.5, axis=-1), X),
    "median(x)": (lambda x: np.median(x, axis=-1), X),
    "median(x, axis=0, keep=true)": (lambda x: np.median(x, axis=0, keepdims=True), X),
    "count_nonzero(x > 0.5, axis=1)": (lambda x: np.count_nonzero(x > 0.5, axis=1), X),
    "count_nonzero(x, keep=true)": (lambda x: np.count_nonzero(x, keepdims=True), X),
    "cumprod(x)": (lambda x: np.cumprod(x, axis=-1), X),
    "cumprod(x, axis=0)": (lambda x: np.cumprod(x, axis=0), X),
    "cumprod(x, axis=0, reverse=true)": (lambda x: np.flip(np.cumprod(np.flip(x, 0), axis=0), 0), X),
    "cumprod(x, reverse=true)": (lambda x: np.flip(np.cumprod(np.flip(x, 1), axis=1), 1), X),
    "cummax(x)": (lambda x: np.maximum.accumulate(x, axis=-1), X),
    "cummin(x, axis=1, reverse=true)": (lambda x: np.flip(np.minimum.accumulate(np.flip(x, 1), axis=1), 1), X),
    "cumsum(x, axis=1, exclusive=true)": (lambda x: np.cumsum(x, axis=1) - x, X),
    "cumsum(x, reverse=true)": (lambda x: np.flip(np.cumsum(np.flip(x, 1), axis=1), 1), X),
}
FLAT = ("trunc", "signbit", "isfinite", "count_nonzero")
"""Nothing is smooth there: truth values, counts, steps."""


def check(call: str, inputs: str, expected: Any, tolerance: float = 1e-5, **fields: Array) -> None:
    """The value in NumPy, and of the exported model in onnxruntime."""
    of = program(model(f"output result = {call}", inputs))
    expected = np.asarray(expected)
    given = {name: value for name, value in fields.items() if name in of.infer.inputs}
    with np.errstate(all="ignore"):
        for value in (output(of, **given), run_onnx(export(of.infer), given)["result"]):
            np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance)
            assert value.shape == expected.shape


@pytest.mark.parametrize("call", UNARY)
def test_values_are_those_of_numpy(call: str) -> None:
    function, x = UNARY[call]
    check(call, "x: [B, 4]", function(x), x=x)


SMOOTH = [call for call in UNARY if not call.startswith((*FLAT, "degrees"))]
BINARY: dict[str, Callable[..., Array]] = {
    "hypot(x, y)": np.hypot,
    "atan2(x, y)": np.arctan2,
    "logaddexp(x, y)": np.logaddexp,
    "copysign(x, y)": np.copysign,
    "fmod(x, y)": np.fmod,
    "isclose(x, y)": np.isclose,
}


@pytest.mark.parametrize(
    "call", [*SMOOTH, "degrees(x) / 60", "hypot(x, 1 - x)", "atan2(x, 1 - x)", "logaddexp(x, 2 * x)"]
)
def test_gradients_of_first_and_second_order(call: str) -> None:
    check_both_orders(call, "x: [3, 4]", {"x": UNARY[call][1] if call in UNARY else X})


@pytest.mark.parametrize("call", BINARY)
def test_special_numbers_in_pairs(call: str) -> None:
    """All pairs of zeros of both signs, ones, infinities and NaN; only hypot differs from C, and only beside NaN."""
    x, y = PAIRS
    if call == "hypot(x, y)":
        keep = ~(np.isnan(x) | np.isnan(y))
        x, y = x[keep], y[keep]
    if call == "fmod(x, y)":
        keep = np.isfinite(x) & np.isfinite(y) & (y != 0)
        x, y = x[keep], y[keep]
    if call == "copysign(x, y)":
        keep = ~np.isnan(y)
        x, y = x[keep], y[keep]
    with np.errstate(all="ignore"):
        check(call, PAIR, BINARY[call](x, y), x=x, y=y)


@pytest.mark.parametrize(("call", "function"), [
    ("isfinite(x)", np.isfinite), ("isnan(x)", np.isnan), ("isinf(x)", np.isinf),
    ("nan_to_num(x)", np.nan_to_num), ("trunc(x)", np.trunc), ("cbrt(x)", np.cbrt),
    ("nan_to_num(x, 1, 2, 3)", lambda x: np.nan_to_num(x, nan=1, posinf=2, neginf=3)),
    ("signbit(abs(x) * sign(x))", lambda x: np.signbit(x) & (x != 0)),
])  # fmt: skip
def test_special_numbers(call: str, function: Callable[[Array], Array]) -> None:
    check(call, "x: [B]", function(SPECIAL), x=SPECIAL)


EDGES: dict[str, tuple[list[float], list[float]]] = {
    "hypot(x[0], x[1])": ([0.0, 0.0], [0, 0]),
    "hypot(x[0], x[1]) ": ([3e200, 4e200], [0.6, 0.8]),
    "atan2(x[0], x[1])": ([0.0, 0.0], [0, 0]),
    "atan2(x[0], x[1]) ": ([0.0, 2.0], [0.5, 0]),
    "atan2(x[0], x[1])  ": ([2.0, 0.0], [0, -0.5]),
    "logaddexp(x[0], x[1])": ([1000.0, 1000.0], [0.5, 0.5]),
    "logaddexp(x[0], x[1]) ": ([INF, INF], [0.5, 0.5]),
    "logaddexp(x[0], x[1])  ": ([-INF, 0.0], [0, 1]),
    "logaddexp(x[0], x[1])   ": ([-INF, -INF], [0.5, 0.5]),
    "sum(cbrt(x))": ([-8.0, 27.0], [1 / 12, 1 / 27]),
    "cbrt(x[0]) + 0 * x[1]": ([0.0, 1.0], [INF, 0]),
    "sum(sinc(x))": ([0.0, 1.0], [0, -1]),
    "sum(clip(x, -1, 1))": ([1.0, 3.0], [0.5, 0]),
    "fmod(x[0], x[1])": ([-7.0, 3.0], [1, 2]),
    "fmod(x[0], x[1]) ": ([0.0, 3.0], [1, 0]),
    "copysign(x[0], x[1]) + 0 * x[1]": ([2.0, -3.0], [-1, 0]),
    "std(x)": ([2.0, 2.0], [0, 0]),
    "norm(x)": ([0.0, 0.0], [0, 0]),
    "norm(x, 3)": ([0.0, 0.0], [0, 0]),
    "norm(x, inf)": ([2.0, -2.0], [0.5, -0.5]),
    "sum(safe_sqrt(x))": ([0.0, 4.0], [0, 0.25]),
    "sum(cumprod(x))": ([0.0, 0.0], [1, 0]),
    "sum(cummax(x))": ([2.0, 1.0], [2, 0]),
    "median(x)": ([5.0, 1.0], [0.5, 0.5]),
}


@pytest.mark.parametrize("call", EDGES)
def test_gradients_at_edges(call: str) -> None:
    at, expected = EDGES[call]
    with np.errstate(all="ignore"):
        actual = expression(f"grad({call.strip()}, x)", "x: [2]", float_type=DType.f64, x=np.array(at))
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


def test_the_second_derivative_of_sinc_at_zero() -> None:
    second = expression("grad(sum(grad(sum(sinc(x)), x)), x)", "x: [1]", float_type=DType.f64, x=np.zeros(1))
    np.testing.assert_allclose(second, -(np.pi**2) / 3, rtol=1e-12)


def test_the_second_derivative_of_logaddexp_where_both_are_equal() -> None:
    second = expression("grad(grad(logaddexp(x[0], x[1]), x)[0], x)", "x: [2]", float_type=DType.f64, x=np.ones(2))
    np.testing.assert_allclose(second, [0.25, -0.25], rtol=1e-12)


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
@pytest.mark.parametrize("options", ["", ", exclusive=true", ", reverse=true", ", exclusive=true, reverse=true"])
@pytest.mark.parametrize("size", ["5", "T"])
def test_cumprod_with_zeros(zeros: int, options: str, size: str) -> None:
    """Value, gradient and second derivative, whether the size is known or not, against differences of NumPy's."""
    x = numbers(5, 2, seed=zeros).astype(np.float64)
    x[:zeros, 0] = 0
    weight = numbers(5, 2, seed=7).astype(np.float64)

    def reference(x: Array) -> Array:
        ordered = np.flip(x, 0) if "reverse" in options else x
        products = np.cumprod(ordered, axis=0)
        if "exclusive" in options:
            products = np.concatenate([np.ones((1, 2)), products[:-1]])
        return np.flip(products, 0) if "reverse" in options else products

    body = f"r = cumprod(x, axis=0{options})\ng = grad(sum(w * r), x)\noutput value = r\noutput d = g"
    body += "\noutput h = grad(sum(g * g), x)"
    of = program(model(body, f"x: [{size}, 2]; w: [{size}, 2]"), float_type=DType.f64)
    values = interpret(of.infer, {"x": x, "w": weight})
    np.testing.assert_allclose(values["value"], reference(x), rtol=1e-12)

    def slopes(function: Callable[[Array], Any]) -> Array:
        unit = np.eye(10).reshape(10, 5, 2) * 1e-5
        return np.reshape([(function(x + e) - function(x - e)) / 2e-5 for e in unit], (5, 2))

    np.testing.assert_allclose(values["d"], slopes(lambda x: (weight * reference(x)).sum()), rtol=1e-6, atol=1e-8)
    squared = slopes(lambda x: (interpret(of.infer, {"x": x, "w": weight})["d"] ** 2).sum())
    np.testing.assert_allclose(values["h"], squared, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("call", ["hypot(x, y)", "atan2(x, y)", "logaddexp(x, y)", "fmod(x, y)", "copysign(x, y)"])
def test_two_arguments_broadcast_and_may_be_numbers(call: str) -> None:
    function = BINARY[call]
    y = np.abs(Y[:1]) + 0.5
    check(call, "x: [B, 4]; y: [1, 4]", function(X, y), x=X, y=y)
    check(call.replace("y)", "2)"), "x: [B, 4]", function(X, np.float32(2)), x=X)
    gradient = expression(f"grad(sum({call} + 0 * y), y)", "x: [3, 4]; y: [1, 4]", x=X, y=y)
    assert gradient.shape == (1, 4)


def test_truth_of_several() -> None:
    fields = {"x": X, "y": X + np.float32(1e-7)}
    check("allclose(x, y)", "x: [B, 4]; y: [B, 4]", True, **fields)
    check("allclose(x, y, rtol=0, atol=0)", "x: [B, 4]; y: [B, 4]", False, **fields)
    check("logical_xor(x > 0, y > 1)", "x: [B, 4]; y: [B, 4]", (X > 0) ^ (X > 1), **fields)


def test_searchsorted() -> None:
    a, v = np.sort(np.array([1, 2, 2, 5, 7], np.float32)), np.array([[0, 2, 9], [5, 6, 2]], np.float32)
    for side in ("left", "right"):
        check(f"searchsorted(x, y, {side})", "x: [n]; y: [B, 3]", np.searchsorted(a, v, side), x=a, y=v)


@pytest.mark.parametrize(("call", "code"), [
    ("cbrt(x > 0)", "AX0303"),
    ("isnan(x > 0)", "AX0303"),
    ("hypot(x, i64(x))", "AX0303"),
    ("hypot(x, x[:, :2])", "AX0302"),
    ("cummax(x, axis=0)", "AX0309"),
    ("cumprod(x, axis=5)", "AX0320"),
    ("norm(x, ord=x)", "AX0306"),
    ("median(x, axis=3)", "AX0320"),
    ("var(x, axis=[0, 2], ddof=1)", "AX0320"),
    ("var(i64(x))", "AX0303"),
    ("searchsorted(x[0], x, middle)", "AX0208"),
])  # fmt: skip
def test_misuse(call: str, code: str) -> None:
    assert codes(model(f"output result = {call}")) == [code]
