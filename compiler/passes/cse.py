"""Common subexpressions: nodes of equal op and inputs are computed once.

Draws too: an equal random op (same site) of the same seed and step has the same result.
"""

from __future__ import annotations

from dataclasses import dataclass

from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.op import Op, Trait
from archonnx.compiler.ir.value import Value
from archonnx.grammar.record import replace


@dataclass(frozen=True)
class CommonSubexpressions:
    """The pass that merges equal nodes; the first one stays, with its origin."""

    name: str = "common-subexpressions"

    def run(self, graph: Graph) -> Graph:
        """The graph with equal nodes merged."""
        replaced: dict[Value, Value] = {}
        seen: dict[tuple[Op, tuple[int, ...]], Node] = {}
        numbers = {value: number for number, value in enumerate(graph.values())}
        nodes: list[Node] = []
        for node in graph.nodes:
            inputs = tuple(replaced.get(value, value) for value in node.inputs)
            keys = [numbers[value] for value in inputs]
            if Trait.COMMUTATIVE in node.op.traits:
                keys.sort()
            first = seen.get((node.op, tuple(keys)))
            if first is not None:
                replaced.update(zip(node.outputs, first.outputs, strict=True))
                continue
            kept = node if inputs == node.inputs else Node(node.op, inputs, node.outputs, node.origin)
            seen[node.op, tuple(keys)] = kept
            nodes.append(kept)
        outputs = {name: replaced.get(value, value) for name, value in graph.outputs.items()}
        return replace(graph, nodes=tuple(nodes), outputs=outputs)
