"""The training steps in archonnx, through the interface that its users have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import archonnx
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.spec import Spec
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source

from .cases import THREADS, Case


def spec_of(case: Case, arguments: Mapping[str, Any] | None = None) -> Spec:
    """The case's spec with its optimizer and its arguments."""
    given = archonnx.load(str(case.path()))
    spec = parse_spec(Source(given.source.name, case.text(given.source.text)))
    return replace(spec, arguments={**case.arguments, **(arguments or {})})


def make_trainer(case: Case, arguments: Mapping[str, Any] | None = None) -> archonnx.Trainer:
    """A trainer for a case, compiled except for its batch shape."""
    return archonnx.Trainer(spec_of(case, arguments), batch_size=case.batch_size, threads=THREADS, device="cpu")


def make_step(case: Case, *, plain: bool = False) -> Callable[[], float]:
    """A step on the case's batch that gives the loss before its update; ``plain`` without draws."""
    trainer, batch = make_trainer(case, case.plain if plain else None), case.batch()
    return lambda: loss_of(case, trainer.step(batch))


def initial(case: Case) -> dict[str, Any]:
    """The parameters that a plain step begins with, by their paths, in order."""
    return dict(make_trainer(case, case.plain).parameters)


def loss_of(case: Case, losses: Mapping[str, float]) -> float:
    """The one figure of a step: the sum of the case's losses."""
    return sum(losses[name] for name in case.losses)
