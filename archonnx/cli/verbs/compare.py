"""``archonnx compare``: runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..telling import tell
from ..verb import Group, verb


@verb("compare", Group.use)
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Two run directories, or more.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write an HTML page, with curves and specs.")
    ] = None,
) -> None:
    """Show runs beside each other: figures, curves, and the settings in which they differ.

    A column is a run. A curve shows a loss or metric by epoch, of the valid part if there is one, from its smallest
    value to its largest. With `-o` the same is written as one HTML page that stands alone: curves in one chart,
    all settings, and what each spec has otherwise than the first one.

        archonnx compare runs/digits_cnn-1 runs/digits_cnn-2
        archonnx compare runs/* -o all.html

    The page needs `pip install 'archonnx[pictures]'`.
    """
    from archonnx.pictures import compare as beside
    from archonnx.runtime.files import write_atomically
    from archonnx.runtime.folders.run import Run

    from ..output import print_table

    if len(runs) < 2:
        raise typer.BadParameter("two runs at least are compared", param_hint="RUN RUN...")
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise typer.BadParameter(f"`{output}` does not end in .html", param_hint="--output")
    opened = [Run(run) for run in runs]
    differing, _ = beside.settings(opened)
    head = ["", *beside.labels(opened)]
    print_table([head, *beside.figures(opened)])
    if shown := beside.sparks(opened):
        tell()
        print_table([["curves", *head[1:]], *shown], range(len(head)))
    tell()
    if differing:
        print_table([["settings", *head[1:]], *differing])
    else:
        tell("They have the same settings.")
    if output is not None:
        write_atomically(output, beside.compare(opened).encode())
        tell(f"wrote {output}")
