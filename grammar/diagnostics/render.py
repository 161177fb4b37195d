"""Renders diagnostics: ``full`` for people, ``concise`` for lists of many, ``json`` for tools, ``github`` for the
annotations that GitHub shows beside the lines of a pull request.

Control characters of a spec never reach the terminal. Nothing is decided here: which findings there are, and in what
order, is up to the report.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal

from archonnx.grammar.record import Record
from archonnx.grammar.source import Source, Span

from .diagnostic import Diagnostic, Label

Style = Literal["full", "concise", "json", "github"]

_TAB = 4
_WIDEST = 160  # longer lines are cropped around what is underlined
_MARGIN = 30

_COLORS = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "secondary": "\x1b[1;34m",
    "gutter": "\x1b[34m",
    "help": "\x1b[1;36m",
    "note": "\x1b[1m",
    "headline": "\x1b[1m",
    "": "",
}
_RESET = "\x1b[0m"


def render(diagnostic: Diagnostic, style: Style = "full", color: bool = False) -> str:
    """One diagnostic as text, without a newline at the end."""
    if style == "json":
        return json.dumps(to_json(diagnostic), ensure_ascii=False)
    if style == "concise":
        place = f"{diagnostic.span}: " if diagnostic.span is not None else ""
        return _printable(f"{place}{diagnostic.severity}[{diagnostic.code}]: {diagnostic.headline}")
    if style == "github":
        return _annotation(diagnostic)
    return "\n".join(_full(diagnostic, color))


def _annotation(diagnostic: Diagnostic) -> str:
    """A workflow command: ``::error file=...,line=...::message``, with what would end it escaped."""
    fields = {"title": f"{diagnostic.code}: {diagnostic.headline}"}
    if (span := diagnostic.span) is not None:
        (line, column), (end_line, end_column) = map(span.source.line_column, (span.start, span.end))
        fields = {
            "file": span.source.name,
            "line": str(line),
            "endLine": str(end_line),
            "col": str(column),
            "endColumn": str(end_column),
        } | fields
    message = "\n".join(
        [diagnostic.headline, *(f"note: {note}" for note in diagnostic.notes)]
        + ([f"help: {diagnostic.help}"] if diagnostic.help else [])
    )
    shown = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in fields.items())
    return f"::{diagnostic.severity} {shown}::{_escaped(message)}"


def _escaped(text: str, also: str = "") -> str:
    """Percent signs, line ends and these characters as GitHub's workflow commands want them."""
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" or c in also else c for c in text)


def to_json(diagnostic: Diagnostic) -> dict[str, object]:
    """A diagnostic as JSON values.

    Lines and columns count from 1, offsets are characters of the text from 0, with each line end as one; the end is the
    first place past the span. The edits of a fix do not overlap; each fix was tried alone.
    """

    def place(span: Span, offset: int) -> dict[str, int]:
        line, column = span.source.line_column(offset)
        return {"line": line, "column": column, "offset": offset}

    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "headline": diagnostic.headline,
        "labels": [
            {
                "file": label.span.source.name,
                "start": place(label.span, label.span.start),
                "end": place(label.span, label.span.end),
                "text": label.text,
                "primary": label.primary,
            }
            for label in diagnostic.labels
        ],
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
        "fixes": [
            {
                "text": fix.text,
                "edits": [
                    {
                        "file": edit.span.source.name,
                        "start": place(edit.span, edit.span.start),
                        "end": place(edit.span, edit.span.end),
                        "replacement": edit.text,
                    }
                    for edit in fix.edits
                ],
            }
            for fix in diagnostic.fixes
        ],
    }


def _full(diagnostic: Diagnostic, color: bool) -> Iterator[str]:
    headline = _Row()
    headline.add(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity)
    headline.add(f": {diagnostic.headline}", "headline")
    yield headline.text(color)
    sources = _by_source(diagnostic)
    width = max((len(str(line)) for _, segments in sources for line in segments), default=0)
    for place, segments in sources:
        arrow = _Row()
        arrow.add(" " * width + "--> ", "gutter")
        arrow.add(str(place))
        yield arrow.text(color)
        yield from (row.text(color) for row in _block(place.source, segments, width, diagnostic.severity))
    asides = [("note", note) for note in diagnostic.notes]
    if diagnostic.help is not None:
        asides.append(("help", diagnostic.help))
    if sources and asides:
        yield _gutter(width).text(color)
    for word, text in asides:
        aside = _Row()
        aside.add(word, word)
        indented = ("\n" + " " * (len(word) + 2)).join(_printable(line) for line in text.split("\n"))
        aside.add(f": {indented}", printable=True)
        yield aside.text(color)


# ---------------------------------------------------------------- what is underlined


class _Segment(Record):
    """The part of a label on one line: ``start:end`` are indices into the line."""

    start: int
    end: int
    text: str
    primary: bool


_Lines = dict[int, list[_Segment]]


def _by_source(diagnostic: Diagnostic) -> list[tuple[Span, _Lines]]:
    """For each source: the place to announce and what is underlined on which lines. The primary source is first."""
    main = diagnostic.span
    sources: dict[int, tuple[Span, _Lines]] = {}
    if main is not None:
        sources[id(main.source)] = main, {}
    for label in diagnostic.labels:
        _, lines = sources.setdefault(id(label.span.source), (label.span, {}))
        for line, segment in _segments(label):
            lines.setdefault(line, []).append(segment)
    return list(sources.values())


