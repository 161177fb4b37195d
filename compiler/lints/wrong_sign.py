"""A loss is minimised that is the opposite of one of the library, so that training makes predictions worse."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Add, Mul, Neg, Sub
from archonnx.compiler.ops.functions import Exp
from archonnx.compiler.ops.index import GatherElements
from archonnx.compiler.ops.norm import LogSoftmax
from archonnx.compiler.ops.reduce import ReduceMean, ReduceSum
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, inputs_read, lint, warning

LOSSES = "std/losses.arch"
PENALTIES = ("l2", "l1", "elastic_net", "orthogonality", "activity")
"""What of the library is large where weights or activations are."""
GAIN = re.compile(r"(?:total_)?(?:returns?|rewards?|advantages?|adv|gains?|ret|rewards_to_go|returns_to_go)")
"""What is called so is good where it is large."""


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
        yield from _rewards(sight, terms)
        yield from _shrunk(sight, terms)
        yield from _without_end(sight, terms)
        likely = [node for sign, node in terms if sight.user(node).endswith(("_log_prob", "log_sigmoid"))]
        if likely and all(sign > 0 for sign, _ in terms):
            yield warning(
                "AX0810",
                f"`{statement.loss.span.text}` is made small, and `{sight.user(likely[0])}` is in it: that is no loss",
                likely[0].origin.place,
                "large where the model fits",
                help="a likelihood is made large by its opposite: put a minus in front of it",
            )


def _rewards(sight: Sight, terms: list[tuple[int, Node]]) -> Iterator[Diagnostic]:
    """``mean(log_p * returns)``, minimised: what is rewarded becomes less likely."""
    for sign, node in terms:
        if sign < 0 or not isinstance(node.op, Mul):
            continue
        fields = [field.name for value in node.inputs if (field := sight.field_of(value)) is not None]
        gains = [name for name in fields if GAIN.fullmatch(name)]
        made = [sight.source(value) for value in node.inputs]
        taken = [sight.source(one.inputs[0]) for one in made if one is not None and isinstance(one.op, GatherElements)]
        if gains and any(one is not None and isinstance(one.op, LogSoftmax) for one in taken):
            yield warning(
                "AX0810",
                f"log-probabilities times `{gains[0]}` are made small: what is good becomes less likely",
                node.origin.place,
                "large where the policy is good",
                help="put a minus in front of it",
            )


def _shrunk(sight: Sight, terms: list[tuple[int, Node]]) -> Iterator[Diagnostic]:
    """``mse(p, y) - 1e-3 * l2(net)``: weights grow without bound."""
    for sign, node in terms:
        if sign < 0 and sight.user(node) in PENALTIES:
            yield warning(
                "AX0810",
                f"`{sight.user(node)}` is taken off what is made small: weights grow without bound",
                node.origin.place,
                "a penalty is large where weights are",
                help="a penalty is added: write + in place of this minus",
            )
            return


def _without_end(sight: Sight, terms: list[tuple[int, Node]]) -> Iterator[Diagnostic]:
    """``1 + s - m ** 2 - exp(s)``, minimised: the distance of two normal distributions with the wrong sign."""
    added = {node for sign, node in terms if sign > 0}
    for sign, node in terms:
        if sign < 0 and isinstance(node.op, Exp) and sight.source(node.inputs[0]) in added:
            yield warning(
                "AX0810",
                "this is made small, and has no smallest value: an exponential is taken off, and its exponent added",
                node.origin.place,
                "it falls without end",
                help="a distance of distributions has the signs the other way round: `exp(s) + m ** 2 - 1 - s`",
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
