"""A model is to say tokens of which it sees each at its own step."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.loops.scanning import Scanning
from archonnx.compiler.ops.elementwise import Cast, Mul, Where
from archonnx.compiler.ops.index import Gather
from archonnx.compiler.ops.loss import CrossEntropy
from archonnx.compiler.program import Field
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0850")
def unshifted(sight: Sight) -> Iterator[Diagnostic]:
    """``cross_entropy(decoder(embedding(words)), words)``: what is asked at a step is what is given there."""
    graph = sight.model.evaluate
    for name, field in sight.model.fields.items():
        if field.type.rank != 2 or not field.type.dtype.is_integer or name not in graph.inputs:
            continue
        seen = own_steps(graph, graph.inputs[name], field)
        for node in graph.nodes:
            if isinstance(node.op, CrossEntropy) and all(value in seen for value in node.inputs) and _told(node):
                yield warning(
                    "AX0850",
                    f"`{name}` is to be said at each step, and what says it is given `{name}` at that step",
                    node.origin.place,
                    "copying it is all there is to learn",
                    help=f"give it the steps before: `pad({name}[:, :-1], [[0, 0], [1, 0]])`, or ask for the next: "
                    f"the scores `[:, :-1]` against `{name}[:, 1:]`",
                )
                break


def _told(node: Node) -> bool:
    return node.origin.place is not None and not node.origin.place.source.library


def own_steps(graph: Graph, tokens: Value, field: Field) -> dict[Value, int]:
    """Values of which each step depends on the token at that step, with the axis of the steps.

    Where it is not certain that an op keeps steps in their places the way ends: what is behind a mask, a shift or a
    mean over steps is not among them.
    """
    size = field.type.shape[1]
    found = {tokens: 1}
    producers = graph.producers()
    for node in graph.nodes:
        if not any(value in found for value in node.inputs) or _hides(node, found, producers):
            continue
        if isinstance(node.op, Scanning):
            found |= _through(node, found)
            continue
        places = [found.get(value, _only(value, size)) for value in node.inputs]
        for output in node.outputs:
            axis = _only(output, size)
            looked_up = isinstance(node.op, Gather) and node.inputs[1] in found and node.inputs[0] not in found
            if looked_up and axis is not None:
                places = [None, *places[1:]]
            if axis is not None and node.op.keeps_apart(places, [value.type for value in node.inputs], axis):
                found[output] = axis
    return found


def _only(value: Value, size: object) -> int | None:
    """The one axis that has as many places as there are steps."""
    axes = [axis for axis, dim in enumerate(value.shape) if dim == size]
    return axes[0] if len(axes) == 1 else None


def _hides(node: Node, found: dict[Value, int], producers: dict[Value, Node]) -> bool:
    """Whether some of the tokens are replaced: by ``where``, or by a product with a mask."""
    if isinstance(node.op, Where):
        return any(value in found for value in node.inputs[1:])
    if not isinstance(node.op, Mul):
        return False
    return any(_of_truth(producers.get(value), producers) for value in node.inputs)


def _of_truth(node: Node | None, producers: dict[Value, Node]) -> bool:
    while node is not None and not isinstance(node.op, Cast) and len(node.inputs) == 1:
        node = producers.get(node.inputs[0])
    return node is not None and isinstance(node.op, Cast) and node.inputs[0].type.dtype is DType.bool


def _through(node: Node, found: dict[Value, int]) -> dict[Value, int]:
    """What a scan over the steps emits that reads the slice of its own step."""
    op = node.op
    assert isinstance(op, Scanning)
    inside = list(op.body.inputs.values())
    run = range(op.states, op.states + op.scanned)
    live = {inside[n] for n in run if found.get(node.inputs[n]) == 0}
    for inner in op.body.nodes:
        if any(value in live for value in inner.inputs):
            live.update(inner.outputs)
    emitted = list(op.body.outputs.values())[op.states :]
    return {node.outputs[op.states + n]: 0 for n, value in enumerate(emitted) if value in live}
