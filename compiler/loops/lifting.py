"""Doing an op for all steps of a loop at once: on stacks, which have the steps along one more axis in front.

A rule for a class of op takes the op, its inputs, some of which are stacked, and the number of steps; it adds nodes to
the builder in use and gives the stacked results, or None where no op does it. What this module does not do: decide
what is worth it (``motion`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ZERO, Dim
from archonnx.compiler.ir.op import Op
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Cast, Where
from archonnx.compiler.ops.index import FromFront, Gather
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.norm import AlongAxis
from archonnx.compiler.ops.pointwise import Elementwise
from archonnx.compiler.ops.reduce import CumSum, ExtremePlace, Reduction
from archonnx.compiler.ops.remat import RematEdge
from archonnx.compiler.ops.shape import (
    Broadcast,
    Reshape,
    Squeeze,
    StopGradient,
    Transpose,
    Unsqueeze,
    broadcast_to,
    reshape,
    unsqueeze,
)
from archonnx.compiler.ops.slicing import Concat, Pad, Reverse, Slice, Split
from archonnx.compiler.ops.sort import TopK
from archonnx.grammar.record import replace

Lift: TypeAlias = Callable[[Any, Sequence[Value], Sequence[bool], Dim], Sequence[Value] | None]

_LIFTS: dict[type[Op], Lift] = {}


def lift(op: Op, inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> Sequence[Value] | None:
    """The op for all steps, of inputs of which one at least is stacked; None where no op does that."""
    rule = next((_LIFTS[kind] for kind in type(op).__mro__ if kind in _LIFTS), None)
    return None if rule is None else rule(op, inputs, stacked, steps)


def _rule(*kinds: type[Op]) -> Callable[[Lift], Lift]:
    def enter(function: Lift) -> Lift:
        _LIFTS.update(dict.fromkeys(kinds, function))
        return function

    return enter


def _all_stacked(inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> list[Value]:
    """The inputs, with those that are the same at each step repeated."""
    return [x if is_ else broadcast_to(x, (steps, *x.shape)) for x, is_ in zip(inputs, stacked, strict=True)]


@_rule(Elementwise, Where, Cast, StopGradient, RematEdge, FromFront)
def _elementwise(op: Op, inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> Sequence[Value]:
    return current_builder().add_many(op, *_all_stacked(inputs, stacked, steps))


@_rule(Broadcast)
def _broadcast(op: Broadcast, inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> Sequence[Value]:
    (x,) = inputs
    new = len(op.shape) - (x.rank - 1)
    return (broadcast_to(unsqueeze(x, range(1, 1 + new)), (steps, *op.shape)),)


@_rule(Reshape)
def _reshape(op: Reshape, inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> Sequence[Value]:
    return (reshape(inputs[0], (steps, *op.shape)),)


@_rule(Transpose)
def _transpose(op: Transpose, inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> Sequence[Value]:
    return current_builder().add_many(Transpose((0, *(axis + 1 for axis in op.permutation))), *inputs)


@_rule(Squeeze, Unsqueeze, Reduction, Reverse)
def _along_axes(op: Any, inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> Sequence[Value]:
    return current_builder().add_many(replace(op, axes=tuple(axis + 1 for axis in op.axes)), *inputs)


@_rule(Slice)
def _slice(op: Slice, inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> Sequence[Value]:
    return current_builder().add_many(replace(op, axes=tuple(axis + 1 for axis in op.axes)), *inputs)


@_rule(AlongAxis, ExtremePlace, CumSum, TopK, Concat, Split)
def _along_axis(op: Any, inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> Sequence[Value]:
    return current_builder().add_many(replace(op, axis=op.axis + 1), *_all_stacked(inputs, stacked, steps))


@_rule(Pad)
def _pad(op: Pad, inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> Sequence[Value]:
    padded = replace(op, before=(ZERO, *op.before), after=(ZERO, *op.after))
    return current_builder().add_many(padded, *inputs)


@_rule(Gather)
def _gather(op: Gather, inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> Sequence[Value] | None:
    """Rows of a table that is the same at each step."""
    return None if stacked[0] or op.axis else current_builder().add_many(op, *inputs)


@_rule(MatMul)
def _product(op: MatMul, inputs: Sequence[Value], stacked: Sequence[bool], steps: Dim) -> Sequence[Value] | None:
    a, b = inputs
    ranks = [x.rank - is_ for x, is_ in zip(inputs, stacked, strict=True)]
    if ranks[0] == ranks[1] == 2 or (all(stacked) and ranks[0] == ranks[1]):
        return current_builder().add_many(op, a, b)  # what is the same at each step is a shared factor
    if (ranks == [3, 2] and stacked == [True, False]) or (ranks == [2, 3] and stacked == [False, True]):
        return current_builder().add_many(op, a, b)
    return None
