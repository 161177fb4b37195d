"""Training on batches that somebody gives one by one, as ``Trainer.fit`` does.

What this module does not do: cut data into batches, validate, or stop early (``fit`` does that for the data of a spec;
here an observer may).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any, NoReturn

import numpy as np

from archonnx.grammar.diagnostics import Report, SpecError, fail

from .nonfinite import Fault, Guard
from .nonfinite_text import diverged, explain
from .observing import Epoch, Observer, Outcome, StopTraining
from .trainer import Trainer


def train_on(
    trainer: Trainer, batches: Iterable[Any], epochs: int = 1, observers: Sequence[Observer] = ()
) -> list[Epoch]:
    """``step`` on every batch, and that so many times; SpecError where a loss is not finite.

    Args:
        trainer: what is trained.
        batches: each is a mapping of arrays by field, or a tuple of them in the order of the model's fields.
        epochs: how often all of them are taken.
        observers: are told of steps and epochs, and may raise ``StopTraining``.

    Returns:
        What is known of each epoch that was finished: the losses over its steps, each weighted by its rows.
    """
    _check(batches, epochs)
    length = len(batches) if isinstance(batches, Sized) else 0
    outcome, started = Outcome(), time.perf_counter()
    for observer in observers:
        observer.begin(epochs, length)
    try:
        for number in range(1, epochs + 1):
            outcome.history.append(_epoch(trainer, batches, number, observers))
            for observer in observers:
                observer.epoch(outcome.history[-1])
    except StopTraining:
        outcome.reason = "stopped by an observer"
    outcome.seconds = time.perf_counter() - started
    for observer in observers:
        observer.end(outcome)
    return outcome.history


def _check(batches: Iterable[Any], epochs: int) -> None:
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        fail("AX0702", f"`epochs` is a number from 1 on, not {epochs!r:.40}", None)
    if isinstance(batches, Mapping) or not isinstance(batches, Iterable):
        what = "one batch" if isinstance(batches, Mapping) else f"a {type(batches).__name__}"
        fail("AX0608", f"`fit` takes batches one after the other, and this is {what}", None, help="give a list of them")
    if epochs > 1 and iter(batches) is batches:
        fail(
            "AX0702",
            f"these batches can be gone through once, and {epochs} epochs are wanted",
            None,
            help="give a list, or an object whose `__iter__` begins anew",
        )


def _epoch(trainer: Trainer, batches: Iterable[Any], number: int, observers: Sequence[Observer]) -> Epoch:
    started, sums, steps, waiting = time.perf_counter(), dict[str, tuple[float, int]](), 0, 0

    def took(losses: Mapping[str, float]) -> None:
        nonlocal waiting
        if not math.isfinite(sum(losses.values())):
            _stop(trainer, f"epoch {number}, step {steps}")
        if trainer.runner.waiting or not waiting:
            return
        for name, value in losses.items():
            total, count = sums.get(name, (0.0, 0))
            sums[name] = total + value * waiting, count + waiting
        waiting = 0
        for observer in observers:
            observer.step(number, steps, losses)

    for given in batches:
        batch = by_field(trainer, given)
        losses = trainer.step(batch)
        steps, waiting = steps + 1, waiting + _rows(trainer, batch)
        took(losses)
    took(trainer.finish())
    if not steps:
        fail("AX0603", f"there was no batch in epoch {number}", None, help="`fit` takes an iterable of batches")
    averages = {name: total / max(count, 1) for name, (total, count) in sums.items()}
    return Epoch(number, averages, {}, time.perf_counter() - started)


def by_field(trainer: Trainer, given: Any) -> Mapping[str, Any]:
    """A batch as arrays by field; a tuple has them in the order in which the model declares its fields."""
    if isinstance(given, Mapping):
        return given
    names = list(trainer.model.fields)
    if not isinstance(given, tuple | list) or len(given) != len(names):
        many = f"{len(given)} arrays" if isinstance(given, tuple | list) else f"a {type(given).__name__}"
        fail(
            "AX0608",
            f"a batch is arrays by field, or a tuple of {len(names)}, {', '.join(names)}; given: {many}",
            None,
        )
    return dict(zip(names, given, strict=True))


def _rows(trainer: Trainer, batch: Mapping[str, Any]) -> int:
    shapes = [np.shape(batch[name]) for name in trainer.runner.fields]
    return next((shape[0] for shape in shapes if shape), 1)


def _stop(trainer: Trainer, where: str) -> NoReturn:
    """SpecError with the place at which the last statement became infinite or NaN, if it can be found."""
    runner = trainer.runner
    trained = [path for path, p in trainer.model.parameters.items() if p.trainable and not p.buffer]
    try:
        Guard(runner, trained).last()
    except Fault as fault:
        raise SpecError(Report([explain(runner, fault, where, None, trainer.options)])) from None
    raise SpecError(Report([diverged(trainer.model.losses, where)]))
