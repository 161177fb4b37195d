"""The training steps in archonnx, through the interface that its users have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import archonnx

from .cases import THREADS, Case


def make_trainer(case: Case, arguments: Mapping[str, Any] | None = None) -> archonnx.Trainer:
    """A trainer for a case, compiled except for its batch shape."""
    spec = archonnx.load(case.spec, **case.arguments, **(arguments or {}))
    return archonnx.Trainer(spec, batch_size=case.batch_size, threads=THREADS, device="cpu")


def make_step(case: Case) -> Callable[[], float]:
    """A step on the case's batch that gives the loss before its update."""
    trainer, batch = make_trainer(case), case.batch()
    return lambda: loss_of(case, trainer.step(batch))


def loss_of(case: Case, losses: Mapping[str, float]) -> float:
    """The one figure of a step: the sum of the case's losses."""
    return sum(losses[name] for name in case.losses)
