"""An output in which examples have met: what is told of one depends on the others of its batch."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node, needed
from archonnx.compiler.ops.reduce import ArgMax, ArgMin, ReduceMax, ReduceMean, ReduceMin, ReduceSum
from archonnx.compiler.ops.shape import Squeeze
from archonnx.compiler.ops.slicing import Slice
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

MEET = (ArgMax, ArgMin, ReduceMean, ReduceMax, ReduceMin, ReduceSum)


@lint("AX0826")
def lost_examples(sight: Sight) -> Iterator[Diagnostic]:
    """A mean or an argmax over axis 0 alone, of a tensor with others, on which an output depends without that axis."""
    infer = sight.model.infer
    lost = {name: v for name, v in infer.outputs.items() if v.type.rank and not v.type.symbols() & sight.batch}
    outputs: dict[Node, str] = {}
    for name, value in lost.items():
        outputs |= {node: name for node in needed(infer.nodes, [value]) if node not in outputs}
    yield from _one_of_them(sight, outputs)
    for node in sight.nodes(*MEET):
        x, y = node.inputs[0], node.outputs[0]
        if (
            node.origin.used
            or node.origin.role
            or node not in outputs
            or not x.type.rank > 1
            or y.type.symbols() & sight.batch
        ):
            continue
        axes = getattr(node.op, "axes", (getattr(node.op, "axis", None),))
        if tuple(axes) == (0,) and x.shape[0].symbols() & sight.batch:
            axis = f"axis={x.type.rank - 1}" if isinstance(node.op, ArgMax | ArgMin) else "axis=1"
            yield warning(
                "AX0826",
                f"{node.origin.subject} runs over the examples: the output `{outputs[node]}` is one for all of them",
                node.origin.place,
                f"axis 0 of {x.type} counts examples",
                help=f"over what is inside an example it is `{axis}`",
            )


def _one_of_them(sight: Sight, outputs: dict[Node, str]) -> Iterator[Diagnostic]:
    """``softmax(logits)[0]``: the first example of each batch, as other tools pick the first of several results."""
    for node in sight.nodes(Squeeze):
        made = sight.producers.get(node.inputs[0])
        if made is None or not isinstance(made.op, Slice) or node.origin.used or node not in outputs:
            continue
        x, place = made.inputs[0], node.origin.place
        axes, starts = getattr(node.op, "axes", ()), getattr(made.op, "starts", ())
        if tuple(axes) != (0,) or x.type.rank < 2 or not x.shape[0].symbols() & sight.batch or len(starts) != 1:
            continue
        yield warning(
            "AX0826",
            f"the output `{outputs[node]}` is of one example of the batch, and of no other",
            place,
            f"axis 0 of {x.type} counts examples",
            help="leave the index out: an output has a row for each example",
        )
