"""Searching for good arguments: each trial elaborates the spec with its own and trains it; the best one is kept.

Trials are drawn by Optuna, seeded, so that a search gives the same twice. A space with no more points than trials is
gone through point by point. What this module does not do: read the space (the compiler does), or write runs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archonnx.compiler.pipeline import elaborate
from archonnx.compiler.program import Between, Choice, ModelProgram, SearchSpace
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.grammar.record import replace
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.extras import missing
from archonnx.runtime.interrupt import asked_to_stop, attending

from .deciding import decided
from .programs import Trained, run_programs

if TYPE_CHECKING:
    import optuna

SEED = 0
"""Of what is drawn."""
DIVERGED = "AX0610"


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a search. ``value`` is that of the goal, which may be NaN; None where the training diverged."""

    number: int
    arguments: Mapping[str, Any]
    settings: Mapping[str, Any]
    value: float | None
    best: bool = False
    """Whether none before was better."""


@dataclass(frozen=True, slots=True)
class Found:
    """The best training of a search: the spec with its arguments, and the settings that were changed."""

    spec: Spec
    changes: Mapping[str, Any]
    model: ModelProgram
    trained: Sequence[Trained]


def best_trial(
    spec: Spec,
    *,
    trials: int | None = None,
    changes: Mapping[str, Any] | None = None,
    options: SessionOptions | None = None,
    on_trial: Callable[[Trial], None] | None = None,
    on_better: Callable[[Found], None] = lambda found: None,
) -> Found:
    """Run the search of a spec.

    Args:
        spec: what to train; the arguments that it has already are not varied.
        trials: how many trainings at most, in place of what the spec says.
        changes: settings to replace in every program, which are then not varied.
        options: where to run.
        on_trial: is called with every trial when it is done.
        on_better: is given every training that is the best so far, before that.
    """
    given = changes or {}
    base = spec.path.parent if spec.path is not None else Path.cwd()
    space = _space(decided(spec, base, given), given, trials)
    study = _study(space)
    found: Found | None = None
    best = -math.inf if space.maximise else math.inf
    known: dict[str, float | None] = {}
    for number in range(1, _count(space) + 1):
        asked = study.ask()
        arguments = {name: _draw(asked, name, drawn) for name, drawn in space.arguments.items()}
        settings = {name: _draw(asked, name, drawn) for name, drawn in space.settings.items()}
        point = repr((arguments, settings))
        result: Found | None = None
        if point not in known:
            tried = replace(spec, arguments={**spec.arguments, **arguments})
            result = _train(tried, {**given, **settings}, base, options)
            known[point] = _value(result, space)
        value = known[point]
        better = value is not None and math.isfinite(value) and (value > best if space.maximise else value < best)
        if better and value is not None and result is not None:
            best, found = value, result
            with attending() as interrupt, interrupt.waiting():
                on_better(found)
        _tell(study, asked, value)
        if on_trial is not None:
            on_trial(Trial(number, arguments, settings, value, better))
        if asked_to_stop() or (result is not None and result.trained[-1].outcome.reason == "interrupted"):
            break
    if found is None:
        undefined = sum(value is not None for value in known.values())
        fail(
            "AX0620",
            "no training ended with a finite goal",
            space.span,
            notes=[f"`{space.goal}` was not a finite number in {undefined} of {len(known)}"] if undefined else (),
        )
    return found


def _space(spec: Spec, changes: Mapping[str, Any], trials: int | None) -> SearchSpace:
    """What is left to vary."""
    model = elaborate(spec)
    space = model.search
    if space is None:
        fail(
            "AX0620",
            f"{spec.name} has no `search:` block",
            None,
            help="add one with `NAME = choice(...)` and `maximize valid.NAME`",
        )
    _check_part(model, space, changes)
    if trials is not None and trials < 1:
        fail("AX0620", f"a search needs at least one trial, not {trials}", None)
    return replace(
        space,
        arguments={name: drawn for name, drawn in space.arguments.items() if name not in spec.arguments},
        settings={name: drawn for name, drawn in space.settings.items() if name not in changes},
        trials=trials or space.trials,
    )


def _check_part(model: ModelProgram, space: SearchSpace, changes: Mapping[str, Any]) -> None:
    """SpecError, before anything is trained, if the last program has no such part of the data."""
    part, _, _ = space.goal.partition(".")
    for program in model.programs[-1:]:
        split = program.settings.changed(changes, Report()).split  # a change that is wrong is told when it is trained
        if not split.may_have(part):
            fail(
                "AX0712",
                f"`{space.goal}` needs a {part} part, and the split has none",
                space.span,
                help="give it one, as in `split = {train: 0.8, valid: 0.2}`",
            )


def _train(spec: Spec, changes: Mapping[str, Any], base: Path, options: SessionOptions | None) -> Found | None:
    """A training, or None where it diverged. Its data may decide arguments of the model."""
    spec = decided(spec, base, changes)
    model = elaborate(spec)
    try:
        return Found(spec, changes, model, run_programs(model, base, changes=changes, options=options))
    except SpecError as error:
        if {diagnostic.code for diagnostic in error.diagnostics} == {DIVERGED}:
            return None
        raise


def _value(found: Found | None, space: SearchSpace) -> float | None:
    """What the goal came to."""
    if found is None:
        return None
    part, _, name = space.goal.partition(".")
    return found.trained[-1].metrics.get(part, {}).get(name)  # of an interrupted one, the last program may be missing


# ---------------------------------------------------------------- points of the space


def _study(space: SearchSpace) -> optuna.Study:
    """A seeded study that minimises or maximises; the points of a small space wait in it."""
    try:
        import optuna
    except ImportError:
        missing("searching", "Optuna", "search", space.span)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=SEED)
    study = optuna.create_study(sampler=sampler, direction="maximize" if space.maximise else "minimize")
    drawn = {**space.arguments, **space.settings}
    if _points(space) <= space.trials:
        for point in itertools.product(*(_encoded(distribution) for distribution in drawn.values())):
            study.enqueue_trial(dict(zip(drawn, point, strict=True)))
    return study


def _points(space: SearchSpace) -> float:
    """The number of points of a space."""
    return math.prod(_size(drawn) for drawn in (*space.arguments.values(), *space.settings.values()))


def _size(drawn: Choice | Between) -> float:
    if isinstance(drawn, Choice):
        return len(drawn.values)
    return drawn.high - drawn.low + 1 if drawn.integer else math.inf


def _count(space: SearchSpace) -> int:
    """The number of trials: no more than there are points."""
    return int(min(space.trials, _points(space)))


def _encoded(drawn: Choice | Between) -> range:
    """A finite distribution as Optuna knows it: the values of a choice by their positions."""
    if isinstance(drawn, Choice):
        return range(len(drawn.values))
    return range(int(drawn.low), int(drawn.high) + 1)


def _draw(trial: optuna.Trial, name: str, drawn: Choice | Between) -> Any:
    if isinstance(drawn, Choice):
        return drawn.values[trial.suggest_categorical(name, range(len(drawn.values)))]
    if drawn.integer:
        return trial.suggest_int(name, int(drawn.low), int(drawn.high))
    return trial.suggest_float(name, drawn.low, drawn.high, log=drawn.log)


def _tell(study: optuna.Study, trial: optuna.Trial, value: float | None) -> None:
    import optuna

    if value is None or not math.isfinite(value):
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
        study.tell(trial, value)
