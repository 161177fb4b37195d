"""Reading and writing by tensors of indices.

To the ops a negative index counts from the end, as in ONNX. ``from_front`` makes it one that is out of range, as it is
in the language: that is an error in NumPy and on onnxruntime's CPU provider, and CUDA does not look. What this
module does not do: slices between static bounds (``slicing``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE, Dim, product
from archonnx.compiler.ir.op import Arithmetic, Emitter, OnnxOp, Op, Places, Trait, TypeProblem, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.older import SCATTER_ADDS, SCATTER_COMPARES

from .checks import check_same_shape, one_place
from .compare import equal, logical_and
from .elementwise import cast, maximum, minimum, where
from .shape import Constant, broadcast_to, constant, move_axis, normal_axis, transpose, unsqueeze, zeros_like
from .sizes import dim_value, iota


def _check_indices(op: str, indices: TensorType, position: int = 1) -> None:
    if indices.dtype not in (DType.i32, DType.i64):
        raise TypeProblem(
            "AX0303",
            f"`{op}` takes indices of i32 or i64, not {indices.dtype}",
            operands=(position,),
            help="convert them: `i64(...)`",
        )


def _check_updates(op: str, x: TensorType, updates: TensorType, shape: tuple[Dim, ...]) -> None:
    headline = f"`{op}` writes {x.with_shape(shape)} here, not {updates}"
    if updates.dtype is not x.dtype:
        raise TypeProblem("AX0302", headline, operands=(2, 0))
    check_same_shape(shape, updates.shape, headline, operands=(2, 0))


@register
class Gather(Op):
    """``x[..., indices, ...]`` at one axis: the shape of ``indices`` takes that axis's place."""

    onnx = OnnxOp("Gather")
    axis: int = 0

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        _check_indices(self.name, indices)
        return x.with_shape((*x.shape[: self.axis], *indices.shape, *x.shape[self.axis + 1 :]))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] is None or (places[1] is None and places[0] != self.axis)

    def indices(self, inputs: Sequence[TensorType]) -> Mapping[int, Places]:
        return {1: _along(inputs[0], self.axis)}

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return inputs[0]

    def evaluate(self, x: Any, indices: Any) -> Any:
        return np.take(x, indices, axis=self.axis)

    def vjp(self, dy: Value, y: Value, x: Value, indices: Value) -> tuple[Value | None, ...]:
        return scatter_add(zeros_like(x), indices, dy, self.axis), None


class ScatterRows(Op):
    """``x`` with ``updates[i]`` joined to ``x[indices[i]]``, along the first axis.

    ScatterND is much the fastest form of it in onnxruntime.
    """

    wide = True  # onnxruntime's kernel of ScatterND joins nothing in f16
    reduction: ClassVar[str] = ""
    joins: ClassVar[str] = ""
    """The operator that joins two tensors so."""
    since: ClassVar[int] = 0
    """The opset from which on ScatterND does."""

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        _check_indices(self.name, indices)
        _check_updates(self.name, x, updates, (*indices.shape, *x.shape[1:]))
        return x

    def indices(self, inputs: Sequence[TensorType]) -> Mapping[int, Places]:
        return {1: _along(inputs[0], 0)}

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        x, indices, updates = inputs
        if types[1].dtype is not DType.i64:
            indices = emit.node("Cast", indices, to=DType.i64)
        if emit.opset < self.since:
            return self._by_comparison(emit, x, indices, updates, types)
        tuples = emit.node("Unsqueeze", indices, emit.constant([types[1].rank]))
        return emit.node("ScatterND", x, tuples, updates, reduction=self.reduction)

    def _by_comparison(self, emit: Emitter, x: str, indices: str, updates: str, types: Sequence[TensorType]) -> str:
        """Before ScatterND could: each row of ``x`` is joined with those updates whose index is its number."""
        rest, count = product(types[0].shape[1:]), product(types[1].shape)
        line = emit.node("Reshape", _emit_from_front(emit, indices, types[0].shape[0]), emit.dims([ONE, count]))
        rows = emit.node("Unsqueeze", OneHot(types[0].shape[0]).emit_range(emit), emit.constant([1]))
        hot = emit.node("Equal", line, rows)
        joined = self.emit_joined(emit, hot, emit.node("Reshape", updates, emit.dims([count, rest])), types[0].dtype)
        return emit.node(self.joins, x, emit.node("Reshape", joined, emit.dims(types[0].shape)))

    def emit_joined(self, emit: Emitter, hot: str, updates: str, dtype: DType) -> str:
        """Updates ``[m, k]`` joined as ``hot: bool[n, m]`` says: ``[n, k]``."""
        raise NotImplementedError


