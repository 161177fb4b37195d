"""Fixing symbolic dims: the same graph for one batch shape."""

from __future__ import annotations

from collections.abc import Mapping

from archonnx.grammar.record import replace

from .dims import Dim
from .graph import Graph, Node
from .value import Value


def bind(graph: Graph, dims: Mapping[str, int | str], values: dict[Value, Value] | None = None) -> Graph:
    """The graph with names of dims replaced by integers or other names, in types and in the attributes of ops.

    ``values`` is filled with the values of the graph and what they have become.
    """
    known = {name: Dim.of(size) for name, size in dims.items()}
    values = {} if values is None else values

    def rebuilt(value: Value) -> Value:
        if value not in values:
            values[value] = Value(value.type.substitute(known), value.name, value.origin)
        return values[value]

    inputs = {name: rebuilt(value) for name, value in graph.inputs.items()}
    nodes = tuple(
        Node(n.op.substitute(known), tuple(values[v] for v in n.inputs), tuple(map(rebuilt, n.outputs)), n.origin)
        for n in graph.nodes
    )
    outputs = {name: values[value] for name, value in graph.outputs.items()}
    return replace(
        graph,
        inputs=inputs,
        nodes=nodes,
        outputs=outputs,
        facts=tuple(fact.substitute(known) for fact in graph.facts),
    )
