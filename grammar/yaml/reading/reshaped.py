"""YAML in another form than that of a spec, and the same in this form: edits that the compiler tries.

What this module does not do: find a mistake, or say what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from archonnx.grammar.diagnostics import Edit, Suggestion, fail
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


def keyed(node: Node, what: str) -> Suggestion | str | None:
    """A list, or a text, where a mapping is meant: its items get names, or lose their dashes."""
    section = _section(node)
    if what == "a spec":
        return "a spec starts with `model: NAME`"
    if isinstance(node, Scalar) and not node.text.strip():
        return "its entries stand below it, a line for each; where there are none, leave it out"
    if isinstance(node, Scalar) and (_STATEMENT.search(node.text) or "|>" in node.text):
        return "statements of the language stand below `body: |`, a line for each"
    if isinstance(node, Sequence) and not node.flow and (undashed := _undashed(node)) is not None:
        return undashed
    if section == "imports":
        return "it says which names of which file are read: `imports: {blocks.arch: [Residual]}`"
    items: tuple[Node, ...] = node.items if isinstance(node, Sequence) else ()
    if isinstance(node, Scalar) and ("(" in node.text or "[" in node.text):
        items = (node,)
    names = _names(node, section, items)
    if not 0 < len(items) <= len(names):
        return None
    made = [f"{name}: {_value(item, section, node)}" for name, item in zip(names, items, strict=False)]
    written = f"{{{', '.join(made)}}}"
    return Suggestion.of(f"each has a name: `{written}`", "", written, node.span)


_STATEMENT = re.compile(r"\w[ ]*=(?!=)|^(?:minimize|update|feed|input|output|loss|param)\b")


def _undashed(node: Sequence) -> Suggestion | None:
    """``- x: "[B, 8]"``, line by line, where the names are keys."""
    if not all(isinstance(item, Mapping) and len(item.items) == 1 for item in node.items):
        return None
    source = node.span.source
    edits = []
    for item in node.items:
        dash = source.text.rfind("-", 0, item.span.start)
        edits.append(Edit(Span(source, dash, item.span.start), " " * (item.span.start - dash)))
    words = "its names are keys, without dashes before them"
    return Suggestion.at_places(words, *edits[:MOST], otherwise=words)


def _section(node: Node) -> str:
    """The key of which this is the value."""
    match = re.search(r"(\w+)[ ]*:\s*(?:-\s*)?$", node.span.source.text[: node.span.start])
    return match[1] if match is not None else ""


_PLAIN = re.compile(r"[^\W\d]\w*")
_FIELDS = re.compile(r"^(?:inputs|targets):[ ]*\{(.*)\}[ ]*$", re.MULTILINE)
_LOSS = re.compile(r"\w+\((\w+, *\w+)[,)]")


def _names(node: Node, section: str, items: tuple[Node, ...]) -> list[str]:
    """What items are called that have no names: as the fields that are fed, as they say, or by letters nothing has."""
    text = node.span.source.text
    if section == "feed":
        return [name for match in _FIELDS.finditer(text) for name in re.findall(r"(\w+):", match[1])]
    own = [one.text if isinstance(one, Scalar) else "" for one in items]
    if section in ("metrics", "args") and all(_PLAIN.fullmatch(one) for one in own):
        return own
    called = [next((v.text for k, v in _pairs(one) if k.text == "name" and isinstance(v, Scalar)), "") for one in items]
    if items and all(called):
        return called
    if isinstance(node, Scalar):
        return ["x" if node.text.endswith("]") else "objective"]
    return [name for name in ("x", "y", "z", "u", "v", "w", "p", "q") if not re.search(rf"\b{name}\b", text)]


def _pairs(node: Node) -> tuple[tuple[Scalar, Node], ...]:
    return node.items if isinstance(node, Mapping) else ()


def _value(item: Node, section: str, node: Node) -> str:
    """What stands behind the name of an item."""
    if section == "metrics" and isinstance(item, Scalar) and _PLAIN.fullmatch(item.text):
        match = _LOSS.search(node.span.source.text)
        return f'"{item.text}({match[1]})"' if match is not None else item.span.text
    if section == "args" and isinstance(item, Scalar) and _PLAIN.fullmatch(item.text):
        return "64"
    if section in ("inputs", "targets") and isinstance(item, Mapping):
        return '"[B]"'
    plain = isinstance(item, Scalar) and not item.style and re.search(r"[,\[\]{}:#]", item.text) is not None
    return json.dumps(item.span.text) if plain else item.span.text


def listed(node: Node) -> Suggestion | str:
    """A mapping where a list is meant, in braces or line by line."""
    if isinstance(node, Mapping) and node.span.text.startswith("{"):
        words = f"a list has items: `[{node.span.text}]`"
        return Suggestion.of(words, "", f"[{node.span.text}]", node.span, otherwise=words)
    if isinstance(node, Mapping) and "minimize" in [key.text for key, _ in node.items]:
        source, (first, *others) = node.span.source, [key.span.start for key, _ in node.items]
        edits = [Edit(Span(source, first, first), "- "), *(Edit(Span(source, at, at), "  ") for at in others)]
        words = "each step is an item, with its keys below each other: `- minimize: ...`"
        return Suggestion.at_places(words, *edits[:MOST], otherwise=words)
    return dashes(node)


_CALLED = re.compile(r"([^\W\d]\w*:[ ]+)([\w.+*/ -]+\([^\"'{}\n]*?,[^\"'{}\n]*?\))(?=[ ]*[,}\]])")
_TUPLE = re.compile(r"(?<=: )\((\d+(?:, *\d+)+),?\)")
_SIZES = re.compile(r"([^\W\d]\w*:[ ]+)(\w+(?:,[ ]*\w+)+)(?=[ ]*\})")


def quoted(span: Span) -> Suggestion | None:
    """Values in braces that YAML ends at a comma, in quotes: calls, and sizes without their brackets."""
    text = span.source.text
    start = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.start) % (len(text) + 1)
    for match in _TUPLE.finditer(text, start, end):
        if match.start() <= span.start <= match.end():
            words = f"a list has brackets: `[{match[1]}]`"
            return Suggestion.of(words, "", f"[{match[1]}]", Span(span.source, match.start(), match.end()))
    for pattern, before, behind in ((_CALLED, '"', '"'), (_SIZES, '"[', ']"')):
        found = list(pattern.finditer(text, start, end))[:MOST]
        if found:
            edits = [Edit(Span(span.source, one.start(2), one.end(2)), f"{before}{one[2]}{behind}") for one in found]
            words = f"put quotes around it: `{before}{found[0][2]}{behind}`"
            return Suggestion.at_places(words, *edits)
    return None


def beside(node: Node) -> Suggestion | str | None:
    """``model:`` with its sections below it: they stand beside it."""
    if not isinstance(node, Mapping) or _section(node) != "model":
        return None
    words = "the sections of a model stand beside its name: `model: Net`, and `inputs: ...` in the same column"
    name = next((value for key, value in node.items if key.text == "name" and isinstance(value, Scalar)), None)
    first = node.items[0][0].span
    if name is None or node.items[0][1] is not name:
        return words
    source, text = node.span.source, node.span.source.text
    margin = first.start - (text.rfind("\n", 0, first.start) + 1)
    colon = text.rfind(":", 0, first.start)
    edits = [Edit(Span(source, colon + 1, name.span.start), " ")]
    for match in re.finditer(rf"^[ ]{{{margin}}}", text[name.span.end : node.span.end], re.MULTILINE):
        at = name.span.end + match.start()
        edits.append(Edit(Span(source, at, at + margin), ""))
    return Suggestion.at_places(words, *edits[: 3 * MOST], otherwise=words)


def item_of_a_class(entries: dict[str, tuple[Scalar, Node]], node: Mapping) -> Suggestion | None:
    """``{type: Dense, units: 2}``: the layer is the key, and its arguments are below it."""
    key = next((key for key in _KEYS_OF_A_CLASS if key in entries and isinstance(entries[key][1], Scalar)), None)
    if key is None:
        return None
    layer = entries[key][1]
    if key == "name" and "as" not in entries and next(iter(entries)) != key and not layer.span.text[:1].isupper():
        words = f"the value of a layer is named by `as: {layer.span.text}`"
        return Suggestion.of(words, "", "as", entries[key][0].span, otherwise=words)
    others = [(name, value) for name, (_, value) in entries.items() if name not in (key, "as", "from")]
    given = ", ".join(f"{name}: {value.span.text}" for name, value in others)
    kept = [f"{name}: {entries[name][1].span.text}" for name in ("from", "as") if name in entries]
    own = f"{layer.span.text}: {{{given}}}" if given else layer.span.text
    written = f"{{{', '.join([own, *kept])}}}" if kept else own
    words = f"the layer is the key of its item: `{written}`"
    return Suggestion.of(words, "", written, node.span, otherwise=words)


def next_item(item: Mapping, value: Scalar) -> Suggestion | str:
    """``- Dense: 32 |> relu``: two items."""
    words = "each layer has a line: `- Dense: 32`, and `- relu` below it"
    text, at = item.span.source.text, item.span.start
    margin = at - text.rfind("\n", 0, at) - 3
    if len(item.items) > 1 or value.style or margin < 0 or text[at - 2 : at] != "- ":
        return words
    parts = [part.strip() for part in value.text.split("|>")]
    written = f"\n{' ' * margin}- ".join(parts)
    return Suggestion.of(words, "", written, value.span, otherwise=words)


def type_of_keys(node: Mapping) -> Suggestion | str:
    """``{shape: [B, 8], dtype: f32}``: one text."""
    given = {key.text: value.span.text.strip("\"'") for key, value in node.items}
    words = 'a type is one text: `"f32[B, 8]"`'
    shape = given.get("shape")
    if shape is None or not shape.startswith("["):
        return words
    dtype = given.get("dtype", "").replace("int", "i").replace("float", "f")
    written = f'"{dtype}{shape}"'
    return Suggestion.of(f"a type is one text: `{written}`", "", written, node.span, otherwise=words)


def stored(node: Node) -> Suggestion | str:
    """``W: "[8, 2] ~ normal(0, 1)"``: a type and a value of their own."""
    words = 'for example `W: {type: "[n, m]", init: glorot_uniform()}`, or `value: 0` in place of `init`'
    match = re.fullmatch(r"(\w*\[[^\]]*\])\s*([~=])\s*(.+)", node.text) if isinstance(node, Scalar) else None
    if match is None:
        return words
    kind = "init" if match[2] == "~" else "value"
    written = f'{{type: "{match[1]}", {kind}: "{match[3]}"}}'
    return Suggestion.of(f"each has its key: `{written}`", "", written, node.span, otherwise=words)


_CALLED_BY_BLANK = re.compile(r"(?P<layer>[A-Z]\w*)[ ]+(?P<given>[\w.]+)")


def without_colon(item: Scalar) -> None:
    """``- Dense 32``, which is refused: a layer and its argument have a colon between them."""
    match = _CALLED_BY_BLANK.fullmatch(item.text)
    if match is not None and not item.style:
        written = f"{match['layer']}: {match['given']}"
        help = Suggestion.of(f"write `{written}`", "", written, item.span)
        fail("AX0128", "a layer and its argument have a colon between them", item.span, help=help)


def own_item(key: Scalar) -> Suggestion | None:
    """A layer on a line below another, without a dash."""
    text, at = key.span.source.text, key.span.start
    margin = text[text.rfind("\n", 0, at) + 1 : at]
    if len(margin) < 2 or margin.strip():
        return None
    words = f"each layer is an item: `- {key.text}`"
    return Suggestion.of(words, "", "- ", Span(key.span.source, at - 2, at))


_TYPED = ("inputs", "targets")
"""Sections whose types name dims."""


def with_a_name(item: Span, sections: dict[str, tuple[Scalar, Node]]) -> Suggestion | str:
    """The last layer with a name that outputs or losses use and nothing else gives."""
    words = "add `as: NAME`, so that outputs and losses can use it"
    used = " ".join(entry[1].span.text for key, entry in sections.items() if key in ("outputs", "losses", "metrics"))
    given = {key.text for word in _NAMED if word in sections for key in _keys(sections[word][1])}
    given |= {name for word in _TYPED if word in sections for name in re.findall(r"\w+", sections[word][1].span.text)}
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


_SUFFIXES = {"txt": "text", "parquet": "parquet", "npz": "npz"}
AROUND = ("windows",)
"""What is made of a source."""


def _given(items: Iterable[tuple[Scalar, Node]]) -> list[str]:
    """Arguments of a call."""
    return [f"{key.text}={value.span.text}" for key, value in items]


def one_source(node: Mapping) -> Suggestion | None:
    """``{csv: iris.csv, target: species}``: the arguments stand below the name of the source."""
    if len(node.items) < 2 or not isinstance(node.items[0][1], Scalar):
        return None
    kind = next((given for word, given in node.items if word.text in _KEYS_OF_A_CLASS), None)
    if isinstance(kind, Scalar):
        rest = ", ".join(f"{word.span.text}: {given.span.text}" for word, given in node.items if given is not kind)
        written = f"{{{kind.span.text}: {{{rest}}}}}"
        words = f"the source is the key of its arguments: `{written}`"
        return Suggestion.of(words, "", written, node.span, otherwise=words)
    (key, value), *others = node.items
    if key.text in AROUND and isinstance(value, Scalar):
        inner = f'{_SUFFIXES.get(value.text.rpartition(".")[2], "csv")}("{value.text}")'
        written = f"'{key.text}({', '.join([inner, *_given(others)])})'"
        words = f"`{key.text}` goes around a source: `{written}`"
        return Suggestion.of(words, "", written, node.span, otherwise=words)
    around = [(name, given) for name, given in others if name.text in AROUND and isinstance(given, Mapping)]
    if around and isinstance(value, Scalar):
        (name, given), *_ = around
        its_own = [one for one in others if one[0] is not name]
        inner = ", ".join([json.dumps(value.text), *_given(its_own)])
        written = f"'{name.text}({', '.join([f'{key.text}({inner})', *_given(given.items)])})'"
        words = f"`{name.text}` goes around the source: `{written}`"
        return Suggestion.of(words, "", written, node.span, otherwise=words)
    rest = ", ".join(f"{name.span.text}: {given.span.text}" for name, given in others)
    written = f"{{{key.span.text}: {{{FIRST.get(key.text, 'path')}: {value.span.text}, {rest}}}}}"
    words = f"its arguments stand below its name: `{written}`"
    return Suggestion.of(words, "", written, node.span, otherwise=words)
