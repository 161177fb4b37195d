"""The comments of a text in the language, and where they stand, so that a formatter can put each of them back.

It scans the text without parsing it, which is enough: the text is known to be well formed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from archonnx.grammar.source import Source

_TOKEN = re.compile(
    r'''(?P<text>"""(?:[^"]|"(?!""))*+"""|"(?:[^"\\\n]|\\.)*+")|(?P<comment>#[^\n]*)|(?P<open>[(\[{])|(?P<close>[)\]}])'''
)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment.

    Attributes:
        start: Its offset in the source.
        text: From the ``#`` on, without blanks at the end.
        own_line: Only white space stands before it on its line.
        column: The number of characters before it on its line.
        inside: It stands inside brackets.
    """

    start: int
    text: str
    own_line: bool
    column: int
    inside: bool


def find_comments(source: Source) -> list[Comment]:
    """All comments of a well-formed text, in order."""
    found: list[Comment] = []
    depth = 0
    for match in _TOKEN.finditer(source.text):
        depth += (match["open"] is not None) - (match["close"] is not None)
        if match["comment"] is not None:
            line_start = source.text.rfind("\n", 0, match.start()) + 1
            before = source.text[line_start : match.start()]
            text = _tidy(match["comment"])
            found.append(Comment(match.start(), text, not before.strip(), len(before), depth > 0))
    return found


def _tidy(text: str) -> str:
    """One blank after the ``#``, except where a row of signs (``#!``, ``#---``, ``##``) has none."""
    text = text.rstrip()
    return f"# {text[1:]}" if text[1:2].isalnum() else text


class Comments:
    """The comments that have not been put back yet, in order."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.waiting = find_comments(source)[::-1]

    def take(self, before: int, wanted: Callable[[Comment], bool] = lambda _: True) -> list[Comment]:
        """Take the comments that start before an offset, up to the first one that is not wanted."""
        taken = []
        while self.waiting and self.waiting[-1].start < before and wanted(self.waiting[-1]):
            taken.append(self.waiting.pop())
        return taken

    def take_on_line(self, start: int, end: int | None = None) -> list[Comment]:
        """Take the comments from ``start`` to the end of its line or to ``end``; without it, those in brackets."""
        line_end = self.source.text.find("\n", start)
        limit = min(len(self.source.text) if at < 0 else at for at in (line_end, -1 if end is None else end))
        return self.take(limit, lambda comment: comment.start >= start and (comment.inside or end is not None))

    def blank_before(self, offset: int) -> bool:
        """Whether the line above the one of this offset is blank."""
        number, _ = self.source.line_column(offset)
        return number > 1 and not self.source.line(number - 1).strip()
