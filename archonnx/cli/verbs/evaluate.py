"""``archonnx eval``: measure a run anew."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..options import Device, DeviceOption
from ..verb import Group, verb


class Part(StrEnum):
    """Parts of the data."""

    train = "train"
    valid = "valid"
    test = "test"


@verb("eval", Group.use)
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    on: Annotated[Part, typer.Option("--on", help="The part of the data to measure on.")] = Part.test,
    device: Device = DeviceOption.auto,
) -> None:
    """Measure a trained model on a part of its data: every loss, metric and table.

    archonnx eval runs/digits_cnn-1
    archonnx eval runs/digits_cnn-1 --on valid
    """
    from archonnx.runtime.device.session import SessionOptions
    from archonnx.runtime.folders.run import Run

    from ..output import confusion_rows, metrics_rows, print_table, say

    measured = Run(run, SessionOptions(device.value)).measure(on.value)
    for note in measured.notes(on.value):
        say(f"note: {note}")
    print_table(metrics_rows({on.value: measured.figures}))
    for name, confusion in measured.tables.items():
        typer.echo(f"\n{name}: a row for each true class, a column for each predicted class")
        print_table(confusion_rows(confusion))
