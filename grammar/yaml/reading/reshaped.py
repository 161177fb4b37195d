"""YAML in another form than that of a spec, and the same in this form: edits that the compiler tries.

What this module does not do: find a mistake, or say what it is.
"""

from __future__ import annotations

import re

from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.source import Span

from .nodes import Mapping, Node, Scalar, Sequence

_KEYS_OF_A_CLASS = ("type", "class_name", "class", "layer", "name", "kind", "op")
"""Keys under which other tools name the layer of an item."""
FIRST = {"sklearn": "name", "statsmodels": "name", "networkx": "name"}
"""The first argument of sources that are no files; of the others it is ``path``."""
_NAMED = ("inputs", "targets", "outputs", "losses", "metrics", "params", "args")
"""Sections whose keys are names."""
MOST = 20
"""Edits of one suggestion."""


def dashes(node: Node) -> Suggestion | str:
    """A mapping where a list is meant: each key begins an item."""
    words = "each item is a line that starts with `- `"
    if not isinstance(node, Mapping) or not node.items:
        return words
    column = node.span.source.line_column(node.span.start)[1] - 1
    text, start = node.span.text, node.span.start
    margin = re.compile(rf"^[ ]{{{column}}}(?=[^\s#-])", re.MULTILINE)
    places = [start, *(start + match.end() for match in margin.finditer(text) if match.start() > 0)]
    edits = [Edit(Span(node.span.source, place, place), "- ") for place in places[:MOST]]
    return Suggestion.at_places(words, *edits, otherwise=words)


def keyed(node: Node) -> Suggestion | None:
    """A list, or a text, where a mapping is meant: its items get names."""
    names = ["x", "y", "z", "u", "v", "w"]
    items: tuple[Node, ...] = node.items if isinstance(node, Sequence) else ()
    if isinstance(node, Scalar) and ("(" in node.text or "[" in node.text):
        items, names = (node,), ["x" if node.text.endswith("]") else "objective"]
    if not 0 < len(items) <= len(names):
        return None
    made = [f"{name}: {item.span.text}" for name, item in zip(names, items, strict=False)]
    written = f"{{{', '.join(made)}}}"
    return Suggestion.of(f"each has a name: `{written}`", "", written, node.span)


def item_of_a_class(entries: dict[str, tuple[Scalar, Node]], node: Mapping) -> Suggestion | None:
    """``{type: Dense, units: 2}``: the layer is the key, and its arguments are below it."""
    key = next((key for key in _KEYS_OF_A_CLASS if key in entries and isinstance(entries[key][1], Scalar)), None)
    if key is None:
        return None
    layer = entries[key][1]
    others = [(name, value) for name, (_, value) in entries.items() if name not in (key, "as", "from")]
    given = ", ".join(f"{name}: {value.span.text}" for name, value in others)
    kept = [f"{name}: {entries[name][1].span.text}" for name in ("from", "as") if name in entries]
    own = f"{layer.span.text}: {{{given}}}" if given else layer.span.text
    written = f"{{{', '.join([own, *kept])}}}" if kept else own
    words = f"the layer is the key of its item: `{written}`"
    return Suggestion.of(words, "", written, node.span, otherwise=words)


def with_a_name(item: Span, sections: dict[str, tuple[Scalar, Node]]) -> Suggestion | str:
    """The last layer with a name that outputs or losses use and nothing else gives."""
    words = "add `as: NAME`, so that outputs and losses can use it"
    used = " ".join(entry[1].span.text for key, entry in sections.items() if key in ("outputs", "losses", "metrics"))
    given = {key.text for word in _NAMED if word in sections for key in _keys(sections[word][1])}
    names = [name for name in re.findall(r"(?<![\w.])[A-Za-z_]\w*(?![\w(]|\s*:)", used) if name not in given]
    named = next(iter(names), "y")
    source, text = item.source, item.text
    line = source.text.rfind("\n", 0, item.start) + 1
    before, behind = source.text[line : item.start], source.text[item.end : item.end + 1]
    if before.strip() != "-" or behind not in ("", "\n", "\r"):
        return words
    written = f"{{{text if ':' in text else f'{text}: '}, as: {named}}}"
    return Suggestion.of(f"name it: `as: {named}`", "", written, item, otherwise=words)


def _keys(node: Node) -> list[Scalar]:
    return [key for key, _ in node.items] if isinstance(node, Mapping) else []


def one_source(node: Mapping) -> Suggestion | None:
    """``{csv: iris.csv, target: species}``: the arguments stand below the name of the source."""
    if len(node.items) < 2 or not isinstance(node.items[0][1], Scalar):
        return None
    (key, value), *others = node.items
    rest = ", ".join(f"{name.span.text}: {given.span.text}" for name, given in others)
    written = f"{{{key.span.text}: {{{FIRST.get(key.text, 'path')}: {value.span.text}, {rest}}}}}"
    words = f"its arguments stand below its name: `{written}`"
    return Suggestion.of(words, "", written, node.span, otherwise=words)
