"""Parts of graphs: what some outputs need, cut out of a larger graph; a graph put into the one under construction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .builder import Builder
from .dims import Dim
from .graph import Graph, Node, needed
from .types import DType, TensorType
from .value import Value

SIZE = TensorType(DType.i64, ())


def cut(
    name: str,
    nodes: Iterable[Node],
    inputs: Mapping[str, Value],
    outputs: Mapping[str, Value],
    facts: tuple[Dim, ...] = (),
) -> Graph:
    """The graph of what these outputs need.

    Args:
        name: of the graph.
        nodes: among them those that make the outputs.
        inputs: those that are not needed are left out, except where their shape alone tells the size of a dim.
        outputs: what the graph gives.
        facts: what its shapes rest on.
    """
    kept = needed(nodes, outputs.values())
    used = set(outputs.values()).union(*(node.inputs for node in kept))
    symbols = set().union(*(node.op.symbols() for node in kept))
    symbols |= set().union(*(value.type.symbols() for value in used.union(*(node.outputs for node in kept))))
    used |= _telling(symbols, inputs, used)
    taken = {name: value for name, value in inputs.items() if value in used}
    return Graph(name, taken, tuple(kept), dict(outputs), facts)


def _telling(symbols: set[str], inputs: Mapping[str, Value], used: set[Value]) -> set[Value]:
    """Inputs that tell the sizes of dims which those in use do not tell: the first one for each dim."""
    told = {d.symbol for value in inputs.values() if value in used for d in value.shape}
    told |= {name for name, value in inputs.items() if value.type == SIZE}  # an argument ``n: dim`` of an entry
    extra: set[Value] = set()
    for symbol in sorted(symbols - told):
        extra |= set([v for v in inputs.values() if any(d.symbol == symbol for d in v.shape)][:1])
    return extra


def inline(graph: Graph, builder: Builder, given: Sequence[Value]) -> list[Value]:
    """Add the nodes of a graph to a builder, with these values for its inputs, in order; its outputs, in order.

    Nodes are made anew, so a graph can be put in more than once. The origin in force is theirs only where they have
    none of their own.
    """
    values = dict(zip(graph.inputs.values(), given, strict=True))
    for node in graph.nodes:
        outputs = tuple(Value(v.type, v.name, v.origin) for v in node.outputs)
        values.update(zip(node.outputs, outputs, strict=True))
        builder.nodes.append(Node(node.op, tuple(values[v] for v in node.inputs), outputs, node.origin))
    return [values[value] for value in graph.outputs.values()]
