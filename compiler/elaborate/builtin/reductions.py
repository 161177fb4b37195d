"""Reductions of the language: over axes of tensors, and over static lists of numbers and dims."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.static import LIMIT
from archonnx.compiler.elaborate.core.tensors import as_tensor, promoted
from archonnx.compiler.elaborate.core.values import describe, static_dim
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import larger, smaller
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops import elementwise, reduce
from archonnx.grammar.budget import Cost, spend

from .calling import Axes, Operand, Tensor, axis_of, builtin, require


@builtin
def max_(frame: Frame, x: Any, y: Operand | None = None, *, axis: Axes | None = None, keep: bool = False) -> Any:
    """The larger of two, element by element; or with one argument, the largest along axes (all, if none is given)."""
    return _extreme(frame, "max", x, y, axis, keep)


@builtin
def min_(frame: Frame, x: Any, y: Operand | None = None, *, axis: Axes | None = None, keep: bool = False) -> Any:
    """The smaller of two, element by element; or with one argument, the smallest along axes (all, if none is given)."""
    return _extreme(frame, "min", x, y, axis, keep)


def _extreme(frame: Frame, name: str, x: Any, y: Any, axis: Axes | None, keep: bool) -> Any:
    if y is None:
        if isinstance(x, list) and x and axis is None:
            return _fold(name, x)
        tensor = as_tensor(frame, x)
        return (reduce.reduce_max if name == "max" else reduce.reduce_min)(tensor, axis, keep)
    if not isinstance(x, Value) and not isinstance(y, Value):
        return _fold(name, [x, y])
    require(
        isinstance(x, Value | int | float | Dim), "AX0306", f"`{name}` takes tensors and numbers, not {describe(x)}"
    )
    a, b = promoted(frame, name, x, y)
    return (elementwise.maximum if name == "max" else elementwise.minimum)(a, b)


COMBINE: Mapping[str, Callable[[Dim, Dim], Dim]] = {
    "max": larger, "min": smaller, "sum": Dim.__add__, "prod": Dim.__mul__,
}  # fmt: skip


NUMBERS = {bool, int, float, Dim}
FOLDED = 10
"""Numbers of a list that are added, or compared, for a unit of work."""
FOLDS: Mapping[str, Callable[[list[Any]], int | float]] = {"max": max, "min": min, "sum": sum, "prod": math.prod}


def _fold(name: str, items: list[Any]) -> Any:
    """A static ``max``, ``min``, ``sum`` or ``prod`` of numbers and dims."""
    spend(Cost.items, len(items) // FOLDED)
    kinds = set(map(type, items))
    if not kinds <= NUMBERS:
        other = next(item for item in items if type(item) not in NUMBERS)
        require(False, "AX0306", f"`{name}` of a list takes numbers, not {describe(other)}")
    if Dim in kinds:
        require(float not in kinds, "AX0306", f"`{name}` cannot mix dims and floats")
        combine = COMBINE[name]
        result = Dim.of(items[0])
        for item in items[1:]:
            result = combine(result, Dim.of(item))
        require(result.is_representable, "AX0311", f"the {name} of this list is out of range")
        return static_dim(result)
    number = FOLDS[name](items)
    fits = abs(number) < LIMIT if isinstance(number, int) else not math.isnan(number)
    require(fits, "AX0311", f"the {name} of this list is out of range")
    return number


@builtin
def sum_(frame: Frame, x: Any, *, axis: Axes | None = None, keep: bool = False) -> Any:
    """The sum along axes (all, if none is given); of a list of numbers, a number."""
    return _fold("sum", [0, *x]) if _static_list(x, axis) else reduce.reduce_sum(as_tensor(frame, x), axis, keep)


@builtin
def prod(frame: Frame, x: Any, *, axis: Axes | None = None, keep: bool = False) -> Any:
    """The product along axes (all, if none is given); of a list of numbers, a number."""
    return _fold("prod", [1, *x]) if _static_list(x, axis) else reduce.reduce_prod(as_tensor(frame, x), axis, keep)


def _static_list(x: Any, axis: Axes | None) -> bool:
    return isinstance(x, list) and axis is None and {list, Value}.isdisjoint(map(type, x))


@builtin
def mean(frame: Frame, x: Tensor, *, axis: Axes | None = None, keep: bool = False) -> Value:
    """The mean along axes (all, if none is given)."""
    floats = x if x.type.dtype.is_float else elementwise.cast(x, frame.build.float_type)
    return reduce.reduce_mean(floats, axis, keep)


@builtin
def logsumexp(frame: Frame, x: Tensor, *, axis: Axes | None = None, keep: bool = False) -> Value:
    """``log(sum(exp(x)))`` along axes, without overflow."""
    return reduce.reduce_logsumexp(x, axis, keep)


@builtin
def any_(frame: Frame, x: Tensor, *, axis: Axes | None = None, keep: bool = False) -> Value:
    """Whether any element along axes is true."""
    return reduce.reduce_any(x, axis, keep)


@builtin
def all_(frame: Frame, x: Tensor, *, axis: Axes | None = None, keep: bool = False) -> Value:
    """Whether all elements along axes are true."""
    return reduce.reduce_all(x, axis, keep)


@builtin
def argmax(frame: Frame, x: Tensor, *, axis: int = -1, keep: bool = False) -> Value:
    """Index of the largest element along an axis, the first one where several are equal."""
    return reduce.argmax(x, axis_of(x, axis), keep)


@builtin
def argmin(frame: Frame, x: Tensor, *, axis: int = -1, keep: bool = False) -> Value:
    """Index of the smallest element along an axis, the first one where several are equal."""
    return reduce.argmin(x, axis_of(x, axis), keep)


@builtin
def cumsum(frame: Frame, x: Tensor, *, axis: int = -1, exclusive: bool = False, reverse: bool = False) -> Value:
    """Running sums along an axis; ``exclusive`` leaves out the element itself, ``reverse`` runs from the end."""
    return reduce.cumsum(x, axis_of(x, axis), exclusive, reverse)
