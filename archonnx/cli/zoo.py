"""Listing the zoo: the specs that come with archonnx."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import typer

DOCSTRING = re.compile(r'^model\b.*?^    """(?P<first>.*?)(?:"""|$)', re.MULTILINE | re.DOTALL)


def show_zoo() -> None:
    """Names by group, each with the first line of its docstring, on one line of the terminal."""
    from archonnx.compiler.pipeline import zoo

    specs = zoo()
    widest = max(map(len, specs))
    room = shutil.get_terminal_size().columns - widest - 6 if sys.stdout.isatty() else None
    typer.echo("specs of the zoo (use a name in place of a file to check, train and export):")
    group = ""
    for name, path in specs.items():
        if path.parent.name != group:
            group = path.parent.name
            typer.echo(f"\n  {group}")
        title = first_line(path)
        cut = title if room is None or len(title) <= room else f"{title[: max(room - 3, 0)]}..."
        typer.echo(f"    {name:{widest}}  {cut}".rstrip())


def first_line(path: Path) -> str:
    """The first line of the docstring of the model in a file; "" without one."""
    found = DOCSTRING.search(path.read_text("utf-8"))
    return found["first"].strip() if found is not None else ""
