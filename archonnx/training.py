"""Training a spec as its ``train`` blocks say, or with many arguments (``search``).

What this module does not do: the work; it joins the compiler and the runtime.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, overload

from archonnx.compiler.mixed import Precision
from archonnx.compiler.passes.crossings import using
from archonnx.compiler.pipeline import with_imports
from archonnx.compiler.program import DATA
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.device.devices import DeviceName
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.device.tuning import place_of, remembered, tuned
from archonnx.runtime.folders.kept import kept_plan, kept_spec
from archonnx.runtime.folders.models import ModelRuns, holds_models
from archonnx.runtime.folders.resume import Request, SavedState
from archonnx.runtime.folders.run import Run
from archonnx.runtime.folders.saving import new_run, save_run
from archonnx.runtime.folders.several import KINDS, Kind, Runs
from archonnx.runtime.interrupt import asked_to_stop, ending
from archonnx.runtime.mpi import communicator, processes, threads_each
from archonnx.runtime.paths import resolved
from archonnx.runtime.ranks import Ranks
from archonnx.runtime.reserving import Place, nowhere, reserved
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.preparing import DataChoice
from archonnx.runtime.training.search import Found, Trial, best_trial
from archonnx.runtime.training.transfer import transfer_of

from .jobs import How, base_of, place_of_all, train_once
from .loading import SpecLike, as_spec
from .series import train_several
from .several_models import chosen_stages, for_stage, resume_models, train_models

OTHERS_FIRST = 2.0
"""Seconds in which the first of several processes can tell what is wrong for all."""


class TrainOptions(TypedDict, total=False):
    """What ``train`` takes by name in all its forms."""

    settings: Mapping[str, Any] | None
    seed: int | None
    program: str | None
    resume: str | Path | None
    device: DeviceName
    threads: int | None
    tune: bool
    precision: Precision | None
    observer: Observer | None
    watch: Literal["grads"] | None
    start_from: str | Path | Run | Sequence[str | Path | Run]
    data: Any
    sources: Mapping[str, Any]
    changed_data: bool


@overload
def train(spec: SpecLike | None, out: str | Path | None = None, **options: Unpack[TrainOptions]) -> Run: ...
@overload
def train(
    spec: SpecLike | None, out: str | Path | None = None, *, folds: int, **options: Unpack[TrainOptions]
) -> Runs: ...
@overload
def train(
    spec: SpecLike | None, out: str | Path | None = None, *, seeds: int, **options: Unpack[TrainOptions]
) -> Runs: ...
@overload
def train(
    spec: SpecLike | None,
    out: str | Path | None = None,
    *,
    folds: int | None,
    seeds: int | None,
    **options: Unpack[TrainOptions],
) -> Run | Runs: ...
def train(
    spec: SpecLike | None,
    out: str | Path | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    program: str | None = None,
    resume: str | Path | None = None,
    device: DeviceName = "auto",
    threads: int | None = None,
    tune: bool = False,
    precision: Precision | None = None,
    observer: Observer | None = None,
    watch: Literal["grads"] | None = None,
    start_from: str | Path | Run | Sequence[str | Path | Run] = (),
    folds: int | None = None,
    seeds: int | None = None,
    data: Any = None,
    sources: Mapping[str, Any] | None = None,
    changed_data: bool = False,
) -> Run | Runs | ModelRuns:
    """Train a spec as its ``train`` blocks say, and write a run directory; with folds or seeds, one for each.

    A spec whose programs train several models leaves a run for each of them, and gives ``ModelRuns``. A type checker
    cannot see that, since it is said in the spec, and takes the result to be a ``Run``.

    Ctrl-C ends the training after the step under way: the run is written with what there is, and can be resumed. So
    does SIGTERM, SIGHUP or SIGQUIT, and the process ends then, with the status 128 and the signal's number, unless the
    program has a handler of its own for it. A second signal ends it at once; the directory keeps the last state.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave; None for that of ``resume``, as it was when that
            training began.
        out: the directory to make (``runs/NAME-N`` unless given; the one of ``resume`` where that is given).
        settings: replace settings of the spec: ``{"epochs": 5, "split.test": 0.2}``.
        seed: replaces the spec's seed.
        program: run this ``train`` block alone, after those from which it starts, also of other models.
        resume: a run, or what is left of one, to be continued: with its arguments and settings, unless others are
            given. The result is, to the bit, that of a training that was not interrupted. Of a folder of several
            runs, those that are not finished are continued or begun.
        device: ``auto`` takes a GPU if there is one.
        threads: CPU threads.
        tune: decide by this machine's own times which form a graph takes where there are several, which are measured
            once, for some seconds, and remembered (``runtime.device.tuning``).
        precision: ``bf16`` for products and convolutions of training steps, in place of what the setting ``precision``
            says. All else is f32: parameters, what optimizers carry, and what is measured and exported.
        observer: is told what happens.
        watch: ``grads`` adds the norms of gradients, parameters and updates to every epoch of the history.
        start_from: runs whose weights to start with, in place of what the spec says: ``"runs/x-1"``, or
            ``"runs/x-1:encoder"`` for those at ``encoder``, which go to ``trunk`` by ``"runs/x-1:encoder=trunk"``.
            Programs that start from an earlier one are left as they are.
        folds: cut what is not in the test part into so many pieces, and train once for each, which is then the valid
            part. An interrupt keeps the runs that are finished.
        seeds: train so often, with ``seed``, ``seed + 1`` and so on; the split stays.
        data: what takes the place of the data that the spec names: the path of a file or folder, which may lie
            anywhere, a frame of pandas or polars, or arrays by the names of columns.
        sources: the same for sources by their names: ``{"there": "mine.csv"}``. ``data`` is meant for the first one.
            ``Batches``, an iterable of batches or a function that makes one is a source whose batches come as they are.
        changed_data: go on with ``resume`` although the data is not what it was.
    """
    if watch not in (None, "grads"):
        fail("AX0702", f"`{watch}` cannot be watched", None, help="`grads` can")
    before = Path(resume) if resume is not None else None
    loaded = with_imports(as_spec(spec)) if spec is not None else _kept(before)
    if folds is None and seeds is None and before is not None and (plan := kept_plan(before)) is not None:
        folds, seeds = (len(plan.runs) if plan.kind == kind else None for kind in KINDS)
    named = {"seed": seed, "precision": precision}
    changes = {**(settings or {}), **{name: value for name, value in named.items() if value is not None}}
    asked = [start_from] if isinstance(start_from, str | Path | Run) else start_from
    start = tuple(transfer_of(one.path if isinstance(one, Run) else one) for one in asked)
    given = {**(sources or {}), **({} if data is None else {DATA: data})}
    files = {name: str(resolved(Path(one))) for name, one in given.items() if isinstance(one, str | Path)}
    request = Request(loaded.arguments, changes, program, _dtype(loaded), start, files, loaded.model)
    choice = DataChoice({name: one for name, one in given.items() if name not in files}, changed_data)
    ranks = ranks_of_mpirun()
    if ranks is not None:
        observer, threads = observer if ranks.rank == 0 else None, threads or threads_each()
    how = How(SessionOptions(device, threads), observer or Observer(), watch is not None, choice, ranks)
    request.check()
    chosen = Path(out) if out is not None else None
    destination = _destination(chosen, before, loaded.name) if ranks is None or ranks.rank == 0 else nowhere()
    with ending(), _tuned(how, asked=tune), destination as place:
        return _trained(loaded, request, place, how, before, folds, seeds)


def _kept(before: Path | None) -> Spec:
    """The spec of a training that is to be continued."""
    if before is None:
        fail("AX0702", "neither a spec nor a run to go on with is given", None, help="give one of them")
    return kept_spec(before)


@contextmanager
def _tuned(how: How, *, asked: bool) -> Iterator[None]:
    """Graphs are put by the crossings of this machine, if that is asked for."""
    if not asked:
        yield
        return
    if how.ranks is not None and remembered(place_of(how.options)) is None:
        fail(
            "AX0720",
            "a machine is measured by one process, and several share this training",
            None,
            help="train once in one process with `--tune`: what it finds is remembered for this machine",
        )
    with using(tuned(how.options)):
        yield


@contextmanager
def _destination(out: Path | None, before: Path | None, name: str) -> Iterator[Place]:
    """Reserve the directory that a training writes: a new one, or that with which it goes on."""
    in_place = before is not None and (out is None or out.resolve() == before.resolve())
    if before is not None and not before.is_dir():
        SavedState(before)  # says what is there instead
    with reserved(before) if before is not None and in_place else new_run(out, name) as place:
        yield place


def ranks_of_mpirun() -> Ranks | None:
    """The processes that ``mpirun`` has started to train together; None where this one is alone."""
    return Ranks(communicator(), asked_to_stop) if processes() > 1 else None


@contextmanager
def together() -> Iterator[bool]:
    """Whether this process is the first of those that train together. Where one of them fails, all of them end.

    The first one tells why; the others do if it has not ended them soon.
    """
    ranks = ranks_of_mpirun()
    try:
        yield ranks is None or ranks.rank == 0
    except BaseException:
        if ranks is not None:
            atexit.register(ranks.abort)  # when it has told why
            time.sleep(OTHERS_FIRST if ranks.rank else 0.0)
        raise


def _trained(
    spec: Spec, request: Request, place: Place, how: How, before: Path | None, folds: int | None, seeds: int | None
) -> Run | Runs | ModelRuns:
    again = folds is not None or seeds is not None
    if before is not None and holds_models(before):
        _check_together(spec, again)
        place = place_of_all(place, how.ranks)
        _check_in_place(before, place)
        return resume_models(spec, request, place, how)
    if before is None or again:
        found = chosen_stages(spec, request, how)
        if found is not None and len(found) > 1:
            _check_together(spec, again)
            return train_models(spec, found, request, place_of_all(place, how.ranks), how)
        if found:
            spec, request = for_stage(spec, request, found[0])
    if folds is None and seeds is None:
        return train_once(spec, request, place, how, resume=before)
    if folds is not None and seeds is not None:
        fail("AX0702", "both `folds` and `seeds` are given", None, help="train on the folds with each `seed` in turn")
    place = place_of_all(place, how.ranks)
    if before is not None:
        _check_in_place(before, place)
    kind: Kind = "folds" if seeds is None else "seeds"
    return train_several(spec, request, place, how, kind, seeds or folds or 0, resume=before is not None)


def search(
    spec: SpecLike,
    out: str | Path | None = None,
    *,
    trials: int | None = None,
    settings: Mapping[str, Any] | None = None,
    device: DeviceName = "auto",
    threads: int | None = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> Run:
    """Train a spec with many arguments, as its ``search`` block says, and keep the best training so far as a run.

    Several processes (``mpirun``) try as many points at once, one each.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave; arguments that are given there are not varied.
        out: the directory to make (``runs/NAME-N`` unless given).
        trials: how many trainings at most, in place of what the spec says.
        settings: replace settings of the spec, which are then not varied.
        device: ``auto`` takes a GPU if there is one.
        threads: CPU threads.
        on_trial: is called with every trial when it is done.
    """
    loaded = with_imports(as_spec(spec))
    ranks = ranks_of_mpirun()
    first = ranks is None or ranks.rank == 0
    if ranks is not None:
        on_trial, threads = on_trial if first else None, threads or threads_each()
    with ending(), new_run(Path(out) if out is not None else None, loaded.name) if first else nowhere() as own:
        place = place_of_all(own, ranks)

        def save(found: Found) -> None:
            request = Request(found.spec.arguments, found.changes, None, _dtype(found.spec))
            request.remember(found.spec.source.text, base_of(found.spec))
            save_run(place, found.spec, found.model, found.trained, request=request)

        options, changes = SessionOptions(device, threads), settings or {}
        best_trial(
            loaded, trials=trials, changes=changes, options=options, on_trial=on_trial, on_better=save, ranks=ranks
        )
        return Run(place.folder, options)


def _check_in_place(before: Path, place: Place) -> None:
    """SpecError if several runs are to go on elsewhere."""
    if place.folder.resolve() != before.resolve():
        fail("AX0618", f"the runs in {before} go on where they are, not in {place.folder}", None)


def _check_together(spec: Spec, again: bool) -> None:
    """SpecError if programs of several models are to be trained on folds or with several seeds."""
    if again:
        fail(
            "AX0635",
            f"the programs of {spec.source.name} train several models, and folds and seeds are for one",
            None,
            help="choose a program that needs no other model: `--program NAME`",
        )


def _dtype(spec: Spec) -> str:
    return str(spec.float_type)
