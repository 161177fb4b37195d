"""Offsets of a text, and positions as editors have them: a line, and how many UTF-16 units stand before on it.

Offsets of a text that has changed are found by what it has in common with what it was, at its beginning and its end.

What this module does not do: know of any document (a ``Lines`` is of one text, which does not change).
"""

from __future__ import annotations

import re
from bisect import bisect_right

from lsprotocol.types import Position, Range

_LINE_END = re.compile(r"\r\n|\n|\r")


class Lines:
    """The lines of a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def position(self, offset: int) -> Position:
        """The position of an offset; one outside the text is moved to its border."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self.starts, offset) - 1
        return Position(line, units(self.text[self.starts[line] : offset]))

    def range(self, start: int, end: int) -> Range:
        """The range of ``start:end``."""
        return Range(self.position(start), self.position(end))

    def offset(self, position: Position) -> int:
        """The offset of a position; behind the end of a line it is that end, and behind the last line the text's.

        A position inside of a character of two units is that of the character.
        """
        if position.line >= len(self.starts):
            return len(self.text)
        start = self.starts[max(position.line, 0)]
        end = self.line_end(max(position.line, 0))
        line = self.text[start:end]
        if line.isascii():
            return start + min(position.character, len(line))
        left = position.character
        for at, character in enumerate(line):
            left -= 1 + (character > "\uffff")
            if left < 0:
                return start + at
        return end

    def line_end(self, line: int) -> int:
        """The offset at which a line ends, before the characters that end it."""
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)
        return self.starts[line] + len(self.text[self.starts[line] : end].rstrip("\r\n"))


def units(text: str) -> int:
    """How many UTF-16 units a text has."""
    return len(text) if text.isascii() else len(text) + sum(character > "\uffff" for character in text)


class Moves:
    """What of an old text is where in a new one."""

    def __init__(self, old: str, new: str) -> None:
        self._old, self._new = len(old), len(new)
        self._start = in_common(old, new)
        self._end = in_common(old[self._start :][::-1], new[self._start :][::-1])

    def forth(self, start: int, end: int) -> tuple[int, int] | None:
        """Where ``start:end`` of the old text is in the new one; None where it has changed."""
        return self._moved(start, end, self._old, self._new)

    def back(self, start: int, end: int) -> tuple[int, int] | None:
        """Where ``start:end`` of the new text was in the old one."""
        return self._moved(start, end, self._new, self._old)

    def _moved(self, start: int, end: int, size: int, other: int) -> tuple[int, int] | None:
        if end <= self._start:
            return start, end
        if start >= size - self._end:
            return start + other - size, end + other - size
        return None


def in_common(left: str, right: str) -> int:
    """How many characters two texts have in common at their beginning."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if left[low:middle] == right[low:middle] else (low, middle - 1)
    return low
