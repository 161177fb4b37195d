"""Writes nested values as YAML text: short collections in brackets, texts of many lines as blocks, quotes where needed.

PyYAML's emitter does the writing and the quoting; what is decided here is the style of each node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import yaml

WIDTH = 88
_UNBROKEN = 10**6  # the emitter would fold long scalars, and a newline means something to us
_PLAIN = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool"))
_TEXT, _NULL, _LIST, _MAP = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "null", "seq", "map"))
_implicit_tag: Callable[[type[yaml.Node], str, tuple[bool, bool]], str] = yaml.resolver.Resolver().resolve

Value: TypeAlias = "str | Sequence[Value] | Mapping[str, Value] | None"
"""A string is a scalar, written without quotes where YAML allows it; None is an empty value."""


class Quoted(str):
    """A scalar that has to stand in quotes."""

    __slots__ = ()


class Rows(list[Value]):
    """A list with one item a line."""

    __slots__ = ()


class Section(dict[str, Value]):
    """A mapping with one key a line."""

    __slots__ = ()


def write(value: Value) -> str:
    """The YAML text of a value."""
    text: str = yaml.serialize(_node(value), Dumper=yaml.SafeDumper, width=_UNBROKEN, allow_unicode=True)
    return text


def _node(value: Value) -> yaml.Node:
    if value is None:
        return yaml.ScalarNode(_NULL, "")
    if isinstance(value, str):
        return _scalar(value)
    flow = _width(value) <= WIDTH
    if isinstance(value, Mapping):
        pairs = [(_node(key), _node(item)) for key, item in value.items()]
        return yaml.MappingNode(_MAP, pairs, flow_style=flow)
    return yaml.SequenceNode(_LIST, [_node(item) for item in value], flow_style=flow)


def _scalar(text: str) -> yaml.ScalarNode:
    if "\n" in text:
        return yaml.ScalarNode(_TEXT, text, style="|" if _is_block(text) else '"')
    tag = _implicit_tag(yaml.ScalarNode, text, (True, False))
    if isinstance(text, Quoted) or tag not in _PLAIN:
        return yaml.ScalarNode(_TEXT, str(text), style="'" if text.isprintable() else '"')
    return yaml.ScalarNode(tag, text)


def _is_block(text: str) -> bool:
    """Whether a block scalar holds a text as it stands."""
    return all(line.isprintable() and line == line.rstrip() for line in text.split("\n"))


def _width(value: Value) -> int:
    """Roughly the length of a value on one line; more than any line has where it cannot stand on one."""
    if value is None or isinstance(value, Rows | Section) or (isinstance(value, str) and "\n" in value):
        return _UNBROKEN
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return 2 + sum(len(key) + _width(item) + 4 for key, item in value.items())
    return 2 + sum(_width(item) + 2 for item in value)
