"""Source texts and spans: where a thing was written.

A span is a pair of offsets into a source; lines and columns are worked out only when somebody reads them.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from .record import Record


@dataclass(frozen=True, eq=False)
class Source:
    """A text with the name under which people know it (a path as they typed it, or ``std/dense.arch``).

    Sources are compared by identity, and within a process copying one gives itself: copied spans point into the same
    text. In another process a source is a new one, shared by all that was pickled together.
    """

    name: str
    text: str = field(repr=False)
    library: bool = field(default=False, repr=False)
    """Whether it comes with archonnx: then its user is shown the place of the spec that led there."""

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first character of each line."""
        return [0, *(i + 1 for i, c in enumerate(self.text) if c == "\n")]

    def line_column(self, offset: int) -> tuple[int, int]:
        """1-based line and column of an offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Text of a 1-based line, without its newline."""
        starts = self.line_starts
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")

    def __reduce__(self) -> tuple[type[Source], tuple[str, str, bool]]:
        return Source, (self.name, self.text, self.library)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class Span(Record):
    """Half-open range of offsets ``start:end`` in a source."""

    source: Source
    start: int
    end: int

    def __str__(self) -> str:
        line, column = self.source.line_column(self.start)
        return f"{self.source.name}:{line}:{column}"

    @property
    def text(self) -> str:
        """What is written there."""
        return self.source.text[self.start : self.end]

    @property
    def in_brackets(self) -> bool:
        """Whether all of it stands in one pair of round brackets: `(a + b)`, and not `(a) + (b)`."""
        text, depth = self.text, 0
        for place, char in enumerate(text):
            depth += (char == "(") - (char == ")")
            if not depth:
                return bool(place) and place == len(text) - 1
        return False

    def to(self, other: Span) -> Span:
        """The range from the start of this span to the end of the other."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))
