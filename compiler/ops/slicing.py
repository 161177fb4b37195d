"""Putting tensors together and taking them apart: concatenation, slices, padding.

What this module does not do: prove that symbolic bounds lie in range. It refuses what is certainly wrong; who writes
a slice proves the rest or records it as assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ZERO, Dim
from archonnx.compiler.ir.facts import at_most, same, way_to_tell
from archonnx.compiler.ir.op import Emitter, Op, Trait, TypeProblem, register
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.grammar.budget import Cost, hold, spend

from .checks import check_divides, check_dtypes, one_place
from .shape import KEEPS, VIEW, normal_axes, normal_axis, reshape, squeeze, unsqueeze, zeros_like

PART = 500
"""Bytes that a result of a node takes."""


@register
class Concat(Op):
    """Tensors one after the other along one axis."""

    traits = KEEPS
    axis: int = 0

    def infer(self, *inputs: TensorType) -> TensorType:
        check_dtypes(self.name, "any", *inputs)
        first = inputs[0]
        total = first.shape[self.axis]
        for position, other in enumerate(inputs[1:], 1):
            if other.rank != first.rank:
                raise TypeProblem("AX0321", f"`concat` needs one rank: {first} and {other}", operands=(position, 0))
            self._check_others(first, other, position)
            total = total + other.shape[self.axis]
        return first.with_shape((*first.shape[: self.axis], total, *first.shape[self.axis + 1 :]))

    def _check_others(self, first: TensorType, other: TensorType, position: int) -> None:
        for axis, (a, b) in enumerate(zip(first.shape, other.shape, strict=True)):
            if axis == self.axis or (equal := same(a, b)):
                continue
            if equal is None:
                raise TypeProblem(
                    "AX0305",
                    f"cannot tell whether dims {a} and {b} are equal (axis {axis})",
                    operands=(position, 0),
                    help=way_to_tell(a, b),
                )
            raise TypeProblem(
                "AX0302",
                f"`concat` along axis {self.axis} needs equal dims elsewhere: axis {axis} is {a} and {b}",
                operands=(position, 0),
            )

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return self.axis not in places and one_place(places)

    def evaluate(self, *inputs: Any) -> Any:
        return np.concatenate(inputs, axis=self.axis)

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        return split(dy, [x.shape[self.axis] for x in inputs], self.axis)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return emit.node("Concat", *inputs, axis=self.axis)


@register
class Split(Op):
    """Parts of these sizes along one axis, which they fill."""

    traits = VIEW | Trait.PART
    axis: int = 0
    sizes: tuple[Dim, ...] = ()

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        size = x.shape[self.axis]
        total = sum(self.sizes, ZERO)
        if same(total, size) is not True:
            code = "AX0305" if same(total, size) is None else "AX0322"
            raise TypeProblem(
                code, f"`split` needs parts that fill axis {self.axis}: {total} of {size}", argument="parts"
            )
        before, after = x.shape[: self.axis], x.shape[self.axis + 1 :]
        return tuple(x.with_shape((*before, part, *after)) for part in self.sizes)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] != self.axis

    def evaluate(self, x: Any) -> Any:
        ends = np.cumsum([size.evaluate({}) for size in self.sizes])
        parts = tuple(np.split(x, ends[:-1], axis=self.axis))
        return parts if len(parts) > 1 else parts[0]

    def vjp(self, dy: Any, y: Any, x: Value) -> tuple[Value | None, ...]:
        if len(self.sizes) == 1:
            return (dy,)
        known = zip(dy, y, strict=True)
        return (concat([zeros_like(p) if d is None else d for d, p in known], self.axis),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> list[str]:
        sizes = emit.dims(self.sizes)
        return emit.nodes("Split", inputs[0], sizes, outputs=len(self.sizes), axis=self.axis)


@register
class Slice(Op):
    """The elements from ``starts`` up to ``ends`` by positive ``steps`` along some axes; bounds lie in range."""

    traits = VIEW | Trait.PART
    axes: tuple[int, ...] = ()
    starts: tuple[Dim, ...] = ()
    ends: tuple[Dim, ...] = ()
    steps: tuple[int, ...] = ()

    def infer(self, x: TensorType) -> TensorType:
        shape = list(x.shape)
        for axis, start, end, step in zip(self.axes, self.starts, self.ends, self.steps, strict=True):
            if at_most(start + 1, ZERO) or at_most(end + 1, start) or at_most(x.shape[axis] + 1, end):
                raise TypeProblem("AX0322", f"the slice {start}:{end} is outside axis {axis}, of size {x.shape[axis]}")
            shape[axis] = (end - start + (step - 1)) // step
        return x.with_shape(tuple(shape))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] not in self.axes

    def evaluate(self, x: Any) -> Any:
        selection = [slice(None)] * x.ndim
        for axis, start, end, step in zip(self.axes, self.starts, self.ends, self.steps, strict=True):
            selection[axis] = slice(start.evaluate({}), end.evaluate({}), step)
        return x[tuple(selection)]

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        before, after = [ZERO] * x.rank, [ZERO] * x.rank
        for axis, start, end, step in zip(self.axes, self.starts, self.ends, self.steps, strict=True):
            dy = _spaced(dy, axis, step, end - start)
            before[axis], after[axis] = start, x.shape[axis] - end
        return (pad(dy, before, after),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        bounds = [emit.dims(self.starts), emit.dims(self.ends), emit.constant(self.axes)]
        # onnxruntime copies far faster where `steps` is absent than where it is all ones.
        steps = [emit.constant(self.steps)] if any(step != 1 for step in self.steps) else []
        return emit.node("Slice", inputs[0], *bounds, *steps)


def _spaced(x: Value, axis: int, step: int, length: Dim) -> Value:
    """``x`` with ``step - 1`` zeros after each element along an axis, cut to a length."""
    if step == 1:
        return x
    none = [ZERO] * (x.rank + 1)
    gaps = [Dim.of(step - 1) if place == axis + 1 else ZERO for place in range(x.rank + 1)]
    spread = pad(unsqueeze(x, axis + 1), none, gaps)
    merged = reshape(spread, (*x.shape[:axis], x.shape[axis] * step, *x.shape[axis + 1 :]))
    return merged if merged.shape[axis] == length else slice_axis(merged, axis, ZERO, length)


@register
class Reverse(Op):
    """The elements in opposite order along some axes."""

    traits = KEEPS
    axes: tuple[int, ...] = ()

    def infer(self, x: TensorType) -> TensorType:
        return x

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] not in self.axes

    def evaluate(self, x: Any) -> Any:
        return np.flip(x, self.axes)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (reverse(dy, self.axes),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return backwards(emit, inputs[0], *self.axes)


def backwards(emit: Emitter, x: str, *axes: int) -> str:
    """The node of ``x`` in opposite order along axes."""
    before_first, n = int(np.iinfo(np.int64).min), len(axes)
    ends = [emit.constant([value] * n) for value in (-1, before_first)]
    return emit.node("Slice", x, *ends, emit.constant(axes), emit.constant([-1] * n))


@register
class Pad(Op):
    """One number around: ``before[i]`` times in front of axis ``i``, ``after[i]`` times behind."""

    traits = Trait.PURE | Trait.KEEPS | Trait.PADS
    before: tuple[Dim, ...] = ()
    after: tuple[Dim, ...] = ()
    number: float = 0.0

    def infer(self, x: TensorType) -> TensorType:
        if len(self.before) != x.rank or len(self.after) != x.rank:
            raise TypeProblem("AX0321", f"`pad` needs two sizes for each axis of {x}")
        if any(at_most(size + 1, ZERO) for size in (*self.before, *self.after)):
            raise TypeProblem("AX0322", "`pad` adds elements, and a size is negative", help="slice to take some away")
        return x.with_shape(tuple(b + d + a for b, d, a in zip(self.before, x.shape, self.after, strict=True)))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        (place,) = places
        return place is not None and self.before[place] == self.after[place] == ZERO

    def evaluate(self, x: Any) -> Any:
        widths = [(b.evaluate({}), a.evaluate({})) for b, a in zip(self.before, self.after, strict=True)]
        return np.pad(x, widths, constant_values=np.asarray(self.number).astype(x.dtype))

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        padded = [axis for axis in range(x.rank) if self.before[axis] != ZERO or self.after[axis] != ZERO]
        starts = tuple(self.before[axis] for axis in padded)
        ends = tuple(self.before[axis] + x.shape[axis] for axis in padded)
        return (current_builder().add(Slice(tuple(padded), starts, ends, (1,) * len(padded)), dy) if padded else dy,)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        pads = emit.dims([*self.before, *self.after])
        return emit.node("Pad", inputs[0], pads, emit.constant(self.number, types[0].dtype))


def concat(tensors: Sequence[Value], axis: int) -> Value:
    """Tensors one after the other along an axis."""
    place = normal_axis(axis, tensors[0].rank, "concat")
    return tensors[0] if len(tensors) == 1 else current_builder().add(Concat(place), *tensors)


def stack(tensors: Sequence[Value], axis: int) -> Value:
    """Tensors of one shape along a new axis of the result."""
    return concat([unsqueeze(x, normal_axis(axis, x.rank + 1, "stack")) for x in tensors], axis)


def split(x: Value, parts: int | Sequence[Dim | int], axis: int) -> tuple[Value, ...]:
    """So many equal parts, or parts of these sizes, along an axis."""
    place = normal_axis(axis, x.rank, "split")
    if isinstance(parts, int):
        size = x.shape[place]
        headline = f"`split` cannot make {parts} equal parts of axis {place}, of size {size}"
        if parts < 1:
            raise TypeProblem("AX0322", headline, argument="parts")
        check_divides(parts, size, headline, argument="parts")
        spend(Cost.nodes, 10 * parts)
        hold(Cost.nodes, PART * parts)
        parts = [size // parts] * parts
    sizes = tuple(Dim.of(part) for part in parts)
    return (x,) if sizes == (x.shape[place],) else current_builder().add_many(Split(place, sizes), x)


def slice_axis(
    x: Value, axis: int, start: Dim | int | None = None, end: Dim | int | None = None, step: int = 1
) -> Value:
    """``x[start:end:step]`` along an axis, by Python's rules.

    Negative integers count from the end; bounds that are certainly outside are moved to the edge. A symbolic dim as
    a bound is meant as it is. A negative step runs backwards.
    """
    if step == 0:
        raise TypeProblem("AX0322", "the step of a slice is not 0")
    place = normal_axis(axis, x.rank, "slice")
    size = x.shape[place]
    if step < 0:
        last = size - 1
        first = ZERO if start is None else last - _clipped(start, size, last, lowest=-1)
        until = None if end is None else last - _clipped(end, size, last, lowest=-1)
        return slice_axis(reverse(x, place), place, first, until, -step)
    first = ZERO if start is None else _clipped(start, size, size)
    until = size if end is None else _clipped(end, size, size)
    if at_most(until, first):
        until = first
    if first == ZERO and until == size and step == 1:
        return x
    return current_builder().add(Slice((place,), (first,), (until,), (step,)), x)


def slices(x: Value, first: int, seen: Sequence[range]) -> Value:
    """These places of the axes from ``first`` on, in one pass; each range runs forwards, and lies in its axis."""
    cut = {axis: of for axis, of in enumerate(seen, first) if x.shape[axis] != Dim.of(len(of))}
    if not cut:
        return x
    starts = tuple(Dim.of(of.start) for of in cut.values())
    ends = tuple(Dim.of(of[-1] + 1) for of in cut.values())
    return current_builder().add(Slice(tuple(cut), starts, ends, tuple(of.step for of in cut.values())), x)


def _clipped(bound: Dim | int, size: Dim, highest: Dim, lowest: int = 0) -> Dim:
    """A bound of a slice counted from the front, moved into range where it is certainly outside."""
    place = Dim.of(bound)
    if place.constant is not None and place.constant < 0:
        place = size + place
    if at_most(place, Dim.of(lowest)):
        return Dim.of(lowest)
    return highest if at_most(highest, place) else place


def take_at(x: Value, axis: int, position: int) -> Value:
    """``x[position]`` along an axis, which goes away; negative positions count from the end."""
    place = normal_axis(axis, x.rank, "index")
    size = x.shape[place]
    at = Dim.of(position) if position >= 0 else size + position
    if at_most(at + 1, ZERO) or at_most(size, at):
        raise TypeProblem("AX0322", f"index {position} is outside axis {place}, of size {size}")
    return squeeze(slice_axis(x, place, at, at + 1), place)


def reverse(x: Value, axes: int | Sequence[int]) -> Value:
    """The elements in opposite order along axes."""
    places = normal_axes(axes, x.rank, "reverse")
    return current_builder().add(Reverse(places), x) if places else x


def pad(x: Value, before: Sequence[Dim | int], after: Sequence[Dim | int], number: float = 0.0) -> Value:
    """``x`` with a number around it, so often on each side of each axis; itself where that is nowhere."""
    front, back = tuple(Dim.of(d) for d in before), tuple(Dim.of(d) for d in after)
    return x if set(front + back) <= {ZERO} else current_builder().add(Pad(front, back, number), x)
