"""Early stopping: watching one value, and keeping the parameters of the best epoch.

What this module does not do: measure, or stop anything (``fit`` does).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from archonnx.compiler.directions import Chosen, chosen
from archonnx.compiler.ir.types import Array
from archonnx.compiler.settings import EarlyStopping
from archonnx.grammar.diagnostics import Report, did_you_mean, fail

from .trainer import Trainer


class Monitor:
    """Watches one value.

    Attributes:
        best_epoch: the number of the best epoch so far.
        parameters: those of the best epoch, by path.
        missed: whether the value of the last epoch was not a finite number, after one that was.
    """

    def __init__(self, settings: EarlyStopping, better: Chosen) -> None:
        self._part, _, self._name = settings.monitor.partition(".")
        self._sign = 1.0 if better.better == "larger" else -1.0
        self._better = better
        self._settings = settings
        self._best = -math.inf
        self._waited = 0
        self.missed = False
        self.best_epoch: int | None = None
        self.parameters: dict[str, Array] = {}

    @staticmethod
    def of(settings: EarlyStopping, trainer: Trainer, valid: int) -> Monitor:
        """The monitor for a model; SpecError if nothing by that name is measured."""
        losses, metrics = trainer.model.losses, trainer.model.metrics
        known = [f"train.{name}" for name in losses] + [f"valid.{name}" for name in (*losses, *metrics)]
        if settings.monitor not in known:
            fail(
                "AX0703",
                f"`{settings.monitor}` is not measured during training",
                None,
                help=did_you_mean(settings.monitor, known) or f"measured: {', '.join(known)}",
            )
        if settings.monitor.startswith("valid.") and not valid:
            fail(
                "AX0703",
                f"`{settings.monitor}` needs a valid part, and the split has none",
                None,
                help="give it one: `split = {train: 0.8, valid: 0.2}`",
            )
        report = Report()
        better = chosen(settings.monitor, settings.mode, trainer.model.directions, report, None)
        report.finish()
        return Monitor(settings, better)

    def __str__(self) -> str:
        return f"{self._settings.monitor}, {self._better}, patience {self._settings.patience}"

    def see(self, epoch: int, values: Mapping[str, Mapping[str, float]], trainer: Trainer) -> bool:
        """Take note of an epoch; whether it is the best so far, which a value that is not a finite number never is."""
        value = self._sign * values[self._part].get(self._name, math.nan)
        finite = math.isfinite(value)
        self.missed = not finite and self.best_epoch is not None
        least = self._best + (self._settings.min_delta if self.best_epoch is not None else 0.0)
        if not finite or not value > least:
            self._waited += 1
            return False
        self._best, self._waited, self.best_epoch = value, 0, epoch
        self.parameters = trainer.runner.parameters()
        return True

    @property
    def exhausted(self) -> bool:
        """Whether patience is over; it does not begin before there is a number to compare with."""
        return self.best_epoch is not None and self._waited >= self._settings.patience

    @property
    def blind(self) -> str:
        """What is told of a training in which no epoch was the best."""
        return (
            f"early stopping had nothing to go by: `{self._settings.monitor}` was not a finite number in any epoch, so "
            "that the training went on, and the parameters are those of its last epoch"
        )

    @property
    def missing(self) -> str:
        """What is told of the first epoch, after others, whose value is not a finite number."""
        return (
            f"`{self._settings.monitor}` is not a finite number, which early stopping takes for no better than before: "
            f"after {self._settings.patience} such epochs the training ends, with the parameters of epoch "
            f"{self.best_epoch}"
        )

    def numbers(self) -> dict[str, Any]:
        """What it remembers, but for the parameters."""
        best = self._best if self.best_epoch is not None else None
        return {"best": best, "waited": self._waited, "epoch": self.best_epoch}

    def resume(self, numbers: Mapping[str, Any], parameters: Mapping[str, Array]) -> None:
        """Go on from what was remembered."""
        self._waited, self.best_epoch = numbers["waited"], numbers["epoch"]
        self._best = numbers["best"] if self.best_epoch is not None else -math.inf
        self.parameters = dict(parameters)
