"""All nodes of a graph, those of the graphs that its ops run among them."""

from __future__ import annotations

from collections.abc import Iterator

from .dims import ONE, Dim
from .graph import Graph, Node
from .value import Value


def walk(graph: Graph, times: Dim = ONE) -> Iterator[tuple[Node, Dim]]:
    """Each node and how often it runs; the nodes of a body follow the node that runs it."""
    for node in graph.nodes:
        yield node, times
        bodies = node.op.bodies()
        if bodies:
            inner = times * node.op.times([value.type for value in node.inputs])
            for body in bodies:
                yield from walk(body, inner)


def all_values(graph: Graph) -> Iterator[Value]:
    """All values: of the graph, and of the bodies in it."""
    yield from graph.inputs.values()
    for node in graph.nodes:
        for body in node.op.bodies():
            yield from all_values(body)
        yield from node.outputs
