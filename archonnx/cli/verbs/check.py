"""``archonnx check``: its options. The work is done in ``checking``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ..options import Arguments, FloatType, key_values
from ..verb import Group, verb


class Format(StrEnum):
    """How findings are printed."""

    full = "full"
    concise = "concise"
    json = "json"
    github = "github"


@verb("check", Group.specs)
def check(
    specs: Annotated[list[str] | None, typer.Argument(metavar="SPEC...", help="Files, or names from the zoo.")] = None,
    arg: Arguments = None,
    dtype: FloatType = None,
    data: Annotated[
        bool, typer.Option("--data", help="Open the data too: columns, parts, what is learned, and all that is wrong.")
    ] = False,
    deny: Annotated[
        list[str] | None, typer.Option("--deny", metavar="CODE", help="Make a warning an error; `all` of them.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option("--allow", metavar="CODE", help="Leave a warning out; `all` of them.")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Show what fixes change; do it if you say so.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --fix: change it without a question.")] = False,
    format: Annotated[Format, typer.Option("--format", help="`full` for people, the others for tools.")] = Format.full,
) -> None:
    """Check specs: syntax, names, shapes, gradients, settings.

    Every finding of a stage is shown at once, at its place in the spec. Without a SPEC, the zoo is listed.
    What compiles but was probably not meant is a warning (AX08..); `# allow AX0802` behind a line is for that line.
    With --data everything is refused that a training would refuse, and what the spec makes of the data is shown.

        archonnx check model.arch
        archonnx check digits_cnn --arg width=64
        archonnx check wine.arch --data
        archonnx check specs/*.arch --format concise
        archonnx check model.arch --deny all
        archonnx check model.arch --fix    (a diff first; every edit of it was tried)
        archonnx check specs/*.arch --format github    (annotations of a pull request)
    """
    arguments = key_values(arg, "--arg")
    if not specs:
        from ..zoo import show_zoo

        show_zoo()
        return
    from ..checking import check_specs, fix_first

    levels = (tuple(deny or ()), tuple(allow or ()))
    if fix:
        fix_first(specs, arguments, levels, dtype, yes=yes, data=data)
    elif yes:
        raise typer.BadParameter("it answers the question of --fix", param_hint="--yes")
    if not check_specs(specs, arguments, format.value, dtype, data=data, levels=levels):
        raise typer.Exit(1)
