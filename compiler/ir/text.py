"""Graphs as text, for people and for tests: a line for each input, node and output.

    graph scaled
    input x: f32[B, 4]
    %0: f32[] = constant(0.5)
    %1: f32[B, 4] = broadcast(shape=[B, 4]) %0
    %2: f32[B, 4] = mul x, %1  # `*` at scaled.arch:3:9
    output y = %2

``parse`` reads it back. Constants of more than a few elements show their number only, and cannot be read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archonnx.compiler.ops.base import Op
from archonnx.compiler.ops.shape import Constant
from archonnx.grammar.record import fields

from .dims import Dim
from .graph import Graph, Node, Value
from .origin import UNKNOWN
from .types import DType

SHOWN = 16
"""Constants of up to this many elements are written out."""


def print_graph(graph: Graph, *, origins: bool = True) -> str:
    """The text of a graph; ``origins`` says where nodes came from, as comments."""
    names = {value: name for name, value in graph.inputs.items()}
    lines = [f"graph {graph.name}"]
    lines += [f"input {name}: {value.type}" for name, value in graph.inputs.items()]
    for node in graph.nodes:
        for value in node.outputs:
            names[value] = f"%{len(names) - len(graph.inputs)}"
        comment = f"  # {node.origin}" if origins and node.origin != UNKNOWN else ""
        lines.append(_line(node, names) + comment)
    lines += [f"output {name} = {names[value]}" for name, value in graph.outputs.items()]
    return "\n".join(lines) + "\n"


def _line(node: Node, names: Mapping[Value, str]) -> str:
    results = ", ".join(f"{names[value]}: {value.type}" for value in node.outputs)
    inputs = ", ".join(names[value] for value in node.inputs)
    return f"{results} = {print_op(node.op)} {inputs}".rstrip()


def print_op(op: Op) -> str:
    """An op with the attributes that are not its defaults: ``softmax(axis=1)``."""
    if isinstance(op, Constant):
        return f"constant({_literal(op)})"
    attributes = {f.name: getattr(op, f.name) for f in fields(op) if getattr(op, f.name) != f.default}
    shown = [f"{name}={_attribute(value)}" for name, value in attributes.items()]
    return op.name + (f"({', '.join(shown)})" if shown else "")


def _attribute(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_attribute, value))}]"
    return str(value) if isinstance(value, Dim | DType) else repr(value)


def _literal(constant: Constant) -> str:
    array = constant.array
    if array.size > SHOWN:
        return f"... {array.size} elements"
    return _nested(array.tolist(), constant.dtype)


def _nested(value: Any, dtype: DType) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_nested(item, dtype) for item in value)}]"
    return str(dtype.numpy.type(value)) if dtype.is_float else str(value)
