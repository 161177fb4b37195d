"""Sources beside the one whose examples are counted: their batches go with those of the first.

Each has an order of its own, drawn with the run's seed and its name, and comes round as often as it is needed: one
pass over it follows the other without a gap. Which examples go with a batch follows from how many passes there were,
so that a training that is taken up again gives the same. What this module does not do: say what a batch is
(``batches`` does).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from zlib import crc32

import numpy as np

from .anew import Round
from .loader import Fields
from .parts import Indices, PartName, Parts


class Taking(Protocol):
    """Fields of a source over all its examples, as ``batches.Examples``."""

    @property
    def whole(self) -> Collection[str]:
        """Fields that every batch gets as they are."""

    @property
    def ready(self) -> bool:
        """Whether a batch may be made before its turn."""

    @property
    def counted(self) -> Collection[str]:
        """The fields of which a batch is rows."""

    @property
    def numbered(self) -> bool:
        """Whether indices are the numbers of examples."""

    def take(self, indices: Indices) -> Fields:
        """These examples."""

    def drawn(self, indices: Indices, round_: Round) -> Fields:
        """The same in some pass over them, where each has a draw of its own."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a batch stands among those of the training.

    Attributes:
        passes: how many came before it.
        rows: how many examples of the first source those had.
        stream: of batches that are counted apart, as those of the rounds of ``repeat`` in an epoch.
        epoch: in which it is, counted from 1.
    """

    passes: int = 0
    rows: int = 0
    stream: tuple[int, ...] = ()
    epoch: int = 1

    @property
    def round(self) -> Round:
        """The draw of the first source: that of the epoch."""
        return (self.epoch - 1,) if self.epoch > 1 else ()

    def after(self, rows: int) -> Turn:
        """That of the next batch, where this one has so many examples."""
        return Turn(self.passes + 1, self.rows + rows, self.stream, self.epoch)

    def later(self, batches: int, size: int) -> Turn:
        """That after so many batches of ``size`` examples."""
        return Turn(self.passes + batches, self.rows + batches * size, self.stream, self.epoch)


class BesideFirst(Protocol):
    """A source beside the one whose examples are counted."""

    name: str

    @property
    def shared(self) -> bool:
        """Whether one dim counts the examples of both."""

    @property
    def examples(self) -> Taking:
        """What it holds."""

    def take(self, part: PartName, rows: int, turn: Turn, *, drawn: bool) -> Fields:
        """The fields that go with a batch of so many rows; in an order that is drawn, or as they are."""


class Beside:
    """Another source.

    Args:
        name: what the spec calls it.
        examples: its fields.
        parts: which of them train.
        size: examples in a batch; as many as the first source gives if None, or all.
        seed: of the run; None where its examples come in their order.
    """

    def __init__(
        self, name: str, examples: Taking, parts: Parts, size: int | Literal["all"] | None, seed: int | None
    ) -> None:
        self.name, self.examples, self._parts, self._size = name, examples, parts, size
        self._seed = None if seed is None else (seed, crc32(name.encode()))
        self._orders: dict[tuple[int, ...], Indices] = {}

    @property
    def shared(self) -> bool:
        """Whether one dim counts the examples of both."""
        return self._size is None

    def take(self, part: PartName, rows: int, turn: Turn, *, drawn: bool) -> Fields:
        """The fields that go with a batch of so many rows; in an order that is drawn, or as they are."""
        if not drawn:
            return self.examples.take(self.rows(part, rows, turn, drawn=False))
        pieces = [self.examples.drawn(found, round_) for round_, found in self._pieces(part, rows, turn, drawn=True)]
        if len(pieces) == 1:
            return pieces[0]
        whole = self.examples.whole
        return {
            name: array if name in whole else np.concatenate([piece[name] for piece in pieces])
            for name, array in pieces[-1].items()
        }

    def rows(self, part: PartName, rows: int, turn: Turn, *, drawn: bool) -> Indices:
        """The examples that go with a batch of so many rows."""
        return np.concatenate([found for _, found in self._pieces(part, rows, turn, drawn=drawn)])

    def _pieces(self, part: PartName, rows: int, turn: Turn, *, drawn: bool) -> list[tuple[Round, Indices]]:
        """The same in pieces, each of one pass over the part, with its number."""
        indices = self._parts.of(part)
        if self._size == "all":
            return [(_round(turn, turn.passes), indices)]
        count, start = (rows, turn.rows) if self._size is None else (self._size, turn.passes * self._size)
        found: list[tuple[Round, Indices]] = []
        while count > 0:
            number, place = divmod(start, len(indices))
            order = self._order(indices, (*turn.stream, number)) if drawn and self._seed is not None else indices
            found.append((_round(turn, number), order[place : place + count]))
            start, count = start + len(found[-1][1]), count - len(found[-1][1])
        return found or [((), indices[:0])]

    def _order(self, indices: Indices, words: Sequence[int]) -> Indices:
        """The order of one pass over the part that trains. The last two are kept: a batch may begin in one."""
        assert self._seed is not None
        key = tuple(words)
        if key not in self._orders:
            self._orders = dict(list(self._orders.items())[-1:])
            self._orders[key] = np.random.default_rng([*self._seed, *key]).permutation(indices)
        return self._orders[key]


def _round(turn: Turn, number: int) -> Round:
    """The draw of a pass, counted from 0: the first one has that by which the source is known."""
    return (*turn.stream, number) if turn.stream or number else ()
