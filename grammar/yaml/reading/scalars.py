"""The texts inside YAML scalars, read as parts of the language, with spans that point into the YAML file.

Where a scalar holds its text as it stands (plain, block, or quoted without escapes), the parser reads the file itself.
Otherwise the text is parsed alone, and the spans of the tree and of the diagnostics are moved to the file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any, TypeVar

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, Label, Report, SpecError, Suggestion, fail
from archonnx.grammar.record import fields, replace
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.parser import parse_body, parse_declarations, parse_expression, parse_type, parse_union
from archonnx.grammar.text.words import is_name

from .nodes import Mapping, Node, Scalar, Sequence
from .reshaped import beside, quoted, type_of_keys

Tree = TypeVar("Tree", bound="ast.Node | ast.Suite")
Parser = Callable[[Source, int, int], Tree]

LITERAL = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|true|false|none", re.ASCII)
_ESCAPE = re.compile(r"\\(?:x..|u....|U........|\r?\n[ \t]*+|[^\n])|[ \t]*+(?:\r?\n[ \t]*+)++|[ \t]++|''|.", re.DOTALL)

_COMMA = "inside `{}` and `[]`, YAML ends a plain value at a comma: put quotes around the expression"


def expression(node: Node) -> ast.Expr:
    """A value: a scalar is an expression of the language, a sequence a list, a mapping a dict."""
    if isinstance(node, Scalar):
        return _read(node, parse_expression)
    if isinstance(node, Sequence):
        return ast.List(tuple(expression(item) for item in node.items), span=node.span)
    return ast.Dict(tuple((key_string(key), expression(value)) for key, value in node.items), span=node.span)


def literal_text(node: Node) -> ast.Expr:
    """A value where texts are usual: a scalar is text, unless it is a number, ``true``, ``false``, ``none``, or a text
    in quotes of its own."""
    if isinstance(node, Sequence):
        return ast.List(tuple(literal_text(item) for item in node.items), span=node.span)
    if not isinstance(node, Scalar):
        return ast.Dict(tuple((key_string(key), literal_text(value)) for key, value in node.items), span=node.span)
    quoted = len(node.text) > 1 and node.text[0] == node.text[-1] == '"'
    if quoted or (not node.style and LITERAL.fullmatch(node.text)):
        return expression(node)
    _require(node, "a text")
    return ast.String(node.text, span=node.span)


def type_(node: Node, parser: Parser[ast.Type] = parse_type) -> ast.Type:
    """A type: ``"f32[B, 3]"``, or ``[B, 3]`` without quotes."""
    if isinstance(node, Sequence) and node.flow:
        return parser(node.span.source, node.span.start, node.span.end)
    if isinstance(node, Mapping):
        fail("AX0128", "a type stands here, not a mapping", node.span, help=type_of_keys(node))
    text = scalar(node, "a type")
    if text.text.startswith("(") and text.text.endswith(")"):
        listed = f'"[{text.text[1:-1].rstrip(", ")}]"'
        help = Suggestion.of(f"the axes of a type stand in brackets: `{listed}`", "", listed, text.span)
        fail("AX0101", f"expected a type, found `{text.text}`", text.span, help=help)
    if text.text.isdecimal():
        own = f'"[B, {text.text}]"'
        help = Suggestion.of(f"a type says all axes, that of the examples first: `{own}`", "", own, text.span)
        fail("AX0101", f"expected a type, found `{text.text}`", text.span, help=help)
    return _read(text, parser)


def parameter_type(node: Node) -> ast.Type:
    """The type of a parameter, which may have alternatives: ``"choice[valid, same] | int"``."""
    return type_(node, parse_union)


def body(node: Node) -> ast.Suite:
    """Statements."""
    return _statements(node, parse_body)


def declarations(node: Node) -> ast.Suite:
    """Declarations; there may be none."""
    return () if is_empty(node) else _statements(node, parse_declarations)


def _statements(node: Node, parser: Parser[ast.Suite]) -> ast.Suite:
    text = scalar(node, "a text in the language")
    if text.style == ">" or (text.style != "|" and "\n" in text.span.text):
        mark = Span(text.span.source, text.span.start, text.span.start + 1)
        fail(
            "AX0128",
            "YAML joins the lines of this text",
            mark,
            help="write it as a block that starts with `|`, which keeps them",
        )
    return _read(text, parser)


def _not_a_name(text: Scalar) -> str | None:
    """What was probably meant by what cannot be a name."""
    hidden = next((c for c in text.text if unicodedata.category(c) == "Cf"), None)
    if hidden is not None:
        place = text.span.text.find(hidden) + text.span.start
        without = f"leave out the invisible character U+{ord(hidden):04X} in it"
        return Suggestion.of(without, "", "", Span(text.span.source, place, place + 1), otherwise=without)
    mended = quoted(text.span)
    words = _COMMA if ")" in text.text else None
    return mended.or_else(words) if mended is not None else words


def name(node: Node) -> ast.Name:
    """A name."""
    text = scalar(node, "a name")
    if not is_name(text.text):
        fail(
            "AX0128",
            f"`{text.text}` is not a name" if text.text else "a name is missing",
            text.span,
            help=_not_a_name(text),
        )
    return ast.Name(text.text, span=text.span)


def scalar(node: Node, what: str) -> Scalar:
    """The node, which has to be a scalar."""
    if not isinstance(node, Scalar):
        kind = "a list" if isinstance(node, Sequence) else "a mapping"
        fail("AX0128", f"{what} stands here, not {kind}", node.span, help=beside(node))
    return node


def key_string(key: Scalar) -> ast.String:
    """A key as a text."""
    return ast.String(key.text, span=key.span)


def is_empty(node: Node) -> bool:
    """Whether nothing was written."""
    return isinstance(node, Scalar) and not node.text


def _require(node: Scalar, what: str) -> None:
    if not node.text.strip():
        empty = "give the key a value, or leave it out"
        help = _blank(node.span)
        fail("AX0128", f"{what} is missing here", node.span, help=empty if help is None else help.or_else(empty))
    if not node.style and node.text.lower() in ("~", "null"):
        fail(
            "AX0128",
            f"`{node.text}` is YAML's word for nothing, and not a value of the language",
            node.span,
            help="write `none`, or leave the key out",
        )


# ---------------------------------------------------------------- parsing, and places


def _read(node: Scalar, parser: Parser[Tree]) -> Tree:
    _require(node, "a value")
    region = _verbatim(node)
    try:
        if region is not None:
            return parser(region.source, region.start, region.end)
        return _read_apart(node, parser)
    except SpecError as error:
        raise SpecError(Report([_advise(diagnostic, node) for diagnostic in error.diagnostics])) from None


def _verbatim(node: Scalar) -> Span | None:
    """The part of the file that is the text of a scalar, if it is written there as it stands (white space apart)."""
    source, start, end = node.span.source, node.span.start, node.span.end
    if node.style in ("|", ">"):
        newline = source.text.find("\n", start, end)
        return Span(source, newline + 1, end)
    if not node.style:
        return node.span
    inner = Span(source, start + 1, end - 1)
    return inner if inner.text == node.text else None


def _read_apart(node: Scalar, parser: Parser[Tree]) -> Tree:
    source = Source(node.span.source.name, node.text)
    places = _places(node)

    def move(span: Span) -> Span:
        start = places[span.start].start
        return Span(node.span.source, start, places[span.end - 1].stop if span.end > span.start else start)

    try:
        return relocate(parser(source, 0, len(node.text)), move)
    except SpecError as error:
        raise SpecError(Report([_move_labels(diagnostic, move) for diagnostic in error.diagnostics])) from None


def _places(node: Scalar) -> list[range]:
    """Where each character of a quoted scalar's text is written, and where the text ends."""
    start, end = node.span.start + 1, node.span.end - 1
    raw = node.span.source.text[start:end]
    places: list[range] = []
    at = 0
    while at < len(raw):
        written, length = _character(raw, at, node.style)
        places += [range(start + at, start + at + written)] * length
        at += written
    if len(places) != len(node.text):  # a line break of another alphabet: only the whole scalar is known
        places = [range(node.span.start, node.span.end)] * len(node.text)
    return [*places, range(end, end)]


