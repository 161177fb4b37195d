"""Labels that pick examples, or the same class of all examples, where each example's own class is meant."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ops.index import FromFront, Gather
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0805")
def picked_examples(sight: Sight) -> Iterator[Diagnostic]:
    """``p[:, y]`` of ``p: [B, C]`` is ``[B, B]``, and ``p[y]`` rows of other examples."""
    for node in sight.nodes(Gather):
        x, indices = node.inputs
        axis = getattr(node.op, "axis", 0)
        symbols = {s for dim in x.shape[:1] for s in dim.symbols()} & sight.batch
        met = [s for s in sorted(symbols) if any(dim.symbols() == {s} for dim in indices.shape)]
        if not met or x.type.rank < 2 or (axis == 0 and not _a_target(sight, node)):
            continue
        happens = "labels pick rows, which are examples" if axis == 0 else "each example gets the classes of all"
        yield warning(
            "AX0805",
            f"{x.type} at {indices.type} is {node.outputs[0].type}: {happens}",
            node.origin.place,
            "one number for each example is probably meant",
            help="`nll(log_probabilities, label)` or `cross_entropy(logits, label)` take each example's own class",
        )


def _a_target(sight: Sight, node: Node) -> bool:
    """Whether the indices are a target as it stands."""
    indices = node.inputs[1]
    made = sight.producers.get(indices)
    if made is not None and isinstance(made.op, FromFront):
        (indices,) = made.inputs
    targets = {name for name, field in sight.model.fields.items() if field.target}
    return any(of.graph.inputs.get(name) is indices for of in sight.computations for name in targets)
