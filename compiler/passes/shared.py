"""Gelu beside its derivative: both need the normal distribution function, and where a graph has both it is made once.

A graph that only uses the net keeps the one operator that onnxruntime has for it. What this module does not do: look
for other functions that share a part with their derivative.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Mul
from archonnx.compiler.ops.functions import Erf, Gelu, normal_distribution
from archonnx.grammar.record import replace

from .rewrite import Site


class SharedGelu:
    """``gelu(x)`` is ``x`` times the distribution function where the derivative computes that anyway.

    What it writes are the nodes of the derivative once more, before those: merging equal nodes comes after it.
    """

    name = "shared-gelu"

    def run(self, graph: Graph) -> Graph:
        """The graph in which forward and backward share it."""
        if not any(isinstance(node.op, Erf) for node in graph.nodes):
            return graph
        producers = {output: node for node in graph.nodes for output in node.outputs}
        ready = {x for node in graph.nodes if isinstance(node.op, Erf) and (x := _scaled(node, producers)) is not None}
        nodes: list[Node] = []
        for node in graph.nodes:
            shares = isinstance(node.op, Gelu) and node.op.approximate == "none" and node.inputs[0] in ready
            nodes += _written_out(node) if shares else [node]
        return replace(graph, nodes=tuple(nodes))


def _scaled(node: Node, producers: Mapping[Value, Node]) -> Value | None:
    """The x of an erf(x / sqrt(2))."""
    site = Site(node, producers, {})
    scaled = site.made_by(node.inputs[0], Mul)
    factor = site.number(scaled.inputs[1]) if scaled is not None else None
    if scaled is None or factor is None or not math.isclose(factor, math.sqrt(0.5), rel_tol=1e-3):
        return None
    return scaled.inputs[0]


def _written_out(node: Node) -> list[Node]:
    builder = Builder(node.origin)
    with builder.active():
        (x,) = node.inputs
        y = x * normal_distribution(x)
    *before, last = builder.nodes
    assert last.outputs == (y,)
    return [*before, Node(last.op, last.inputs, node.outputs, last.origin)]
