"""A loss is minimised that is the opposite of one of the library, so that training makes predictions worse."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Add, Mul, Neg, Sub
from archonnx.compiler.ops.reduce import ReduceMean, ReduceSum
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, inputs_read, lint, warning

LOSSES = "std/losses.arch"


@lint("AX0810")
def wrong_sign(sight: Sight) -> Iterator[Diagnostic]:
    """``loss l = -mse(p, y)`` of a target, minimised with respect to all parameters: no adversary is meant."""
    yield from _penalties(sight)
    yield from _likelihoods(sight)
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


def _likelihoods(sight: Sight) -> Iterator[Diagnostic]:
    """``loss l = mean(normal_log_prob(z))``: what is good is large, and all of it is added."""
    graph = sight.model.training.graph
    for statement in sight.syntax(ast.Minimize):
        value = graph.outputs.get(statement.loss.id) if isinstance(statement.loss, ast.Name) else None
        if statement.over is not None or value is None:
            continue
        terms = list(_terms(sight, value))
        likely = [node for sign, node in terms if sight.user(node).endswith(("_log_prob", "log_sigmoid"))]
        if likely and all(sign > 0 for sign, _ in terms):
            yield warning(
                "AX0810",
                f"`{statement.loss.span.text}` is made small, and `{sight.user(likely[0])}` is in it: that is no loss",
                likely[0].origin.place,
                "large where the model fits",
                help="a likelihood is made large by its opposite: put a minus in front of it",
            )


def _terms(sight: Sight, value: Value, sign: int = 1) -> Iterator[tuple[int, Node]]:
    """What a loss is a sum of, each with its sign, through means and factors above 0."""
    node = sight.source(value)
    if node is None:
        return
    factors = [sight.number(v) for v in node.inputs] if isinstance(node.op, Mul) else []
    if node.origin.used or not isinstance(node.op, ReduceMean | ReduceSum | Add | Sub | Neg | Mul):
        yield sign, node
    elif not factors:
        signs = (-sign,) if isinstance(node.op, Neg) else (sign, -sign if isinstance(node.op, Sub) else sign)
        for part, of in zip(node.inputs, signs, strict=False):
            yield from _terms(sight, part, of)
    elif len(known := [factor for factor in factors if factor is not None]) == 1 and known[0]:
        part = node.inputs[factors.index(None)]
        yield from _terms(sight, part, sign if known[0] > 0 else -sign)
    else:
        yield sign, node


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
