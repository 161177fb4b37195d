"""Two layers in a row without a function between them are one layer with more numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Add
from archonnx.compiler.ops.linalg import MatMul
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0807")
def affine_twice(sight: Sight) -> Iterator[Diagnostic]:
    """A ``Dense`` that nothing but another ``Dense`` reads, which is not narrower than both sides of the two."""
    graph = sight.model.training.graph
    readers = Counter(value for node in graph.nodes for value in node.inputs)
    named = {name.value for name in sight.model.training.names if name.kind == "output"}
    for node in graph.nodes:
        if not isinstance(node.op, MatMul) or sight.user(node) != "Dense":
            continue
        inner, outer = node.inputs[0], node.outputs[0]
        before = _affine(sight, inner)
        if before is None or readers[inner] > 1 or inner in named or inner.shape[-1].constant is None:
            continue
        sides = [before.shape[-1].constant, outer.shape[-1].constant]
        if None in sides or inner.shape[-1].constant < min(side for side in sides if side is not None):
            continue  # a bottleneck of low rank is meant
        yield warning(
            "AX0807",
            f"no function stands between two layers: {inner.shape[-1]} units learn nothing that one layer would not",
            node.origin.place,
            "its input is the result of another `Dense`",
            help="put one between them: `|> relu`",
        )


def _affine(sight: Sight, value: Value) -> Value | None:
    """What a ``Dense`` that gives this value is given."""
    node = sight.producers.get(value)
    if node is not None and isinstance(node.op, Add) and sight.user(node) == "Dense":
        terms = [sight.producers.get(term) for term in node.inputs]
        node = next((term for term in terms if term is not None and isinstance(term.op, MatMul)), None)
    if node is None or not isinstance(node.op, MatMul) or sight.user(node) != "Dense":
        return None
    return node.inputs[0]
