"""Dead code: nodes on which no output depends. The runtime would execute them."""

from __future__ import annotations

from dataclasses import dataclass

from archonnx.compiler.ir.graph import Graph, needed
from archonnx.grammar.record import replace


@dataclass(frozen=True)
class DeadCode:
    """The pass that drops dead nodes. Inputs stay, read or not."""

    name: str = "dead-code"

    def run(self, graph: Graph) -> Graph:
        """The graph without them."""
        kept = tuple(needed(graph.nodes, graph.outputs.values()))
        return replace(graph, nodes=kept)
