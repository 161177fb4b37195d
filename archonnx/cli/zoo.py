"""Listing the zoo: the specs that come with archonnx."""

from __future__ import annotations

import typer


def show_zoo() -> None:
    """Names by group."""
    from archonnx.compiler.pipeline import zoo

    groups: dict[str, list[str]] = {}
    for name, path in zoo().items():
        groups.setdefault(path.parent.name, []).append(name)
    typer.echo("specs of the zoo (a name is as good as a file to check, train and export):")
    for group, names in groups.items():
        typer.echo(f"  {group}: {', '.join(names)}")
