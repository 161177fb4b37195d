"""The library's functions of one number where formulas go wrong: at kinks, zeros of both signs, numbers too small or
too large to square, infinities, NaN. Value and slope, in NumPy and in onnxruntime, against closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import DType
from archonnx.grammar import ast
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse
from tests.support.elaborated import expression, model, program
from tests.support.pointwise import STD, at, run

RUNS = [(where, dtype) for where in ("numpy", "onnxruntime") for dtype in (DType.f32, DType.f64)]
HUGE = [1e4, 1e19, 1e38]
"""Squares overflow from the second on."""
TINY = 1e-30
"""Its square is 0 in f32."""


class Limits:
    """What a function tends to on both sides (a number, or a slope times x), and its value and slope at 0."""

    def __init__(
        self,
        left: float,
        right: float,
        zero: tuple[float, float],
        *,
        left_slope: float = 0.0,
        right_slope: float = 0.0,
        infinite: bool = True,
    ) -> None:
        self.left, self.right, self.zero, self.infinite = left, right, zero, infinite
        self.left_slope, self.right_slope = left_slope, right_slope

    def expected(self, x: float) -> float:
        slope, constant = (self.right_slope, self.right) if x > 0 else (self.left_slope, self.left)
        return slope * x + constant if slope else constant


ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
MISH = math.tanh(math.log(2))
LIMITS = {
    "linear(x)": Limits(0, 0, (0, 1), left_slope=1, right_slope=1),
    "arctan(x)": Limits(-math.pi / 2, math.pi / 2, (0, 1)),
    "softsign(x)": Limits(-1, 1, (0, 1)),
    "tanhshrink(x)": Limits(1, -1, (0, 0), left_slope=1, right_slope=1),
    "soft_shrink(x)": Limits(0.5, -0.5, (0, 0), left_slope=1, right_slope=1),
    "hard_shrink(x)": Limits(0, 0, (0, 0), left_slope=1, right_slope=1),
    "log_sigmoid(x)": Limits(0, 0, (-math.log(2), 0.5), left_slope=1),
    "hard_sigmoid(x)": Limits(0, 1, (0.5, 1 / 6)),
    "hard_tanh(x)": Limits(-1, 1, (0, 1)),
    "relu6(x)": Limits(0, 6, (0, 0)),
    "leaky_relu(x)": Limits(0, 0, (0, 0.01), left_slope=0.01, right_slope=1),
    "prelu(x, tensor([0.25]))": Limits(0, 0, (0, 0.25), left_slope=0.25, right_slope=1),
    "elu(x)": Limits(-1, 0, (0, 1), right_slope=1),
    "elu(x, 0.5)": Limits(-0.5, 0, (0, 0.5), right_slope=1),
    "selu(x)": Limits(-ALPHA * SCALE, 0, (0, ALPHA * SCALE), right_slope=SCALE),
    "celu(x)": Limits(-1, 0, (0, 1), right_slope=1),
    "celu(x, 2)": Limits(-2, 0, (0, 1), right_slope=1),
    "silu(x)": Limits(0, 0, (0, 0.5), right_slope=1, infinite=False),
    "swish(x, 1.5)": Limits(0, 0, (0, 0.5), right_slope=1, infinite=False),
    "hard_swish(x)": Limits(0, 0, (0, 0.5), right_slope=1),
    "mish(x)": Limits(0, 0, (0, MISH), right_slope=1, infinite=False),
    "relu(x)": Limits(0, 0, (0, 0), right_slope=1),
    "sigmoid(x)": Limits(0, 1, (0.5, 0.25)),
    "tanh(x)": Limits(-1, 1, (0, 1)),
    "softplus(x)": Limits(0, 0, (math.log(2), 0.5), right_slope=1),
    "erf(x)": Limits(-1, 1, (0, 2 / math.sqrt(math.pi))),
    "gelu(x)": Limits(0, 0, (0, 0.5), right_slope=1, infinite=False),
    "gelu(x, approximate=true)": Limits(0, 0, (0, 0.5), right_slope=1, infinite=False),
}
"""Functions that are a number times a sigmoid of it give NaN at an infinity, as 0 * inf is."""
F32_ALONE = ("arctan", "softplus", "log_sigmoid", "mish", "erf", "gelu(x)")
"""Made of an operator that onnxruntime has for f32 alone on the CPU: AX0503 says so."""


def cases(call: str) -> list[tuple[str, DType]]:
    return [
        (where, dtype)
        for where, dtype in RUNS
        if not (where == "onnxruntime" and dtype is DType.f64 and call.startswith(F32_ALONE))
    ]


EVERY = [pytest.param(c, w, d, id=f"{c} {w} {d}") for c in LIMITS for w, d in cases(c)]


def test_every_activation_has_limits() -> None:
    path = STD / "activations.arch"
    declared = [
        d for d in parse(Source(path.name, path.read_text(encoding="utf-8"))).declarations if isinstance(d, ast.Fn)
    ]
    elementwise = {d.name for d in declared if "[...S]:" in d.span.text.partition(":\n")[0] + ":"}
    flat_or_along_an_axis = {"step", "softmin"}
    assert elementwise - flat_or_along_an_axis == {c.partition("(")[0] for c in LIMITS} & elementwise


@pytest.mark.parametrize(("call", "where", "dtype"), EVERY)
def test_value_and_slope_tend_to_their_limits(call: str, where: str, dtype: DType) -> None:
    limits = LIMITS[call]
    far = [*HUGE, math.inf] if limits.infinite else HUGE
    points = [-x for x in far] + far
    value, slope = at(call, points, where=where, dtype=dtype)
    largest = float(np.finfo(dtype.numpy).max)
    expected = [limits.expected(x) for x in points]
    wanted = [x if abs(x) <= largest else math.copysign(math.inf, x) for x in expected]
    np.testing.assert_allclose(value, wanted, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(slope, [limits.right_slope if x > 0 else limits.left_slope for x in points], atol=1e-3)


@pytest.mark.parametrize(("call", "where", "dtype"), EVERY)
def test_both_zeros_have_one_value_and_slope(call: str, where: str, dtype: DType) -> None:
    value, slope = at(call, [0.0, -0.0], where=where, dtype=dtype)
    np.testing.assert_allclose(value, [LIMITS[call].zero[0]] * 2, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(slope, [LIMITS[call].zero[1]] * 2, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("call", "where", "dtype"), EVERY)
def test_beside_zero_it_is_linear(call: str, where: str, dtype: DType) -> None:
    """To first order: value(0) + slope * x with a slope of the side, also where x^2 is 0."""
    sides = at(call, [-1e-3, 1e-3], where="numpy", dtype=DType.f64)[1]
    value, slope = at(call, [-TINY, TINY], where=where, dtype=dtype)
    np.testing.assert_allclose(slope, sides, atol=2e-3)
    np.testing.assert_allclose(value, LIMITS[call].zero[0] + slope * np.array([-TINY, TINY]), rtol=1e-5, atol=1e-36)


@pytest.mark.parametrize(("call", "where", "dtype"), EVERY)
def test_nan_gives_nan(call: str, where: str, dtype: DType) -> None:
    value, _ = at(call, [math.nan, 1.0], where=where, dtype=dtype)
    assert np.isnan(value[0]) and np.isfinite(value[1])


@pytest.mark.parametrize(("where", "dtype"), RUNS)
@pytest.mark.parametrize("call", ["max(x, 0.0)", "min(x, 0.0)", "abs(x)", "relu(x)", "clip(x, -1, 1)"])
def test_the_slope_of_a_kink_at_nan_is_nan(call: str, where: str, dtype: DType) -> None:
    assert np.isnan(at(call, [math.nan], where=where, dtype=dtype)[1]).all()


KINKS: dict[str, tuple[list[float], list[float]]] = {
    "relu(x)": ([0], [0]),
    "abs(x)": ([0], [0]),
    "max(x, 1.0)": ([1], [0.5]),
    "min(x, 1.0)": ([1], [0.5]),
    "clip(x, -1, 1)": ([-1, 1], [0.5, 0.5]),
    "relu6(x)": ([0, 6], [0, 0.5]),
    "hard_tanh(x)": ([-1, 1], [0.5, 0.5]),
    "hard_sigmoid(x, 0.25)": ([-2, 2], [0.125, 0.125]),
    "hard_swish(x)": ([-3, 3], [0, 1]),
    "soft_shrink(x)": ([-0.5, 0.5], [0.5, 0.5]),
    "hard_shrink(x)": ([-0.5, 0.5], [0, 0]),
    "leaky_relu(x, 0.25)": ([0], [0.25]),
    "prelu(x, tensor([0.25]))": ([0], [0.25]),
    "elu(x, 0.5)": ([0], [0.5]),
    "mae(x, 0 * x + 1.0, reduce=none)": ([1], [0]),
    "huber(x, 0 * x + 1.0, reduce=none)": ([0, 2], [-1, 1]),
    "smooth_l1(x, 0 * x + 1.0, 0.5, reduce=none)": ([0.5, 1.5], [-1, 1]),
    "quantile_loss(x, 0 * x + 1.0, 0.9, reduce=none)": ([1], [-0.4]),
    "hinge(x, 0 * x + 1.0, reduce=none)": ([1], [0]),
    "squared_hinge(x, 0 * x + 1.0, reduce=none)": ([1], [0]),
}
"""Points where the slope jumps, and which of its values it has there: one of the sides or their mean, never beyond."""


@pytest.mark.parametrize(("where", "dtype"), RUNS)
@pytest.mark.parametrize("call", KINKS)
def test_at_a_kink_the_slope_is_that_of_the_convention(call: str, where: str, dtype: DType) -> None:
    points, slopes = KINKS[call]
    np.testing.assert_allclose(at(call, points, where=where, dtype=dtype)[1], slopes, atol=1e-6)
    before, after = (at(call, np.add(points, step), where=where, dtype=dtype)[1] for step in (-1e-3, 1e-3))
    low, high = np.minimum(before, after), np.maximum(before, after)
    assert (low - 2e-3 <= slopes).all() and (slopes <= high + 2e-3).all(), "a subgradient"


SMOOTH: dict[str, Callable[[Any], Any]] = {
    "huber(x, 0 * x, 2, reduce=none)": lambda d: 1 + 0 * d,
    "smooth_l1(x, 0 * x, 2, reduce=none)": lambda d: 0.5 + 0 * d,
    "pseudo_huber(x, 0 * x, 2, reduce=none)": lambda d: (1 + d * d / 4) ** -1.5,
    "log_cosh(x, 0 * x, reduce=none)": lambda d: 1 - np.tanh(d) ** 2,
    "mse(x, 0 * x, reduce=none)": lambda d: 2 + 0 * d,
    "celu(x, 2)": lambda x: np.where(x > 0, 0, np.exp(x / 2) / 2),
    "square(x)": lambda x: 2 + 0 * x,
}


@pytest.mark.parametrize(("where", "dtype"), RUNS)
@pytest.mark.parametrize("call", SMOOTH)
def test_losses_bend_at_zero_as_they_do_beside_it(call: str, where: str, dtype: DType) -> None:
    """A second derivative lost at exactly 0 makes Newton's matrix singular at a residual of 0."""
    points = np.array([-1.5, -1e-2, 0.0, 1e-2, 1.5])
    curvature = at(call, points, where=where, dtype=dtype, orders=2)[2]
    np.testing.assert_allclose(curvature, SMOOTH[call](points), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("where", "dtype"), RUNS)
