"""Going through the nodes of a graph: through all of them, also those of bodies; or changing some."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from archonnx.grammar.record import replace

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


Change: TypeAlias = Callable[[Node, Mapping[Value, Node]], tuple[list[Node], Mapping[Value, Value]] | None]
"""Of a node and of who makes each value before it: the nodes in its place, and what stands for which of its results."""


def changed(graph: Graph, change: Change) -> Graph:
    """The graph with other nodes where ``change`` gives some, each offered with its inputs as they are by then.

    The graph itself where it gives none.
    """
    nodes: list[Node] = []
    replaced: dict[Value, Value] = {}
    made: dict[Value, Node] = {}
    same = True
    for node in graph.nodes:
        inputs = tuple(replaced.get(value, value) for value in node.inputs)
        node = node if inputs == node.inputs else Node(node.op, inputs, node.outputs, node.origin)
        found = change(node, made)
        new, results = ([node], {}) if found is None else found
        same = same and found is None
        nodes += new
        replaced |= results
        made.update((value, other) for other in new for value in other.outputs)
    if same:
        return graph
    outputs = {name: replaced.get(value, value) for name, value in graph.outputs.items()}
    return replace(graph, nodes=tuple(nodes), outputs=outputs)
