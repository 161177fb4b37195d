"""YAML texts as trees of scalars, sequences and mappings, each with its place; nothing is resolved or converted.

PyYAML's safe loader reads the events; the composer here keeps what the spec needs and refuses the rest: tags, several
documents, keys that are not words. Depth, size and what aliases unfold to are bounded, so that reading any text takes
bounded time. The other modules of this folder know what the tree means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from archonnx.grammar.diagnostics import Label, Report, fail
from archonnx.grammar.source import Source, Span

from .refused import not_yaml, unreadable

MAX_CHARACTERS = 2**17
MAX_SIZE = 20_000
"""Nodes, with aliases unfolded; twenty characters of a scalar count as one more."""
MAX_DEPTH = 32

_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:[ \t\r\n]|#[^\n]*\n)*)+")  # anchors and tags before a node


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text. ``style`` is ``""`` for plain ones, else ``' " | >``; the span includes what marks the style."""

    span: Span
    text: str
    style: str
    size: int = 1
    height: int = 0


@dataclass(frozen=True, slots=True)
class Sequence:
    """Items in order; ``flow`` if written in brackets."""

    span: Span
    items: tuple[Node, ...]
    flow: bool
    size: int
    height: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys, each once, with their values, in order."""

    span: Span
    items: tuple[tuple[Scalar, Node], ...]
    size: int
    height: int


Node: TypeAlias = Scalar | Sequence | Mapping


def compose(source: Source, report: Report) -> Node:
    """The tree of a YAML text.

    Raises:
        SpecError: It is no YAML, or more of YAML than a spec may use. Less than that goes to ``report``.
    """
    if len(source.text) > MAX_CHARACTERS:
        fail(
            "AX0116",
            f"a spec in YAML has at most {MAX_CHARACTERS} characters, and this one has {len(source.text)}",
            Span(source, 0, 0),
            help="`archonnx convert` turns it into a `.arch` file, which may be longer",
        )
    composer = _Composer(source, report)
    try:
        for event in yaml.parse(source.text, Loader=yaml.SafeLoader):
            composer.take(event)
    except yaml.reader.ReaderError as error:
        unreadable(source, error)
    except yaml.MarkedYAMLError as error:
        not_yaml(source, error)
    except (ValueError, OverflowError):  # an escape beyond Unicode: PyYAML lets these through
        fail("AX0124", "a YAML escape that stands for no character", composer.here)
    if composer.root is None:
        fail("AX0128", "the file is empty", Span(source, 0, 0), help="a spec starts with `model: NAME`")
    return composer.root


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    start: Span
    anchor: str | None
    is_mapping: bool
    flow: bool
    items: list[Node] = field(default_factory=list)


class _Composer:
    """Puts nodes together, with a stack of its own."""

    def __init__(self, source: Source, report: Report) -> None:
        self.source = source
        self.report = report
        self.root: Node | None = None
        self.open: list[_Open] = []
        self.anchors: dict[str, Node] = {}
        self.count = 0
        self.here = Span(source, 0, 0)

    def take(self, event: yaml.Event) -> None:
        """Take one event."""
        assert event.start_mark is not None and event.end_mark is not None
        self.here = span = Span(self.source, event.start_mark.index, event.end_mark.index)
        if self.count > MAX_SIZE:
            fail(
                "AX0125",
                "with its aliases unfolded, this file is too large",
                span,
                help="give repeated parts a `block` or a `fn` of their own",
            )
        match event:
            case yaml.DocumentStartEvent() if self.root is not None:
                fail("AX0126", "a second YAML document in one file", span, help="a file holds one spec")
            case yaml.AliasEvent():
                self._alias(event.anchor or "", span)
            case yaml.ScalarEvent():
                self.count += 1 + len(event.value) // 20
                self._scalar(event, self._content(event, span))
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                span = self._content(event, span)
                if len(self.open) >= MAX_DEPTH:
                    self._too_deep(span)
                self.count += 1
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                self.open.append(_Open(span, event.anchor, is_mapping, bool(event.flow_style)))
            case yaml.CollectionEndEvent():
                self._close(span)

    def _content(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, span: Span) -> Span:
        """The place of a node without its anchor and tag; the tag is refused."""
        if event.tag is not None:
            self.report.error(
                "AX0126", "a YAML tag", span, help="values are expressions of the language; their types need no tag"
            )
        if event.tag is None and event.anchor is None:
            return span
        match = _PROPERTIES.match(self.source.text, span.start, span.end)
        return span if match is None else Span(self.source, match.end(), span.end)

    def _scalar(self, event: yaml.ScalarEvent, span: Span) -> None:
        style = event.style or ""
        if any("\ud800" <= character <= "\udfff" for character in event.value):
            fail("AX0124", "a YAML escape that stands for no character", span)
        if style in ("|", ">"):
            span = Span(self.source, span.start, span.start + len(span.text.rstrip()))
        self._add(Scalar(span, event.value, style, 1 + len(event.value) // 20), event.anchor)

    def _close(self, end: Span) -> None:
        opened = self.open.pop()
        items = opened.items
        size, height = 1 + sum(item.size for item in items), 1 + max((item.height for item in items), default=0)
        last = end if opened.flow or not items else Span(self.source, opened.start.start, items[-1].span.end)
        span = Span(self.source, opened.start.start, max(last.end, opened.start.end))
        if opened.is_mapping:
            self._add(Mapping(span, self._pairs(items), size, height), opened.anchor)
        else:
            self._add(Sequence(span, tuple(items), opened.flow, size, height), opened.anchor)

    def _pairs(self, items: list[Node]) -> tuple[tuple[Scalar, Node], ...]:
        pairs: dict[str, tuple[Scalar, Node]] = {}
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, Scalar):
                self.report.error("AX0126", "a key that is a list or a mapping", key.span, help="keys are words")
            elif key.text == "<<" and not key.style:
                help = "keys of one mapping are not put in another: write them out"
                self.report.error("AX0126", "a merge of keys", key.span, help=help)
            elif key.text in pairs:
                self.report.error(
                    "AX0120",
                    f"the key `{key.text}` is given twice",
                    key.span,
                    "again here",
                    others=[Label(pairs[key.text][0].span, "first given here")],
                )
            else:
                pairs[key.text] = key, value
        return tuple(pairs.values())

    def _alias(self, anchor: str, span: Span) -> None:
        node = self.anchors.get(anchor)
        if node is None:
            inside = any(opened.anchor == anchor for opened in self.open)
            headline = f"`*{anchor}` stands inside `&{anchor}`" if inside else f"there is no `&{anchor}` above"
            help = f"`*` repeats the value that `&{anchor}` stands before: where none is meant, leave it out"
            fail("AX0125", headline, span, help=None if inside else help)
        if len(self.open) + node.height > MAX_DEPTH:
            self._too_deep(span)
        self.count += node.size
        self._add(node, None)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = node
        if self.open:
            self.open[-1].items.append(node)
        else:
            self.root = node

    def _too_deep(self, span: Span) -> None:
        fail(
            "AX0115",
            f"YAML is nested more than {MAX_DEPTH} deep",
            Span(self.source, span.start, span.start + 1),
            "one level too many",
            help="move the inner parts into a block or fn of their own",
        )
