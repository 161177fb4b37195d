"""Listing the zoo: the specs that come with archonnx."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import typer

DOCSTRING = re.compile(r'^model\b.*?^    """(?P<text>.*?)"""', re.MULTILINE | re.DOTALL)
SENTENCE = re.compile(r".*?\.(?= [A-Z(`]|$)|.*")
"""A sentence's end is followed by the beginning of another: the full stop of `al. 2017` is none."""


def show_zoo() -> None:
    """Names by group, each with the first sentence of its docstring, on one line of the terminal."""
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
        title = first_sentence(path)
        cut = title if room is None or len(title) <= room else f"{title[: max(room - 3, 0)]}..."
        typer.echo(f"    {name:{widest}}  {cut}".rstrip())


def first_sentence(path: Path) -> str:
    """The first sentence of the docstring of the model in a file; "" without one."""
    found = DOCSTRING.search(path.read_text("utf-8"))
    text = " ".join(found["text"].partition("\n\n")[0].split()) if found is not None else ""
    sentence = SENTENCE.match(text)
    return sentence[0].rstrip(":") if sentence is not None else ""
