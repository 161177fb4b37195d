"""``archonnx convert``: a spec in the other spelling."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..telling import say, tell
from ..verb import Group, verb

if TYPE_CHECKING:
    from archonnx.grammar.source import Source


class Spelling(StrEnum):
    """How a spec is written."""

    arch = "arch"
    yaml = "yaml"


@verb("convert", Group.specs)
def convert(
    spec: Annotated[Path, typer.Argument(metavar="IN", help="A spec, `.arch` or `.yaml`.")],
    output: Annotated[Path | None, typer.Argument(metavar="[OUT]", help="The file to write.")] = None,
    to: Annotated[Spelling | None, typer.Option("--to", help="The spelling, if OUT is not given.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")] = False,
) -> None:
    """Turn a spec into its other spelling: the same tree, so that nothing of its meaning changes.

    Comments have no place in the tree and are not carried over; docstrings are.

        archonnx convert model.arch model.yaml
        archonnx convert model.yaml --to arch
    """
    from archonnx.grammar.spec import is_yaml, read_file
    from archonnx.runtime.files import write_atomically

    if output is not None and to is not None and is_yaml(output.name) != (to is Spelling.yaml):
        raise typer.BadParameter(f"`{output}` is not a name for {to}", param_hint="--to")
    if output is not None and output.exists() and not force:
        raise typer.BadParameter(f"`{output}` is there; --force replaces it", param_hint="OUT")
    source = read_file(spec)
    wanted = to or (Spelling.yaml if is_yaml((output or spec).name) == (output is not None) else Spelling.arch)
    text = _converted(source, wanted)
    if wanted is Spelling.yaml or is_yaml(source.name):
        lost = _comments(source)
        if lost:
            say(f"note: {lost} comment{'s are' if lost > 1 else ' is'} not carried over")
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_atomically(output, text.encode())
        tell(f"wrote {output}")


def _converted(source: Source, to: Spelling) -> str:
    from archonnx.grammar.spec import is_yaml, read_tree

    if to is Spelling.yaml:
        from archonnx.grammar.yaml import to_yaml

        return to_yaml(read_tree(source))
    from archonnx.grammar.format import format_ast, format_file

    return format_ast(read_tree(source)) if is_yaml(source.name) else format_file(source)


def _comments(source: Source) -> int:
    """How many comments a spec has."""
    from archonnx.grammar.spec import is_yaml

    if is_yaml(source.name):
        return sum(line.lstrip().startswith("#") for line in source.text.splitlines())
    from archonnx.grammar.format.comments import find_comments

    return len(find_comments(source))
