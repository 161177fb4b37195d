"""Searching for good arguments: each trial elaborates the spec with its own and trains it; the best one is kept.

Trials are drawn by Optuna, seeded, so that a search gives the same twice. A space with no more points than trials is
gone through point by point. Several processes draw the same points, as many at once as there are processes, and train
at one of them each. What this module does not do: read the space (the compiler does), or write runs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from archonnx.compiler.pipeline import elaborate
from archonnx.compiler.program import Between, Choice, ModelProgram, SearchSpace
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.grammar.record import replace
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.extras import missing
from archonnx.runtime.interrupt import asked_to_stop, attending
from archonnx.runtime.ranks import Ranks

from .deciding import decided
from .programs import Trained, run_programs

if TYPE_CHECKING:
    import optuna

Result = TypeVar("Result")
Point = tuple[dict[str, Any], dict[str, Any]]
"""Arguments and settings."""
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
    ranks: Ranks | None = None,
) -> Found | None:
    """Run the search of a spec. What is returned is the best training; None where another process has it.

    Args:
        spec: what to train; the arguments that it has already are not varied.
        trials: how many trainings at most, in place of what the spec says.
        changes: settings to replace in every program, which are then not varied.
        options: where to run.
        on_trial: is called with every trial when it is done.
        on_better: is given every training that is the best so far, before that; of several processes' the one that
            is the best of those that were made at the same time, in the process that made it.
        ranks: the processes that search together; this one alone if None.
    """
    given = changes or {}
    base = spec.path.parent if spec.path is not None else Path.cwd()
    space = _space(decided(spec, base, given), given, trials)
    search = _Search(space, _study(space), partial(_train, spec, given, base, options), ranks)
    done, wanted, over = 0, _count(space), False
    while done < wanted and not over:
        tried, found = search.round(done, min(search.size, wanted - done))
        if found is not None:
            with attending() as interrupt, interrupt.waiting():
                on_better(found)
        if on_trial is not None:
            for trial in tried:
                on_trial(trial)
        done += len(tried)
        over = search.over()
    if search.best is None:
        undefined = sum(value is not None for value in search.known.values())
        fail(
            "AX0620",
            "no training ended with a finite goal",
            space.span,
            notes=[f"`{space.goal}` was not a finite number in {undefined} of {len(search.known)}"]
            if undefined
            else (),
        )
    return search.found


class _Search:
    """A search under way.

    Args:
        space: what is varied.
        study: draws points of it.
        train: a training at a point; None where it diverged.
        ranks: the processes that search together, which all draw and hear the same.

    Attributes:
        size: how many points are drawn at once.
        known: the goal at each point, None where the training diverged.
        best: the best of those that are finite, None before there is one.
        found: the training that it is of, where this process has made it.
    """

    def __init__(
        self, space: SearchSpace, study: optuna.Study, train: Callable[..., Found | None], ranks: Ranks | None
    ) -> None:
        self._space, self._study, self._train, self._ranks = space, study, train, ranks
        self.size = 1 if ranks is None else ranks.size
        self.known: dict[str, float | None] = {}
        self.best: float | None = None
        self.found: Found | None = None
        self._interrupted = False

    def round(self, before: int, count: int) -> tuple[list[Trial], Found | None]:
        """So many trials after those before, and the best training where this process has just made it."""
        asked = [self._study.ask() for _ in range(count)]
        points = [self._drawn(trial) for trial in asked]
        new = {repr(point): point for point in points if repr(point) not in self.known}
        made = self._trained(new)
        trials = []
        for number, (trial, point) in enumerate(zip(asked, points, strict=True), before + 1):
            value = self.known[repr(point)]
            better = self._better(value)
            if better:
                self.best, self.found = value, made.get(repr(point))
            _tell(self._study, trial, value)
            trials.append(Trial(number, *point, value, better))
        return trials, self.found if any(trial.best for trial in trials) else None

    def _drawn(self, trial: optuna.Trial) -> Point:
        drawn = (self._space.arguments, self._space.settings)
        arguments, settings = ({name: _draw(trial, name, of) for name, of in each.items()} for each in drawn)
        return arguments, settings

    def _trained(self, new: Mapping[str, Point]) -> dict[str, Found | None]:
        """Train at new points, of which each process takes one; what this one has made. All know the values."""
        ranks = self._ranks
        own = [*new] if ranks is None else ranks.dealt([*new])
        made = {name: self._train(*new[name]) for name in own}
        values = {name: _value(found, self._space) for name, found in made.items()}
        reasons = [found.trained[-1].outcome.reason for found in made.values() if found is not None]
        self._interrupted = "interrupted" in reasons
        for others in self._of_all(values):
            self.known |= others
        return made

    def over(self) -> bool:
        """Whether a process was asked to stop. All hear of it, after the best training so far was written."""
        return any(self._of_all(asked_to_stop() or self._interrupted))

    def _of_all(self, one: Result) -> list[Result]:
        """What each process says, some of which take longer than others."""
        if self._ranks is None:
            return [one]
        self._ranks.wait()
        return self._ranks.gather(one)

    def _better(self, value: float | None) -> bool:
        if value is None or not math.isfinite(value):
            return False
        return self.best is None or (value > self.best if self._space.maximise else value < self.best)


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


def _train(
    spec: Spec,
    changes: Mapping[str, Any],
    base: Path,
    options: SessionOptions | None,
    arguments: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Found | None:
    """A training at a point, or None where it diverged. Its data may decide arguments of the model."""
    spec, changes = replace(spec, arguments={**spec.arguments, **arguments}), {**changes, **settings}
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