def _character(raw: str, at: int, style: str) -> tuple[int, int]:
    """How many characters are written at a place of a quoted scalar, and for how many characters they stand."""
    match = _ESCAPE.match(raw, at)
    assert match is not None
    written = match[0]
    if written.startswith("\\"):
        if style == "'":
            return 1, 1
        return len(written), 0 if written[1] in "\r\n" else 1
    if written == "''":
        return (2, 1) if style == "'" else (1, 1)
    breaks = written.count("\n")
    return len(written), max(breaks - 1, 1) if breaks else len(written)


def relocate(value: Tree, move: Callable[[Span], Span]) -> Tree:
    """A tree with every span moved."""
    moved: Any = _relocate(value, move)
    return moved  # type: ignore[no-any-return]


def _relocate(value: Any, move: Callable[[Span], Span]) -> Any:
    if isinstance(value, Span):
        return move(value)
    if isinstance(value, tuple):
        return tuple(_relocate(item, move) for item in value)
    if isinstance(value, ast.Node):
        return replace(value, **{f.name: _relocate(getattr(value, f.name), move) for f in fields(value)})
    return value


def _move_labels(diagnostic: Diagnostic, move: Callable[[Span], Span]) -> Diagnostic:
    labels = tuple(Label(move(label.span), label.text, label.primary) for label in diagnostic.labels)
    help = diagnostic.help
    return replace(diagnostic, labels=labels, help=help.elsewhere(move) if isinstance(help, Suggestion) else help)