def _segments(label: Label) -> Iterator[tuple[int, _Segment]]:
    """A label over several lines is underlined on the first and the last one, and has its text at the last."""
    source = label.span.source
    first, start = source.line_column(label.span.start)
    last, end = source.line_column(max(label.span.end, label.span.start))
    if last > first and end == 1:  # the newline itself does not open another line
        last, end = last - 1, len(source.line(last - 1)) + 1
    if first == last:
        yield first, _Segment(start - 1, end - 1, label.text, label.primary)
        return
    yield first, _Segment(start - 1, len(source.line(first)), "", label.primary)
    text = source.line(last)
    yield last, _Segment(min(len(text) - len(text.lstrip()), end - 1), end - 1, label.text, label.primary)


# ---------------------------------------------------------------- drawing


class _Row:
    """One line of output: printable characters, each with its style."""

    def __init__(self) -> None:
        self.cells: list[tuple[str, str]] = []

    def add(self, text: str, style: str = "", printable: bool = False) -> None:
        self.cells.extend((character, style) for character in (text if printable else _printable(text)))

    def put(self, column: int, text: str, style: str) -> None:
        """Write over what is there, from a column on."""
        missing = column + len(text) - len(self.cells)
        self.cells.extend([(" ", "")] * missing)
        self.cells[column : column + len(text)] = [(character, style) for character in text]

    def text(self, color: bool) -> str:
        if not color:
            return "".join(character for character, _ in self.cells).rstrip(" ")
        parts, current = [], ""
        for character, style in self.cells:
            if style != current:
                parts.append((_RESET if current else "") + _COLORS[style])
                current = style
            parts.append(character)
        return "".join(parts) + (_RESET if current else "")


def _gutter(width: int, text: str = "", mark: str = "|") -> _Row:
    row = _Row()
    row.add(f"{text:>{width}} {mark}", "gutter")
    return row


def _block(source: Source, lines: _Lines, width: int, severity: str) -> Iterator[_Row]:
    """The lines of one source with what is underlined on them."""
    yield _gutter(width)
    previous = None
    for number in sorted(lines):
        if previous is not None and number == previous + 2:
            yield from _quote(source, previous + 1, [], width, severity)
        elif previous is not None and number > previous + 2:
            row = _Row()
            row.add("...", "gutter")
            yield row
        yield from _quote(source, number, lines[number], width, severity)
        previous = number


def _quote(source: Source, number: int, segments: list[_Segment], width: int, severity: str) -> Iterator[_Row]:
    """One line of a source and the rows below it."""
    text, segments = _crop(source.line(number), segments)
    shown, columns = _layout(text)
    row = _gutter(width, str(number))
    row.add(f" {shown}", printable=True)
    yield row
    if segments:
        for marks in _arrange([_Mark.of(segment, columns, severity) for segment in segments]):
            row = _gutter(width)
            row.add(" ")
            row.cells.extend(marks.cells)
            yield row


class _Mark(Record):
    """An underline at the columns ``start:end`` of the screen."""

    start: int
    end: int
    text: str
    style: str
    sign: str

    @staticmethod
    def of(segment: _Segment, columns: list[int], severity: str) -> _Mark:
        last = len(columns) - 1
        start, end = columns[min(segment.start, last)], columns[min(segment.end, last)]
        style, sign = (severity, "^") if segment.primary else ("secondary", "-")
        return _Mark(start, max(end, start + 1), _printable(segment.text), style, sign)


def _arrange(marks: list[_Mark]) -> Iterator[_Row]:
    """The underlines in one row; the rightmost text beside its underline, the others below, hanging from theirs."""
    underlines = _Row()
    for mark in sorted(marks, key=lambda mark: mark.sign == "^"):
        underlines.put(mark.start, mark.sign * (mark.end - mark.start), mark.style)
    hanging = sorted((mark for mark in marks if mark.text), key=lambda mark: (mark.start, mark.sign == "^"))
    if hanging and hanging[-1].end == max(mark.end for mark in marks):
        beside = hanging.pop()
        underlines.put(beside.end + 1, beside.text, beside.style)
    yield underlines
    if hanging:
        yield _bars(hanging)
    while hanging:
        mark = hanging.pop()
        row = _bars(other for other in hanging if other.start < mark.start)
        row.put(mark.start, mark.text, mark.style)
        yield row


def _bars(marks: Iterable[_Mark]) -> _Row:
    row = _Row()
    for mark in marks:
        row.put(mark.start, "|", mark.style)
    return row


# ---------------------------------------------------------------- text on a screen


def _crop(text: str, segments: list[_Segment]) -> tuple[str, list[_Segment]]:
    """A window of a very long line, around the first thing that is underlined on it."""
    if len(text) <= _WIDEST:
        return text, segments
    start = max(0, min((segment.start for segment in segments), default=0) - _MARGIN)
    end = min(len(text), start + _WIDEST)
    before, after = ("..." if start else ""), ("..." if end < len(text) else "")
    shift = len(before) - start

    def move(index: int) -> int:
        return min(max(index, start), end) + shift

    moved = [_Segment(move(s.start), move(s.end), s.text, s.primary) for s in segments]
    return before + text[start:end] + after, moved


def _layout(text: str) -> tuple[str, list[int]]:
    """How a line is shown, and the column of the screen at which each of its characters starts, and the line ends."""
    shown, columns, column = [], [], 0
    for character in text:
        columns.append(column)
        piece = " " * (_TAB - column % _TAB) if character == "\t" else _printable(character)
        shown.append(piece)
        column += len(piece) if character == "\t" else _width(piece)
    return "".join(shown), [*columns, column]


def _width(character: str) -> int:
    """Columns that a character takes on a screen."""
    if unicodedata.combining(character) or unicodedata.category(character) == "Mn":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _printable(text: str) -> str:
    """The text with a replacement for each character that would act on a terminal instead of being shown."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
