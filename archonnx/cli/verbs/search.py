"""``archonnx search``: train a spec with many arguments, keep the best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import Arguments, Device, DeviceOption, FloatType, key_values, read_spec
from ..telling import say, tell
from ..verb import Group, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archonnx.runtime.training.search import Trial


@verb("search", Group.training)
def search(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A file, or a name from the zoo.")],
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="How many trainings at most; replaces what the spec says.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The directory to make; runs/NAME-N unless given.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a setting; it is not varied then. Repeatable."),
    ] = None,
    arg: Arguments = None,
    dtype: FloatType = None,
    device: Device = DeviceOption.auto,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Number of CPU threads.")] = None,
) -> None:
    """Train a spec as its `search:` block says, and keep the best training as a run.

    Every trial draws arguments and trains anew. Arguments given by `--arg` are not varied.
    Needs Optuna: `pip install 'archonnx[search]'`. With `mpirun -n 4` four trials are made at once.

        archonnx search model.arch --trials 20 --out runs/best
        archonnx search model.arch --arg width=64 --set epochs=5
    """
    arguments, changes = key_values(arg, "--arg"), key_values(set_, "--set")
    from archonnx import training
    from archonnx.runtime.interrupt import ending, status_of

    from ..output import metrics_rows, print_table

    done: list[Trial] = []

    def on_trial(trial: Trial) -> None:
        done.append(trial)
        say(f"trial {trial.number}: {_shown(trial)}{' *' if trial.best else ''}")

    with ending() as interrupt, training.together() as first:
        run = training.search(
            read_spec(spec, arguments, dtype),
            out,
            trials=trials,
            settings=changes,
            device=device.value,
            threads=threads,
            on_trial=on_trial,
        )
        if first:
            print_table(_rows(done))
            best = next(trial for trial in reversed(done) if trial.best)
            tell(f"\nbest: {_drawn(best)}\n")
            print_table(metrics_rows(run.metrics))
            say(f"\nrun: {run.path}")
    if interrupt.signal is not None:
        raise typer.Exit(status_of(interrupt.signal))


def _shown(trial: Trial) -> str:
    return f"{_drawn(trial)}: {_value(trial)}"


def _drawn(trial: Trial) -> str:
    return ", ".join(f"{name}={_text(value)}" for name, value in {**trial.arguments, **trial.settings}.items())


def _value(trial: Trial) -> str:
    from ..output import figure

    return figure(trial.value) if trial.value is not None else "diverged"


def _text(value: Any) -> str:
    """A value as ``--arg`` takes it; a drawn number with the digits that matter."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _rows(trials: Sequence[Trial]) -> list[list[str]]:
    """A row for each trial: what was drawn, and what came of it."""
    names = [*trials[0].arguments, *trials[0].settings]
    rows = [[str(t.number), *(_text({**t.arguments, **t.settings}[name]) for name in names), _value(t)] for t in trials]
    return [["trial", *names, "goal"], *rows]