@register
class ScatterAdd(ScatterRows):
    """``x`` with ``updates[i]`` added to ``x[indices[i]]``, along the first axis; what meets adds up.

    The adjoint of Gather.
    """

    reduction, joins, since = "add", "Add", SCATTER_ADDS

    def emit_joined(self, emit: Emitter, hot: str, updates: str, dtype: DType) -> str:
        return emit.node("MatMul", emit.node("Cast", hot, to=dtype), updates)

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        return Arithmetic(additions=inputs[2].size)

    def evaluate(self, x: Any, indices: Any, updates: Any) -> Any:
        result = np.array(x)
        np.add.at(result, indices, updates)
        return result

    def vjp(self, dy: Value, y: Value, x: Value, indices: Value, updates: Value) -> tuple[Value | None, ...]:
        return dy, None, gather(dy, indices, 0)


@register
class ScatterMax(ScatterRows):
    """``x`` with the larger of ``updates[i]`` and ``x[indices[i]]`` there, along the first axis.

    Of all that meet the largest stays; those that tie share the gradient equally. Numbers only: which of a NaN and a
    number stays is not the same in all runtimes.
    """

    reduction, joins, since = "max", "Max", SCATTER_COMPARES

    def emit_joined(self, emit: Emitter, hot: str, updates: str, dtype: DType) -> str:
        numbers: Any = dtype.numpy
        least = -np.inf if dtype.is_float else np.iinfo(numbers).min
        each = emit.node("Where", emit.node("Unsqueeze", hot, emit.constant([2])), updates, emit.constant(least, dtype))
        return emit.node("ReduceMax", each, emit.constant([1]), keepdims=False)

    def evaluate(self, x: Any, indices: Any, updates: Any) -> Any:
        result = np.array(x)
        np.maximum.at(result, indices, updates)
        return result

    def vjp(self, dy: Value, y: Value, x: Value, indices: Value, updates: Value) -> tuple[Value | None, ...]:
        kept = cast(equal(x, y), x.type.dtype)
        chosen = cast(equal(updates, gather(y, indices, 0)), x.type.dtype)
        share = dy / scatter_add(kept, indices, chosen, 0)
        return kept * share, None, chosen * gather(share, indices, 0)


@register
class GatherElements(Op):
    """``y[i, j] = x[indices[i, j], j]`` for axis 0 of a matrix, and so on: each index reads along its own line."""

    onnx = OnnxOp("GatherElements")
    axis: int = 0

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        _check_lines(self.name, self.axis, x, indices)
        return x.with_shape(indices.shape)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return self.axis not in places and one_place(places)

    def indices(self, inputs: Sequence[TensorType]) -> Mapping[int, Places]:
        return {1: _along(inputs[0], self.axis)}

    def evaluate(self, x: Any, indices: Any) -> Any:
        return np.take_along_axis(x, indices, axis=self.axis)

    def vjp(self, dy: Value, y: Value, x: Value, indices: Value) -> tuple[Value | None, ...]:
        return scatter_elements_add(zeros_like(x), indices, dy, self.axis), None


