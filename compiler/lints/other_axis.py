"""Weights that sum to 1 along one axis, and a product that sums over another: no mean is taken by them."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.norm import Softmax
from archonnx.grammar.diagnostics import Diagnostic, Label
from archonnx.grammar.record import replace

from .rules import Sight, lint, warning


@lint("AX0829")
def summed_over_another_axis(sight: Sight) -> Iterator[Diagnostic]:
    """``softmax(scores, axis=1) @ v``: ``@`` sums over the last axis of what stands on its left."""
    for node in sight.nodes(MatMul):
        left, right = node.inputs
        if node.origin.used or node.origin.role:
            continue
        swapped = (bool(getattr(node.op, "transpose_a", False)), bool(getattr(node.op, "transpose_b", False)))
        for value, summed in ((left, -2 if swapped[0] else -1), (right, -1 if swapped[1] else -2)):
            made, rank = sight.producers.get(value), value.type.rank
            if made is None or not isinstance(made.op, Softmax) or made.origin.used or rank < 3 or _shared(sight, made):
                continue
            axis, wanted = getattr(made.op, "axis", rank - 1) % rank, rank + summed
            heads = rank == 4 and axis == 1 and value.shape[2] == value.shape[3]  # [B, heads, T, T]
            if axis != wanted and (axis >= rank - 2 or heads):
                found = warning(
                    "AX0829",
                    f"{made.origin.subject} makes weights along axis {axis}, and {node.origin.subject} sums over axis "
                    f"{wanted}",
                    made.origin.place,
                    f"{value.type}: these sum to 1 along axis {axis}",
                    help=f"weights of what is summed are made by `axis={summed}`",
                )
                place = node.origin.place
                others = (Label(place, "summed here"),) if place is not None and place != made.origin.place else ()
                yield replace(found, labels=(*found.labels, *others))


def _shared(sight: Sight, made: object) -> bool:
    """Whether others read the weights as well, as those that normalise them along the other axis do."""
    values: set[Value] = set(made.outputs) if hasattr(made, "outputs") else set()
    users = [n for of in sight.computations for n in of.graph.nodes if values & set(n.inputs)]
    return any(not isinstance(user.op, MatMul) for user in users)
