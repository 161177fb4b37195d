"""Trainings as they are asked for: one that leaves a run, and several that leave a folder of runs.

What this module does not do: read what was asked for (``training`` does).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from archonnx.compiler.pipeline import elaborate, float_type
from archonnx.compiler.program import DATA, ModelProgram, TrainProgram
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import Report, did_you_mean, fail
from archonnx.grammar.record import replace as changed
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.folders.checkpoints import Checkpoints
from archonnx.runtime.folders.models import holds_models, trained_weights
from archonnx.runtime.folders.record import DEFAULT_DTYPE
from archonnx.runtime.folders.resume import Request, SavedState
from archonnx.runtime.folders.run import Run
from archonnx.runtime.folders.saving import check_room, save_run
from archonnx.runtime.folders.several import Kind, Plan, Runs, save_summary
from archonnx.runtime.interrupt import asked_to_stop, attending
from archonnx.runtime.ranks import Ranks
from archonnx.runtime.reserving import Place, reserved
from archonnx.runtime.training.deciding import decided
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.preparing import DataChoice
from archonnx.runtime.training.programs import changed_settings, program_named, run_programs
from archonnx.runtime.training.seeing import tell_of_model
from archonnx.runtime.training.transfer import Weights

ASKED = {"arguments": "arguments", "changes": "settings", "only": "programs", "start": "weights", "dtype": "floats"}
"""What a request says, in words."""


@dataclass(frozen=True, slots=True)
class How:
    """Where to run, who is told, whether gradients are watched, and what takes the place of the spec's data."""

    options: SessionOptions
    observer: Observer
    watch: bool
    data: DataChoice
    ranks: Ranks | None = None
    """The processes that train together; this one alone if None."""
    told: set[str] = dataclasses.field(default_factory=set)
    """What was said of the spec already: several trainings of it say it once."""

    def tell(self, line: str) -> None:
        """Say something of the spec, once."""
        if line not in self.told:
            self.told.add(line)
            self.observer.opening(line)


def train_once(spec: Spec, request: Request, out: Place, how: How, *, resume: Path | None = None) -> Run:
    """Train a spec, or go on with the run ``resume``, and write the run directory ``out``, which is reserved."""
    saved = SavedState(resume) if resume is not None else None
    if saved is not None:
        if request.dtype != DEFAULT_DTYPE:
            saved.check_dtype(request.dtype)
        if request.start:
            fail("AX0618", "a training that goes on has its weights, and takes none of another run", None)
        request = _continued(saved.request, request)
        request.check_places()
        spec = as_requested(spec, request)
    beside = partial(trained_weights, resume.parent) if resume is not None and holds_models(resume.parent) else None
    return run_once(spec, request, out, how, saved, earlier=beside)


def run_once(
    spec: Spec,
    request: Request,
    out: Place,
    how: How,
    saved: SavedState | None = None,
    *,
    earlier: Callable[[str], Weights] | None = None,
) -> Run:
    """A training, from the beginning or from a saved state. Its data may decide arguments of the model.

    ``earlier`` gives the parameters of programs of other runs of the spec.
    """
    request.remember(spec.source.text, base_of(spec))
    spec = decided_spec(spec, request, how, saved.memory if saved is not None else None)
    model = elaborate(spec)
    check_room(out, model)
    if earlier is None:  # else all programs of the file were looked at
        check_sources(model.name, model.programs, _choice(request, how))
    if saved is None:
        tell_of_model(model, lambda program: changed_settings(program, request.changes), how.tell)
    request = request.about(spec, how.options)
    for line in saved.differences(request) if saved is not None else ():
        how.observer.note(line)
    state = saved.of(model, how.options) if saved is not None else None
    run = partial(
        run_programs,
        model,
        base_of(spec),
        changes=request.changes,
        options=how.options,
        observer=how.observer,
        only=request.only,
        state=state,
        watch=how.watch,
        start=request.start,
        data=_choice(request, how),
        earlier=earlier,
        ranks=how.ranks,
    )
    if how.ranks is not None and how.ranks.rank:
        with attending():
            run()
        return Run(Path(how.ranks.gather("")[0]), how.options)
    checkpoints = Checkpoints(out.folder, request, how.observer, state)
    with attending() as interrupt, checkpoints.guarding():
        trained = run(keeper=checkpoints.keeper)
        with interrupt.waiting():
            saved_run = save_run(out, spec, model, trained, request=request, note=how.observer.note)
    if how.ranks is not None:
        how.ranks.gather(str(saved_run.path))
    return saved_run


