"""``archonnx predict``: outputs of a trained model for data in files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..options import MAX_SEED, Device, DeviceOption
from ..telling import say
from ..verb import Group, verb


@verb("predict", Group.use)
def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="FILE|FOLDER|NAME=FILE|NAME=LITERAL",
            help="Raw data, like that of the training: a table, a picture, a folder of pictures, an .npz file; or a "
            'column by its name, from an .npy or .json file or as it is: `age=[31, null]`, `city=["Bern"]`. '
            "Repeatable.",
        ),
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--fields",
            metavar="FILE|NAME=FILE|NAME=LITERAL",
            help="Inputs of the model itself, by name, without the feed: an .npz file, or `x=[[1, 2]]`. Repeatable.",
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep", metavar="COLUMN", help="A column to stand before the outputs, such as an id. Repeatable."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="An .npz or .csv file to write; CSV on stdout unless given.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=MAX_SEED, help="For models that draw.")] = 0,
    device: Device = DeviceOption.auto,
) -> None:
    """Compute the outputs of a trained model.

    What the spec feeds is done to new data as it was in the training. Columns are matched by name: their order does not
    matter, targets may be absent, and others are left out. Classes that have names are called by them.

        archonnx predict runs/wine-1 --input new.csv > predicted.csv
        archonnx predict runs/wine-1 --input new.csv --keep id --out predicted.csv
        archonnx predict runs/pets-1 --input cat.jpg --input photos/
        archonnx predict runs/digits_cnn-1 --fields image=images.npy --out probs.npz
    """
    from archonnx.grammar.diagnostics import fail
    from archonnx.runtime.device.session import SessionOptions
    from archonnx.runtime.folders.run import Run

    from ..arrays import raw_inputs, read_arrays, say_where_nan, write_arrays

    if bool(inputs) == bool(fields):
        fail(
            "AX0607",
            "nothing is given" if not inputs else "both raw data and fields are given",
            None,
            help="give raw data by `--input FILE`, or fields of the model by `--fields NAME=FILE`",
        )
    opened = Run(run, SessionOptions(device.value))
    if fields:
        given: dict[str, Any] = {}
        for text in fields:
            given |= read_arrays(text, opened.inputs)
        made = opened.predict_fields(given, seed=seed)
        say_where_nan(made)
        write_arrays(made, out, opened.classes)
        return
    results, kept = opened.predict_all(raw_inputs(inputs or ()), keep=keep or (), seed=seed, note=say)
    say_where_nan(results)
    write_arrays(results, out, opened.classes, kept)
