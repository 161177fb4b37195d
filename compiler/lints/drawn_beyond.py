"""A drawn integer that picks from an axis, and may be beyond its end."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ops.elementwise import Add, Mul
from archonnx.compiler.ops.index import FromFront, Gather
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0839")
def drawn_beyond(sight: Sight) -> Iterator[Diagnostic]:
    """``t: i64[B] ~ randint(1, T + 1)`` and ``table[t]`` of T rows, as formulas count that begin at 1."""
    for node in sight.nodes(Gather):
        assert isinstance(node.op, Gather)
        drawn, size = sight.source(node.inputs[1]), node.inputs[0].shape[node.op.axis].constant
        while drawn is not None and isinstance(drawn.op, FromFront):
            drawn = sight.source(drawn.inputs[0])
        bounds = _bounds(sight, drawn) if drawn is not None and sight.user(drawn) == "randint" else None
        if drawn is None or size is None or bounds is None or bounds[1] <= size or node.origin.used:
            continue
        low, high = bounds
        yield warning(
            "AX0839",
            f"this picks places up to {high - 1} of an axis of size {size}: its places are 0 to {size - 1}",
            node.origin.place,
            f"{node.inputs[0].type}",
            notes=(f"`randint({low}, {high})` stands at {drawn.origin.place}: {high} is not drawn",),
            help=f"draw from 0 on: `randint({max(0, low - (high - size))}, {size})`",
        )


def _bounds(sight: Sight, node: Node) -> tuple[int, int] | None:
    """What `randint` draws from, and up to."""
    low = 0
    if isinstance(node.op, Add):
        found = [number for value in node.inputs if (number := sight.number(value)) is not None]
        rest = [value for value in node.inputs if sight.number(value) is None]
        made = sight.source(rest[0]) if len(found) == len(rest) == 1 else None
        if made is None:
            return None
        low, node = int(found[0]), made
    while not isinstance(node.op, Mul):
        made = sight.producers.get(node.inputs[0]) if node.inputs and sight.user(node) == "randint" else None
        if made is None:
            return None
        node = made
    count = next((number for value in node.inputs if (number := sight.number(value)) is not None), None)
    return None if count is None else (low, low + int(count))
