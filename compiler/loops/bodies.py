"""Cutting the body of a loop out of the nodes that its elaboration added to a builder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import MERGED, Broadcast, Constant, Reshape, constant

from .scanning import body_of

APART = 1_000_003
"""Step ``i`` of a loop draws what step ``APART * s + i + 1`` of the run would, where ``s`` is that of the loop."""


@dataclass(eq=False, repr=False)
class Step:
    """A step of a loop: its number, and the number that draws inside have in place of the run's step."""

    index: Value
    inside: Value | None = None

    @property
    def used(self) -> bool:
        """Whether something draws inside."""
        return self.inside is not None

    def number(self, around: Value) -> Value:
        """The number for draws inside, of that around the loop."""
        if self.inside is None:
            self.inside = around * constant(APART, around.type.dtype) + (self.index + 1)
        return self.inside


def enclosed(
    builder: Builder,
    mark: int,
    before: Sequence[Value],
    slices: Sequence[Value],
    after: Sequence[Value],
    emitted: Sequence[Value],
) -> tuple[Graph, list[Value]]:
    """The body of the nodes from ``mark`` on, taken out of the builder, and what it captures.

    Nodes that depend on neither states nor slices stay in the builder. Small constants are the body's own.

    Args:
        builder: has the nodes of one step at its end.
        mark: where they begin.
        before: what stands for the states at the beginning of a step.
        slices: what stands for its slices.
        after: the states at its end.
        emitted: what it emits.
    """
    varying = {*before, *slices}
    inside: list[Node] = []
    outside: list[Node] = []
    for node in builder.nodes[mark:]:
        if varying.isdisjoint(node.inputs):
            outside.append(node)
        else:
            inside.append(node)
            varying.update(node.outputs)
    builder.nodes[mark:] = outside
    read = [value for node in inside for value in node.inputs] + [*after, *emitted]
    constants, captured = _constants(builder, [value for value in read if value not in varying])
    return body_of((*constants, *inside), before, slices, captured, after, emitted), captured


def _constants(builder: Builder, read: Sequence[Value]) -> tuple[list[Node], list[Value]]:
    """The nodes that the body has of its own, in order, and the values that it captures.

    Its own are small constants, and what repeats a tensor: the gradient then sums, which one sum after the loop does.
    """
    made = {value: node for node in builder.nodes for value in node.outputs}
    own: dict[Node, None] = {}
    captured: dict[Value, None] = {}

    def take(value: Value) -> None:
        node = made.get(value)
        if node is None or not _is_repeated(node, made):
            captured[value] = None
            return
        for given in node.inputs:
            take(given)
        own[node] = None

    for value in dict.fromkeys(read):
        take(value)
    return list(own), list(captured)


def _is_repeated(node: Node, made: dict[Value, Node]) -> bool:
    if isinstance(node.op, Constant):
        return node.op.array.size <= MERGED
    if isinstance(node.op, Reshape):
        inner = made.get(node.inputs[0])
        return inner is not None and _is_repeated(inner, made)
    return isinstance(node.op, Broadcast)
