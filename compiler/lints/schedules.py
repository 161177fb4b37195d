"""Schedules whose numbers of steps do not fit the training: over after a small part of it, or a warmup without an end.

What this module does not do: count the examples of a source that is not opened, but for those that come with
scikit-learn and those that are generated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from archonnx.compiler.plan import own_lengths
from archonnx.compiler.program import Followed, ModelProgram, Scheduled, TrainProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic
from archonnx.grammar.source import Span

from .data_rules import DataSight, data_lint
from .rules import Sight, lint, warning

ROWS: Mapping[str, int] = {
    "breast_cancer": 569, "diabetes": 442, "digits": 1797, "iris": 150, "linnerud": 20, "wine": 178,
}  # fmt: skip
"""Examples of the data that comes with scikit-learn."""
TINY = 0.25
"""A schedule that ends is over too soon within this share of the training."""
NOTHING = 1e-3
"""A rate that fell to this share of its first value trains no more."""
SIZES = (1, 10**6)
"""Steps of an epoch between which every training is."""


@lint("AX0840")
def short_schedule(sight: Sight) -> Iterator[Diagnostic]:
    """``cosine_decay(1e-3, 30)`` in thirty epochs of many steps, where the number of examples is known."""
    for program in sight.model.programs:
        per_epoch = _per_epoch(program)
        if per_epoch:
            yield from _too_short(sight.model, program, per_epoch)


@data_lint("AX0840")
def short_schedule_of_data(sight: DataSight) -> Iterator[Diagnostic]:
    """The same, once the data is open."""
    if sight.per_epoch:
        yield from _too_short(sight.model, sight.program, sight.per_epoch)


@lint("AX0841")
def long_warmup(sight: Sight) -> Iterator[Diagnostic]:
    """``warmup_cosine(1e-3, steps, steps_per_epoch)``: longer than all of it, however many examples there are."""
    for program in sight.model.programs:
        per_epoch = _per_epoch(program)
        yield from _too_long(sight.model, program, (per_epoch,) if per_epoch else SIZES)


@data_lint("AX0841")
def long_warmup_of_data(sight: DataSight) -> Iterator[Diagnostic]:
    """The same, once the data is open."""
    if sight.per_epoch:
        yield from _too_long(sight.model, sight.program, (sight.per_epoch,))


def _too_short(model: ModelProgram, program: TrainProgram, per_epoch: int) -> Iterator[Diagnostic]:
    for followed, schedule, (total, epoch) in _schedules(program, per_epoch):
        for name in ("total", "every"):
            length, written = _length(schedule, name, total, epoch), schedule.numbers.get(name)
            if length is None or not isinstance(written, int) or length >= TINY * total:
                continue
            argument = _argument(model, followed.span, schedule, name)
            epochs = program.settings.epochs
            meant = "steps" if name == "total" and written == epochs else f"{written} * steps_per_epoch"
            yield warning(
                "AX0840",
                f"`{schedule.name}` is over after {length:,.0f} of {total:,} steps, and then nothing is trained",
                argument.value.span if argument is not None else followed.span,
                f"steps are counted, and an epoch has {epoch:,}",
                help=f"of {written} epochs it is `{meant}`",
            )


def _length(schedule: Scheduled, name: str, total: int, per_epoch: int) -> float | None:
    """After how many steps next to nothing is left of a rate; None where something is."""
    number = schedule.at(name, total, per_epoch)
    if number is None or schedule.at("end", total, per_epoch):
        return None
    if name == "total":
        return number
    factor = schedule.at("factor", total, per_epoch)
    return number * math.log(NOTHING) / math.log(factor) if factor is not None and 0 < factor < 1 else None


def _too_long(model: ModelProgram, program: TrainProgram, sizes: tuple[int, ...]) -> Iterator[Diagnostic]:
    at = [list(_schedules(program, size)) for size in sizes]
    for followed, schedule, _ in at[0]:
        lengths = [lengths for each in at for of, other, lengths in each if (of, other) == (followed, schedule)]
        name = next((name for name in ("warmup", "steps") if name in schedule.numbers), None)
        if name is None or not all(_warms_too_long(schedule, name, *each) for each in lengths):
            continue
        warmup = _argument(model, followed.span, schedule, name)
        whole = _argument(model, followed.span, schedule, "total")
        yield warning(
            "AX0841",
            f"the warmup of `{schedule.name}` is longer than {'all of it' if whole else 'the training'}",
            warmup.value.span if warmup is not None else followed.span,
            "the rate only rises",
            help=f"first the warmup and then all steps: `{whole.value.span.text}, {warmup.value.span.text}`"
            if warmup is not None and whole is not None
            else "warm up for a tenth: `steps // 10`",
        )


def _warms_too_long(schedule: Scheduled, name: str, total: int, per_epoch: int) -> bool:
    warmup, end = schedule.at(name, total, per_epoch), schedule.at("total", total, per_epoch)
    return warmup is not None and warmup > (total if end is None else end)


def _schedules(program: TrainProgram, per_epoch: int) -> Iterator[tuple[Followed, Scheduled, tuple[int, int]]]:
    """The schedules of a program, with the steps of all the training and of an epoch as their statement counts them."""
    passes = program.settings.epochs * per_epoch
    for number, step in enumerate(program.steps or ()):
        total, epoch = own_lengths(program.plan, number, passes, per_epoch)
        for followed in step.followed:
            for schedule in followed.schedules:
                if total and epoch:
                    yield followed, schedule, (total, epoch)


def _argument(model: ModelProgram, optimizer: Span, schedule: Scheduled, name: str) -> ast.Argument | None:
    """Where an argument of a schedule is written, inside an optimizer."""
    place = list(schedule.declared).index(name) if name in schedule.declared else -1
    for call in Sight(model).syntax(ast.Call):
        inside = call.span.source == optimizer.source and optimizer.start <= call.span.start < optimizer.end
        if inside and call.callee.span.text == schedule.name:
            for at, argument in enumerate(call.arguments):
                if argument.name == name or (argument.name is None and at == place):
                    return argument
    return None


def _per_epoch(program: TrainProgram) -> int | None:
    """How many steps an epoch has, where the number of examples is known before the data is open."""
    source, settings = program.source, program.settings
    if source is None or program.others or settings.buckets is not None or settings.split.column is not None:
        return None
    given = source.arguments.get("name" if source.kind == "sklearn" else "n")
    rows = ROWS.get(str(given)) if source.kind == "sklearn" else given if source.kind == "generate" else None
    return _steps(rows, settings) if isinstance(rows, int) else None


def _steps(rows: int, settings: TrainSettings) -> int:
    split = settings.split
    count = split.train if split.counts else max(1, int(rows * split.train))
    if split.fold is not None:
        count = count * (split.fold[1] - 1) / split.fold[1]
    size = count if settings.batch_size == "all" else settings.batch_size
    return max(1, math.ceil(count / size / settings.accumulate))
