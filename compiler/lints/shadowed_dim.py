"""A name that a model assigns, and that is a dim of its inputs: types go on to mean the dim."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0815")
def shadowed_dim(sight: Sight) -> Iterator[Diagnostic]:
    """``T = 5`` below ``input q: [B, T]``."""
    for model in sight.syntax(ast.Model):
        if model.name != sight.model.name:
            continue
        fields = [s for s in model.body if isinstance(s, ast.Input | ast.Target)]
        dims = {n.id: s for s in reversed(fields) for n in sight.names(s.type)}
        for statement in model.body:
            for target in statement.targets if isinstance(statement, ast.Assign) else ():
                if isinstance(target, ast.Name) and target.id in dims:
                    yield warning(
                        "AX0815",
                        f"`{target.id}` is a dim of `{dims[target.id].name}`, and is given another meaning here",
                        target.span,
                        f"below, `{target.id}` is this value, and no longer the size of the input",
                        help="give it another name",
                    )
