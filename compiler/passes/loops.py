"""Scans: short ones are written out, others freed of what need not be in them, and of what nothing reads.

Bodies go through the passes themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.loops.motion import moved
from archonnx.compiler.loops.trim import trimmed
from archonnx.compiler.loops.unroll import unrolled
from archonnx.grammar.record import replace


def has_loops(graph: Graph) -> bool:
    """Whether an op of a graph runs a graph itself."""
    return any(node.op.bodies() for node in graph.nodes)


def inside(run: Callable[[Graph], Graph], graph: Graph) -> Graph:
    """The graph with each graph that its ops run, and those inside them, changed."""
    if not has_loops(graph):
        return graph
    nodes = []
    for node in graph.nodes:
        bodies = node.op.bodies()
        if bodies:
            op = node.op.with_bodies([run(inside(run, body)) for body in bodies])
            node = Node(op, node.inputs, node.outputs, node.origin)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


@dataclass(frozen=True)
class FreeLoops:
    """The pass that writes short scans out, and moves work out of the others."""

    name: str = "free-loops"

    def run(self, graph: Graph) -> Graph:
        """The graph with smaller loops."""
        return trimmed(moved(trimmed(unrolled(graph)))) if has_loops(graph) else graph
