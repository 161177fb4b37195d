"""Values and gradients at the points where a formula could go wrong: kinks, zeros, ties, overflow, rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops import compare, elementwise, functions, reduce
from archonnx.compiler.ops.shape import stop_gradient
from archonnx.compiler.ops.sizes import iota
from tests.support.tensors import run, slope, value

F = np.float32


def of_sum(function: Callable[..., Value]) -> Callable[..., Value]:
    return lambda *x: reduce.reduce_sum(function(*x))


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        (functions.relu, [-1.0, 0.0, 1.0], [0, 0, 1]),
        (elementwise.absolute, [-1.0, 0.0, 1.0], [-1, 0, 1]),
        (elementwise.sign, [-1.0, 0.5], [0, 0]),
        (elementwise.floor, [-1.5, 0.5], [0, 0]),
        (stop_gradient, [1.0, 2.0], [0, 0]),
        (lambda x: x**2, [0.0, -3.0], [0, -6]),
        (lambda x: x**0, [0.0, -3.0], [0, 0]),
        (lambda x: functions.power(2.0, x), [0.0, 1.0], [np.log(2), 2 * np.log(2)]),
        (functions.sigmoid, [-800.0, 800.0], [0, 0]),
        (functions.softplus, [-800.0, 800.0], [0, 1]),
        (lambda x: reduce.reduce_max(x), [3.0, 1.0, 3.0], [0.5, 0, 0.5]),
        (lambda x: reduce.reduce_prod(x), [0.0, 2.0, 3.0], [6, 0, 0]),
        (lambda x: reduce.reduce_prod(x), [0.0, 0.0, 3.0], [0, 0, 0]),
        (lambda x: reduce.reduce_logsumexp(x), [1000.0, 1000.0], [0.5, 0.5]),
    ],
)
def test_gradient_at(function: Callable[[Value], Value], at: list[float], expected: list[float]) -> None:
    (dx,) = slope(of_sum(function), np.array(at))
    np.testing.assert_allclose(dx, expected, atol=1e-12)


@pytest.mark.parametrize("function", [elementwise.maximum, elementwise.minimum])
def test_ties_share_the_gradient(function: Any) -> None:
    da, db = slope(of_sum(function), np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0]))
    np.testing.assert_array_equal(da + db, [1, 1, 1])
    assert da[1] == db[1] == 0.5


def test_second_derivative_of_a_square_at_zero() -> None:
    from archonnx.compiler.autodiff import gradient
    from archonnx.compiler.interpret import interpret

    x, builder = value("f64"), Builder()
    with builder.active():
        y = x**2
    (first,) = gradient(builder, y, [x])
    (second,) = gradient(builder, first, [x])
    assert interpret(builder.graph("g", {"x": x}, {"y": second}), {"x": 0.0})["y"] == 2


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (functions.expm1, np.expm1),
        (functions.log1p, np.log1p),
        (functions.softplus, lambda x: np.log1p(np.exp(x))),
    ],
)
def test_precise_for_small_arguments(function: Any, exact: Any) -> None:
    """The ONNX form in f32 against f64, relative to the value."""
    import onnxruntime as ort

    from archonnx.compiler.onnx_export import export
    from tests.support.tensors import trace

    x = np.array([-8, -1, -1e-2, -1e-4, -1e-7, 1e-30, 1e-7, 1e-4, 1e-2, 1, 8], F)
    x = x[x > -1] if function is functions.log1p else x
    session = ort.InferenceSession(export(trace(function, [x])).SerializeToString())
    np.testing.assert_allclose(session.run(None, {"x0": x})[0], exact(x.astype(np.float64)), rtol=1e-6)


def test_a_number_takes_the_dtype_of_the_tensor() -> None:
    x = value("f16", "B")
    with Builder().active():
        assert (1 / (x + 2)).type == elementwise.where(x > 0.0, 1.0, x).type == x.type
        assert elementwise.where(x > 0.0, 1.0, 0.0).type.dtype is DType.f32
        assert elementwise.where(x > 0.0, 1, 0, DType.i64).type.dtype is DType.i64


def test_where_leaves_the_gradient_to_what_is_selected() -> None:
    da, db = slope(lambda a, b: reduce.reduce_sum(elementwise.where(a > b, a, b)) * 3, np.array([2.0, 1.0]), np.ones(2))
    np.testing.assert_array_equal([da, db], [[3, 0], [0, 3]])


def test_reductions_of_no_axes_are_no_nodes() -> None:
    x = value("f32", "B")
    with Builder().active() as builder:
        assert reduce.reduce_sum(x, ()) is reduce.reduce_mean(x, []) is elementwise.cast(x, DType.f32) is x
    assert builder.nodes == []


def test_masks_from_places() -> None:
    lower = run(lambda x: elementwise.cast(compare.less_equal(iota(3), x), DType.f32), np.array([[0], [1], [2]]))
    np.testing.assert_array_equal(lower, np.tril(np.ones((3, 3))))


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: functions.exp(value("i64", 3)), "`exp` is not defined for i64: it takes float tensors"),
    (lambda: -value("u64", 3), "`neg` is not defined for u64: it takes signed tensors"),
    (lambda: value("bool", 3) + value("bool", 3), "`add` is not defined for bool: it takes number tensors"),
    (lambda: value("f32", 3) + value("i64", 3), "`add` needs one dtype: f32 and i64"),
    (
        lambda: compare.logical_and(value("f32", 3), value("f32", 3)),
        "`logical_and` is not defined for f32: it takes bool tensors",
    ),
    (lambda: elementwise.where(value("f32", 3), 1.0, 0.0), "the condition of `where` is bool, not f32"),
    (
        lambda: elementwise.where(value("bool", 3), value("f32", 3), value("i64", 3)),
        "`where` needs one dtype to choose from: f32 and i64",
    ),
    (lambda: reduce.reduce_mean(value("i64", 3)), "`reduce_mean` is not defined for i64: it takes float tensors"),
    (lambda: functions.gelu(value("f32", 3), "sigmoid"), "`gelu` is approximated by none or tanh, not by sigmoid"),
]


@pytest.mark.parametrize(("call", "headline"), REFUSED, ids=[headline for _, headline in REFUSED])
def test_refused(call: Callable[[], object], headline: str) -> None:
    with Builder().active(), pytest.raises(TypeProblem) as caught:
        call()
    assert caught.value.headline == headline
