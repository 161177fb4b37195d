"""A loss is minimised that is the opposite of one of the library, so that training makes predictions worse."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Add, Neg, Sub
from archonnx.compiler.ops.reduce import ReduceMean, ReduceSum
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, inputs_read, lint, warning

LOSSES = "std/losses.arch"


@lint("AX0810")
def wrong_sign(sight: Sight) -> Iterator[Diagnostic]:
    """``loss l = -mse(p, y)`` of a target, minimised with respect to all parameters: no adversary is meant."""
    yield from _penalties(sight)
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


def _penalties(sight: Sight) -> Iterator[Diagnostic]:
    """``loss l = error - kl_normal(mu, sigma)``, minimised with respect to all parameters: it has no smallest value."""
    graph = sight.model.training.graph
    for statement in sight.syntax(ast.Minimize):
        if statement.over is None and isinstance(statement.loss, ast.Name):
            value = graph.outputs.get(statement.loss.id)
            yield from _taken_off(sight, value) if value is not None else ()


def _taken_off(sight: Sight, value: Value) -> Iterator[Diagnostic]:
    """Distances that are subtracted in a sum, or in the mean of one."""
    node = sight.source(value)
    if node is None or node.origin.used:
        return
    if isinstance(node.op, ReduceMean | ReduceSum | Add):
        for part in node.inputs:
            yield from _taken_off(sight, part)
    if not isinstance(node.op, Sub):
        return
    yield from _taken_off(sight, node.inputs[0])
    of = sight.source(node.inputs[1])
    while of is not None and not of.origin.used and isinstance(of.op, ReduceMean | ReduceSum):
        of = sight.source(of.inputs[0])
    if of is not None and sight.user(of).startswith("kl_"):
        yield warning(
            "AX0810",
            f"`{sight.user(of)}` is taken off what is made small: the distance grows without bound",
            node.origin.place,
            f"small where `{sight.user(of)}` is large",
            help="a distance is added: write + in place of this minus",
        )
