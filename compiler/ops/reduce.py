"""Ops that fold axes into one value, and running sums. Axes are non-negative in ops; the helpers take any.

What this module does not do: variances, norms, means over masks (the library composes them).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE, Dim, product
from archonnx.compiler.ir.op import Arithmetic, Emitter, Merging, OnnxOp, Op, TypeProblem, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value

from .checks import check_dtypes
from .compare import equal
from .elementwise import cast, where
from .functions import exp
from .narrow import narrowed, widened
from .shape import broadcast_to, move_axis, normal_axes, normal_axis, unsqueeze
from .sizes import dim_value, eye

LONG = 4096
"""From this many elements on, sums and means are folded in two steps (``Reduction.in_parts``)."""


class Reduction(Op):
    """Folds ``axes``; with ``keep`` they stay, with size 1."""

    accepts: ClassVar[str] = "number"
    onnx_type: ClassVar[str] = ""
    merged_by: ClassVar[Merging | None] = None
    """How what parts of the folded axes come to is made what the whole comes to."""
    in_parts: ClassVar[bool] = False
    """Whether f32 is folded in two steps where that keeps digits: n elements as about sqrt(n) parts, then the parts.

    onnxruntime adds the rows of a long leading axis one after the other, and the elements of a flat tensor in a few
    running sums, so that errors grow with n: for ones times 0.1, relative, and microseconds on one thread,

    =============== ========= =========== ===== ============
    summed          at once   error       parts error
    =============== ========= =========== ===== ============
    [4096]          9         4e-6        10    1e-7
    [65536]         18        6e-5        18    4e-7
    [262144]        42        3e-4        36    9e-7
    [4096, 64]      53        4e-5        42    6e-7
    [1e6, 16]       7200      1e-2        3500  7e-7
    =============== ========= =========== ===== ============

    Below ``LONG`` a second node would cost more than it saves (256x1024: 39 and 61). Over a dim that is not known, as
    the batch of an exported model, all is summed at once.
    """
    axes: tuple[int, ...] = ()
    keep: bool = False

    def infer(self, x: TensorType) -> TensorType:
        check_dtypes(self.name, self.accepts, x)
        if any(axis >= x.rank for axis in self.axes):
            raise TypeProblem(
                "AX0320", f"`{self.name}` has no axis {max(self.axes)} to work along in {x}", argument="axis"
            )
        return x.with_shape(_folded(x, self.axes, self.keep))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] not in self.axes

    def merges(self, places: Sequence[int | None], inputs: Sequence[TensorType]) -> Merging | None:
        return self.merged_by if places[0] in self.axes else None

    def spread(self, folded: Value, x: Value) -> Value:
        """A value of the result's shape, repeated to the shape of ``x``."""
        return broadcast_to(folded if self.keep else unsqueeze(folded, self.axes), x.shape)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        dtype = types[0].dtype
        (x,) = widened(emit, inputs, dtype)
        if self.in_parts and dtype is DType.f32 and (parts := _parts(types[0].shape, self.axes)) is not None:
            first = self.axes[0]
            split = emit.node("Reshape", x, emit.dims(parts))
            rows = emit.node(self.onnx_type, split, emit.constant([first + 1]), keepdims=False)
            folded = emit.node(self.onnx_type, rows, emit.constant([first]), keepdims=False)
            return emit.node("Reshape", folded, emit.dims(results[0].shape)) if self.keep else folded
        return narrowed(emit, emit.node(self.onnx_type, x, emit.constant(self.axes), keepdims=self.keep), dtype)


