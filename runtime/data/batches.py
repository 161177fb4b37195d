"""Batches: the order of examples in an epoch, which the seed and the epoch decide, and the fields of a batch."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from archonnx.compiler.ir.types import Array, TensorType, batch_symbol
from archonnx.runtime.ranks import Ranks

from .anew import Draws, Round
from .beside import BesideFirst, Turn
from .buckets import Bucketing
from .lengths import example_count
from .loader import Fields
from .parts import Indices, PartName
from .storage import take


def epoch_order(indices: Indices, seed: int, epoch: int) -> Indices:
    """The order of one epoch, which depends on the seed and the epoch alone."""
    return np.random.default_rng([seed, epoch]).permutation(indices)


def endless_order(indices: Indices, seed: int, epoch: int, size: int, *, shuffle: bool = True) -> Iterator[Indices]:
    """Batches without end, for rounds of ``repeat``: a stream of their own in each epoch, apart from its order."""
    for number in itertools.count(1):
        order = np.random.default_rng([seed, epoch, number]).permutation(indices) if shuffle else indices
        for start in range(0, len(order), size):
            yield order[start : start + size]


@dataclass(frozen=True, slots=True)
class Columns:
    """Arrays of which batches are rows: ``cut`` by the numbers of examples, ``whole`` for each as they are."""

    cut: Mapping[str, Array]
    whole: Mapping[str, Array]


class Share(Fields):
    """A rank's share of a batch, by field.

    Attributes:
        rows: how many examples the whole batch has.
        whole: the whole batch, where this rank has it: where something reads it.
    """

    def __init__(self, fields: Fields, rows: int, whole: Fields | None = None) -> None:
        super().__init__(fields)
        self.rows, self.whole = rows, whole


class Examples:
    """A model's fields over all examples. Fields whose first axis does not count examples are given whole.

    Args:
        fields: arrays by name.
        types: their types.
        whole: fields that are given whole whatever their type says.
        bucketing: of what lengths examples are, if batches of training are of like ones.
        draws: gives the fields of each pass over the examples, if it has a draw of its own.
    """

    def __init__(
        self,
        fields: Mapping[str, Array],
        types: Mapping[str, TensorType],
        whole: Collection[str] = (),
        bucketing: Bucketing | None = None,
        draws: Draws | None = None,
    ) -> None:
        cut = {name: types[name] for name in fields if name not in whole}
        symbol = batch_symbol(cut)
        by_row = {name for name, type_ in cut.items() if type_.rank and type_.shape[0].symbol == symbol is not None}
        self._rows = {name: np.ascontiguousarray(fields[name]) for name in fields if name in by_row}
        self._whole = {name: np.asarray(fields[name], order="C") for name in fields if name not in by_row}
        self._bucketing, self._draws = bucketing, draws
        self.count = example_count(self._rows) if self._rows else 1
        self.symbol = symbol
        self._ranks: Ranks | None = None
        self._reads_whole = False
        self._beside: tuple[BesideFirst, ...] = ()
        self._part: PartName = "train"

    @property
    def by_row(self) -> Mapping[str, Array]:
        """The fields that have a row for each example."""
        return self._rows

    def with_others(self, beside: Sequence[BesideFirst]) -> Examples:
        """The same with examples of other sources in each batch."""
        joined = copy(self)
        joined._beside = tuple(beside)
        return joined

    def shared(self, ranks: Ranks, *, whole: bool = False) -> Examples:
        """The same, of which a training takes this rank's ``Share`` of each batch.

        Of another source whose examples the same dim counts it takes the same share, and all of any other one. Batches
        that come as they are the first rank reads, for all: nobody knows whether they come alike everywhere.

        Args:
            ranks: all of them.
            whole: whether something on this rank reads whole batches too.
        """
        joined = copy(self)
        joined._ranks, joined._reads_whole = ranks, whole
        return joined

    def on(self, part: PartName) -> Examples:
        """The same to measure on a part: others give examples of that part, in their order."""
        if not self._beside:
            return self
        joined = copy(self)
        joined._part = part
        return joined

    @property
    def numbered(self) -> bool:
        """Whether indices are the numbers of examples, so that one of them can be named."""
        return True

    @property
    def counted(self) -> Collection[str]:
        """The fields of which a batch is rows: so many examples."""
        return {*self._rows, *(name for other in self._beside if other.shared for name in other.examples.counted)}

    def rows(self, name: str) -> Array | None:
        """A field of all examples; None where it is given whole, or by another source."""
        return self._rows.get(name)

    @property
    def ready(self) -> bool:
        """Whether a batch may be made before its turn: it depends on its number alone, whatever a training does."""
        return all(other.examples.ready for other in self._beside)

    def columns(self, turn: Turn) -> Columns | None:
        """The arrays of which batches of an epoch are rows; None where more is done to make one."""
        if self._beside or self._bucketing is not None:
            return None
        if self._draws is None or not turn.round:
            return Columns(self._rows, self._whole)
        fields = self._draws.of(turn.round)
        cut = {name: array for name, array in fields.items() if name in self._rows}
        return Columns(cut, {name: array for name, array in fields.items() if name not in cut})

    @property
    def whole(self) -> Collection[str]:
        """Fields that every batch gets as they are."""
        return {*self._whole, *(name for other in self._beside for name in other.examples.whole)}

    def take(self, indices: Indices, turn: Turn | None = None) -> Fields:
        """These examples, with those of other sources as they are."""
        return {**self._own(indices), **self._others(len(indices), turn or Turn(), drawn=False)}

    def drawn(self, indices: Indices, round_: Round) -> Fields:
        """These examples in some pass over them, where each has a draw of its own."""
        if self._draws is None or not round_:
            return self._own(indices)
        fields = self._draws.of(round_)
        return {name: fields[name][indices] if name in self._rows else fields[name] for name in fields}

    def _own(self, indices: Indices) -> Fields:
        return {**{name: take(array, indices) for name, array in self._rows.items()}, **self._whole}

    def order(self, indices: Indices, size: int, seed: int, epoch: int, *, shuffle: bool = True) -> Indices:
        """The order of examples in an epoch: a random one, or as they are; those of like length together if wanted."""
        if not shuffle:
            return indices
        order = epoch_order(indices, seed, epoch)
        return order if self._bucketing is None else self._bucketing.order(order, size, seed, epoch)

    def trained(self, indices: Indices, turn: Turn | None = None) -> Fields:
        """These examples for a step of the training: no longer than they need to be, if examples are of like length.

        Args:
            indices: of the source that is counted.
            turn: where the batch stands in the training, which says what other sources give to it.
        """
        turn, count, ranks = turn or Turn(), len(indices), self._ranks
        if ranks is None or self._reads_whole:
            batch = {**self._cut_short(indices, turn), **self._others(count, turn, drawn=True)}
            return batch if ranks is None else self._share(ranks, batch, count)
        share = ranks.share(np.arange(count))
        others = self._of(share, self._others(count, turn, drawn=True))
        return Share({**self._cut_short(indices[share], turn), **others}, count)

    def _cut_short(self, indices: Indices, turn: Turn) -> Fields:
        batch = self.drawn(indices, turn.round)
        return batch if self._bucketing is None else self._bucketing.cut(batch, indices)

    def _others(self, rows: int, turn: Turn, *, drawn: bool) -> Fields:
        """What other sources give to a batch of so many rows."""
        found: Fields = {}
        for other in self._beside:
            take = partial(other.take, "train" if drawn else self._part, rows, turn, drawn=drawn)
            found |= take() if self._ranks is None or other.examples.numbered else self._ranks.of_first(take)
        return found

    def _of(self, share: Indices, batch: Fields) -> Fields:
        counted = self.counted
        return {name: array[share] if name in counted else array for name, array in batch.items()}

    def _share(self, ranks: Ranks, batch: Fields, rows: int) -> Share:
        """This rank's share of a batch that it has."""
        return Share(self._of(ranks.share(np.arange(rows)), batch), rows, batch)

    def batches(
        self, indices: Indices, size: int | Literal["all"], turn: Turn | None = None
    ) -> Iterator[tuple[int, Fields]]:
        """Batches in this order, each with its number of examples; the last one may be smaller."""
        turn = turn or Turn()
        for rows in in_pieces(indices, size):
            yield len(rows), self.take(rows, turn)
            turn = turn.after(len(rows))

    def dealt(self, ranks: Ranks, round_: Sequence[tuple[Indices, Turn]]) -> list[tuple[int, Fields]]:
        """Of a batch for each rank, as ``batches`` gives it, this rank's own; none if there are fewer."""
        own = slice(ranks.rank, ranks.rank + 1)
        alike = self.numbered and all(other.examples.numbered for other in self._beside)
        taken = round_[own] if alike else round_  # what one rank reads for all, all hear
        found = [batch for indices, turn in taken for batch in self.batches(indices, "all", turn)]
        return found if alike else found[own]

    def steps(self, indices: Indices, size: int, turn: Turn | None = None) -> Iterator[tuple[int, Fields]]:
        """The same as the training takes them, from some turn on."""
        turn = turn or Turn()
        for rows in in_pieces(indices, size):
            yield len(rows), self.trained(rows, turn)
            turn = turn.after(len(rows))


def in_pieces(indices: Indices, size: int | Literal["all"]) -> Iterator[Indices]:
    """Examples in batches of ``size``; the last one may be smaller."""
    step = max(len(indices), 1) if size == "all" else size
    for start in range(0, len(indices), step):
        yield indices[start : start + step]
