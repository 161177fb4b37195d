"""Graphs as text, for people and for tests: a line for each input, node and output.

    graph scaled
    input x: f32[B, 4]
    %0: f32[] = constant(0.5)
    %1: f32[B, 4] = broadcast(shape=[B, 4]) %0
    %2: f32[B, 4] = mul x, %1  # `*` at scaled.arch:3:9
    output y = %2

The graphs that an op runs stand in braces after it, indented. ``parse`` reads all of it back, but for constants of more
than a few elements, of which the number alone is shown.
"""

from __future__ import annotations

from collections.abc import Mapping

from .graph import Graph, Node
from .origin import UNKNOWN
from .value import Value


def print_graph(graph: Graph, *, origins: bool = True) -> str:
    """The text of a graph; ``origins`` says where nodes came from, as comments."""
    names = {value: name for name, value in graph.inputs.items()}
    lines = [f"graph {graph.name}"]
    lines += [f"input {name}: {value.type}" for name, value in graph.inputs.items()]
    for node in graph.nodes:
        for value in node.outputs:
            names[value] = f"%{len(names) - len(graph.inputs)}"
        comment = f"  # {node.origin}" if origins and node.origin != UNKNOWN else ""
        bodies = node.op.bodies()
        lines.append(_line(node, names) + (" {" if bodies else "") + comment)
        for body in bodies:
            lines += ["  " + line for line in print_graph(body, origins=origins).splitlines()]
        lines += ["}"] * bool(bodies)
    lines += [f"output {name} = {names[value]}" for name, value in graph.outputs.items()]
    return "\n".join(lines) + "\n"


def _line(node: Node, names: Mapping[Value, str]) -> str:
    results = ", ".join(f"{names[value]}: {value.type}" for value in node.outputs)
    inputs = ", ".join(names[value] for value in node.inputs)
    return f"{results} = {node.op.text()} {inputs}".rstrip()
