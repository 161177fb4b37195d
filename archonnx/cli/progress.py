"""Progress of training: a bar on a terminal, some fifty lines at most elsewhere, however many epochs there are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from archonnx.runtime.columns import columns
from archonnx.runtime.measures.watch import Norms, shortened
from archonnx.runtime.training.observing import Epoch, Observer, Outcome

from .output import figure

if TYPE_CHECKING:
    from rich.progress import Progress

REFRESH = 0.1
"""Seconds between two looks of the bar at the training."""
FEW = 5
"""Layers whose dead units are told."""
LINES = 50
"""Epochs that are shown, each in a line, of a longer training."""


@contextmanager
def progress(stream: TextIO) -> Iterator[Observer]:
    """The observer that suits a stream."""
    if not stream.isatty():
        yield Lines(lambda line: print(line, file=stream, flush=True))
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        TextColumn("{task.fields[shown]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    )
    with Progress(*columns, console=Console(file=stream), transient=True, expand=True) as bar:
        yield Bar(bar)


class Lines(Observer):
    """A line for the first epoch, the last one, and every so many between; for the best ones, where those are not.

    Args:
        write: writes a line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._epochs = self._stride = 0
        self._last: Epoch | None = None
        self._shown = self._shown_best = 0

    def program(self, name: str, number: int, count: int) -> None:
        if count > 1:
            self._write(f"program {name} ({number} of {count})")

    def opening(self, line: str) -> None:
        self._write(line)

    def begin(self, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        self._epochs, self._last, self._shown, self._shown_best = epochs, None, done, done
        self._stride = 1 if epochs <= LINES else math.ceil(epochs / (LINES // 2 - 1))
        if done:
            self._write(f"going on after epoch {done}")

    def epoch(self, record: Epoch) -> None:
        regular = self._last is None or record.number % self._stride == 0 or record.number == self._epochs
        self._last = record
        if regular or (record.best and record.number - self._shown_best > self._stride):
            self._show(record)

    def watches(self, what: str) -> None:
        self._write(f"early stopping: {what}")

    def note(self, text: str) -> None:
        self._write(f"note: {text}")

    def end(self, outcome: Outcome) -> None:
        if self._last is not None and self._last.number != self._shown:
            self._show(self._last)

    def _show(self, record: Epoch) -> None:
        self._shown = record.number
        if record.best:
            self._shown_best = record.number
        self._write(epoch_line(record, self._epochs))
        for line in norms_table(record.norms) if record.norms else ():
            self._write(f"  {line}")
        if record.dead:
            self._write(f"  {dead_line(record.dead)}")


class Bar(Lines):
    """The same lines, with a bar over all steps beneath them."""

    now_and_then = True

    def __init__(self, bar: Progress) -> None:
        super().__init__(lambda line: bar.console.print(line, markup=False, highlight=False, soft_wrap=True))
        self._bar = bar
        self._task = bar.add_task("", total=None, shown="")
        self._per_epoch = 0
        self._updated = 0.0
        self._valid = ""

    def begin(self, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        super().begin(epochs, steps_per_epoch, done)
        self._per_epoch, self._valid = steps_per_epoch, ""
        self._bar.reset(self._task, total=epochs * steps_per_epoch, completed=done * steps_per_epoch, shown="")

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self._updated < REFRESH:
            return
        self._updated = now
        self._bar.update(
            self._task,
            completed=(epoch - 1) * self._per_epoch + step,
            description=f"epoch {epoch}/{self._epochs}",
            shown="  ".join(part for part in (_values(losses), self._valid) if part),
        )

    def epoch(self, record: Epoch) -> None:
        super().epoch(record)
        self._valid = f"valid {_values(record.valid)}" if record.valid else ""


def epoch_line(record: Epoch, epochs: int) -> str:
    """``epoch  3/20  train objective 0.2312  valid objective 0.2503 accuracy 0.9301  0.4 s  *`` (``*``: the best)."""
    number = f"epoch {record.number:>{len(str(epochs))}}/{epochs}"
    measured = {"train": record.train, "valid": record.valid}
    parts = [f"{part} {_values(values)}" for part, values in measured.items() if values]
    return "  ".join([number, *parts, _duration(record.seconds), *(["*"] if record.best else [])])


def norms_table(norms: Mapping[str, Norms]) -> list[str]:
    """A line a parameter: the norms of its gradient and of itself, and how far a step moves it in proportion."""
    rows = [["parameter", "gradient", "norm", "update / norm"]]
    shown, others = shortened(norms)
    for path, of in shown.items():
        ratio = f"{of.update / of.parameter:.1e}" if of.parameter else "-"
        rows.append([path, f"{of.gradient:.2e}", f"{of.parameter:.2e}", ratio])
    between = [of.gradient for of in others]
    rest = [f"and {len(others)} with gradients from {min(between):.2e} to {max(between):.2e}"] if others else []
    return [*columns(rows).splitlines(), *rest]


def dead_line(dead: Mapping[str, tuple[int, int]]) -> str:
    """How many rectified units are dead, those layers first that have the largest share."""
    some = sorted((of for of in dead.items() if of[1][0]), key=lambda of: -of[1][0] / of[1][1])
    if not some:
        return f"dead units: none of {sum(units for _, units in dead.values())}"
    shown = ", ".join(f"{count} of {units} in {layer}" for layer, (count, units) in some[:FEW])
    rest = sum(count for _, (count, _) in some[FEW:])
    return f"dead units: {shown}{f', and {rest} more' if rest else ''}"


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"


def _values(values: Mapping[str, float]) -> str:
    return " ".join(f"{name} {figure(value)}" for name, value in values.items())
