"""What a mutation is, and what is expected of it. A mutation is a function of a random generator that is registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from .people import BASE_FILE, Table, people


@dataclass(frozen=True)
class Right:
    """It is read: rows that mean this table.

    Attributes:
        table: what its cells mean; None if only ``order`` is known.
        order: the rows of the unmutated table that these are, where they are so to the bit.
    """

    table: Table | None
    order: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Refused:
    """It is refused, in words among which these are."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Either:
    """It is read or refused; which of them nobody can say."""


Expected = Right | Refused | Either


@dataclass(frozen=True)
class Case:
    """A mutated file and what is expected.

    Attributes:
        name: what was done.
        write: writes the file into a folder, and says what is given: a path, or arrays by name.
        train: what is expected of a training on it.
        predict: of a prediction for it.
        evaluate: of measuring on it.
    """

    name: str
    write: Callable[[Path], Any]
    train: Expected
    predict: Expected
    evaluate: Expected


Mutation = Callable[[Random], Case]
MUTATIONS: dict[str, list[Mutation]] = {}
"""By the kind of file, in the order in which they are written down."""


def mutation(kind: str) -> Callable[[Mutation], Mutation]:
    """Register a mutation of files of this kind."""

    def register(function: Mutation) -> Mutation:
        MUTATIONS.setdefault(kind, []).append(function)
        return function

    return register


BASE = people()
SAME = Right(BASE, tuple(range(BASE.rows)))
"""As if nothing had been done."""


def refused(*words: str) -> Refused:
    """Refused with these words, and with the name of the file."""
    return Refused((BASE_FILE.partition(".")[0], *words))


def at(row: int, *words: str, header: int = 1) -> Refused:
    """Refused with the line of a row, where each stands on one line, and these words."""
    return Refused((f"{BASE_FILE}", str(row + header + 1), *words))


def case(
    name: str,
    content: Table | str | bytes,
    train: Expected = SAME,
    predict: Expected | None = None,
    evaluate: Expected | None = None,
) -> Case:
    """A CSV file; a prediction is expected to go as the training does unless something else is said, and so on."""

    def write(folder: Path) -> Path:
        text = content.text() if isinstance(content, Table) else content
        path = folder / BASE_FILE
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    predict = train if predict is None else predict
    return Case(name, write, train, predict, predict if evaluate is None else evaluate)
