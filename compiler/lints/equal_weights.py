"""Two layers of weights in a row that all start as one number: no gradient tells their units apart."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.shape import Broadcast, Constant
from archonnx.compiler.program import Parameter
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0827")
def equal_weights(sight: Sight) -> Iterator[Diagnostic]:
    """``param W: [8, 8] = 0`` before ``param V: [8, 2] = 0``."""
    model = sight.model
    graph = model.training.graph
    parameters = {value: model.parameters[name] for name, value in graph.inputs.items() if name in model.parameters}
    behind: dict[Value, list[Parameter]] = {}
    for node in graph.nodes:
        found = [p for value in node.inputs for p in behind.get(value, ())]
        own = parameters.get(node.inputs[1]) if isinstance(node.op, MatMul) else None
        if own is not None and own.trainable and _starts_equal(own):
            for before in found:
                if before.path != own.path and before.shape[-1] == own.shape[0] > 1:
                    place = sight.parameter_place(before)
                    random = "`init=glorot_uniform`" if "." in before.path else "`~ glorot_uniform()` after its type"
                    yield warning(
                        "AX0827",
                        f"all units behind `{before.path}` stay equal: it and `{own.path}` start as one number",
                        place,
                        f"{before.shape[-1]} units learn what one would",
                        help=f"let it start at random: {random}",
                    )
            found = [own]
        elif isinstance(node.op, MatMul):
            found = []
        for value in node.outputs:
            behind[value] = found


def _starts_equal(parameter: Parameter) -> bool:
    """Whether a matrix starts with one number in all places."""
    value = parameter.initial.outputs["value"]
    nodes = {out: node for node in parameter.initial.nodes for out in node.outputs}
    node = nodes.get(value)
    while node is not None and isinstance(node.op, Broadcast):
        node = nodes.get(node.inputs[0])
    return len(parameter.shape) == 2 and node is not None and isinstance(node.op, Constant) and _single(node.op)


def _single(op: Constant) -> bool:
    numbers = op.array
    return bool(numbers.size and (numbers == numbers.flat[0]).all())
