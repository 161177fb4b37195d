"""The training loop: epochs of batches, validation, early stopping.

What this module does not do: draw progress (an ``Observer`` may), read data, write files.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from archonnx.compiler.ir.types import Array
from archonnx.compiler.settings import EarlyStopping, TrainSettings
from archonnx.grammar.diagnostics import did_you_mean, fail

from .data import Examples, Indices, Parts, epoch_order
from .trainer import Trainer

Reason = Literal["finished", "early stopping", "interrupted"]


@dataclass(frozen=True, slots=True)
class Epoch:
    """What is known after an epoch (counted from 1): losses over its steps, losses and metrics on the valid part."""

    number: int
    train: Mapping[str, float]
    valid: Mapping[str, float]
    seconds: float
    best: bool = False
    """Whether the monitored value is the best so far."""

    def as_json(self) -> dict[str, Any]:
        """A line of ``history.jsonl``."""
        return {"epoch": self.number, "train": dict(self.train), "valid": dict(self.valid),
                "seconds": round(self.seconds, 6), "best": self.best}


class Observer:
    """Told what happens; does nothing unless a subclass does."""

    def begin(self, epochs: int, steps_per_epoch: int) -> None:
        """Training starts."""

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        """A batch is done. Called often: be quick."""

    def epoch(self, record: Epoch) -> None:
        """An epoch is done."""


@dataclass(slots=True)
class Outcome:
    """How training went. ``best`` is the number of the epoch whose parameters were restored, if any were."""

    history: list[Epoch] = field(default_factory=list)
    reason: Reason = "finished"
    best: int | None = None
    seconds: float = 0.0


def fit(
    trainer: Trainer, examples: Examples, parts: Parts, settings: TrainSettings, observer: Observer | None = None,
) -> Outcome:
    """Train until the epochs are over, early stopping says so, or somebody interrupts; SpecError if a loss diverges."""
    watch = observer or Observer()
    monitor = Monitor.of(settings.early_stopping, trainer, len(parts.valid)) if settings.early_stopping else None
    outcome = Outcome()
    started = time.perf_counter()
    watch.begin(settings.epochs, steps_per_epoch(len(parts.train), settings))
    try:
        for number in range(1, settings.epochs + 1):
            record = _epoch(number, trainer, examples, parts, settings, watch, monitor)
            outcome.history.append(record)
            watch.epoch(record)
            if monitor is not None and monitor.exhausted:
                outcome.reason = "early stopping"
                break
    except KeyboardInterrupt:
        outcome.reason = "interrupted"
    if monitor is not None and monitor.parameters is not None:
        for path, array in monitor.parameters.items():
            trainer.runner.write(path, array)
        outcome.best = monitor.best_epoch
    outcome.seconds = time.perf_counter() - started
    return outcome


def steps_per_epoch(count: int, settings: TrainSettings) -> int:
    """Number of batches in an epoch of ``count`` examples; the smaller last one counts."""
    return 1 if settings.batch_size == "all" else max(1, math.ceil(count / settings.batch_size))


def measure(trainer: Trainer, examples: Examples, indices: Indices, settings: TrainSettings) -> dict[str, float]:
    """Losses and metrics on a part, batch by batch, averaged by example."""
    totals: dict[str, float] = {}
    for rows, batch in examples.batches(indices, settings.batch_size):
        for name, value in trainer.evaluate(batch).items():
            totals[name] = totals.get(name, 0.0) + value * rows
    return {name: total / len(indices) for name, total in totals.items()}


def _epoch(
    number: int, trainer: Trainer, examples: Examples, parts: Parts, settings: TrainSettings, watch: Observer,
    monitor: Monitor | None,
) -> Epoch:
    started = time.perf_counter()
    order = epoch_order(parts.train, settings.seed, number) if settings.shuffle else parts.train
    totals: dict[str, float] = {}
    step = trainer.runner.step
    for position, (rows, batch) in enumerate(examples.batches(order, settings.batch_size), 1):
        losses = step(batch)
        for name, value in losses.items():
            totals[name] = totals.get(name, 0.0) + value * rows
        if not math.isfinite(sum(losses.values())):
            _diverged(losses, f"epoch {number}, step {position}")
        watch.step(number, position, losses)
    train = {name: total / len(order) for name, total in totals.items()}
    valid = measure(trainer, examples, parts.valid, settings) if len(parts.valid) else {}
    best = monitor is not None and monitor.see(number, {"train": train, "valid": valid}, trainer)
    return Epoch(number, train, valid, time.perf_counter() - started, best)


def _diverged(losses: Mapping[str, float], where: str) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            fail("AX0610", f"the loss `{name}` became {value} at {where}", None,
                 help="lower the learning rate, set `clip_norm = 1.0`, or look for a log or a division at 0")


class Monitor:
    """Watches one value for early stopping, and keeps the parameters of the best epoch."""

    def __init__(self, settings: EarlyStopping, mode: Literal["min", "max"]) -> None:
        self._part, _, self._name = settings.monitor.partition(".")
        self._sign = 1.0 if mode == "max" else -1.0
        self._settings = settings
        self._best = -math.inf
        self._waited = 0
        self.best_epoch: int | None = None
        self.parameters: dict[str, Array] | None = None

    @staticmethod
    def of(settings: EarlyStopping, trainer: Trainer, valid: int) -> Monitor:
        """The monitor for a model; SpecError if nothing by that name is measured."""
        losses, metrics = trainer.model.losses, trainer.model.metrics
        known = [f"train.{name}" for name in losses] + [f"valid.{name}" for name in (*losses, *metrics)]
        if settings.monitor not in known:
            fail("AX0703", f"`{settings.monitor}` is not measured during training", None,
                 help=did_you_mean(settings.monitor, known) or f"measured: {', '.join(known)}")
        if settings.monitor.startswith("valid.") and not valid:
            fail("AX0703", f"`{settings.monitor}` needs a valid part, and the split has none", None,
                 help="give it one: `split = {train: 0.8, valid: 0.2}`")
        name = settings.monitor.partition(".")[2]
        return Monitor(settings, settings.mode or ("min" if name in losses else "max"))

    def see(self, epoch: int, values: Mapping[str, Mapping[str, float]], trainer: Trainer) -> bool:
        """Take note of an epoch; whether it is the best so far."""
        value = self._sign * values[self._part][self._name]
        if not value > self._best + (self._settings.min_delta if math.isfinite(self._best) else 0.0):
            self._waited += 1
            return False
        self._best, self._waited, self.best_epoch = value, 0, epoch
        self.parameters = trainer.runner.parameters()
        return True

    @property
    def exhausted(self) -> bool:
        """Whether patience is over."""
        return self._waited >= self._settings.patience
