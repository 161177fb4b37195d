"""The rectified units of a model: one that `relu` holds at 0 for every example passes no gradient, and learns nothing.

What this module does not do: run a model (a trainer does), or look inside loops.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from .ir.builder import Builder
from .ir.graph import Graph, Node
from .ir.parts import cut
from .ir.value import Value
from .ops.conv import Conv
from .ops.functions import Relu
from .ops.linalg import MatMul
from .ops.reduce import reduce_max
from .program import ModelProgram


def largest_activations(model: ModelProgram) -> Graph | None:
    """A graph of the largest value of each rectified unit over a batch, outside training; None if there are none.

    An output is a layer, by the path of the module whose units are rectified: f32[units]. A channel of a convolution is
    one unit, whatever the place; elsewhere units lie on the last axis.
    """
    graph = model.evaluate
    made = graph.producers()
    layers = {node: _layer(node, made, graph.inputs) for node in graph.nodes if isinstance(node.op, Relu)}
    counted: Counter[str] = Counter()
    outputs: dict[str, Value] = {}
    builder = Builder()
    builder.nodes = list(graph.nodes)
    with builder.active():
        for node, layer in layers.items():
            (value,) = node.outputs
            if layer is None or value.type.rank < 2:
                continue
            name, axis = layer
            if value.type.shape[axis].symbols():
                continue
            counted[name] += 1
            axes = [other for other in range(value.type.rank) if other != axis % value.type.rank]
            outputs[name if counted[name] == 1 else f"{name}#{counted[name]}"] = reduce_max(value, axes)
    if not outputs:
        return None
    return cut("largest activations", builder.nodes, graph.inputs, outputs, graph.facts)


def _layer(relu: Node, made: Mapping[Value, Node], inputs: Mapping[str, Value]) -> tuple[str, int] | None:
    """What the units that are rectified belong to, and the axis on which they lie: the nearest layer before them."""
    paths = {value: path for path, value in inputs.items()}
    waiting, seen = deque(relu.inputs), set(relu.inputs)
    while waiting:
        value = waiting.popleft()
        node = made.get(value)
        if node is None or value.type.rank != relu.outputs[0].type.rank:
            continue
        if isinstance(node.op, Conv | MatMul):
            weights = [paths[one] for one in node.inputs if one in paths]
            weight = next((path for path in reversed(weights) if "." in path), None)
            name = weight.rpartition(".")[0] if weight is not None else node.origin.path or "relu"
            return name, 1 if isinstance(node.op, Conv) else -1
        fresh = [one for one in node.inputs if one not in seen]
        seen.update(fresh)
        waiting.extend(fresh)
    return None
