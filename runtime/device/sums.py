"""Means of gradients over the ranks, each weighted by its rows.

Ranks of one machine write their gradients where all see them. When all are there, each takes the mean of its part of
the numbers, and when all have done so, every rank reads the same means. Between machines they are sent; those of the
first parts of a step while the later ones run. What this module does not do: make gradients, or update by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.runtime.ranks import Ranks
from archonnx.runtime.shared_memory import Bytes

Sizes = Sequence[Sequence[tuple["np.dtype[Any]", int]]]
"""For each part of a step its arrays: what they hold, and how many."""
CHUNK = 2**14
"""Numbers that are taken at once: a chunk of each rank, and what becomes of them, lie in a core's cache."""
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


def rows_of(told: Array, size: int) -> Array:
    """The rows of each rank."""
    return told[FIGURES : FIGURES + size]


class SumsInMemory:
    """Of ranks that see the same memory, which holds the arrays of each rank, then the means: ``bytes_of`` for each."""

    def __init__(self, ranks: Ranks, sizes: Sizes, memory: Bytes) -> None:
        self._ranks = ranks
        places = [laid_out(sizes, part) for part in memory.reshape(ranks.size + 1, bytes_of(sizes))]
        self.own, self.mean = places[ranks.rank], places[-1]
        flat = [[array for part in place for array in part] for place in places]
        self._arrays = list(zip(*flat, strict=True))
        """For each array: that of every rank, and the mean."""

    def made(self, part: int, rows: int) -> None:
        """It is seen when all have met."""

    def finish(self, told: Array) -> None:
        """Meet, take the means of this rank's part, and meet again."""
        ranks = self._ranks
        ranks.add(told)
        if told[FAILURES]:
            return
        rows = rows_of(told, ranks.size)
        for *given, mean in self._arrays:
            _weighted(given, rows / rows.sum(), mean, *ranks.part(len(mean)))
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
        for part in self.mean:
            for flat in part:
                np.divide(flat, flat.dtype.type(rows_of(told, self._ranks.size).sum()), out=flat)


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


def _weighted(given: Sequence[Array], weights: Array, mean: Array, begin: int, end: int) -> None:
    """The mean of some numbers of arrays, always in the order of these."""
    scratch = np.empty(min(CHUNK, end - begin), mean.dtype)
    factors = [mean.dtype.type(weight) for weight in weights]
    for start in range(begin, end, CHUNK):
        place = slice(start, min(start + CHUNK, end))
        into, beside = mean[place], scratch[: min(CHUNK, end - start)]
        np.multiply(given[0][place], factors[0], out=into)
        for array, factor in zip(given[1:], factors[1:], strict=True):
            np.add(into, np.multiply(array[place], factor, out=beside), out=into)
