"""``archonnx explain``: the page of a diagnostic code."""

from __future__ import annotations

from typing import Annotated

import typer

from ..verb import Group, verb


@verb("explain", Group.specs)
def explain(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A code such as AX0301.")],
) -> None:
    """Explain a diagnostic code: what it means, an example, the way out.

    archonnx explain AX0301
    """
    from archonnx.grammar.diagnostics import catalogue, did_you_mean

    page = catalogue.explain(code)
    if page is None:
        hint = did_you_mean(code.upper(), catalogue.catalogue())
        raise typer.BadParameter(f"there is no code `{code}`" + (f"; {hint}" if hint else ""), param_hint="CODE")
    typer.echo(page)
