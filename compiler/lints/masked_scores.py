"""Scores are masked before a softmax so that what is to be hidden is seen."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.compare import Equal, Greater, LogicalNot, NotEqual
from archonnx.compiler.ops.elementwise import Where
from archonnx.compiler.ops.index import FromFront
from archonnx.compiler.ops.norm import Softmax
from archonnx.compiler.ops.shape import Broadcast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

HIDDEN = -1e3
"""Of a score below this a softmax gives 0 beside any usual one."""
SEEN = ("valid", "seen", "known", "visible", "real", "present", "keep", "kept", "is_valid", "is_real")
HID = ("padding", "pad", "padded", "is_padding", "is_pad", "pad_mask", "padding_mask", "hidden", "missing", "masked")
"""What masks are called that are true where something is seen, and where it is not."""


@lint("AX0862")
def masked_scores(sight: Sight) -> Iterator[Diagnostic]:
    """``softmax(where(seen, scores, 0))``; ``where(seen, -1e9, scores)`` of a ``seen`` that ``tril`` gives."""
    for node in sight.nodes(Softmax):
        where = sight.source(node.inputs[0])
        if where is None or not isinstance(where.op, Where):
            continue
        condition, yes, no = where.inputs
        first, second = sight.number(yes), sight.number(no)
        if first is not None and first < HIDDEN and (known := _known(sight, condition)) is not None:
            yield warning(
                "AX0862",
                f"{known} says what is to be seen, and gets the `{first:g}`: a softmax sees all the rest",
                where.origin.place,
                "where the condition holds the first of the two is taken",
                help="the scores come first: `where(seen, scores, -1e9)`",
            )
        elif second is not None and second < HIDDEN and (unknown := _padding(sight, condition)) is not None:
            yield warning(
                "AX0862",
                f"{unknown} is true at the padding, and what is true is seen: a softmax sees the padding alone",
                where.origin.place,
                "a mask is true where something may be seen",
                help="turn it round: `!= 0`, or `not` before it",
            )
        elif where.origin.used:
            continue
        elif 0 in (first, second):
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


def _known(sight: Sight, condition: Value) -> str | None:
    """What says by its kind or its name where something is, in words: a mask of lengths, tokens that are not 0."""
    node = sight.source(condition)
    if _name(sight, condition) in SEEN:
        return f"`{_name(sight, condition)}`"
    if node is None:
        return None
    if sight.user(node) == "length_mask":
        return "`length_mask`"
    return "`!= 0`" if isinstance(node.op, NotEqual) and _of_tokens(sight, node) else None


def _padding(sight: Sight, condition: Value) -> str | None:
    """What says by its kind or its name where nothing is: tokens that are 0, the opposite of a mask of lengths."""
    node = sight.source(condition)
    if _name(sight, condition) in HID:
        return f"`{_name(sight, condition)}`"
    if node is None:
        return None
    if isinstance(node.op, LogicalNot) and (known := _known(sight, node.inputs[0])) is not None:
        return f"the opposite of {known}"
    return "`== 0`" if isinstance(node.op, Equal) and _of_tokens(sight, node) else None


def _name(sight: Sight, condition: Value) -> str:
    """The name of the field that this is, repeated or not."""
    node = sight.producers.get(condition)
    while node is not None and (isinstance(node.op, Broadcast) or Trait.VIEW in node.op.traits):
        condition = node.inputs[0]
        node = sight.producers.get(condition)
    field = sight.given(condition)
    return field.name if field is not None else ""


def _of_tokens(sight: Sight, node: Node) -> bool:
    """Whether tokens that are looked up in a table are compared with 0."""
    tokens = sight.field_of(node.inputs[0])
    if tokens is None or not tokens.type.dtype.is_integer or sight.number(node.inputs[1]) != 0:
        return False
    nodes = sight.producers.values()
    return any(isinstance(one.op, FromFront) and sight.field_of(one.inputs[0]) == tokens for one in nodes)


def _lower(sight: Sight, condition: Value) -> bool:
    """Whether this is ``tril(...) > 0``."""
    node = sight.producers.get(condition)
    while node is not None and isinstance(node.op, Broadcast | Greater):
        node = sight.producers.get(node.inputs[0])
    return node is not None and sight.user(node) == "tril"