def _parts(shape: Sequence[Dim], axes: Sequence[int]) -> tuple[Dim, ...] | None:
    """The shape in which neighbouring axes are two, of about equal sizes: None where that is not worth it.

    It is not where the elements are few, or a number that is not known or has no divisors.
    """
    first, last = axes[0], axes[-1]
    count = product(list(shape[first : last + 1])).constant
    if count is None or count < LONG or tuple(axes) != tuple(range(first, last + 1)):
        return None
    parts = next(part for part in range(math.isqrt(count), 0, -1) if count % part == 0)
    return None if parts < 8 else (*shape[:first], Dim.of(parts), Dim.of(count // parts), *shape[last + 1 :])


def _folded(x: TensorType, axes: Sequence[int], keep: bool) -> tuple[Any, ...]:
    if keep:
        return tuple(ONE if axis in axes else dim for axis, dim in enumerate(x.shape))
    return tuple(dim for axis, dim in enumerate(x.shape) if axis not in axes)


@register
class ReduceSum(Reduction):
    """The sum."""

    wide = True
    merged_by = "sum"
    onnx_type = "ReduceSum"
    in_parts = True

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        return Arithmetic(additions=inputs[0].size - results[0].size)

    def evaluate(self, x: Any) -> Any:
        return np.sum(x, axis=self.axes, keepdims=self.keep, dtype=np.asarray(x).dtype)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (self.spread(dy, x),)


@register
class ReduceMean(Reduction):
    """The arithmetic mean."""

    wide = True
    accepts = "float"
    merged_by = "mean"
    onnx_type = "ReduceMean"
    in_parts = True

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        return Arithmetic(results[0].size, inputs[0].size - results[0].size)

    def evaluate(self, x: Any) -> Any:
        return np.mean(x, axis=self.axes, keepdims=self.keep)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        count = dim_value(product([x.shape[axis] for axis in self.axes]), x.type.dtype)
        return (self.spread(dy / count, x),)


class Extreme(Reduction):
    """The largest or smallest element. Elements that tie share the gradient equally."""

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        chosen = cast(equal(x, self.spread(y, x)), x.type.dtype)
        share = dy / reduce_sum(chosen, self.axes, keep=self.keep)
        return (chosen * self.spread(share, x),)


@register
class ReduceMax(Extreme):
    """The largest element. Elements that tie share the gradient equally."""

    merged_by = "largest"
    onnx_type = "ReduceMax"

    def evaluate(self, x: Any) -> Any:
        return np.max(x, axis=self.axes, keepdims=self.keep)


@register
class ReduceMin(Extreme):
    """The smallest element. Elements that tie share the gradient equally."""

    merged_by = "smallest"
    onnx_type = "ReduceMin"

    def evaluate(self, x: Any) -> Any:
        return np.min(x, axis=self.axes, keepdims=self.keep)


@register
class ReduceProd(Reduction):
    """The product along one axis.

    Backward: each element's cofactor is the product of a row in which 1 stands for that element. That takes n * n
    numbers for n elements, and is right for zeros too, to every order of derivative; ``dy * y / x`` is not.
    """

    wide = True
    onnx_type = "ReduceProd"

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        return Arithmetic(inputs[0].size - results[0].size)

    def evaluate(self, x: Any) -> Any:
        return np.prod(x, axis=self.axes, keepdims=self.keep, dtype=np.asarray(x).dtype)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        (axis,) = self.axes
        rows = unsqueeze(move_axis(x, axis, -1), -2)
        others = where(eye(x.shape[axis], DType.bool), 1.0, rows)
        cofactors = move_axis(reduce_prod(others, -1), -1, axis)
        return (self.spread(dy, x) * cofactors,)


@register
class ReduceLogSumExp(Reduction):
    """``log(sum(exp(x)))`` without overflow. Backward: ``dx = dy * exp(x - y)``."""

    wide = True
    accepts = "float"
    onnx_type = "ReduceLogSumExp"

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        return Arithmetic(additions=inputs[0].size - results[0].size)

    def evaluate(self, x: Any) -> Any:
        largest = np.max(x, axis=self.axes, keepdims=True)
        largest = np.where(np.isfinite(largest), largest, np.zeros_like(largest))
        total = np.log(np.sum(np.exp(x - largest), axis=self.axes, keepdims=True)) + largest
        return total if self.keep else np.squeeze(total, self.axes)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (self.spread(dy, x) * exp(x - self.spread(y, x)),)


class TruthReduction(Reduction):
    """Folds truth values. ONNX has no such op for bool: 0 and 1 are folded instead."""

    accepts = "bool"

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (None,)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        numbers = emit.node("Cast", inputs[0], to=DType.i32)
        folded = emit.node(self.onnx_type, numbers, emit.constant(self.axes), keepdims=self.keep)
        return emit.node("Cast", folded, to=DType.bool)


@register
class ReduceAny(TruthReduction):
    """Whether one holds."""

    merged_by = "largest"
    onnx_type = "ReduceMax"

    def evaluate(self, x: Any) -> Any:
        return np.any(x, axis=self.axes, keepdims=self.keep)


@register
class ReduceAll(TruthReduction):
    """Whether all hold."""

    merged_by = "smallest"
    onnx_type = "ReduceMin"

    def evaluate(self, x: Any) -> Any:
        return np.all(x, axis=self.axes, keepdims=self.keep)


class ExtremePlace(Op):
    """The place of an extreme element along one axis, as i64; the first of those that tie."""

    axis: int = 0
    keep: bool = False

    def infer(self, x: TensorType) -> TensorType:
        check_dtypes(self.name, "number", x)
        return TensorType(DType.i64, _folded(x, [self.axis], self.keep))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] != self.axis

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return True

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (None,)


@register
class ArgMax(ExtremePlace):
    """Where the largest element stands along one axis; the first of those that tie."""

    onnx = OnnxOp("ArgMax", attributes={"keep": "keepdims"})

    def evaluate(self, x: Any) -> Any:
        return np.argmax(x, axis=self.axis, keepdims=self.keep)


@register
class ArgMin(ExtremePlace):
    """Where the smallest element stands along one axis; the first of those that tie."""

    onnx = OnnxOp("ArgMin", attributes={"keep": "keepdims"})

    def evaluate(self, x: Any) -> Any:
        return np.argmin(x, axis=self.axis, keepdims=self.keep)


@register
class CumSum(Op):
    """Running sums along one axis; ``exclusive`` leaves out the element itself, ``reverse`` runs from the end."""

    wide = True

    axis: int = 0
    exclusive: bool = False
    reverse: bool = False

    def infer(self, x: TensorType) -> TensorType:
        check_dtypes(self.name, "number", x)
        return x

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        return Arithmetic(additions=inputs[0].size - lines(inputs[0], self.axis))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] != self.axis

    def evaluate(self, x: Any) -> Any:
        ordered = np.flip(x, self.axis) if self.reverse else x
        sums = np.cumsum(ordered, axis=self.axis, dtype=x.dtype)
        if self.exclusive:
            sums = sums - ordered
        return np.flip(sums, self.axis) if self.reverse else sums

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (cumsum(dy, self.axis, exclusive=self.exclusive, reverse=not self.reverse),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        dtype, axis = types[0].dtype, emit.constant(self.axis)
        (x,) = widened(emit, inputs, dtype)
        return narrowed(emit, emit.node("CumSum", x, axis, exclusive=self.exclusive, reverse=self.reverse), dtype)


def lines(x: TensorType, axis: int) -> Dim:
    """How many lines of elements there are along an axis."""
    return product([dim for position, dim in enumerate(x.shape) if position != axis])


Axes = int | Sequence[int] | None
"""One axis, several, or None for all."""


def reduce_sum(x: Value, axes: Axes = None, keep: bool = False) -> Value:
    """The sum over axes; ``x`` itself where there are none to fold."""
    return _reduce(ReduceSum, x, axes, keep)


def reduce_mean(x: Value, axes: Axes = None, keep: bool = False) -> Value:
    """The mean over axes; ``x`` itself where there are none to fold."""
    return _reduce(ReduceMean, x, axes, keep)


def reduce_max(x: Value, axes: Axes = None, keep: bool = False) -> Value:
    """The largest over axes; ``x`` itself where there are none to fold."""
    return _reduce(ReduceMax, x, axes, keep)


def reduce_min(x: Value, axes: Axes = None, keep: bool = False) -> Value:
    """The smallest over axes; ``x`` itself where there are none to fold."""
    return _reduce(ReduceMin, x, axes, keep)


def reduce_prod(x: Value, axes: Axes = None, keep: bool = False) -> Value:
    """The product over axes; ``x`` itself where there are none to fold."""
    for axis in reversed(normal_axes(axes, x.rank, "prod")):
        x = _reduce(ReduceProd, x, axis, keep)
    return x


def reduce_logsumexp(x: Value, axes: Axes = None, keep: bool = False) -> Value:
    """``log(sum(exp(x)))`` over axes; ``x`` itself where there are none to fold."""
    return _reduce(ReduceLogSumExp, x, axes, keep)


def reduce_any(x: Value, axes: Axes = None, keep: bool = False) -> Value:
    """Whether one holds; ``x`` itself where there are no axes to fold."""
    return _reduce(ReduceAny, x, axes, keep)


def reduce_all(x: Value, axes: Axes = None, keep: bool = False) -> Value:
    """Whether all hold; ``x`` itself where there are no axes to fold."""
    return _reduce(ReduceAll, x, axes, keep)


def _reduce(kind: type[Reduction], x: Value, axes: Axes, keep: bool) -> Value:
    folded = normal_axes(axes, x.rank, kind.name.removeprefix("reduce_"))
    return current_builder().add(kind(folded, keep), x) if folded else x


def argmax(x: Value, axis: int, keep: bool = False) -> Value:
    """Where the largest element stands along an axis, as i64."""
    return current_builder().add(ArgMax(normal_axis(axis, x.rank, "argmax"), keep), x)


def argmin(x: Value, axis: int, keep: bool = False) -> Value:
    """Where the smallest element stands along an axis, as i64."""
    return current_builder().add(ArgMin(normal_axis(axis, x.rank, "argmin"), keep), x)


def cumsum(x: Value, axis: int, exclusive: bool = False, reverse: bool = False) -> Value:
    """Running sums along an axis."""
    return current_builder().add(CumSum(normal_axis(axis, x.rank, "cumsum"), exclusive, reverse), x)
