"""Scores are masked before a softmax so that what is to be hidden is seen."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.compare import Greater
from archonnx.compiler.ops.elementwise import Where
from archonnx.compiler.ops.norm import Softmax
from archonnx.compiler.ops.shape import Broadcast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

HIDDEN = -1e3
"""Of a score below this a softmax gives 0 beside any usual one."""


@lint("AX0862")
def masked_scores(sight: Sight) -> Iterator[Diagnostic]:
    """``softmax(where(seen, scores, 0))``; ``where(seen, -1e9, scores)`` of a ``seen`` that ``tril`` gives."""
    for node in sight.nodes(Softmax):
        where = sight.source(node.inputs[0])
        if where is None or not isinstance(where.op, Where) or where.origin.used:
            continue
        condition, yes, no = where.inputs
        first, second = sight.number(yes), sight.number(no)
        if 0 in (first, second):
            yield warning(
                "AX0862",
                "a score of 0 is one like others: what is masked with it keeps its share of the softmax",
                where.origin.place,
                "exp(0) is 1",
                help="write `-1e9` in place of the 0",
            )
        elif first is not None and first < HIDDEN and _lower(sight, condition):
            yield warning(
                "AX0862",
                f"`{first:g}` stands where `tril` is: each place sees only what comes after it, and the last nothing",
                where.origin.place,
                "where the condition holds the first of the two is taken",
                help="the scores come first: `where(seen, scores, -1e9)`",
            )


def _lower(sight: Sight, condition: Value) -> bool:
    """Whether this is ``tril(...) > 0``."""
    node = sight.producers.get(condition)
    while node is not None and isinstance(node.op, Broadcast | Greater):
        node = sight.producers.get(node.inputs[0])
    return node is not None and sight.user(node) == "tril"
