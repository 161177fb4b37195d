"""Rules of arithmetic: what need not be computed at all, or can be computed on fewer elements.

The sign of a zero is not kept (``x + 0`` is ``x``, though ``-0 + 0`` is ``0``); rules that may change rounding say so.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE
from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.op import Op, Trait, TypeProblem
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.broadcasting import broadcast_shapes
from archonnx.compiler.ops.checks import UNSIGNED
from archonnx.compiler.ops.elementwise import Add, Cast, Div, Mul, Neg, Sub, Where, cast
from archonnx.compiler.ops.functions import Pow, Relu, Sigmoid, Tanh
from archonnx.compiler.ops.pool import MaxPool
from archonnx.compiler.ops.shape import Broadcast, broadcast, reshape

from .rewrite import Rule, Site, rule

Number = int | float | bool


def _with_number(site: Site) -> Iterator[tuple[Value, Number]]:
    """Of two operands, in either order, one and the number that the other is."""
    a, b = site.inputs
    for one, other in ((a, b), (b, a)):
        number = site.number(other)
        if number is not None:
            yield one, number


@rule(Add)
def add_zero(site: Site) -> Value | None:
    """``x + 0`` is ``x``."""
    return next((x for x, number in _with_number(site) if number == 0), None)


@rule(Sub)
def subtract_zero(site: Site) -> Value | None:
    """``x - 0`` is ``x``."""
    a, b = site.inputs
    return a if site.number(b) == 0 else None


@rule(Sub)
def subtract_from_zero(site: Site) -> Value | None:
    """``0 - x`` is ``-x``."""
    a, b = site.inputs
    return -b if b.type.dtype not in UNSIGNED and site.number(a) == 0 else None


@rule(Add)
def add_negative(site: Site) -> Value | None:
    """``x + (-y)`` is ``x - y``."""
    a, b = site.inputs
    for one, other in ((a, b), (b, a)):
        if negated := site.made_by(other, Neg):
            return one - negated.inputs[0]
    return None


@rule(Sub)
def subtract_negative(site: Site) -> Value | None:
    """``x - (-y)`` is ``x + y``."""
    a, b = site.inputs
    negated = site.made_by(b, Neg)
    return a + negated.inputs[0] if negated else None


@rule(Mul)
def multiply_by_one(site: Site) -> Value | None:
    """``x * 1`` is ``x``."""
    return next((x for x, number in _with_number(site) if number == 1), None)


@rule(Mul)
def multiply_by_minus_one(site: Site) -> Value | None:
    """``x * -1`` is ``-x``."""
    return next((-x for x, number in _with_number(site) if number == -1), None)


@rule(Mul, Div)
def signs_cancel(site: Site) -> Value | None:
    """``(-x) * (-y)`` is ``x * y``, and ``(-x) / (-y)`` is ``x / y``."""
    left, right = (site.made_by(value, Neg) for value in site.inputs)
    return current_builder().add(site.node.op, left.inputs[0], right.inputs[0]) if left and right else None


@rule(Div)
def divide_by_one(site: Site) -> Value | None:
    """``x / 1`` is ``x``."""
    a, b = site.inputs
    return a if site.number(b) == 1 else None


@rule(Div)
def divide_by_power_of_two(site: Site) -> Value | None:
    """``x / 2 ** n`` is ``x * 2 ** -n``, with the same rounding; multiplying is faster."""
    a, b = site.inputs
    number = site.number(b)
    if number is None or not np.isfinite(number) or number == 0:
        return None
    fraction, exponent = np.frexp(number)
    return a * (1 / number) if abs(fraction) == 0.5 and abs(exponent) < 10 else None


@rule(Mul, Div, exact=False)
def scalars_together(site: Site) -> Value | None:
    """``(x * a) * b`` is ``x * (a * b)`` for scalars ``a`` and ``b``, also where they divide."""
    if site.output.type.dtype not in (DType.f32, DType.f64):
        return None
    for x, b in _scaled(site, site.node):
        inner = site.made_by(x, (Mul, Div))
        if inner is None or not site.reads_alone(x):
            continue
        for y, a in _scaled(site, inner):
            if isinstance(inner.op, Mul):
                return y * (a / b if isinstance(site.node.op, Div) else a * b)
            return y / (a * b) if isinstance(site.node.op, Div) else y * (b / a)
    return None


def _scaled(site: Site, node: Node) -> Iterator[tuple[Value, Value]]:
    """Of a product or quotient, the tensor and the scalar that scales it. Numbers near overflow do not count."""
    a, b = node.inputs
    for tensor, other in ((a, b), (b, a))[: 2 if isinstance(node.op, Mul) else 1]:
        broadcast, number = site.made_by(other, Broadcast), site.number(other)
        if broadcast and broadcast.inputs[0].type.size == ONE and (number is None or 1e-12 < abs(number) < 1e12):
            yield tensor, reshape(broadcast.inputs[0], ())


@rule(Neg)
def negate_twice(site: Site) -> Value | None:
    """``-(-x)`` is ``x``."""
    inner = site.made_by(site.inputs[0], Neg)
    return inner.inputs[0] if inner else None


@rule(Pow, exact=False)
def small_power(site: Site) -> Value | None:
    """``x ** 1`` is ``x`` and ``x ** 2`` is ``x * x``."""
    x, exponent = site.inputs
    number = site.number(exponent)
    return x if number == 1 else x * x if number == 2 else None


@rule(Cast)
def cast_to_same(site: Site) -> Value | None:
    """A cast to the dtype that a value has."""
    (x,) = site.inputs
    return x if x.type.dtype is site.output.type.dtype else None


@rule(Cast)
def cast_twice(site: Site) -> Value | None:
    """A cast on the way through a dtype that holds every value of the first one."""
    inner = site.made_by(site.inputs[0], Cast)
    if inner is None:
        return None
    (x,) = inner.inputs
    return cast(x, site.output.type.dtype) if _holds(inner.outputs[0].type.dtype, x.type.dtype) else None


def _holds(wide: DType, narrow: DType) -> bool:
    """Whether one dtype has all the values of another (NumPy counts f64 as holding i64, which is wrong)."""
    if wide is DType.bf16 or (wide is DType.f64 and narrow in (DType.i64, DType.u64)):
        return wide is narrow
    return bool(np.can_cast(narrow.numpy, wide.numpy, "safe"))


@rule(Where)
def where_of_known(site: Site) -> Value | None:
    """A choice whose condition is one known truth value, or between a value and itself."""
    condition, a, b = site.inputs
    known = site.number(condition)
    if known is None:
        return a if a is b else None
    return a if known else b


@rule(Op)
def broadcast_later(site: Site) -> Value | None:
    """An elementwise op of broadcast values is computed before they are broadcast, on fewer elements."""
    op, builder = site.node.op, current_builder()
    makers = [site.made_by(value, Broadcast) for value in site.inputs]
    if Trait.ELEMENTWISE not in op.traits or None in makers:
        return None
    sources = [maker.inputs[0] for maker in makers if maker is not None]
    shape = site.output.shape
    try:
        if broadcast_shapes([source.shape for source in sources]) == shape:
            return None
        return builder.add(Broadcast(shape), builder.add(op, *broadcast(*sources)))
    except TypeProblem:
        return None  # that all of them reach the shape need not tell how they go together


@rule(MaxPool)
def pool_first(site: Site) -> Value | None:
    """The largest of rising values is the rising value of the largest: pooling first leaves fewer to compute."""
    rising = site.made_by(site.inputs[0], (Relu, Sigmoid, Tanh))
    if rising is None or not site.reads_alone(site.inputs[0]):
        return None
    builder = current_builder()
    return builder.add(rising.op, builder.add(site.node.op, rising.inputs[0]))


ARITHMETIC: tuple[Rule, ...] = (
    pool_first,
    broadcast_later,
    add_zero,
    subtract_zero,
    subtract_from_zero,
    add_negative,
    subtract_negative,
    multiply_by_one,
    multiply_by_minus_one,
    signs_cancel,
    scalars_together,
    divide_by_one,
    divide_by_power_of_two,
    negate_twice,
    small_power,
    cast_to_same,
    cast_twice,
    where_of_known,
)
