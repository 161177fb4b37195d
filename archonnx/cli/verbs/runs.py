"""``archonnx runs``: the runs of a folder, beside each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..telling import say
from ..verb import Group, verb

if TYPE_CHECKING:
    from archonnx.runtime.folders.listing import Listed

COLUMNS = 6
"""Settings that are shown at most."""
WIDEST = 24


@verb("runs", Group.training)
def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of runs, or a run.")] = Path("runs"),
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file, and compare its checksum; status 1 if one is damaged.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print all that is known, as JSON.")] = False,
) -> None:
    """List runs: what each is, in which settings they differ, and their losses and metrics.

    `whole`: everything is there. `resumable`: a training that has not ended, or was interrupted; `train --resume RUN`
    goes on. `damaged`: a file is missing or is not what was written, and it is said which. `being written`: a
    process is at it.

    What a kill left half moved to its place is put there first. Figures are those of the valid part, if there is one.

        archonnx runs
        archonnx runs runs/folds --json
        archonnx runs --verify

    Sizes of files are looked at, which is quick; `--verify` reads them all.
    """
    from archonnx.grammar.diagnostics import did_you_mean, fail
    from archonnx.runtime.folders.listing import Mark, differing, runs_in

    from ..output import print_table

    if not folder.is_dir():
        way = "`archonnx train SPEC` makes runs/NAME-1; another folder is named: `archonnx runs DIR`"
        beside = [one.name for one in folder.parent.iterdir() if one.is_dir()] if folder.parent.is_dir() else []
        fail("AX0611", f"there is no folder {folder}", None, help=did_you_mean(folder.name, beside) or way)
    found = runs_in(folder, verify=verify)
    names = differing(found)
    if json_:
        typer.echo(json.dumps({"runs": [one.as_json() for one in found], "differing": names}, indent=2))
    elif found:
        print_table(_rows(found, names[:COLUMNS], folder), left=(0, 1))
        _remarks(found, names)
    else:
        say(f"no runs in {folder}")
    if verify and any(one.mark is Mark.damaged for one in found):
        raise typer.Exit(1)


def _rows(found: Sequence[Listed], names: Sequence[str], folder: Path) -> list[list[str]]:
    from ..output import figure

    figures = list(dict.fromkeys(name for one in found for name in one.metrics))
    rows = [["run", "", "done", *names, *figures]]
    for one in found:
        path = one.path.relative_to(folder).as_posix()
        epochs = "" if one.epochs is None else str(one.epochs)
        values = [_shown(one.settings[name]) if name in one.settings else "" for name in names]
        known = one.metrics
        shown = [
            "" if name not in known else "nan" if known[name] is None else figure(float(known[name]))
            for name in figures
        ]
        rows.append([path if path != "." else folder.name, one.mark.value, epochs, *values, *shown])
    return rows


def _remarks(found: Sequence[Listed], names: Sequence[str]) -> None:

    for one in found:
        if one.why:
            say(f"{one.path}: {one.why}")
    if len(names) > COLUMNS:
        say(f"they also differ in {', '.join(names[COLUMNS:])}: `--json` has it")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else "none" if value is None else json.dumps(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
