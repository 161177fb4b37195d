"""``archonnx call``: an entry of a trained model, as ``sample``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import MAX_SEED, Device, DeviceOption, key_values
from ..telling import tell
from ..verb import Group, verb

if TYPE_CHECKING:
    from archonnx.runtime.folders.run import Run


@verb("call", Group.use)
def call(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    entry: Annotated[
        str | None, typer.Argument(metavar="ENTRY", help="An entry of its model; they are listed unless it is given.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An argument, as in `--set n=100`. Repeatable."),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="FILE|NAME=FILE|NAME=LITERAL",
            help="An .npz or .csv file with arguments by name, one .npy or .json file for each, or "
            "numbers: `x=[[1, 2]]`. Repeatable.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="An .npz or .csv file to write; CSV on stdout unless given.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=MAX_SEED, help="For entries that draw.")] = 0,
    device: Device = DeviceOption.auto,
) -> None:
    """Call an entry of a trained model: what a spec declares by `entry sample(n: dim) -> [n, 1, 28, 28]:`.

        archonnx call runs/vae-1
        archonnx call runs/vae-1 sample --set n=100 --seed 1 --out images.npz
        archonnx call runs/vae-1 encode --input image=images.npy --out codes.npz
        archonnx call runs/gpt-1 generate --set prompt="The statement" --set new=80

    A text stands for the numbers of its tokens, and then integers of the result are shown as texts.
    `archonnx export RUN --graph ENTRY` writes it as ONNX.
    """
    key_values(set_, "--set")  # a usage error before the run is opened
    from archonnx.runtime.device.session import SessionOptions
    from archonnx.runtime.folders.run import Run
    from archonnx.runtime.folders.texts import takes_text, texts_among, with_texts

    from ..arrays import read_arrays, write_arrays

    opened = Run(run, SessionOptions(device.value))
    if entry is None:
        tell(_listed(opened))
        return
    types = opened.entry(entry).fields
    tokens = {name for name, type_ in types.items() if takes_text(type_) and opened.texts is not None}
    arguments = key_values(set_, "--set", as_texts=tokens)
    given: dict[str, Any] = {}
    for text in inputs or ():
        given |= read_arrays(text, {name: type_ for name, type_ in types.items() if name not in arguments})
    made = opened.call(entry, seed=seed, **given, **arguments)
    if texts_among({**given, **arguments}, types) and opened.texts is not None:
        made, shown = with_texts(made, opened.texts)
        (tell if sys.stdout.isatty() else print)("\n".join(shown))  # a file has what was made, to the character
    if made:
        write_arrays(made, out)


def _listed(run: Run) -> str:
    """The entries with their arguments, a line each."""
    lines = [
        f"{name}({', '.join(f'{argument}: {type_}' for argument, type_ in arguments.items())})"
        for name, arguments in run.entries.items()
    ]
    return "\n".join(lines) or f"{run.record['model']} has no entries"
