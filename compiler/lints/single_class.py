"""A softmax over an axis of size 1 gives 1, whatever it is given."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ops.norm import LogSoftmax, Softmax
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0809")
def single_class(sight: Sight) -> Iterator[Diagnostic]:
    """A softmax or log_softmax that the spec itself writes, along an axis of size 1."""
    for node in sight.nodes(Softmax, LogSoftmax):
        (x,) = node.inputs
        axis = getattr(node.op, "axis", -1)
        if node.origin.used or x.shape[axis].constant != 1:
            continue
        result = 0 if isinstance(node.op, LogSoftmax) else 1
        yield warning(
            "AX0809",
            f"{node.origin.subject} over one class is always {result}: axis {axis} of {x.type} has size 1",
            node.origin.place,
            "nothing is learned through it",
            help="of one score `sigmoid` makes a probability; or give each class a score, as `Dense(2)` does",
        )