@register
class ScatterElementsAdd(Op):
    """``x[indices[i, j], j] += updates[i, j]`` for axis 0 of a matrix, and so on. The adjoint of GatherElements."""

    wide = True
    axis: int = 0

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        _check_lines(self.name, self.axis, x, indices)
        _check_updates(self.name, x, updates, indices.shape)
        return x

    def indices(self, inputs: Sequence[TensorType]) -> Mapping[int, Places]:
        return {1: _along(inputs[0], self.axis)}

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        return Arithmetic(additions=inputs[2].size)

    def evaluate(self, x: Any, indices: Any, updates: Any) -> Any:
        result = np.array(x)
        places = list(np.indices(indices.shape, sparse=True))
        places[self.axis] = indices
        np.add.at(result, tuple(places), updates)
        return result

    def vjp(self, dy: Value, y: Value, x: Value, indices: Value, updates: Value) -> tuple[Value | None, ...]:
        return dy, None, gather_elements(dy, indices, self.axis)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        alone = types[1].shape[self.axis] == ONE
        if emit.opset < SCATTER_ADDS or (emit.everywhere and alone):
            return self._emit_compared(emit, inputs, types, alone)
        return emit.node("ScatterElements", *inputs, axis=self.axis, reduction="add")

    def _emit_compared(self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], alone: bool) -> str:
        """What is added stands where a range is equal to the index. MNN overwrites where it is to add.

        With several indices on a line they lie along an axis of their own, behind the one that they name places of.
        """
        x, index, updates = inputs
        if types[1].dtype is not DType.i64:
            index = emit.node("Cast", index, to=DType.i64)
        if not alone:
            index = _emit_from_front(emit, index, types[0].shape[self.axis])
        places = OneHot(types[0].shape[self.axis]).emit_range(emit)
        after = types[0].rank - self.axis - (1 if alone else 0)
        if after:
            places = emit.node("Unsqueeze", places, emit.constant(list(range(1, after + 1))))
        if not alone:
            index, updates = (emit.node("Unsqueeze", one, emit.constant([self.axis])) for one in (index, updates))
        zero = emit.constant(0, types[2].dtype)
        added = emit.node("Where", emit.node("Equal", index, places), updates, zero)
        if not alone:
            added = emit.node("ReduceSum", added, emit.constant([self.axis + 1]), keepdims=0)
        return emit.node("Add", x, added)


def _emit_from_front(emit: Emitter, indices: str, size: Dim) -> str:
    """i64 indices, those from the end counted from the front."""
    from_end = emit.node("Add", indices, emit.node("Squeeze", emit.dims([size])))
    return emit.node("Where", emit.node("Less", indices, emit.constant(np.asarray(0))), from_end, indices)


def _along(x: TensorType, axis: int) -> Places:
    return Places(x.shape[axis], "rows" if axis == 0 else f"places along axis {axis}")


def _check_lines(op: str, axis: int, x: TensorType, indices: TensorType) -> None:
    _check_indices(op, indices)
    headline = f"`{op}` needs indices of the tensor's shape except along axis {axis}: {x} and {indices}"
    if x.rank != indices.rank:
        raise TypeProblem("AX0302", headline, operands=(1, 0))
    others, lines = ((*t.shape[:axis], *t.shape[axis + 1 :]) for t in (x, indices))
    check_same_shape(others, lines, headline, operands=(1, 0))


@register
class FromFront(Op):
    """An index where it is at least 0; ``size``, which is out of range, where it is negative.

    Measured in front of a Gather of 64 numbers from 10,000 rows: 13 us become 23 for 256 indices, and 74 become 87 for
    4,096. NaN in the rows in place of an error, by Where over the result, took 33 and 2,500.
    """

    traits = Trait.PURE | Trait.KEEPS
    size: Dim = ONE

    def infer(self, indices: TensorType) -> TensorType:
        _check_indices(self.name, indices, 0)
        return indices

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return True

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        counting = () if places[0] is None else inputs[0].shape[places[0]].symbols()
        return self.size.symbols().isdisjoint(counting) if counting else not self.size.symbols()

    def evaluate(self, indices: Any) -> Any:
        return np.where(indices < 0, np.asarray(self.size.evaluate({}), indices.dtype), indices)

    def vjp(self, dy: Value, y: Value, indices: Value) -> tuple[Value | None, ...]:
        return (None,)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        (indices,), dtype = inputs, types[0].dtype
        if (size := self.size.constant) is not None:
            end = emit.constant(np.asarray(size), dtype)
        else:
            end = emit.node("Squeeze", emit.dims([self.size]))
            end = end if dtype is DType.i64 else emit.node("Cast", end, to=dtype)
        return emit.node("Where", emit.node("Less", indices, emit.constant(np.asarray(0), dtype)), end, indices)


