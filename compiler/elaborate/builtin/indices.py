"""Functions of the language that order a tensor, and that read and write it by indices."""

from __future__ import annotations

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.values import Results
from archonnx.compiler.ir.facts import is_one
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops import index, slicing
from archonnx.compiler.ops import sort as sort_ops
from archonnx.compiler.ops.shape import broadcast_to

from .calling import Size, Tensor, axis_of, builtin, require


@builtin
def sort(frame: Frame, x: Tensor, *, axis: int = -1, descending: bool = False) -> Value:
    """The elements along an axis from the smallest to the largest, or the other way."""
    return sort_ops.sort(x, axis_of(x, axis), descending)[0]


@builtin
def argsort(frame: Frame, x: Tensor, *, axis: int = -1, descending: bool = False) -> Value:
    """Where the elements of ``sort`` stand, as i64; of equal ones the first comes first."""
    return sort_ops.sort(x, axis_of(x, axis), descending)[1]


@builtin
def top_k(frame: Frame, x: Tensor, k: Size, *, axis: int = -1, largest: bool = True) -> Results:
    """The ``k`` largest or smallest elements along an axis, best first: ``values`` and ``indices``."""
    return Results(sort_ops.top_k(x, k, axis_of(x, axis), largest), ("values", "indices"))


@builtin
def flip(frame: Frame, x: Tensor, *, axis: int) -> Value:
    """The elements along an axis in opposite order."""
    return slicing.reverse(x, axis_of(x, axis))


@builtin
def gather(frame: Frame, x: Tensor, indices: Tensor, *, axis: int = 0) -> Value:
    """Slices of ``x`` along an axis at integer positions; out of range is an error when the model runs."""
    place = axis_of(x, axis)
    return index.gather(x, index.from_front(indices, x.shape[place]), place)


@builtin
def take_along_axis(frame: Frame, x: Tensor, indices: Tensor, *, axis: int) -> Value:
    """``x[indices[i, j], j]`` for axis 0 of a matrix, and so on: each index reads along its own line of ``x``.

    An axis of ``indices`` that has size 1 beside one of ``x`` is repeated: all lines along it are read at one place.
    """
    place = axis_of(x, axis)
    if indices.rank == x.rank:
        pairs = zip(indices.shape, x.shape, strict=True)
        indices = broadcast_to(indices, [b if n != place and is_one(a) else a for n, (a, b) in enumerate(pairs)])
    return index.gather_elements(x, index.from_front(indices, x.shape[place]), place)


@builtin
def scatter_add(frame: Frame, x: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 0) -> Value:
    """``x`` with ``updates`` added where ``gather(x, indices)`` reads, along an axis; what meets there adds up."""
    place = axis_of(x, axis)
    return index.scatter_add(x, index.from_front(indices, x.shape[place]), updates, place)


@builtin
def scatter_max(frame: Frame, x: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 0) -> Value:
    """``x`` with the largest of itself and ``updates`` where ``gather(x, indices)`` reads, along an axis.

    Of several updates of one place the largest stays; those that tie share the gradient.
    """
    place = axis_of(x, axis)
    return index.scatter_max(x, index.from_front(indices, x.shape[place]), updates, place)


@builtin
def scatter_add_along_axis(frame: Frame, x: Tensor, indices: Tensor, updates: Tensor, *, axis: int) -> Value:
    """``x`` with ``updates`` added where ``take_along_axis(x, indices)`` reads; what meets there adds up."""
    place = axis_of(x, axis)
    return index.scatter_elements_add(x, index.from_front(indices, x.shape[place]), updates, place)


@builtin
def put(frame: Frame, x: Tensor, at: Tensor, update: Tensor, *, axis: int) -> Value:
    """``x`` with ``update`` written from position ``at`` (an integer scalar) of an axis on.

    ``update`` has as many positions there as it writes; what would lie outside ``x`` is left out.
    """
    require(update.rank == x.rank, "AX0321", f"`put` writes a tensor of {x.rank} axes, not of {update.rank}")
    return index.put_slice(x, at, update, axis_of(x, axis))


@builtin
def one_hot(frame: Frame, labels: Tensor, classes: Size) -> Value:
    """1 at the label's place in a new last axis, else 0."""
    return index.one_hot(labels, classes, frame.build.float_type)