_NO_BLANK = re.compile(r"[^\W\d]\w*:(?=[^\s:])")


_TEXT = re.compile(r"[\w./>\s-]+|[\w\s()]+->[\w\s()]+")
"""What may be meant as a text, and not as something that is computed."""


def _advise(diagnostic: Diagnostic, node: Scalar) -> Diagnostic:
    """What is special about expressions in YAML, where that may be the reason."""
    end = node.span.end
    colon = _NO_BLANK.match(node.text)
    if colon is not None and not node.style:
        place = Span(node.span.source, node.span.start + colon.end(), node.span.start + colon.end())
        return replace(diagnostic, help=Suggestion.of("a blank stands behind the colon of a key", "", " ", place))
    cut = diagnostic.code == "AX0109" or diagnostic.help is None  # a mistake of another kind knows its own way out
    if cut and not node.style and node.span.source.text[end : end + 20].lstrip(" ").startswith(","):
        mended = quoted(node.span)
        return replace(diagnostic, help=_COMMA if mended is None else mended.or_else(_COMMA))
    if node.style in ("'", '"') and _TEXT.fullmatch(node.text) and diagnostic.help is None:
        advice = "YAML's quotes do not count: a text has quotes of its own, as in '\"b t d -> b d\"'"
        return replace(diagnostic, help=advice)
    return diagnostic


def _blank(span: Span) -> Suggestion | None:
    """``{width:16}``, which YAML reads as one word."""
    source = span.source
    start = source.text.rfind("\n", 0, span.start) + 1
    found = re.search(r"(\w+):(\w+)\W*$", source.text[start : span.start])
    if found is None:
        return None
    at = start + found.end(1) + 1
    words = f"a blank stands behind the colon: `{found[1]}: {found[2]}`"
    return Suggestion.of(words, "", " ", Span(source, at, at), otherwise=words)
