"""A loss that takes logits is given probabilities, or one that takes probabilities numbers of any size."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ops.conv import Conv
from archonnx.compiler.ops.elementwise import Add
from archonnx.compiler.ops.functions import Sigmoid
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.norm import Softmax
from archonnx.compiler.ops.shape import Broadcast
from archonnx.grammar.diagnostics import Diagnostic
from archonnx.grammar.source import Span

from .rules import Sight, lint, warning

LOGITS = {"cross_entropy": Softmax, "soft_cross_entropy": Softmax, "bce_logits": Sigmoid}
"""Losses that take logits, and what is in them already."""
PROBABILITIES = {"bce": ("sigmoid", "bce_logits")}
"""Losses that take probabilities: what makes them, and the loss that does it itself."""


@lint("AX0801")
def loss_of_probabilities(sight: Sight) -> Iterator[Diagnostic]:
    """``cross_entropy(softmax(z), y)``, ``bce_logits(sigmoid(z), y)`` and ``bce(z, y)``."""
    seen: set[tuple[Span, str]] = set()
    for of in sight.computations:
        for node in of.graph.nodes:
            place, used = node.origin.place, sight.user(node)
            if place is None or (place, used) in seen or not (used in LOGITS or used in PROBABILITIES):
                continue
            for value in node.inputs:
                given = sight.source(value)
                if given is None or (given.origin.place, sight.user(given)) == (place, used):
                    continue
                if used in LOGITS and isinstance(given.op, LOGITS[used]):
                    seen.add((place, used))
                    yield _twice(used, given, place)
                elif used in PROBABILITIES and _any_size(sight, given):
                    seen.add((place, used))
                    yield _without(used, given, place)


def _twice(used: str, given: Node, place: Span) -> Diagnostic:
    inside = "softmax" if LOGITS[used] is Softmax else "sigmoid"
    return warning(
        "AX0801",
        f"`{used}` takes logits, and is given what `{inside}` gives: {inside} is applied twice",
        place,
        f"it has a {inside} in itself",
        notes=(f"the first one stands at {given.origin.place}",) if given.origin.place is not None else (),
        help=f"give it what `{inside}` is given; keep `{inside}` for the outputs",
    )


def _without(used: str, given: Node, place: Span) -> Diagnostic:
    makes, other = PROBABILITIES[used]
    return warning(
        "AX0801",
        f"`{used}` takes probabilities, and {given.origin.subject} gives numbers of any size",
        place,
        "between 0 and 1",
        help=f"`{other}` takes such numbers, and has the {makes} in itself",
    )


def _any_size(sight: Sight, node: Node) -> bool:
    """Whether this is an affine map of something."""
    if isinstance(node.op, Add):
        terms = [sight.producers.get(value) for value in node.inputs]
        products = [term for term in terms if term is not None and isinstance(term.op, MatMul | Conv)]
        return bool(products) and any(term is not None and isinstance(term.op, Broadcast) for term in terms)
    return isinstance(node.op, MatMul | Conv)
