"""A choice without brackets before a pipe: what is chosen goes through the pipe, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0817")
def conditional_before_pipe(sight: Sight) -> Iterator[Diagnostic]:
    """``a if c else b |> f`` is ``(a if c else b) |> f``, and reads like ``a if c else (b |> f)``."""
    for pipe in sight.syntax(ast.Pipe):
        choice = pipe.value
        if isinstance(choice, ast.Conditional) and not choice.span.text.startswith("("):
            stage = pipe.stage.span.text
            yield warning(
                "AX0817",
                f"both sides of this choice go through `{stage}`",
                pipe.stage.span,
                "`|>` binds loosest, so that all that stands before it is its input",
                help=f"brackets say what is meant: `({choice.span.text}) |> {stage}`, or `... else (... |> {stage})`",
            )
