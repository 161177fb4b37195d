"""A training as it is asked for, which leaves a run.

What this module does not do: read what was asked for (``training`` does), or train several times (``series`` does).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from archonnx.compiler.pipeline import elaborate, float_type
from archonnx.compiler.program import DATA, TrainProgram
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.record import replace as changed
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.folders.checkpoints import Checkpoints
from archonnx.runtime.folders.models import holds_models, trained_weights
from archonnx.runtime.folders.record import DEFAULT_DTYPE
from archonnx.runtime.folders.resume import Request, SavedState
from archonnx.runtime.folders.run import Run
from archonnx.runtime.folders.saving import check_room, save_run
from archonnx.runtime.interrupt import attending
from archonnx.runtime.ranks import Ranks
from archonnx.runtime.reserving import Place, holder
from archonnx.runtime.training.deciding import decided
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.preparing import DataChoice
from archonnx.runtime.training.programs import changed_settings, run_programs
from archonnx.runtime.training.seeing import tell_of_model
from archonnx.runtime.training.transfer import Weights

Said = TypeVar("Said")
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

    @property
    def first(self) -> bool:
        """Whether this process tells and writes what all have in common."""
        return self.ranks is None or self.ranks.rank == 0

    def of_all(self, one: Said) -> list[Said]:
        """What each process says, when all have come here, however long that takes."""
        if self.ranks is None:
            return [one]
        self.ranks.wait()
        return self.ranks.gather(one)

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
        return Run(Path(how.of_all("")[0]), how.options)
    checkpoints = Checkpoints(out.folder, request, how.observer, state)
    with attending() as interrupt, checkpoints.guarding():
        trained = run(keeper=checkpoints.keeper)
        with interrupt.waiting():
            saved_run = save_run(out, spec, model, trained, request=request, note=how.observer.note)
    how.of_all(str(saved_run.path.absolute()))
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


def place_of_all(place: Place, ranks: Ranks | None) -> Place:
    """What the first of several processes has reserved, where each of them writes its own runs.

    Raises:
        SpecError: one of them does not see that folder (AX0720).
    """
    if ranks is None:
        return place
    folder, said = ranks.gather((str(place.folder.absolute()), holder(place.folder)))[0]
    if not all(ranks.gather(holder(Path(folder)) == said)):
        fail(
            "AX0720",
            f"not all of the {ranks.size} processes see {folder}, where each writes what it trains",
            None,
            help="choose a folder that all machines have in common: `--out /shared/runs/mine`",
        )
    return place if ranks.rank == 0 else dataclasses.replace(place, folder=Path(folder))


def base_of(spec: Spec) -> Path:
    """The folder in which data files are looked for."""
    return spec.path.parent if spec.path is not None else Path.cwd()


def _choice(request: Request, how: How) -> DataChoice:
    return DataChoice({**request.data, **how.data.sources}, how.data.changed, how.data.read)


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
