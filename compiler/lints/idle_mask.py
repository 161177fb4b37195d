"""A mask before a softmax that masks nothing: it is the same along the axis of the softmax, or it leaves zeros."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Cast, Mul, Where
from archonnx.compiler.ops.norm import LogSoftmax, Softmax
from archonnx.compiler.ops.shape import Broadcast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0837")
def idle_mask(sight: Sight) -> Iterator[Diagnostic]:
    """``softmax(where(known[:, :, none], scores, -1e9))``, and ``softmax(scores * float(known))``."""
    for node in sight.nodes(Softmax, LogSoftmax):
        (x,) = node.inputs
        made = sight.producers.get(x)
        if node.origin.used or made is None or made.origin.used:
            continue
        axis = getattr(node.op, "axis", x.type.rank - 1) % x.type.rank
        if isinstance(made.op, Where) and _is_same_along(sight, made.inputs[0], axis) and _fills(sight, made):
            yield warning(
                "AX0837",
                f"the mask is the same all along axis {axis}, over which {node.origin.subject} runs: it masks nothing",
                made.origin.place,
                "all that is weighed together is masked, or none of it",
                help=f"a mask differs along axis {axis}, which has size {x.shape[axis]}",
            )
        elif isinstance(made.op, Mul) and any(_of_truth(sight, value) for value in made.inputs):
            yield warning(
                "AX0837",
                f"a score of 0 is one like others: {node.origin.subject} gives it a weight",
                made.origin.place,
                "what is masked becomes 0 here, and exp(0) is 1",
                help="write `where(MASK, SCORES, -1e9)`",
            )


def _is_same_along(sight: Sight, mask: Value, axis: int) -> bool:
    """Whether a mask is repeated along an axis."""
    node = sight.producers.get(mask)
    if node is None or not isinstance(node.op, Broadcast):
        return False
    (own,) = node.inputs
    at = axis - (mask.type.rank - own.type.rank)
    return own.type.rank > 0 and (at < 0 or own.shape[at].constant == 1) and mask.shape[axis].constant != 1


def _fills(sight: Sight, node: Node) -> bool:
    """Whether one of the branches is a number for all places."""
    return any(sight.is_constant(value) for value in node.inputs[1:])


def _of_truth(sight: Sight, value: Value) -> bool:
    """Whether a factor is made of truth values."""
    node = sight.producers.get(value)
    while node is not None and (isinstance(node.op, Broadcast) or Trait.VIEW in node.op.traits):
        node = sight.producers.get(node.inputs[0])
    return node is not None and isinstance(node.op, Cast) and node.inputs[0].type.dtype is DType.bool
