"""A loss reads scores in another way than an output beside it does."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Sub
from archonnx.compiler.ops.functions import Sigmoid, Softplus, Tanh
from archonnx.compiler.ops.norm import Softmax
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

DISTANCES = ("mse", "mae", "huber")
LOGITS = ("bce_logits", "focal", "cross_entropy", "soft_cross_entropy")


@lint("AX0860")
def other_than_output(sight: Sight) -> Iterator[Diagnostic]:
    """``bce_logits(z, t)`` beside an output ``softmax(z)``; ``mse(z, t)`` beside an output ``sigmoid(z)``."""
    nodes = sight.model.training.graph.nodes
    read = {node.inputs[0] for node in nodes if sight.user(node) in LOGITS and node.inputs}
    given = _outputs(sight)
    yield from _along_another_axis(sight, given, read)
    for node in nodes:
        used, made = sight.user(node), given.get(node.inputs[0]) if node.inputs else None
        if made is None or node.origin.place is None:
            continue
        what = made.origin.what.strip("`")
        if used == "bce_logits" and isinstance(node.op, Softplus) and isinstance(made.op, Softmax):
            help_ = f"`sigmoid` in place of `{what}` is what `{used}` is about"
        elif used in DISTANCES and isinstance(node.op, Sub) and isinstance(made.op, Sigmoid | Tanh):
            if node.inputs[0] in read or sight.field_of(node.inputs[1]) is None:
                continue
            other = ", or `bce_logits` of the logits" if isinstance(made.op, Sigmoid) else ""
            help_ = f"give `{used}` what `{what}` gives{other}"
        else:
            continue
        notes = (f"`{what}` of the output stands at {made.origin.place}",)
        headline = f"`{used}` reads scores of which an output is the `{what}`: what is trained is not what is given"
        yield warning("AX0860", headline, node.origin.place, "this is another reading of them", notes=notes, help=help_)


def _along_another_axis(sight: Sight, given: dict[Value, Node], read: set[Value]) -> Iterator[Diagnostic]:
    """``softmax(z, axis=1)`` of scores whose classes are the last axis to a loss."""
    for scores, made in given.items():
        if not isinstance(made.op, Softmax) or scores not in read:
            continue
        axis = made.op.axis % scores.type.rank
        if axis != scores.type.rank - 1 and not scores.shape[axis].symbols() & sight.batch:  # which AX0804 tells
            yield warning(
                "AX0860",
                f"the classes are the last axis to the loss, and this softmax runs over axis {axis}",
                made.origin.place,
                "what is given are no probabilities of classes",
                help="`softmax(...)` runs over the last axis",
            )


def _outputs(sight: Sight) -> dict[Value, Node]:
    """What the spec itself makes an output of, by the scores it is made of."""
    places = {node.origin.place for value in sight.model.infer.outputs.values() if (node := sight.producers.get(value))}
    nodes = sight.model.training.graph.nodes
    kinds = (Softmax, Sigmoid, Tanh)
    ours = (node for node in nodes if isinstance(node.op, kinds) and not node.origin.used)
    return {node.inputs[0]: node for node in ours if node.origin.place in places}
