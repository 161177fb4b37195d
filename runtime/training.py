"""Running the train programs of a model: data, split, fit, final figures.

What this module does not do: write anything (``run`` does), or compile specs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import Report, did_you_mean, fail

from .data import Examples, Parts, load_source, split
from .fit import Observer, Outcome, fit, measure, steps_per_epoch
from .session import Options
from .trainer import Trainer


@dataclass(frozen=True, slots=True)
class Trained:
    """A train program that has run: the trainer holds the parameters it ended with."""

    program: TrainProgram
    settings: TrainSettings
    trainer: Trainer
    outcome: Outcome
    metrics: Mapping[str, Mapping[str, float]]
    """Losses and metrics by part, with the final parameters."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The data of a program, ready to be batched."""

    examples: Examples
    parts: Parts


def prepare(model: ModelProgram, program: TrainProgram, settings: TrainSettings, base: Path) -> Prepared:
    """Load, feed and split the data of a train program."""
    if program.source is None:
        fail("AX0615", f"the train program of {model.name} has no data", program.span,
             help='add a source, as in `data = sklearn("digits")`')
    fields = load_source(program.source, base, settings.seed)
    fed = program.feed(fields)
    examples = Examples(fed, {name: model.fields[name].type for name in fed})
    return Prepared(examples, split(examples.count, settings.split, {**fields, **fed}, program.span))


def run_programs(
    model: ModelProgram, base: Path, *, changes: Mapping[str, Any] | None = None, options: Options | None = None,
    observer: Observer | None = None,
) -> list[Trained]:
    """Run every train program in order.

    Args:
        model: what to train.
        base: the folder in which data files are looked for.
        changes: settings to replace in every program, by dotted name.
        options: where to run.
        observer: is told what happens.
    """
    if not model.programs:
        fail("AX0615", f"{model.name} has no `train:` block", None,
             help="add one with `data = ...` and `minimize LOSS with adam()`")
    done: dict[str, Trained] = {}
    for program in model.programs:
        settings = _settings(program, changes or {})
        start = _start(program, settings, done)
        done[program.name] = _run(model, program, settings, base, start, options or Options(), observer)
        if done[program.name].outcome.reason == "interrupted":
            break
    return list(done.values())


def _settings(program: TrainProgram, changes: Mapping[str, Any]) -> TrainSettings:
    report = Report()
    settings = program.settings.changed(changes, report) if changes else program.settings
    report.finish()
    return settings


def _start(program: TrainProgram, settings: TrainSettings, done: Mapping[str, Trained]) -> dict[str, Array]:
    """Parameters to start with: none (fresh ones), or those of the program named by ``start_from``."""
    if settings.start_from is None:
        return {}
    if settings.start_from not in done:
        fail("AX0709", f"`start_from` names no earlier train program: `{settings.start_from}`", program.span,
             help=did_you_mean(settings.start_from, done) or f"earlier ones: {', '.join(done) or 'none'}")
    return done[settings.start_from].trainer.runner.parameters()


def _run(
    model: ModelProgram, program: TrainProgram, settings: TrainSettings, base: Path, start: Mapping[str, Array],
    options: Options, observer: Observer | None,
) -> Trained:
    data = prepare(model, program, settings, base)
    per_epoch = steps_per_epoch(len(data.parts.train), settings)
    batch_size = len(data.parts.train) if settings.batch_size == "all" else settings.batch_size
    trainer = Trainer(
        model, program=program, batch_size=batch_size, seed=settings.seed, options=options,
        total=settings.epochs * per_epoch, per_epoch=per_epoch, parameters=start,
    )
    outcome = fit(trainer, data.examples, data.parts, settings, observer)
    return Trained(program, settings, trainer, outcome, measure_parts(trainer, data, settings))


def measure_parts(trainer: Trainer, data: Prepared, settings: TrainSettings) -> dict[str, dict[str, float]]:
    """Losses and metrics on every part that has examples."""
    return {part: measure(trainer, data.examples, data.parts.of(part), settings)
            for part in ("train", "valid", "test") if len(data.parts.of(part))}
