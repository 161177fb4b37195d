"""Leaving out what nothing reads of a scan: results, states that serve none, inputs of which nothing is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archonnx.compiler.ir.graph import Graph, Node, needed
from archonnx.compiler.ir.value import Value
from archonnx.grammar.record import replace

from .scan import Scan


def trimmed(graph: Graph) -> Graph:
    """The graph without nodes, and without parts of scans, that nothing needs."""
    live = set(graph.outputs.values())
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if live.isdisjoint(node.outputs):
            continue
        if isinstance(node.op, Scan):
            node = _trim(node, node.op, live)
        kept.append(node)
        live.update(node.inputs)
    return replace(graph, nodes=tuple(kept[::-1]))


def _trim(node: Node, op: Scan, live: set[Value]) -> Node:
    """A scan that makes what is live, and no more."""
    inputs, outputs = list(op.body.inputs.values()), list(op.body.outputs.values())
    emitted = [k for k in range(op.states, len(outputs)) if node.outputs[k] in live]
    states = [j for j in range(op.states) if node.outputs[j] in live]
    while True:
        nodes = needed(op.body.nodes, [outputs[k] for k in (*states, *emitted)])
        read = {value for inner in nodes for value in inner.inputs} | {outputs[k] for k in (*states, *emitted)}
        grown = [j for j in range(op.states) if j in states or inputs[j] in read]
        if grown == states:
            break
        states = grown
    last = op.states + op.scanned
    slices = [n for n in range(op.states, last) if inputs[n] in read] or [op.states]
    captured = _captured(node, inputs, range(last, len(inputs)), read)
    body, nodes = _renamed(nodes, captured, [outputs[k] for k in (*states, *emitted)])
    names, results = list(op.body.inputs), list(op.body.outputs)
    kept = [*states, *slices, *(n for n in range(last, len(inputs)) if captured.get(inputs[n]) is inputs[n])]
    if len(kept) == len(inputs) and len(states) + len(emitted) == len(outputs) and len(nodes) == len(op.body.nodes):
        return node
    new = Graph(
        op.body.name,
        {names[n]: inputs[n] for n in kept},
        tuple(nodes),
        dict(zip([results[k] for k in (*states, *emitted)], body, strict=True)),
    )
    return Node(
        replace(op, body=new, states=len(states), scanned=len(slices)),
        tuple(node.inputs[n] for n in kept),
        tuple(node.outputs[k] for k in (*states, *emitted)),
        node.origin,
    )


def _captured(node: Node, inputs: Sequence[Value], places: range, read: set[Value]) -> dict[Value, Value]:
    """What is captured and read, and for each the first that captures the same."""
    first: dict[Value, Value] = {}
    return {inputs[n]: first.setdefault(node.inputs[n], inputs[n]) for n in places if inputs[n] in read}


def _renamed(
    nodes: Sequence[Node], captured: dict[Value, Value], outputs: Sequence[Value]
) -> tuple[list[Value], list[Node]]:
    if all(value is first for value, first in captured.items()):
        return list(outputs), list(nodes)
    made: list[Any] = [Node(n.op, tuple(captured.get(v, v) for v in n.inputs), n.outputs, n.origin) for n in nodes]
    return [captured.get(v, v) for v in outputs], made
