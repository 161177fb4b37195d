"""Rows of the catalogue, and the facts that they must show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measured:
    """What a fact came to.

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


@dataclass(slots=True)
class Row:
    """One system, or a family of them.

    Attributes:
        number: of the row, such as ``"1.1"``.
        title: what it is.
        source: where the lecture notes describe it: document and section, ``"003 1.2.3; 002 2"``.
        specs: names of its specs in the zoo.
        facts: what it shows, in order.

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

    def fact(self, claim: str, *, slow: bool = False) -> Callable[[Callable[[], Measured]], Callable[[], Measured]]:
        """Decorator: enter a function that measures ``claim``."""

        def enter(measure: Callable[[], Measured]) -> Callable[[], Measured]:
            self.facts.append(Fact(claim, measure, slow))
            return measure

        return enter


def rows() -> Iterator[Row]:
    """All rows in the order of their numbers."""
    modules = [import_module(f"{__package__}.{path.stem}") for path in Path(__file__).parent.glob("row_*.py")]
    found: list[Row] = [module.ROW for module in modules]
    yield from sorted(found, key=lambda row: [int(part) for part in row.number.split(".")])
