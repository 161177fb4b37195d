"""Rows of the catalogue, and the facts that they must show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any


@dataclass(frozen=True, slots=True)
class Measured:
    """The measured value of a fact.

    Attributes:
        value: the figure, for people.
        holds: whether it is as claimed.
    """

    value: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A claim and the function that measures it.

    Attributes:
        claim: what is claimed, in words and with its figure.
        measure: measures it.
        slow: whether it takes longer than the tests allow (some 3 seconds).
    """

    claim: str
    measure: Callable[[], Measured]
    slow: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """What a row shows to the eye.

    Attributes:
        name: of the file, ``docs/pictures/NAME.png``.
        caption: what is seen.
        draw: gives grey pictures from 0 (black) to 1, in rows: ``[rows, columns, height, width]``.
    """

    name: str
    caption: str
    draw: Callable[[], Any]


@dataclass(slots=True)
class Row:
    """One system, or a family of them.

    Attributes:
        number: of the row, such as ``"1.1"``.
        title: what it is.
        source: where the lecture notes describe it: document and section, ``"003 1.2.3; 002 2"``.
        specs: names of its specs in the zoo.
        facts: what it shows, in order.
        pictures: drawn where the page is written.

    Example:
        >>> ROW = Row("0.0", "Sums", "003 1")
        >>> @ROW.fact("1 + 1 = 2")
        ... def addition() -> Measured:
        ...     return Measured(str(1 + 1), 1 + 1 == 2)
        >>> ROW.facts[0].measure()
        Measured(value='2', holds=True)
    """

    number: str
    title: str
    source: str
    specs: Sequence[str] = ()
    facts: list[Fact] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    def fact(self, claim: str, *, slow: bool = False) -> Callable[[Callable[[], Measured]], Callable[[], Measured]]:
        """Decorator: enter a function that measures ``claim``."""

        def enter(measure: Callable[[], Measured]) -> Callable[[], Measured]:
            self.facts.append(Fact(claim, measure, slow))
            return measure

        return enter

    def picture(self, name: str, caption: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
        """Decorator: enter a function that draws a picture."""

        def enter(draw: Callable[[], Any]) -> Callable[[], Any]:
            self.pictures.append(Picture(name, caption, draw))
            return draw

        return enter


def rows() -> dict[str, Row]:
    """All rows in the order of their numbers, by the names of their modules."""
    names = [name for _, name, _ in iter_modules([str(Path(__file__).parent / "rows")])]
    found: dict[str, Row] = {name: import_module(f"{__package__}.rows.{name}").ROW for name in names}
    return dict(sorted(found.items(), key=lambda item: [int(part) for part in item[1].number.split(".")]))


def chosen(wanted: Sequence[str]) -> dict[str, Row]:
    """The rows that are named, by number or by module; all rows where nothing is named.

    Raises:
        LookupError: there are no such rows; says which there are.
    """
    known = rows()
    words = {word for name, row in known.items() for word in (name, row.number)}
    if unknown := sorted(set(wanted) - words):
        there = ", ".join(f"{row.number} {name}" for name, row in known.items())
        raise LookupError(f"no row {', '.join(unknown)}; there are {there}")
    return {name: row for name, row in known.items() if not wanted or {name, row.number} & set(wanted)}
