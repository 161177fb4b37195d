"""The verbs, gathered, and the options that all of them share."""

from __future__ import annotations

import inspect
import textwrap
from typing import Annotated

import typer

from .usage import Command, Group
from .verb import all_verbs


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"archonnx {version('archonnx')}")
        raise typer.Exit


def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")] = False,
) -> None:
    """Neural networks as checked specifications, trained as ordinary ONNX graphs.

    A first session:

        archonnx check digits_cnn
        archonnx show digits_cnn
        archonnx train digits_cnn --out runs/digits
        archonnx eval runs/digits
        archonnx export runs/digits -o digits.onnx

    Each verb has a help of its own, with examples: `archonnx train --help`.

    Exit status: 0 done; 1 the spec, the settings, the data or the machine do not do, and a message says what; 2 the
    command line is wrong; 70 a bug of archonnx, and a file with a report of it; 128 and a signal's number if one ended
    it, 130 for Ctrl-C: what a training has done until then is kept.
    """


def _with_examples(docstring: str) -> str:
    """A docstring with its examples fenced: blocks that are indented, or begin with a command.

    Typer takes the summary off and removes the indentation of what follows; of examples that follow a summary it makes
    a paragraph, in which stars are markup.
    """
    blocks = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(f"```\n{textwrap.dedent(b)}\n```" if b.startswith(("    ", "archonnx ")) else b for b in blocks)


def build() -> typer.Typer:
    """The command line with every verb that there is."""
    app = typer.Typer(
        name="archonnx",
        cls=Group,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_common)
    for verb in all_verbs():
        help_text = _with_examples(verb.run.__doc__ or "")
        app.command(verb.name, cls=Command, rich_help_panel=verb.group, help=help_text)(verb.run)
    return app


app = build()