@pytest.mark.parametrize("order", [-2, -1, 0.5, 1, 1.5, 2, 3, math.inf, -math.inf])
def test_norms_have_slopes_where_elements_are_zero(order: float, where: str, dtype: DType) -> None:
    """Beside the zero, those of central differences; at it, 0; and NaN is not lost."""
    written = {math.inf: "inf", -math.inf: "-inf"}.get(order, str(order))
    graph = program(
        model(f"y = norm(x, {written})\noutput y = y\noutput slope = grad(y, x)", "x: [4]"), float_type=dtype
    )
    x = np.array([1.0, 0.0, 2.0, -3.0])
    for point in (x, np.zeros(4)):
        found = run(graph.infer, {"x": point}, where)
        with np.errstate(divide="ignore"):
            assert found["y"] == pytest.approx(np.linalg.norm(point, order), rel=1e-5, abs=1e-30)
        assert np.isfinite(found["slope"]).all() and not found["slope"][point == 0].any()
        if point.any() and order > 0:
            step = 1e-6 * np.array([0.3, 0.0, -0.5, 0.7])
            differences = np.linalg.norm(point + step, order) - np.linalg.norm(point - step, order)
            assert found["slope"] @ step == pytest.approx(differences / 2, rel=1e-4)
    if abs(order) != math.inf:
        assert np.isnan(run(graph.infer, {"x": np.array([1.0, math.nan, 2.0, 0.0])}, where)["y"])


