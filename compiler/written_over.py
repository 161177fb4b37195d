"""Which tensors a graph may write over while it runs: those whose next values need no place of their own.

onnxruntime takes one buffer as an input and as an output, and runs nodes in an order of its own. So a tensor may be
written over only where the graph itself says that all who read it come before, and that nothing can fail afterwards:
then a step that fails has changed nothing. Memory that runs out is not thought of. What this module does not do: decide
where tensors lie.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import inf

from .ir.graph import Graph, Node
from .ir.op import Trait
from .ir.value import Value
from .ops.elementwise import Add, Cast, Div, Maximum, Minimum, Mul, Sub
from .ops.index import FromFront
from .ops.shape import Broadcast, Constant

OVER = (Add, Div, Mul, Sub)
"""Ops whose results onnxruntime itself writes over their inputs."""


def in_place(graph: Graph, tensors: Mapping[str, str]) -> frozenset[str]:
    """The inputs over which these outputs may be written, whatever the order of nodes.

    Each node that reads the input, and what can fail, is needed for the one that writes, and so comes before it. What
    writes may read it as well if it is one of ``OVER``. Who reads a view of it or it transposed counts as well:
    onnxruntime copies nothing for a view, and joins transposing to whoever reads what it gives.

    Args:
        graph: as it is run.
        tensors: by the names of inputs those of outputs.
    """
    producers, numbers = graph.producers(), {node: number for number, node in enumerate(graph.nodes)}
    before: list[int] = []  # sets of nodes, as bits: a step has a thousand nodes and a hundred tensors
    readers, failing = defaultdict[Value, int](int), defaultdict[object, int](int)
    seen = defaultdict[Value, int](int)  # who reads it as something else
    for number, node in enumerate(graph.nodes):
        own = 0
        for value in node.inputs:
            readers[value] |= 1 << number
            if (made := producers.get(value)) is not None:
                own |= before[numbers[made]] | 1 << numbers[made]
                seen[_same(value, producers)] |= 1 << number
        before.append(own)
        for reason in _failures(node, producers):
            failing[reason] |= 1 << number
    found = set()
    for name, result in tensors.items():
        writes = producers.get(graph.outputs[result])
        if writes is not None and name in graph.inputs:
            own, itself = before[numbers[writes]], isinstance(writes.op, OVER) << numbers[writes]
            late = readers[graph.inputs[name]] & ~itself | seen[graph.inputs[name]]
            if not late & ~own and all(own & nodes for nodes in failing.values()):
                found.add(name)
    return frozenset(found)


def _same(value: Value, producers: Mapping[Value, Node]) -> Value:
    """What its elements are of, whatever their order."""
    node = producers.get(value)
    if node is not None and len(node.inputs) == 1 and (_whole(node) or Trait.VIEW in node.op.traits):
        return _same(node.inputs[0], producers)
    return value


def _failures(node: Node, producers: Mapping[Value, Node]) -> Iterator[object]:
    """Why a node can fail on data; of nodes with an equal reason all do, or none."""
    if node.op.bodies():
        yield node
    for place, places in node.op.indices([value.type for value in node.inputs]).items():
        low, high = _bounds(node.inputs[place], producers)
        if places.certain and not 0 <= low <= high < (places.count.constant or 0):
            yield _origin(node.inputs[place], producers), places.count


def _origin(value: Value, producers: Mapping[Value, Node]) -> Value:
    """What has the same numbers, as far as they name places."""
    node = producers.get(value)
    if node is not None and len(node.inputs) == 1 and (_whole(node) or isinstance(node.op, FromFront)):
        return _origin(node.inputs[0], producers)
    return value


def _whole(node: Node) -> bool:
    """Whether its result has the elements of its input."""
    return isinstance(node.op, Broadcast | Cast) or (Trait.VIEW in node.op.traits and Trait.PART not in node.op.traits)


def _bounds(value: Value, producers: Mapping[Value, Node]) -> tuple[float, float]:
    """Between which numbers all elements lie."""
    node = producers.get(value)
    if node is None:
        return -inf, inf
    if isinstance(node.op, Constant) and node.op.array.size:
        return float(node.op.array.min()), float(node.op.array.max())
    if isinstance(node.op, Maximum | Minimum):
        chosen = max if isinstance(node.op, Maximum) else min
        (low, high), (other_low, other_high) = (_bounds(given, producers) for given in node.inputs)
        return chosen(low, other_low), chosen(high, other_high)
    return _bounds(node.inputs[0], producers) if _whole(node) and len(node.inputs) == 1 else (-inf, inf)