def check_sources(name: str, programs: Iterable[TrainProgram], choice: DataChoice) -> None:
    """SpecError where something is given for a source that no program has; ``name`` is that of what has them."""
    known = dict.fromkeys(source.name for program in programs for source in program.sources)
    for source in choice.sources:
        if source != DATA and source not in known:
            listed = f"it has {', '.join(known)}" if known else "it has none"
            fail("AX0601", f"{name} has no source `{source}`", None, help=did_you_mean(source, known) or listed)


def decided_spec(spec: Spec, request: Request, how: How, known: Memory | None = None) -> Spec:
    """The spec with those arguments of its model that the data decides."""
    return decided(spec, base_of(spec), request.changes, _choice(request, how), known)


def base_of(spec: Spec) -> Path:
    """The folder in which data files are looked for."""
    return spec.path.parent if spec.path is not None else Path.cwd()


def _choice(request: Request, how: How) -> DataChoice:
    return DataChoice({**request.data, **how.data.sources}, how.data.changed, how.data.read)


def train_several(
    spec: Spec, request: Request, place: Place, how: How, kind: Kind, count: int, *, resume: bool = False
) -> Runs:
    """Train a spec on each fold of its data or with several seeds, and write a run directory for each into ``out``.

    An interrupt keeps what is finished, and ``resume`` does the rest of what is in ``out``.
    """
    out = place.folder
    if count < 2:
        fail("AX0702", f"`{kind}` is a number from 2 on, not {count}", None)
    if resume:
        before = _before(Runs(out), request, kind, count)
        plan, finished = before.plan, list(before)
        spec = as_requested(spec, before.request)
        request = before.request.about(spec, how.options)
    else:
        model = elaborate(decided_spec(spec, request, how))
        plan, finished = _plan(model, request, kind, count), []
        request = request.about(spec, how.options)
        save_summary(out, plan, request, finished)
    done = {run.path.name for run in finished}
    try:
        for number, (name, changes) in enumerate(plan.runs.items(), 1):
            if name in done:
                continue
            how.observer.opening(
                f"fold {number} of {count}" if kind == "folds" else f"seed {changes['seed']}, {number} of {count}"
            )
            own = dataclasses.replace(request, changes={**request.changes, **changes})
            with reserved(out / name) as one:
                state = SavedState(one.folder) if (one.folder / STATE_FILE).is_file() else None
                run = run_once(spec, own, one, how, state)
            if run.record["stopped"] == "interrupted":
                break
            finished.append(run)
            save_summary(out, plan, request, finished)
            if asked_to_stop():
                break
    finally:
        if not any(path.is_dir() for path in out.iterdir()):  # nothing came of it
            (out / f"{kind}.json").unlink()
    return Runs(out, how.options)


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


def check_same_request(request: Request, before: Request, path: Path) -> None:
    """SpecError if something else is asked for than was for the runs of a folder."""
    now, then = request.as_json(), before.as_json()
    for name, what in ASKED.items():
        unsaid = not now[name] or (name, now[name]) == ("dtype", DEFAULT_DTYPE)
        if not unsaid and now[name] != then[name]:
            fail(
                "AX0618",
                f"the runs in {path} have other {what}",
                None,
                help="say nothing of them, and the rest is trained as those were",
            )


def as_requested(spec: Spec, request: Request) -> Spec:
    """A spec with the arguments, the float type and the model that were asked for."""
    asked = changed(spec, arguments=request.arguments, float_type=float_type(request.dtype))
    return changed(asked, model=request.model) if request.model is not None else asked


def _continued(before: Request, now: Request) -> Request:
    """What was asked for before, and what is asked for in its place."""
    return Request(
        {**before.arguments, **now.arguments},
        {**before.changes, **now.changes},
        now.only if now.only is not None else before.only,
        before.dtype,
        before.start,
        {**before.data, **now.data},
        before.model,
    )
