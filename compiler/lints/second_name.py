"""A module is updated from the module it is another name of."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0861")
def second_name(sight: Sight) -> Iterator[Diagnostic]:
    """``slow = q`` and ``update slow = 0.9 * slow + 0.1 * q``: there is one module."""
    named = {
        one.targets[0].span.text: one.values[0]
        for one in sight.syntax(ast.Assign)
        if len(one.targets) == len(one.values) == 1 and isinstance(one.values[0], ast.Name)
    }
    for update in sight.syntax(ast.Update):
        value = named.get(update.target.span.text)
        if isinstance(value, ast.Name) and value.id in {name.id for name in sight.names(update.value)}:
            yield warning(
                "AX0861",
                f"`{update.target.span.text}` is another name of `{value.id}`, and not a module of its own: "
                "an update of one from the other changes nothing",
                value.span,
                "one module, with two names",
                help=f"write `copy({value.id})`",
            )
