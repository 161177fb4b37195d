"""``archonnx fmt``: the canonical text of `.arch` files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..telling import tell
from ..verb import Group, verb


@verb("fmt", Group.specs)
def fmt(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="`.arch` files.")],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if a file would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; print what would change.")] = False,
    stdout: Annotated[bool, typer.Option("--stdout", help="Write nothing; print the formatted text.")] = False,
) -> None:
    """Format specs: one way to write each, comments kept.

    A file with a mistake in its syntax is left as it is, and the mistake is shown; the other files are formatted.

        archonnx fmt model.arch
        archonnx fmt --check specs/*.arch
        archonnx fmt --diff model.arch
    """
    from archonnx.grammar.diagnostics import SpecError
    from archonnx.runtime.files import write_atomically

    from ..output import show_report

    wrong = False
    for path in files:
        try:
            before, after = _texts(path)
        except SpecError as error:
            show_report(error.report)
            wrong = True
            continue
        if stdout:
            typer.echo(after, nl=False)
        if diff:
            typer.echo(_difference(before, after, str(path)), nl=False)
        if before == after:
            continue
        wrong |= check
        if not (check or diff or stdout):
            write_atomically(path, after.encode())
            tell(f"formatted {path}")
        elif check and not diff:
            tell(f"would format {path}")
    if wrong:
        raise typer.Exit(1)


def _texts(path: Path) -> tuple[str, str]:
    """The text of a file, and how it should be."""
    from archonnx.grammar.format import format_file
    from archonnx.grammar.spec import is_yaml, read_file

    if is_yaml(path.name):
        raise typer.BadParameter(
            f"`{path}` is YAML; `fmt` formats .arch files, and `archonnx convert` makes them", param_hint="FILE"
        )
    source = read_file(path)
    return source.text, format_file(source)


def _difference(before: str, after: str, name: str) -> str:
    from difflib import unified_diff

    return "".join(unified_diff(before.splitlines(True), after.splitlines(True), name, f"{name} (formatted)"))
