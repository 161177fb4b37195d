"""A source whose batches come as they are made, for the training loop: a batch of the stream for each of its batches.

The loop counts examples, and takes ``batch_size`` of them for a batch; so an epoch of a stream counts as that many
examples for each of its batches, whatever their sizes are. What this module does not do: read the batches
(``data.streamed`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Literal

import numpy as np

from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.program import TrainProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.grammar.record import replace
from archonnx.runtime.data.batches import Examples, Share, in_pieces
from archonnx.runtime.data.beside import Turn
from archonnx.runtime.data.lengths import example_count
from archonnx.runtime.data.loader import Fields, Loaded
from archonnx.runtime.data.parts import Indices, PartName, Parts
from archonnx.runtime.data.streamed import Stream

Feed = Callable[[Loaded], Fields]
"""The fields of the model of a batch."""


class StreamedExamples(Examples):
    """The fields of a stream, batch by batch.

    Args:
        stream: the batches.
        fields: those of the first batch.
        types: their types.
        feed: makes the fields of each batch.
    """

    def __init__(self, stream: Stream, fields: Fields, types: Mapping[str, TensorType], feed: Feed) -> None:
        super().__init__(fields, types)
        self.stream, self._feed = stream, feed

    @property
    def numbered(self) -> bool:
        """Not even within a batch."""
        return False

    @property
    def ready(self) -> bool:
        """Somebody's Python may look at how the training goes."""
        return False

    def columns(self, turn: Turn) -> None:
        """Batches are made one by one."""

    def fields_at(self, number: int, turn: Turn) -> Fields:
        """The batch of this number, where the turn says which of its streams counts."""
        epoch, place = divmod(number, self.stream.count)
        key = (*turn.stream, epoch, 0) if turn.stream else (epoch + 1,)
        return self._feed(self.stream.batch(key, place))

    def order(self, indices: Indices, size: int, seed: int, epoch: int, *, shuffle: bool = True) -> Indices:
        """As they come."""
        return indices

    def take(self, indices: Indices, turn: Turn | None = None) -> Fields:
        """The batch of the first epoch in which the first of these examples is counted."""
        return self._joined(turn or Turn(), drawn=False)

    def trained(self, indices: Indices, turn: Turn | None = None) -> Fields:
        """The batch of this turn, or a rank's share of it."""
        batch = self._joined(turn or Turn(), drawn=True)
        return batch if self._ranks is None else self._share(self._ranks, batch, self.rows_of(batch))

    def _joined(self, turn: Turn, *, drawn: bool) -> Fields:
        """The batch of a turn, with those of other sources; of several ranks the first one reads it for all."""
        read = partial(self.fields_at, turn.passes, turn)
        batch = read() if self._ranks is None else self._ranks.of_first(read)
        return {**batch, **self._others(self.rows_of(batch), turn, drawn=drawn)}

    def rows_of(self, batch: Fields) -> int:
        """How many examples a batch has, of which this may be a share."""
        if isinstance(batch, Share):
            return batch.rows
        return example_count({name: batch[name] for name in self._rows}) if self._rows else 1

    def batches(
        self, indices: Indices, size: int | Literal["all"], turn: Turn | None = None
    ) -> Iterator[tuple[int, Fields]]:
        """Those of the first epoch."""
        turn = turn or Turn()
        for rows in in_pieces(indices, size):
            batch = self.take(rows, turn)
            yield self.rows_of(batch), batch
            turn = turn.after(len(rows))

    def steps(self, indices: Indices, size: int, turn: Turn | None = None) -> Iterator[tuple[int, Fields]]:
        """The batches of an epoch from some turn on."""
        turn = turn or Turn()
        for rows in in_pieces(indices, size):
            batch = self.trained(rows, turn)
            yield self.rows_of(batch), batch
            turn = turn.after(len(rows))


class StreamBeside:
    """A stream beside another source: its next batch goes with each batch of that.

    Args:
        name: what the spec calls it.
        examples: its batches.
        shared: whether one dim counts the examples of both.
    """

    def __init__(self, name: str, examples: StreamedExamples, *, shared: bool) -> None:
        self.name, self.examples, self.shared = name, examples, shared

    def take(self, part: PartName, rows: int, turn: Turn, *, drawn: bool) -> Fields:
        """The fields that go with a batch of so many rows."""
        batch = self.examples.fields_at(turn.passes, turn)
        own = self.examples.rows_of(batch)
        if self.shared and own != rows:
            fail(
                "AX0608",
                f"a batch of `{self.name}` has {own} examples, and goes with {rows} of the first source",
                None,
                help=f"{self.examples.symbol} counts both: give as many, or give the dim another name in its fields",
            )
        return batch


def parts_of(stream: Stream, program: TrainProgram, settings: TrainSettings) -> Parts:
    """All of a stream trains; SpecError where parts, or one batch for everything, are asked for."""
    if settings.batch_size == "all" and not program.beside:
        fail("AX0702", f"`batch_size` is `all`, and `{stream.name}` comes in batches", program.span)
    if settings.split.may_have("valid") or settings.split.may_have("test"):
        fail(
            "AX0606",
            f"the split has parts that do not train, and `{stream.name}` comes in batches, which all do",
            program.span,
            help='leave them: `settings={"split": {"train": 1.0}}`, and measure other data: `run.measure(data=...)`',
        )
    if settings.buckets is not None:
        fail("AX0702", f"`buckets` sort examples, and `{stream.name}` comes in batches", program.span)
    size = 1 if settings.batch_size == "all" else settings.batch_size
    return Parts(np.arange(stream.count * size), np.arange(0), np.arange(0))


def check_nothing_learned(program: TrainProgram, learned: bool) -> None:
    """SpecError where something is learned of all of the data, which nobody has; or one field holds all of it."""
    if learned or program.whole:
        fail(
            "AX0702",
            f"`{program.data}` comes in batches, and "
            + ("a field is fed whole" if program.whole else "something is learned of all of it"),
            program.span,
            help="`fit`, vocabularies and scales need all rows at once: do it before the batches are made",
        )


@contextmanager
def placed(batch: Loaded) -> Iterator[None]:
    """What is wrong with a batch is told with its number."""
    try:
        yield
    except SpecError as error:
        note = f"in {batch.where}"
        found = [
            one if batch.where in one.headline else replace(one, notes=(*one.notes, note)) for one in error.diagnostics
        ]
        raise SpecError(Report(found)) from None
