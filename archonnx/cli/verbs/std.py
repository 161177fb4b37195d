"""``archonnx std``: the standard library, as it is written."""

from __future__ import annotations

import shutil
from textwrap import fill
from typing import Annotated

import typer

from ..verb import Group, verb

INDENT = "    "


@verb("std", Group.specs)
def std(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A declaration, as Dense or adam.")] = None,
) -> None:
    """Show the standard library: what it declares, or one declaration as it is written.

    It is written in the language, so what is shown can be copied into a spec and changed there.

        archonnx std
        archonnx std adam
    """
    from archonnx.compiler.elaborate.files.library import library_texts
    from archonnx.grammar.diagnostics import did_you_mean

    texts, width = library_texts(), min(shutil.get_terminal_size().columns, 100)
    if name is None:
        for file, names in texts.by_file().items():
            typer.echo(f"{file}\n{fill(', '.join(names), width, initial_indent=INDENT, subsequent_indent=INDENT)}")
        return
    if name not in texts:
        hint = did_you_mean(name, texts)
        raise typer.BadParameter(f"the library has no `{name}`" + (f"; {hint}" if hint else ""), param_hint="NAME")
    typer.echo(f"# {texts.place(name)}\n{texts.text(name)}")
