"""Progress of training: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from archonnx.runtime.fit import Epoch, Observer

if TYPE_CHECKING:
    from rich.progress import Progress

REFRESH = 0.1
"""Seconds between two looks of the bar at the training."""


@contextmanager
def progress(stream: TextIO) -> Iterator[Observer]:
    """The observer that suits a stream."""
    if not stream.isatty():
        yield Lines(stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[losses]}"),
    )
    with Progress(*columns, console=Console(file=stream), transient=True) as bar:
        yield Bar(bar)


class Lines(Observer):
    """A line an epoch."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._epochs = 0

    def begin(self, epochs: int, steps_per_epoch: int) -> None:
        self._epochs = epochs

    def epoch(self, record: Epoch) -> None:
        print(epoch_line(record, self._epochs), file=self._stream, flush=True)


class Bar(Observer):
    """A bar over all steps, with a line above it for each epoch."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None, losses="")
        self._epochs = self._per_epoch = 0
        self._shown = 0.0

    def begin(self, epochs: int, steps_per_epoch: int) -> None:
        self._epochs, self._per_epoch = epochs, steps_per_epoch
        self._bar.reset(self._task, total=epochs * steps_per_epoch, losses="")

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self._shown < REFRESH:
            return
        self._shown = now
        done = (epoch - 1) * self._per_epoch + step
        self._bar.update(
            self._task, completed=done, description=f"epoch {epoch}/{self._epochs}", losses=_values(losses))

    def epoch(self, record: Epoch) -> None:
        self._bar.console.print(epoch_line(record, self._epochs), markup=False, highlight=False)
        self._bar.update(self._task, completed=record.number * self._per_epoch)


def epoch_line(record: Epoch, epochs: int) -> str:
    """``epoch  3/20  train objective 0.2312  valid objective 0.2503 accuracy 0.9301  0.4 s  *`` (``*``: the best)."""
    number = f"epoch {record.number:>{len(str(epochs))}}/{epochs}"
    measured = {"train": record.train, "valid": record.valid}
    parts = [f"{part} {_values(values)}" for part, values in measured.items() if values]
    return "  ".join([number, *parts, f"{record.seconds:.2f} s", *(["*"] if record.best else [])])


def _values(values: Mapping[str, float]) -> str:
    return " ".join(f"{name} {value:.4f}" for name, value in values.items())
