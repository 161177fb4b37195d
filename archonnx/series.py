"""Trainings of one spec on the folds of its data, or with several seeds: a folder with a run for each.

Each is a training like any other. Several processes deal whole ones out among themselves, since none needs another.
What this module does not do: train one (``jobs`` does).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from archonnx.compiler.pipeline import elaborate
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import Report, fail
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.folders.resume import Request, SavedState
from archonnx.runtime.folders.run import Run
from archonnx.runtime.folders.several import Kind, Plan, Runs, save_summary
from archonnx.runtime.interrupt import asked_to_stop
from archonnx.runtime.reserving import Place, reserved
from archonnx.runtime.training.named import program_named

from .jobs import How, as_requested, check_same_request, decided_spec, run_once


def train_several(
    spec: Spec, request: Request, place: Place, how: How, kind: Kind, count: int, *, resume: bool = False
) -> Runs:
    """Train a spec on each fold of its data or with several seeds, and write a run directory for each into ``place``.

    An interrupt keeps what is finished, and ``resume`` does the rest of what is there.
    """
    if count < 2:
        fail("AX0702", f"`{kind}` is a number from 2 on, not {count}", None)
    out = place.folder
    if resume:
        before = _before(Runs(out), request, kind, count)
        spec = as_requested(spec, before.request)
        series = _Series(spec, before.plan, before.request.about(spec, how.options), out, how, list(before))
    else:
        plan = _plan(elaborate(decided_spec(spec, request, how)), request, kind, count)
        series = _Series(spec, plan, request.about(spec, how.options), out, how, [])
    series.run()
    return Runs(out, how.options)


@dataclass(slots=True)
class _Series:
    """Runs that there are to be, and those that are finished, as far as this process knows."""

    spec: Spec
    plan: Plan
    request: Request
    out: Path
    how: How
    finished: list[Run]

    def run(self) -> None:
        """Train what is not finished; of several processes each its own, and in the end all know of all."""
        done = {run.path.name for run in self.finished}
        left, ranks = [name for name in self.plan.runs if name not in done], self.how.ranks
        if ranks is not None:
            left = [*ranks.dealt(ranks.gather(left)[0])]  # what the first one has read, whoever was faster
            self.how.observer.opening(
                f"{ranks.size} processes train {len(self.plan.runs)} {self.plan.kind}, each its own: "
                f"this one tells of {', '.join(left) or 'none'}"
            )
        try:
            if not self.finished:
                self._save()
            self._train_all(left)
        finally:
            if self.how.first and not any(path.is_dir() for path in self.out.iterdir()):  # nothing came of it
                (self.out / f"{self.plan.kind}.json").unlink()
        if ranks is not None:
            self._join()

    def _train_all(self, names: list[str]) -> None:
        for name in names:
            run = self._train(name)
            if run.record["stopped"] == "interrupted":
                return
            self.finished.append(run)
            self._save()
            if asked_to_stop():
                return

    def _train(self, name: str) -> Run:
        """One of them, from the beginning or from where it was left."""
        changes, count = self.plan.runs[name], len(self.plan.runs)
        place = f"{[*self.plan.runs].index(name) + 1} of {count}"
        self.how.observer.opening(f"fold {place}" if self.plan.kind == "folds" else f"seed {changes['seed']}, {place}")
        own = dataclasses.replace(self.request, changes={**self.request.changes, **changes})
        with reserved(self.out / name) as one:
            state = SavedState(one.folder) if (one.folder / STATE_FILE).is_file() else None
            return run_once(self.spec, own, one, dataclasses.replace(self.how, ranks=None), state)

    def _join(self) -> None:
        """Wait for the others, and let the first one write down what all have finished."""
        finished = {name for names in self.how.of_all([run.path.name for run in self.finished]) for name in names}
        self.finished = [Run(self.out / name, self.how.options) for name in self.plan.runs if name in finished]
        self._save()
        self.how.of_all(None)

    def _save(self) -> None:
        if self.how.first:
            save_summary(self.out, self.plan, self.request, self.finished)


def _plan(model: ModelProgram, request: Request, kind: Kind, count: int) -> Plan:
    """Which runs there are to be; seeds count from that of the program that leaves the weights."""
    if kind == "folds":
        return Plan.folds(count)
    if request.only is None and not model.programs:
        return Plan.seeds(count, 0)
    only = request.only[-1] if isinstance(request.only, tuple) else request.only
    program = model.programs[-1] if only is None else program_named(model, only)
    report = Report()
    settings = program.settings.changed(request.changes, report)
    report.finish()
    return Plan.seeds(count, settings.seed)


def _before(runs: Runs, request: Request, kind: Kind, count: int) -> Runs:
    """Runs of which the rest is to be done; SpecError if something else is asked for than then."""
    if (runs.plan.kind, len(runs.plan.runs)) != (kind, count):
        fail("AX0618", f"{runs.path} holds {len(runs.plan.runs)} {runs.plan.kind}, not {count} {kind}", None)
    check_same_request(request, runs.request, runs.path)
    return runs
