"""A short scan written out: its steps one after the other, with nothing of a loop left."""

from __future__ import annotations

from collections.abc import Mapping

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.parts import inline
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ir.walk import changed
from archonnx.compiler.ops.slicing import stack, take_at

from .scan import Scan

SHORT = 4
"""Scans of so many steps at most are written out. A step of a loop costs about 1.2 us in onnxruntime beside its nodes,
and what a scan hands on is copied; but each step that is written out is compiled and kept apart."""


def unrolled(graph: Graph) -> Graph:
    """The graph with its short scans written out."""
    return changed(graph, _written_out)


def _is_short(node: Node, op: Scan) -> bool:
    length = op.times([value.type for value in node.inputs]).constant
    return length is not None and 0 < length <= SHORT


def _written_out(node: Node, made: Mapping[Value, Node]) -> tuple[list[Node], Mapping[Value, Value]] | None:
    """The nodes of all steps, and the results of the scan."""
    op = node.op
    if not isinstance(op, Scan) or not _is_short(node, op):
        return None
    builder = Builder(node.origin)
    with builder.active():
        results = _steps(node, op, builder)
    return builder.nodes, dict(zip(node.outputs, results, strict=True))


def _steps(node: Node, op: Scan, builder: Builder) -> list[Value]:
    last = op.states + op.scanned
    states, stacks = list(node.inputs[: op.states]), node.inputs[op.states : last]
    length = op.times([value.type for value in node.inputs]).constant or 0
    emitted: list[list[Value]] = [[] for _ in node.outputs[op.states :]]
    for step in reversed(range(length)) if op.reverse else range(length):
        slices = [take_at(value, 0, step) for value in stacks]
        made = inline(op.body, builder, [*states, *slices, *node.inputs[last:]])
        states = made[: op.states]
        for rows, value in zip(emitted, made[op.states :], strict=True):
            rows.append(value)
    return [*states, *(stack(rows[::-1] if op.reverse else rows, 0) for rows in emitted)]
