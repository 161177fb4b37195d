"""Trainings of a file whose programs train several models: a run for each, in one folder, one after the other.
Several processes share the batches of each, since one may need what another has learned.

What this module does not do: train one (``jobs`` does), or say what is taken from which program (``settings`` do).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from archonnx.compiler.elaborate.core.values import snake_case
from archonnx.compiler.models import Stage, program_models, spec_of
from archonnx.compiler.pipeline import elaborate, stages
from archonnx.compiler.program import TrainProgram
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.folders.models import ModelRuns, save_models, trained_weights
from archonnx.runtime.folders.resume import SEVERAL_MODELS, Request, SavedState
from archonnx.runtime.interrupt import asked_to_stop
from archonnx.runtime.reserving import Place, nowhere, reserved
from archonnx.runtime.training.named import label
from archonnx.runtime.training.programs import needed_for
from archonnx.runtime.training.transfer import check_starts

from .jobs import How, as_requested, base_of, check_same_request, check_sources, decided_spec, run_once


def chosen_stages(spec: Spec, request: Request, how: How) -> list[Stage] | None:
    """What the runs of a spec train that are asked for, in order; None where its programs train one model.

    All models are elaborated, and what they take of each other is compared, so that nothing is trained in vain.
    """
    if not program_models(spec).several:
        return None
    order = stages(spec)
    models = {
        name: elaborate(decided_spec(spec_of(spec, name), request, how))
        for name in dict.fromkeys(stage.model for stage in order)
    }
    check_starts(models.values(), base_of(spec))
    programs = {program.name: program for model in models.values() for program in model.programs}
    given = dataclasses.replace(how.data, sources={**request.data, **how.data.sources})
    check_sources(spec.source.name, programs.values(), given)
    needed = _needed(spec, list(programs.values()), order, request)
    chosen: list[Stage] = []
    for stage in order:
        kept = tuple(name for name in map(label, (programs[name] for name in stage.programs)) if name in needed)
        if kept and chosen and chosen[-1].model == stage.model:
            chosen[-1] = Stage(stage.model, (*chosen[-1].programs, *kept))
        elif kept:
            chosen.append(Stage(stage.model, kept))
    return chosen


def _needed(spec: Spec, programs: Sequence[TrainProgram], order: Iterable[Stage], request: Request) -> set[str]:
    """The programs that are asked for, and those from which they start."""
    known = [label(program) for program in programs]
    wanted = [request.only] if isinstance(request.only, str) else known
    if request.only is None and spec.model is not None:
        own = {name for stage in order if stage.model == spec.model for name in stage.programs}
        wanted = [label(program) for program in programs if program.name in own]
    if not {*wanted} <= {*known}:
        has = did_you_mean(wanted[0], known) or f"it has {', '.join(known)}"
        fail("AX0615", f"{spec.source.name} has no train program `{wanted[0]}`", None, help=has)
    return {name for one in wanted for name in needed_for(programs, one)}


def for_stage(spec: Spec, request: Request, stage: Stage) -> tuple[Spec, Request]:
    """The spec with the model of a stage meant, and what was asked for with its programs alone."""
    own = spec_of(spec, stage.model)
    return own, dataclasses.replace(request, arguments=own.arguments, only=stage.programs, model=stage.model)


def train_models(spec: Spec, found: Sequence[Stage], request: Request, place: Place, how: How) -> ModelRuns:
    """Train several models one after the other, and write a run directory for each into one, which is reserved."""
    named, request = _named(found), request.about(spec, how.options)
    if how.first:
        save_models(place.folder, named, request, [])
    return _trained(spec, named, request, place.folder, how, [])


def resume_models(spec: Spec, request: Request, place: Place, how: How) -> ModelRuns:
    """Go on with the runs of several models: those that are not finished are continued or begun."""
    out = place.folder
    before = ModelRuns(out)
    check_same_request(request, before.request, out)
    spec = as_requested(spec, before.request)
    return _trained(spec, before.stages, before.request.about(spec, how.options), out, how, list(before))


def _trained(
    spec: Spec, named: Mapping[str, Stage], request: Request, out: Path, how: How, finished: list[str]
) -> ModelRuns:
    try:
        for number, (name, stage) in enumerate(named.items(), 1):
            if name in finished:
                continue
            how.observer.opening(f"model {stage.model}, {number} of {len(named)}")
            own, asked = for_stage(spec, request, stage)
            with reserved(out / name) if how.first else nowhere() as one:
                state = SavedState(out / name) if (out / name / STATE_FILE).is_file() else None
                run = run_once(own, asked, one, how, state, earlier=partial(trained_weights, out))
            if run.record["stopped"] == "interrupted":
                break
            finished.append(name)
            if how.first:
                save_models(out, named, request, finished)
            if any(how.of_all(asked_to_stop())):
                break
    finally:
        if how.first and not any(path.is_dir() for path in out.iterdir()):  # nothing came of it
            (out / SEVERAL_MODELS).unlink()
    return ModelRuns(out, how.options)


def _named(found: Iterable[Stage]) -> dict[str, Stage]:
    """Stages by the names of their runs: those of their models, with a number where two are the same."""
    named: dict[str, Stage] = {}
    for stage in found:
        base = name = snake_case(stage.model)
        number = 1
        while name in named:
            number += 1
            name = f"{base}-{number}"
        named[name] = stage
    return named
