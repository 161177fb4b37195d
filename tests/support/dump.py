"""A tree as an s-expression, for golden files: on one line where it fits, else one child a line."""

from __future__ import annotations

from archonnx.grammar.ast import Name, Node, Number
from archonnx.grammar.record import fields
from archonnx.grammar.source import Span

_WIDTH = 110


def dump(value: object, indentation: int = 0) -> str:
    """The text of a node or of a field: names and numbers bare, other text quoted, `-` for what is absent."""
    flat = _flat(value)
    if not isinstance(value, Node | tuple) or isinstance(value, Name | Number):
        return flat
    if len(flat) - 2 + indentation <= _WIDTH:
        return flat
    head, parts = _head_and_parts(value)
    lines = [f"({head}", *(" " * (indentation + 2) + dump(part, indentation + 2) for part in parts)]
    return "\n".join(lines) + ")"


def _flat(value: object) -> str:
    """The same on one line."""
    if value is None:
        return "-"
    if isinstance(value, Name):
        return value.id
    if isinstance(value, Number):
        return repr(value.value)
    if not isinstance(value, Node | tuple):
        return repr(value)
    head, parts = _head_and_parts(value)
    return f"({' '.join([*filter(None, [head]), *map(_flat, parts)])})"


def _head_and_parts(value: Node | tuple[object, ...]) -> tuple[str, list[object]]:
    return (type(value).__name__, _fields(value)) if isinstance(value, Node) else ("", list(value))


def _fields(node: Node) -> list[object]:
    values = {field.name: getattr(node, field.name) for field in fields(node)}
    return [value for value in values.values() if not isinstance(value, Span)]
