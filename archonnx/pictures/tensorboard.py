"""A training as logs of TensorBoard: losses and metrics of epochs, losses of steps, norms where they are watched.

What this module does not do: read logs, or show them (``tensorboard --logdir`` does).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archonnx.grammar.diagnostics import fail
from archonnx.runtime.extras import missing
from archonnx.runtime.paths import kind_at, short
from archonnx.runtime.training.observing import Epoch, Observer


@contextmanager
def logging_to(folder: Path) -> Iterator[Observer]:
    """An observer that writes into a folder, which is made."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        missing("logs of TensorBoard", "tensorboardX", "tensorboard", None)
    kind, what = kind_at(folder)
    if kind in ("file", "other"):
        fail("AX0616", f"cannot write logs of TensorBoard: `{short(str(folder))}` {what}", None)
    try:
        writer = SummaryWriter(str(folder))
    except OSError as error:
        fail("AX0616", f"cannot write logs of TensorBoard to {short(str(folder))}: {error.strerror or error}", None)
    try:
        yield Logs(writer)
    finally:
        writer.close()


class Logs(Observer):
    """Scalars by tag: ``valid/accuracy`` by epoch, ``step/objective`` by step, ``gradient/dense.W`` by epoch.

    Of several programs the tags begin with the name of the program.
    """

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._before = ""
        self._per_epoch = 1

    def program(self, name: str, number: int, count: int) -> None:
        self._before = f"{name}/" if count > 1 else ""

    def begin(self, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        self._per_epoch = steps_per_epoch

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        self._all("step", losses, (epoch - 1) * self._per_epoch + step)

    def epoch(self, record: Epoch) -> None:
        self._all("train", record.train, record.number)
        self._all("valid", record.valid, record.number)
        self._all("gradient", {path: norms.gradient for path, norms in record.norms.items()}, record.number)
        self._all("update", {path: norms.update for path, norms in record.norms.items()}, record.number)
        self._all("dead", {layer: count / units for layer, (count, units) in record.dead.items()}, record.number)

    def _all(self, part: str, values: Mapping[str, float], at: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{self._before}{part}/{name}", value, at)