@register
class OneHot(Op):
    """1 at the index along a new last axis of size ``depth``, 0 elsewhere; all 0 for an index out of range, -1 too.

    A comparison with a range, which for 8x128 indices and depth 2048 takes 1.6 ms where ONNX's OneHot takes 4.0, and
    for which -1 is not the last class.
    """

    depth: Dim = ONE
    dtype: DType = DType.f32

    def infer(self, indices: TensorType) -> TensorType:
        _check_indices(self.name, indices, 0)
        return TensorType(self.dtype, (*indices.shape, self.depth))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return True

    def indices(self, inputs: Sequence[TensorType]) -> Mapping[int, Places]:
        return {0: Places(self.depth, "classes", certain=False)}

    def evaluate(self, indices: Any) -> Any:
        return (indices[..., None] == np.arange(self.depth.evaluate({}))).astype(self.dtype.numpy)

    def vjp(self, dy: Value, y: Value, indices: Value) -> tuple[Value | None, ...]:
        return (None,)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        indices = inputs[0] if types[0].dtype is DType.i64 else emit.node("Cast", inputs[0], to=DType.i64)
        column = emit.node("Unsqueeze", indices, emit.constant([types[0].rank]))
        hot = emit.node("Equal", column, self.emit_range(emit))
        return hot if self.dtype is DType.bool else emit.node("Cast", hot, to=self.dtype)

    def emit_range(self, emit: Emitter) -> str:
        """The places that an index may name."""
        if (depth := self.depth.constant) is not None:
            return emit.constant(np.arange(depth))
        end = emit.node("Squeeze", emit.dims([self.depth]))
        return emit.node("Range", emit.constant(np.asarray(0)), end, emit.constant(np.asarray(1)))


def from_front(indices: Value, size: Dim) -> Value:
    """Indices into an axis of this size, of which none counts from the end but those written as numbers."""
    builder = current_builder()
    if all(dim.constant is not None for dim in indices.shape):
        made = next((node.op for node in reversed(builder.nodes) if indices in node.outputs), None)
        if isinstance(made, Constant):
            return _counted(indices, made.array, size)
    return builder.add(FromFront(size), indices)


def _counted(indices: Value, numbers: Any, size: Dim) -> Value:
    """Known indices, counted from the front."""
    if not (numbers < 0).any():
        return indices
    if size.constant is not None:
        return constant(np.where(numbers < 0, numbers + size.constant, numbers), indices.type.dtype)
    return where(indices < 0, indices + dim_value(size, indices.type.dtype), indices)


def gather(x: Value, indices: Value, axis: int) -> Value:
    """``x[..., indices, ...]`` at an axis."""
    return current_builder().add(Gather(normal_axis(axis, x.rank, "gather")), x, indices)


def scatter_add(x: Value, indices: Value, updates: Value, axis: int) -> Value:
    """``x`` with updates added at ``x[..., indices, ...]`` at an axis; ``updates`` has the shape that Gather gives."""
    return _scattered(ScatterAdd(), x, indices, updates, axis)


def scatter_max(x: Value, indices: Value, updates: Value, axis: int) -> Value:
    """The same with the largest of what meets there."""
    return _scattered(ScatterMax(), x, indices, updates, axis)


def _scattered(op: ScatterRows, x: Value, indices: Value, updates: Value, axis: int) -> Value:
    place = normal_axis(axis, x.rank, op.name)
    first = range(place, place + indices.rank)
    order = [*first, *(i for i in range(updates.rank) if i not in first)]
    joined = current_builder().add(op, move_axis(x, place, 0), indices, transpose(updates, order))
    return move_axis(joined, 0, place)


def gather_elements(x: Value, indices: Value, axis: int) -> Value:
    """``x`` read along an axis, each index on its own line."""
    return current_builder().add(GatherElements(normal_axis(axis, x.rank, "gather")), x, indices)


def scatter_elements_add(x: Value, indices: Value, updates: Value, axis: int) -> Value:
    """``x`` with updates added along an axis, each index on its own line."""
    op = ScatterElementsAdd(normal_axis(axis, x.rank, "scatter_add"))
    return current_builder().add(op, x, indices, updates)


def one_hot(indices: Value, depth: Dim | int, dtype: DType = DType.f32) -> Value:
    """1 at the index along a new last axis, 0 elsewhere."""
    return current_builder().add(OneHot(Dim.of(depth), dtype), indices)


def put_slice(x: Value, at: Value, update: Value, axis: int) -> Value:
    """``x`` with ``update``, of the same rank, written from position ``at`` (a scalar) of an axis on."""
    place = normal_axis(axis, x.rank, "put")
    offset = iota(x.shape[place], at.type.dtype) - at
    last = update.shape[place] - 1
    picked = gather(update, minimum(maximum(offset, 0), dim_value(last, at.type.dtype)), place)
    inside = logical_and(offset >= 0, offset <= dim_value(last, at.type.dtype))
    line = unsqueeze(inside, range(1, x.rank - place)) if x.rank - place > 1 else inside
    return where(line, broadcast_to(picked, x.shape), x)
