"""A diagnostic: one finding as plain data, with its labels and perhaps a suggestion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archonnx.grammar.budget import may_suggest
from archonnx.grammar.foreign import called_here
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span

from .fixes import Fix, Suggestion


class Label(Record):
    """A text at a span. The primary label marks the narrowest place at which the mistake can be seen."""

    span: Span
    text: str = ""
    primary: bool = False


class Diagnostic(Record):
    """One finding. The headline stands alone; labels show the places, notes the context, help the way out.

    The help is a ``Suggestion`` until it was tried. Afterwards ``fixes`` are those that help, whose words are the help.
    """

    code: str
    headline: str
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    severity: str = "error"
    fixes: tuple[Fix, ...] = ()

    def __repr__(self) -> str:
        place = f" at {self.span}" if self.span is not None else ""
        headline = self.headline if len(self.headline) <= 120 else f"{self.headline[:117]}..."
        return f"<{self.severity} {self.code}{place}: {headline}>"

    @property
    def span(self) -> Span | None:
        """The primary span (the first one where none is marked)."""
        primary = [label.span for label in self.labels if label.primary]
        return primary[0] if primary else (self.labels[0].span if self.labels else None)


_MOST, _LONGEST = 30, 100
"""So many names are listed in a message, with so many letters."""
LONGEST = 200
"""Characters of a misspelt word that are looked at."""


def did_you_mean(word: str, known: Iterable[str]) -> Suggestion | None:
    """Help text naming the closest known word (the same in other letters, if there is one), or None."""
    from difflib import get_close_matches  # here, since most specs are right

    words = list(known)
    if not may_suggest(len(words)):
        return None
    word = word[:LONGEST]
    brought = [other for other in called_here(word) if other in words]
    same = brought or [other for other in words if other.casefold() == word.casefold() or look(other) == look(word)]
    near = get_close_matches(word, words, n=3, cutoff=0.6)
    found = same or get_close_matches(word, words, n=3, cutoff=0.7) or [other for other in near if _alike(word, other)]
    return meant(word, found)


def meant(word: str, found: Sequence[str]) -> Suggestion | None:
    """Help text that offers words in place of one: the likeliest of those that help; None where there are none."""
    guesses = [Suggestion.of(f"did you mean `{other}`?{_unseen(word, other)}", word, other) for other in found]
    return guesses[0].or_else(None, *guesses[1:]) if guesses else None


def look(text: str) -> str:
    """What a text looks like: without what is not shown, each letter with its accents as one, all spaces alike."""
    if text.isascii():
        return text
    from unicodedata import category, normalize

    kinds = {c: category(c) for c in text}
    return normalize("NFC", "".join(" " if kinds[c] == "Zs" else c for c in text if kinds[c] != "Cf"))


def _unseen(word: str, other: str) -> str:
    """How a word differs from another one that looks the same; nothing if it looks otherwise."""
    if word == other or look(word) != look(other):
        return ""
    here, there = (_points({*one} - {*two}) for one, two in ((word, other), (other, word)))
    return f" It looks the same, but {here} in one is {there} in the other"


def _points(characters: Iterable[str]) -> str:
    return " ".join(f"U+{ord(character):04X}" for character in sorted(characters)) or "nothing"


def listing(names: Iterable[str]) -> str:
    """Names in a message, the first of many: a table may have 30,000 columns, and a name thousands of letters."""
    found = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..." for name in map(str, names)]
    more = len(found) - _MOST
    return ", ".join(found) if more <= 1 else f"{', '.join(found[:_MOST])} and {more:,} more"


def _alike(word: str, other: str) -> bool:
    """Whether two words that share little more than half of their letters may be meant for each other.

    `epsilon` and `eps` may, `use_bias` and `bias`, `mes` and `mse`; `activation` and `dilation` only end alike.
    """
    return word[:1].casefold() == other[:1].casefold() or word in other or other in word
