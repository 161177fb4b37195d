"""Means of gradients over the ranks, each weighted by its rows.

Ranks of one machine write their gradients where all see them. When all are there, each takes the mean of its part of
the numbers: of what it is to update, where that is all that reads them; else every rank reads the same means when all
have done so. Between machines they are sent; those of the first parts of a step while the later ones run. What this
module does not do: make gradients, or update by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Protocol

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.runtime.ranks import Ranks
from archonnx.runtime.shared_memory import Bytes

Sizes = Sequence[Sequence[tuple["np.dtype[Any]", int]]]
"""For each part of a step its arrays: what they hold, and how many."""
CHUNK = 2**16
"""Numbers that are taken at once, few enough for what becomes of them to lie in a core's cache: the halves of 234,000
numbers take two ranks 66 us at once, and 108 in pieces of a quarter of this, each of which costs some calls."""
LINE = 64
"""Bytes of a line of the cache, at whose multiples arrays begin."""
STOPS, FAILURES, FIGURES = 0, 1, 2
"""What the ranks tell each other in each step, as numbers that are summed: how many were asked to stop, how many have
failed, the rows of each, and what else there is."""


class Sums(Protocol):
    """How the ranks come to the means."""

    @property
    def own(self) -> Sequence[Sequence[Array]]:
        """By part, where this rank writes its gradients."""

    @property
    def mean(self) -> Sequence[Sequence[Array]]:
        """By part, where the means are after ``finish``."""

    def made(self, part: int, rows: int) -> None:
        """This rank has made those of a part, of so many rows."""

    def finish(self, told: Array) -> None:
        """Sum what the ranks tell each other; then make the means, unless one of them has failed."""


def rows_of(told: Array, size: int) -> list[float]:
    """The rows of each rank."""
    return [*told[FIGURES : FIGURES + size].tolist()]


class SumsInMemory:
    """Of ranks that see the same memory, which holds the arrays of each rank, then the means: ``bytes_of`` for each.

    Args:
        ranks: all of them.
        sizes: those of the arrays.
        memory: where they lie.
        pieces: for each array the lengths of its pieces, of each of which every rank has a part.
        everywhere: whether a rank reads the means of the others' parts too.
    """

    def __init__(
        self, ranks: Ranks, sizes: Sizes, memory: Bytes, pieces: Sequence[Sequence[int]], everywhere: bool
    ) -> None:
        self._ranks, self._everywhere = ranks, everywhere
        places = [laid_out(sizes, part) for part in memory.reshape(ranks.size + 1, bytes_of(sizes))]
        self.own, self.mean = places[ranks.rank], places[-1]
        flat = [[array for part in place for array in part] for place in places]
        self._parts = [
            [array[begin + first : begin + end] for array in arrays]
            for arrays, lengths in zip(zip(*flat, strict=True), pieces, strict=True)
            for begin, length in zip(accumulate(lengths, initial=0), lengths, strict=False)
            for first, end in [ranks.part(length)]
        ]
        """What this rank takes the mean of: for each piece its part, of every rank, and of the mean."""

    def made(self, part: int, rows: int) -> None:
        """It is seen when all have met."""

    def finish(self, told: Array) -> None:
        """Meet, take the means of this rank's part, and meet again where others read them."""
        ranks = self._ranks
        ranks.add(told)
        if told[FAILURES]:
            return
        rows = rows_of(told, ranks.size)
        for *given, mean in self._parts:
            _weighted(given, rows, mean)
        if self._everywhere:
            ranks.meet()


class SumsByMessages:
    """Of ranks anywhere: arrays are sent, and become the means."""

    def __init__(self, ranks: Ranks, sizes: Sizes) -> None:
        self._ranks = ranks
        self.own = [[np.zeros(count, dtype) for dtype, count in part] for part in sizes]
        self.mean = self.own
        self._waiting: list[Any] = []

    def made(self, part: int, rows: int) -> None:
        """Send them."""
        for flat in self.own[part]:
            np.multiply(flat, rows, out=flat)
            self._waiting.append(self._ranks.begin_sum(flat))

    def finish(self, told: Array) -> None:
        """Wait for the sums."""
        waiting, self._waiting = [*self._waiting, self._ranks.begin_sum(told)], []
        for wait in waiting:
            wait()
        if told[FAILURES]:
            return
        total = sum(rows_of(told, self._ranks.size))
        for part in self.mean:
            for flat in part:
                np.divide(flat, total, out=flat)


def bytes_of(sizes: Sizes) -> int:
    """The memory of the arrays of one rank."""
    return sum(_rounded(dtype.itemsize * count) for part in sizes for dtype, count in part)


def _rounded(size: int) -> int:
    return -(-size // LINE) * LINE


def laid_out(sizes: Sizes, memory: Bytes) -> list[list[Array]]:
    """Arrays one after the other."""
    found, at = [], 0
    for part in sizes:
        found.append(list[Array]())
        for dtype, count in part:
            found[-1].append(memory[at : at + dtype.itemsize * count].view(dtype))
            at += _rounded(dtype.itemsize * count)
    return found


def _weighted(given: Sequence[Array], rows: Sequence[float], mean: Array) -> None:
    """The mean of arrays by rows, always in the order of these; they mostly weigh alike, and are multiplied once."""
    factor, ratios = rows[0] / sum(rows), [own / rows[0] for own in rows[1:]]
    for start in range(0, len(mean), CHUNK):
        place = slice(start, start + CHUNK)
        into, sum_ = mean[place], given[0][place]
        for array, ratio in zip(given[1:], ratios, strict=True):
            other = array[place] if ratio == 1 else np.multiply(array[place], ratio)
            sum_ = np.add(sum_, other, out=into)
        np.multiply(sum_, factor, out=into)