@pytest.mark.parametrize(("where", "dtype"), RUNS)
def test_sinc_far_away_has_a_slope(where: str, dtype: DType) -> None:
    value, slope = at("sinc(x)", [-1e30, -1e19, 1e19, 1e30], where=where, dtype=dtype)
    assert (abs(value) < 1e-18).all() and (abs(slope) < 1e-18).all()


@pytest.mark.parametrize(("where", "dtype"), [r for r in RUNS if r != ("onnxruntime", DType.f64)])
def test_small_numbers_are_pooled_by_their_norm(where: str, dtype: DType) -> None:
    graph = program(model("output y = x |> LpPool(2.0)", "x: [1, 1, 4]"), float_type=dtype).infer
    y = run(graph, {"x": np.array([[[3e-18, 4e-18, 0, 0]]])}, where)["y"]
    np.testing.assert_allclose(y, [[[5e-18, 0]]], rtol=1e-4)
    assert np.isnan(run(graph, {"x": np.array([[[math.nan, 1, 0, 0]]])}, where)["y"][0, 0, 0])


def test_tanhshrink_keeps_its_digits_near_0() -> None:
    """x - tanh(x) cancels in f32: beside itself in f64, and x^3 / 3 where f64 cancels as well."""
    x = np.float32([1e-7, 1e-3, 0.037, -0.2, 0.49])
    wide = x.astype(np.float64)
    true = np.where(np.abs(wide) < 1e-4, wide**3 / 3, wide - np.tanh(wide))
    np.testing.assert_allclose(expression("tanhshrink(x)", "x: [B]", x=x), true, rtol=1e-6)
    slope = expression("grad(sum(tanhshrink(x)), x)", "x: [B]", x=x)
    np.testing.assert_allclose(slope, np.tanh(wide) ** 2, rtol=1e-6)


