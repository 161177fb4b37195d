"""``archonnx eval``: measure a run anew."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Device, DeviceOption
from ..telling import say, tell
from ..verb import Group, verb

if TYPE_CHECKING:
    from archonnx.runtime.data.parts import PartName


class Part(StrEnum):
    """Parts of the data."""

    train = "train"
    valid = "valid"
    test = "test"


@verb("eval", Group.use)
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    on: Annotated[
        Part | None,
        typer.Option("--on", help="The part of the data to measure on: the test part; if there is none, all others."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="PATH", help="Measure on all rows of another file or folder, targets included."),
    ] = None,
    changed_data: Annotated[
        bool, typer.Option("--changed-data", help="Go on although the data is not what it was in the training.")
    ] = False,
    device: Device = DeviceOption.auto,
) -> None:
    """Measure a trained model on a part of its data: every loss, metric and table.

    What was learned of the train part is used as it is, also for other data. The rows of a part are those of the
    training; if the file has changed since, it is said what, and nothing is measured unless --changed-data is given.

    Without a test part all parts that there are are measured.

        archonnx eval runs/digits_cnn-1
        archonnx eval runs/digits_cnn-1 --on valid
        archonnx eval runs/wine-1 --data wines-of-2026.csv
    """
    from archonnx.runtime.device.session import SessionOptions
    from archonnx.runtime.folders.run import Run

    from ..output import confusion_rows, metrics_rows, print_table

    opened = Run(run, SessionOptions(device.value))
    parts: list[PartName] = opened.parts_to_measure if on is None else [on.value]
    if data is not None:
        found = {data.name: opened.measure(data=data)}
    else:
        found = {part: opened.measure(part, changed_data=changed_data) for part in parts}
    if on is None and data is None and parts != [Part.test]:
        say("note: there is no test part, so that the others are measured, of which the model has seen the train part")
    for part, measured in found.items():
        for note in measured.notes(f"the {part} part" if data is None else part):
            say(f"note: {note}")
    print_table(metrics_rows({part: measured.figures for part, measured in found.items()}))
    for part, measured in found.items():
        for name, confusion in measured.tables.items():
            where = f" ({part})" if len(found) > 1 else ""
            tell(f"\n{name}{where}: a row for each true class, a column for each predicted class")
            print_table(confusion_rows(confusion, opened.named(confusion.classes)))
