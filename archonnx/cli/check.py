"""``archonnx check``: read specs, prove their shapes, build their training steps; run nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Arguments, key_values

if TYPE_CHECKING:
    from archonnx.compiler.program import ModelProgram
    from archonnx.grammar.diagnostics import Report


class Format(StrEnum):
    """How findings are printed."""

    full = "full"
    concise = "concise"
    json = "json"


def check(
    specs: Annotated[list[str] | None, typer.Argument(metavar="SPEC...", help="Files, or names from the zoo.")] = None,
    arg: Arguments = None,
    format: Annotated[Format, typer.Option("--format", help="`full` for people, the others for tools.")] = Format.full,
) -> None:
    """Check specs: syntax, names, shapes, gradients, settings.

    Every finding of a stage is shown at once, at its place in the spec. Without a SPEC, the zoo is listed.

        archonnx check model.arch
        archonnx check digits_cnn --arg width=64
        archonnx check specs/*.arch --format concise
    """
    from archonnx.grammar.diagnostics import SpecError

    arguments = key_values(arg, "--arg")
    if not specs:
        from .zoo import show_zoo

        show_zoo()
        return
    failed = False
    for name in specs:
        try:
            model = _checked(name, arguments)
        except SpecError as error:
            failed = True
            _show(error.report, format)
        else:
            if format is Format.full:
                typer.echo(f"{name}: {_summary(model)}")
    if failed:
        raise typer.Exit(1)


def _checked(name: str, arguments: dict[str, object]) -> ModelProgram:
    from archonnx.compiler.pipeline import elaborate, load

    model = elaborate(load(name, **arguments))
    for program in model.programs:
        per_epoch = 100  # any number: how many examples there are is known only when the data are read
        program.steps(program.settings.epochs * per_epoch, per_epoch)
    return model


def _summary(model: ModelProgram) -> str:
    numbers = sum(parameter.type.size.constant or 0 for parameter in model.parameters.values())
    parts = [f"{len(model.parameters)} parameters with {numbers:,} numbers"]
    parts += [f"{kind} {', '.join(names)}" for kind, names in (
        ("outputs", list(model.infer.outputs)), ("losses", list(model.losses)), ("metrics", list(model.metrics)),
        ("entries", list(model.entries))) if names]
    return f"ok ({model.name}: {'; '.join(parts)})"


def _show(report: Report, format: Format) -> None:
    if format is Format.full:
        from .output import show_report

        show_report(report)
    else:
        from archonnx.grammar.render import render_report

        typer.echo(render_report(report, style="json" if format is Format.json else "concise"))
