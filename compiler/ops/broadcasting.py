"""NumPy's rule of broadcasting, on dims. What it adds to the graph is the op ``Broadcast`` (``shape``)."""

from __future__ import annotations

from collections.abc import Sequence

from archonnx.compiler.ir.dims import ONE, Dim
from archonnx.compiler.ir.facts import is_one, same, way_to_tell
from archonnx.compiler.ir.op import TypeProblem


def broadcast_shapes(shapes: Sequence[tuple[Dim, ...]]) -> tuple[Dim, ...]:
    """NumPy's rule on dims: aligned at the last axis, equal or 1. TypeProblem where that fails or cannot be told.

    Of dims that are equal by what is stated, the result has the simplest: a number, else a name, else the first.
    """
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(len(shape) for shape in shapes)
    result: list[Dim] = []
    for axis in range(-rank, 0):
        chosen, chosen_at = ONE, 0
        for position, shape in enumerate(shapes):
            dim = shape[axis] if -axis <= len(shape) else ONE
            if dim in (ONE, chosen):
                continue
            if chosen == ONE:
                chosen, chosen_at = dim, position
                continue
            equal = same(chosen, dim)
            if equal or is_one(dim):
                if equal and _plainness(dim) > _plainness(chosen):
                    chosen, chosen_at = dim, position
                continue
            if is_one(chosen):
                chosen, chosen_at = dim, position
                continue
            if equal is None:
                raise TypeProblem(
                    "AX0305",
                    f"cannot tell whether dims {chosen} and {dim} are equal (axis {axis})",
                    operands=(position, chosen_at),
                    help=way_to_tell(chosen, dim),
                )
            raise TypeProblem(
                "AX0302",
                f"shapes do not broadcast: axis {axis} is {chosen} on one side and {dim} on the other",
                operands=(position, chosen_at),
            )
        result.append(chosen)
    return tuple(result)


def _plainness(dim: Dim) -> int:
    return 2 if dim.constant is not None else 1 if dim.symbol is not None else 0


def check_broadcast(shape: tuple[Dim, ...], wanted: tuple[Dim, ...], shown: str) -> None:
    """TypeProblem unless a tensor of one shape can be repeated to another; ``shown`` is its type."""
    result = broadcast_shapes([shape, wanted])
    if result != wanted and (len(result) != len(wanted) or not all(map(same, result, wanted))):
        raise TypeProblem("AX0302", f"{shown} does not broadcast to [{', '.join(map(str, wanted))}]")


def broadcasts(shape: tuple[Dim, ...], wanted: tuple[Dim, ...]) -> bool:
    """Whether it is certain that a tensor of one shape can be repeated to another."""
    try:
        check_broadcast(shape, wanted, "")
    except TypeProblem:
        return False
    return True
