"""A softmax over the axis of the examples: the scores of one example are weighed against those of the others."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ops.norm import LogSoftmax, Softmax
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0804")
def softmax_over_examples(sight: Sight) -> Iterator[Diagnostic]:
    """A softmax that the spec itself writes, along the first axis of a tensor with others, or of an output [B]."""
    given = set(sight.model.infer.outputs.values())
    for node in sight.nodes(Softmax, LogSoftmax):
        (x,) = node.inputs
        axis = getattr(node.op, "axis", None)
        over = bool(x.type.rank and x.shape[0].symbols() & sight.batch) and not node.origin.used
        if over and x.type.rank == 1 and given & set(node.outputs):
            yield warning(
                "AX0804",
                f"{node.origin.subject} runs over the examples: the only axis of {x.type} counts them",
                node.origin.place,
                "what an example gets depends on the others of its batch",
                help="of one score for each example `sigmoid` makes a probability",
            )
        if not over or axis != 0 or x.type.rank < 2:
            continue
        yield warning(
            "AX0804",
            f"{node.origin.subject} runs over the examples: axis 0 of {x.type} counts them",
            node.origin.place,
            "what an example gets depends on the others of its batch",
            help=f"over the classes it is `axis={x.type.rank - 1}`",
        )