def test_log_cosh_keeps_its_digits_near_0() -> None:
    d = np.float32([1e-4, 1e-3, -0.02, 0.5, 1.0, -1.5, 40])
    wide = d.astype(np.float64)
    true = np.where(np.abs(wide) < 1, np.log1p(2 * np.sinh(wide / 2) ** 2), np.logaddexp(wide, -wide) - np.log(2))
    np.testing.assert_allclose(expression("log_cosh_of(x)", "x: [B]", x=d), true, rtol=1e-6)


@pytest.mark.parametrize("fn", ["silu", "swish", "mish"])
def test_slopes_far_out_are_those_of_the_limits_under_a_weight(fn: str) -> None:
    """What multiplies is bounded before it meets the input: 3e38 times a weight is infinite."""
    x = np.float32([3e38, 1e19, -1e19, -3e38])
    np.testing.assert_allclose(expression(f"grad(sum(2.5 * {fn}(x)), x)", "x: [B]", x=x), [2.5, 2.5, 0, 0], atol=1e-6)


def test_the_slope_of_huber_at_infinity_is_that_of_its_arms() -> None:
    x = np.float32([np.inf, -np.inf, 0.25])
    slope = expression(
        "grad(sum(huber(x, 0 * x0, delta=2.0, reduce=sum)), x)", "x: [B]; x0: [B]", x=x, x0=np.zeros(3, np.float32)
    )
    np.testing.assert_array_equal(slope, np.float32([2, -2, 0.25]))
