"""The graph: inputs, ordered nodes, outputs. Immutable; whatever changes a graph builds a new one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from archonnx.grammar.budget import Cost, spend
from archonnx.grammar.record import Record, replace

from .dims import Dim
from .op import Op
from .origin import UNKNOWN, Origin
from .value import Value


class Node(Record, eq=False):
    """One application of an op."""

    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    origin: Origin = UNKNOWN

    def __repr__(self) -> str:
        return f"<{self.op.name}: {len(self.inputs)} inputs -> {', '.join(str(v.type) for v in self.outputs[:3])}>"


class Graph(Record, eq=False):
    """A function of tensors. Inputs and outputs are named in order; nodes stand in an order of evaluation."""

    name: str
    inputs: Mapping[str, Value]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Value]
    facts: tuple[Dim, ...] = ()
    """Dims that are at least 0, from ``assert``: what the shapes rest on."""

    def __repr__(self) -> str:
        return f"<graph {self.name}: {len(self.inputs)} inputs, {len(self.nodes)} nodes, {len(self.outputs)} outputs>"

    def producers(self) -> dict[Value, Node]:
        """The node that makes each value."""
        return {output: node for node in self.nodes for output in node.outputs}

    def values(self) -> Iterator[Value]:
        """All values: inputs, then results in order."""
        yield from self.inputs.values()
        for node in self.nodes:
            yield from node.outputs

    def symbols(self) -> set[str]:
        """All names of dims in the inputs."""
        return set().union(*(value.type.symbols() for value in self.inputs.values()))

    def op_symbols(self) -> set[str]:
        """All names of dims in the attributes of ops, and in the graphs that they run."""
        return set().union(*(node.op.symbols() for node in self.nodes))

    def all_symbols(self) -> set[str]:
        """All names of dims in types and in the attributes of ops."""
        return self.op_symbols().union(*(value.type.symbols() for value in self.values()))

    def substitute(self, dims: Mapping[str, Dim], values: dict[Value, Value] | None = None) -> Graph:
        """The graph with names of dims replaced, in types, in the attributes of ops and in the graphs that they run.

        ``values`` is filled with the values of the graph and what they have become.
        """
        values = {} if values is None else values

        def rebuilt(value: Value) -> Value:
            if value not in values:
                values[value] = Value(value.type.substitute(dims), value.name, value.origin)
            return values[value]

        inputs = {name: rebuilt(value) for name, value in self.inputs.items()}
        nodes = tuple(
            Node(n.op.substitute(dims), tuple(values[v] for v in n.inputs), tuple(map(rebuilt, n.outputs)), n.origin)
            for n in self.nodes
        )
        outputs = {name: values[value] for name, value in self.outputs.items()}
        facts = tuple(fact.substitute(dims) for fact in self.facts)
        return replace(self, inputs=inputs, nodes=nodes, outputs=outputs, facts=facts)


def needed(nodes: Iterable[Node], outputs: Iterable[Value]) -> list[Node]:
    """The nodes on which these values depend, in order."""
    live = set(outputs)
    kept = []
    every = list(nodes)
    spend(Cost.nodes, len(every) // 4)
    for node in reversed(every):
        if not live.isdisjoint(node.outputs):
            kept.append(node)
            live.update(node.inputs)
    return kept[::-1]
