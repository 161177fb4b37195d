"""``archonnx report``: a run as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..telling import tell
from ..verb import Group, verb


@verb("report", Group.use)
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; RUN/report.html unless given.")
    ] = None,
) -> None:
    """Write a run as one HTML page that stands alone: nothing is fetched, and it can be sent to somebody.

    It has the curves, and norms of gradients if the run was trained with `--watch grads`; the model card with all
    figures; for classes the confusion matrix, ROC and precision by recall, for numbers the residuals; the examples that
    the model got most wrong on its test part; samples of entries that ask only for how many; the layers, the drawing,
    the data, the settings, the spec and the versions. Where the data is not found any more, the page says so.

        archonnx report runs/digits_cnn-1
        archonnx report runs/digits_cnn-1 -o digits.html

    It needs `pip install 'archonnx[pictures]'`.
    """
    from archonnx.pictures.report import report as make
    from archonnx.runtime.files import write_atomically
    from archonnx.runtime.folders.run import Run

    target = output if output is not None else run / "report.html"
    if target.suffix.lower() not in (".html", ".htm"):
        raise typer.BadParameter(f"`{target}` does not end in .html", param_hint="--output")
    write_atomically(target, make(Run(run)).encode())
    tell(f"wrote {target}")
