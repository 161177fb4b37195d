"""``archonnx predict``: outputs of a trained model for data in files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..options import Device, DeviceOption
from ..verb import Group, verb


@verb("predict", Group.use)
def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    inputs: Annotated[
        list[str],
        typer.Option(
            "--input",
            "-i",
            metavar="FILE|NAME=FILE|NAME=LITERAL",
            help="An .npz or .csv file with the inputs by name, one .npy or .json file for each, or "
            "numbers: `x=[[1, 2]]`. Repeatable.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="An .npz or .csv file to write; CSV on stdout unless given.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="For models that draw.")] = 0,
    device: Device = DeviceOption.auto,
) -> None:
    """Compute the outputs of a trained model.

    The columns of a CSV file are inputs by name. If the model has a single input that is a matrix, the numeric columns
    together form it.

        archonnx predict runs/digits_cnn-1 --input digits.npz --out probs.npz
        archonnx predict runs/wine-1 --input new.csv > predicted.csv
        archonnx predict runs/digits_cnn-1 --input image=images.npy
    """
    from archonnx.runtime.device.session import SessionOptions
    from archonnx.runtime.folders.run import Run

    from ..arrays import read_arrays, write_arrays

    opened = Run(run, SessionOptions(device.value))
    given: dict[str, Any] = {}
    for text in inputs:
        given |= read_arrays(text, opened.inputs)
    write_arrays(opened.predict(given, seed=seed), out)
