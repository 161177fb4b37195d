"""Batches for the steps of an epoch, made ready before they are needed: in rows of steps, or ahead in a thread.

Where a batch is nothing but rows of arrays, several are gathered at once to where the steps read them, and run in a row
(``device.slots``). What is gathered or made takes a thread of its own where that gains more than it costs. The order of
examples and all draws are the same in every way of it. What this module does not do: run steps, or order examples.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from archonnx.compiler.settings import TrainSettings
from archonnx.runtime.aside import Aside
from archonnx.runtime.data.batches import Columns, Examples
from archonnx.runtime.data.beside import Turn
from archonnx.runtime.data.loader import Fields
from archonnx.runtime.data.parts import Indices
from archonnx.runtime.device.slots import Slots

from .trainer import Trainer

ROW_SECONDS = 0.02
"""A row lasts no longer than about this: in between, somebody who asks to stop is heard, and the bar moves on."""
FIRST_ROW, ROW_STEPS = 8, 64
"""Steps of the first row, and of a row at most. Each has a binding of its own, whose making costs 40 us (a tiny step
takes 10), and a row costs 60 us besides its steps. Rows of 128 are no faster: they have more than caches hold."""
JOINED_FROM, QUICK = 2_000, 150e-6
"""After so many steps a row becomes one run of a session, where a step takes so many seconds at most: to make that
takes 5 to 15 ms, and it saves 3 us of a step of 9 (a linear regression) and 10 of 52 (a small MLP)."""
ROW_BYTES = 2**22
"""Memory of the batches of a row, at most."""
WORTH_A_THREAD = 1e-3
"""A batch or a row that takes so many seconds is made ready by another thread. To hand it over costs 13 us on two idle
cores, and ten times that where others want them; rows of tiny steps are gathered in 30 us."""
MANY_EXAMPLES = 20_000
"""So many examples are put in order by another thread, before the epoch begins: it takes 0.2 ms."""


@dataclass(frozen=True, slots=True)
class Row:
    """Batches that lie ready."""

    slots: Slots
    count: int


Given = tuple[int, Fields] | Row
"""A batch with its number of examples, or a row of batches."""


class Supply:
    """Gives the batches of the epochs of a training.

    Args:
        trainer: runs the steps.
        examples: the data.
        size: examples in a batch.
        in_rows: whether steps need not be looked at one by one.
        room: how many steps may follow before somebody looks, where so many are on their way; None: any number.
    """

    def __init__(
        self, trainer: Trainer, examples: Examples, size: int, in_rows: bool, room: Callable[[int], int | None]
    ) -> None:
        self._trainer, self._examples, self._size, self._room = trainer, examples, size, room
        self._in_rows = in_rows and trainer.runner.in_order
        self._places: _Places | None = None
        self._length = FIRST_ROW
        self._aside = Aside()
        self._next: tuple[int, Callable[[], Indices]] = 0, lambda: np.arange(0)
        """The number of an epoch whose order was asked for, and what waits for it."""
        self._slow = False
        """Whether a batch takes so long that it is made ready aside."""

    def order(self, train: Indices, settings: TrainSettings, epoch: int) -> Indices:
        """The order of examples in an epoch. That of the next one is drawn meanwhile, if there are many."""

        def drawn(number: int) -> Indices:
            return self._examples.order(train, self._size, settings.seed, number, shuffle=settings.shuffle)

        known, coming = self._next
        order = coming() if known == epoch else drawn(epoch)
        following = settings.shuffle and len(train) >= MANY_EXAMPLES and epoch < settings.epochs
        self._next = (epoch + 1, self._aside.ask(lambda: drawn(epoch + 1))) if following else (0, lambda: order)
        return order

    def close(self) -> None:
        """Nothing is made ready any more."""
        self._aside.close()

    def epoch(self, order: Indices, turn: Turn) -> Generator[Given, None, None]:
        """The batches of an epoch, or of what is left of it. To be closed if it is left before its end."""
        size, at = self._size, 0
        whole = len(order) // size * size
        columns = self._examples.columns(turn) if self._in_rows and whole > size else None
        if columns is not None and (self._places is None or not self._places.good_for(columns)):
            ((rows, batch),) = self._examples.steps(order[:size], size, turn)
            yield rows, batch  # it is looked at closely, and compiles the step for its shape
            at, self._places = size, _Places.of(self._trainer, columns, batch, size)
        if columns is not None and self._places is not None:
            yield from self._rows(self._places, order[at:whole])
            at = whole
        yield from self._singly(order[at:], turn.later(at // size, size))

    def _singly(self, order: Indices, turn: Turn) -> Iterator[Given]:
        """Batch by batch; the next one is made while a step runs, where that is slow and nobody can tell."""
        batches = self._examples.steps(order, self._size, turn)
        if not (self._examples.ready and self._trainer.runner.in_order):
            yield from batches
            return
        coming = next(batches, None)
        while coming is not None:
            following = self._aside.ask(lambda: next(batches, None)) if self._slow else None
            yield coming
            started = time.perf_counter()
            if following is None:
                coming = next(batches, None)
                self._slow = time.perf_counter() - started > WORTH_A_THREAD
            else:
                coming = following()

    def _rows(self, places: _Places, order: Indices) -> Iterator[Row]:
        """Whole batches as rows of steps."""
        coming = _Coming(places, self._pieces(places, order), self._aside)
        begun = coming.begin(0)
        while begun is not None:
            row, gathered = begun
            gathered()
            started = time.perf_counter()
            begun = coming.begin(row.count) if places.slow else None
            yield row
            took = time.perf_counter() - started
            self._adapt(took, row.count)
            places.run += row.count
            if places.run >= JOINED_FROM and took < QUICK * row.count and not places.slow:
                self._trainer.runner.join(row.slots)
            begun = begun or coming.begin(0)

    def _pieces(self, places: _Places, order: Indices) -> Iterator[Indices]:
        """The examples of each row: as many steps as are quick, and as somebody leaves room for."""
        at = 0
        while at < len(order):
            count = min(self._length, places.count, (len(order) - at) // self._size)
            if (room := self._room(places.on_their_way)) is not None:
                count = min(count, room)
            yield order[at : at + count * self._size]
            at += count * self._size

    def _adapt(self, seconds: float, steps: int) -> None:
        """Longer rows where they are quick, shorter ones where they are slow."""
        if seconds > 2 * ROW_SECONDS:
            self._length = max(1, self._length // 2)
        elif seconds < ROW_SECONDS / 2 and steps == self._length:
            self._length *= 2


class _Coming:
    """Rows that are gathered in turns, in two places."""

    def __init__(self, places: _Places, pieces: Iterator[Indices], aside: Aside) -> None:
        self._places, self._pieces, self._aside = places, pieces, aside

    def begin(self, on_their_way: int) -> tuple[Row, Callable[[], None]] | None:
        """The next row, and what waits until it is there; None after the last one."""
        places = self._places
        places.on_their_way = on_their_way
        rows = next(self._pieces, None)
        if rows is None:
            return None
        slots = places.turn()
        gather = partial(places.gather, slots, rows)
        return Row(slots, len(rows) // slots.size), self._aside.ask(gather) if places.slow else gather


class _Places:
    """Where batches lie that are run in a row.

    Where gathering takes long there is room for two rows, so that one is gathered while one is run.

    Attributes:
        count: steps of a row at most.
        slow: whether a row takes so long to gather that it is done aside.
        on_their_way: steps that were given and have not run yet.
        run: steps that have run.
    """

    def __init__(self, trainer: Trainer, columns: Columns, first: Slots, another: Callable[[], Slots | None]) -> None:
        self._trainer, self._columns, self._state = trainer, columns, trainer.runner.state
        self._used, self._another = first, another
        self._free: Slots | None = None
        self.count, self.slow, self.on_their_way, self.run = first.count, False, 0, 0

    @staticmethod
    def of(trainer: Trainer, columns: Columns, batch: Fields, size: int) -> _Places | None:
        """For batches like this one; None where steps are to be run one by one."""
        count = min(ROW_STEPS, ROW_BYTES // max(1, sum(batch[name].nbytes for name in columns.cut)))
        if count < 2:
            return None
        slots = partial(trainer.runner.slots, batch, columns.cut, size, count)
        first = slots()
        return None if first is None else _Places(trainer, columns, first, slots)

    def turn(self) -> Slots:
        """The place of the next row: while one is run, the other one."""
        if self.slow and self._free is None:
            self._free = self._another()
        if self._free is not None:
            self._used, self._free = self._free, self._used
        return self._used

    def good_for(self, columns: Columns) -> bool:
        """Whether the steps are the same as before, and read the same from whatever is given whole."""
        same = columns.whole.keys() == self._columns.whole.keys() and all(
            array is self._columns.whole[name] for name, array in columns.whole.items()
        )
        self._columns = columns
        return same and self._trainer.runner.state is self._state

    def gather(self, slots: Slots, rows: Indices) -> None:
        """Put examples where the steps of a row read them."""
        started = time.perf_counter()
        slots.fill(self._columns.cut, rows)
        self.slow = time.perf_counter() - started > WORTH_A_THREAD
