"""A loss is minimised that is the opposite of one of the library, so that training makes predictions worse."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ops.elementwise import Neg
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, inputs_read, lint, warning

LOSSES = "std/losses.arch"


@lint("AX0810")
def wrong_sign(sight: Sight) -> Iterator[Diagnostic]:
    """``loss l = -mse(p, y)`` of a target, minimised with respect to all parameters: no adversary is meant."""
    model = sight.model
    targets = {name for name, field in model.fields.items() if field.target}
    if not targets & inputs_read(model.training.graph):
        return
    for statement in sight.syntax(ast.Minimize):
        if statement.over is not None or not isinstance(statement.loss, ast.Name):
            continue
        value = model.training.graph.outputs.get(statement.loss.id)
        node = sight.producers.get(value) if value is not None else None
        if node is None or not isinstance(node.op, Neg) or node.origin.used:
            continue
        of = sight.source(node.inputs[0])
        if of is None or of.origin.span is None or of.origin.span.source.name != LOSSES:
            continue
        yield warning(
            "AX0810",
            f"`{statement.loss.id}` is the opposite of `{sight.user(of)}`, and is made small: predictions become worse",
            node.origin.place,
            f"`{sight.user(of)}` is small where predictions are good",
            help="leave the minus out",
        )
