"""Ways out that can be applied: a fix is a sentence with edits of the text, at offsets.

    Edit         what stands at a place becomes another text
    Fix          edits that belong together, and what they do in words; it was tried
    Suggestion   what may become a fix: a help text that knows its edit, and others that may be right as well

Whoever finds a mistake gives its diagnostic a ``Suggestion`` for its help. The compiler applies it, checks the file,
and makes a ``Fix`` of it if that helps (``compiler.helps``); otherwise nobody reads it. What this module does not do:
try anything, or write a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from archonnx.grammar.record import Record
from archonnx.grammar.source import Source, Span


class Edit(Record):
    """What stands at a span becomes another text. A span without characters is a place where text is put in."""

    span: Span
    text: str

    @property
    def changes(self) -> bool:
        """Whether it is another text."""
        return self.span.text != self.text


class Fix(Record):
    """A way out that was tried: what it does in words, and the edits, which do not overlap."""

    text: str
    edits: tuple[Edit, ...]

    @property
    def source(self) -> Source:
        """The file that it changes."""
        return self.edits[0].span.source

    def applied(self) -> str:
        """The text of the file with it.

        >>> source = Source("m.arch", "output y = rellu(x)")
        >>> Fix("did you mean `relu`?", (Edit(Span(source, 11, 16), "relu"),)).applied()
        'output y = relu(x)'
        """
        return edited(self.source, self.edits)


def edited(source: Source, edits: Sequence[Edit]) -> str:
    """A text with edits that do not overlap."""
    parts, at = [], 0
    for edit in in_order(edits):
        parts += [source.text[at : edit.span.start], edit.text]
        at = edit.span.end
    return "".join([*parts, source.text[at:]])


def in_order(edits: Sequence[Edit]) -> list[Edit]:
    """Edits by their places."""
    return sorted(edits, key=lambda edit: (edit.span.start, edit.span.end))


def overlap(edits: Sequence[Edit]) -> bool:
    """Whether two of them change the same text, or several sources are meant."""
    ordered = in_order(edits)
    pairs = pairwise(ordered)
    return any(a.span.source is not b.span.source or a.span.end > b.span.start for a, b in pairs)


def moved(offset: int, edits: Sequence[Edit]) -> int:
    """Where an offset of the text is after the edits; one inside of what is replaced is where that ends."""
    shift = 0
    for edit in in_order(edits):
        if edit.span.start >= offset and edit.span.end > offset:
            break
        if edit.span.end <= offset:
            shift += len(edit.text) - (edit.span.end - edit.span.start)
        else:
            return edit.span.start + shift + len(edit.text)
    return offset + shift


class Suggestion(str):
    """A help text that can be applied: ``word``, where the diagnostic points, becomes ``replacement``.

    The compiler applies the edit and checks the file; if that does not help it goes on to ``others``, and has only
    ``otherwise`` to say if none of them does.
    """

    __slots__ = ("at", "more", "others", "otherwise", "replacement", "several", "word")
    word: str
    replacement: str
    at: Span | None
    more: tuple[Edit, ...]
    """What else must change with it."""
    others: tuple[Suggestion, ...]
    """What may be meant instead."""
    several: bool
    """Whether all that help are shown, and not the first of them alone."""
    otherwise: str | None
    """What is said where nothing of this helps."""

    @staticmethod
    def of(
        text: str,
        word: str,
        replacement: str,
        at: Span | None = None,
        *,
        more: Sequence[Edit] = (),
        others: Sequence[Suggestion] = (),
        otherwise: str | None = None,
        several: bool = False,
    ) -> Suggestion:
        """A help text with its edit; ``at`` is its place where that is not where the diagnostic points."""
        suggestion = Suggestion(text)
        suggestion.word, suggestion.replacement, suggestion.at = word, replacement, at
        suggestion.more, suggestion.others = tuple(more), tuple(others)
        suggestion.otherwise, suggestion.several = otherwise, several
        return suggestion

    @staticmethod
    def at_places(text: str, *edits: Edit, otherwise: str | None = None) -> Suggestion:
        """A help text with edits whose places are known."""
        first, *more = edits
        return Suggestion.of(text, first.span.text, first.text, first.span, more=more, otherwise=otherwise)

    def or_else(self, words: str | None, *others: Suggestion, several: bool = False) -> Suggestion:
        """The same with something to say where it does not help, and with other suggestions behind its own."""
        return Suggestion.of(
            str(self),
            self.word,
            self.replacement,
            self.at,
            more=self.more,
            others=(*self.others, *others),
            otherwise=words or self.otherwise,
            several=several or self.several,
        )

    def elsewhere(self, move: Callable[[Span], Span]) -> Suggestion:
        """The same with other places: those of a text that was read as a part of another."""
        return Suggestion.of(
            str(self),
            self.word,
            self.replacement,
            self.at and move(self.at),
            more=[Edit(move(edit.span), edit.text) for edit in self.more],
            others=[other.elsewhere(move) for other in self.others],
            otherwise=self.otherwise,
            several=self.several,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _suggestion, (str(self), {name: getattr(self, name) for name in self.__slots__})

    def place(self, span: Span) -> Span | None:
        """What the edit replaces: its own place, or the word in what a diagnostic points at, if it is there."""
        if self.at is not None:
            return self.at
        match = re.search(rf"(?<!\w){re.escape(self.word)}(?!\w)", span.text)
        return Span(span.source, span.start + match.start(), span.start + match.end()) if match else None

    def fix(self, span: Span | None) -> Fix | None:
        """Its own edits as a fix of a diagnostic that points at ``span``; None where the word is not there."""
        place = self.at if span is None else self.place(span)
        if place is None:
            return None
        edits = (Edit(place, self.replacement), *self.more)
        return None if overlap(edits) or not any(edit.changes for edit in edits) else Fix(str(self), edits)

    def fixes(self, span: Span | None) -> list[Fix]:
        """Its fix and those of the others, each once."""
        found = [fix for one in (self, *self.others) if (fix := one.fix(span)) is not None]
        each: dict[tuple[Edit, ...], Fix] = {}
        for fix in found:
            each.setdefault(fix.edits, fix)
        return list(each.values())


def _suggestion(text: str, slots: dict[str, Any]) -> Suggestion:
    """What was pickled."""
    return Suggestion.of(text, **slots)
