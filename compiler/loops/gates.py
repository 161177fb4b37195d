"""Gates of one activation are computed together: the columns of the weights are put in such an order that they are
neighbours, once and outside of the loop. Of ``i, f, g, o = split(x_t @ W + h @ U + b, 4)`` with ``sigmoid(i)``,
``sigmoid(f)``, ``tanh(g)`` and ``sigmoid(o)``, a step then has one sigmoid and one tanh.

What this module does not do: anything where a part is read otherwise, or is not of products and biases alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from archonnx.compiler.ir.builder import Builder, current_builder
from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Add
from archonnx.compiler.ops.functions import Function
from archonnx.compiler.ops.linalg import MatMul, matrix_product
from archonnx.compiler.ops.shape import Broadcast, broadcast_to
from archonnx.compiler.ops.slicing import Split, concat, split


def grouped(nodes: Sequence[Node], outputs: Iterable[Value]) -> list[Node]:
    """The nodes of a body, with its gates in groups.

    Args:
        nodes: of the body.
        outputs: of the body.
    """
    made = {value: node for node in nodes for value in node.outputs}
    readers: dict[Value, list[Node]] = {value: [] for value in made}
    for node in nodes:
        for value in node.inputs:
            if value in readers:
                readers[value].append(node)
    for node in nodes:
        order = _order(node, readers, set(outputs))
        if order is not None and _is_sum(node.inputs[0], made, readers):
            return _rewritten(nodes, node, order, made, readers)
    return list(nodes)


def _order(node: Node, readers: Mapping[Value, Sequence[Node]], outputs: set[Value]) -> list[list[int]] | None:
    """The parts of a split by the function that each goes into, where one has several that are no neighbours yet."""
    if not isinstance(node.op, Split) or node.op.axis != node.inputs[0].rank - 1:
        return None
    groups: dict[object, list[int]] = {}
    for place, value in enumerate(node.outputs):
        if len(readers[value]) != 1 or value in outputs:
            return None
        (reader,) = readers[value]
        if not isinstance(reader.op, Function) or reader.outputs[0] in outputs:
            return None
        groups.setdefault(reader.op, []).append(place)
    return list(groups.values()) if len(groups) < len(node.outputs) else None


def _is_sum(value: Value, made: Mapping[Value, Node], readers: Mapping[Value, Sequence[Node]]) -> bool:
    """Whether a value is read once, and made of products with weights and of biases alone."""
    node = made.get(value)
    if node is None or len(readers[value]) != 1:
        return False
    if isinstance(node.op, Add):
        return all(_is_sum(given, made, readers) for given in node.inputs)
    if isinstance(node.op, MatMul):
        return not node.op.transpose_b and node.inputs[1] not in made and node.inputs[1].rank == 2
    return isinstance(node.op, Broadcast) and node.inputs[0] not in made and node.inputs[0].rank == 1


def _rewritten(
    nodes: Sequence[Node],
    parted: Node,
    order: Sequence[Sequence[int]],
    made: Mapping[Value, Node],
    readers: Mapping[Value, Sequence[Node]],
) -> list[Node]:
    sizes = [value.shape[-1] for value in parted.outputs]

    def columns(weights: Value) -> Value:
        places = [p for group in order for p in group]
        if places == sorted(places):
            return weights
        axis = weights.rank - 1
        pieces = split(weights, sizes, axis)
        return concat([pieces[p] for p in places], axis)

    def moved(value: Value) -> Value:
        node = made[value]
        if isinstance(node.op, Add):
            return moved(node.inputs[0]) + moved(node.inputs[1])
        if isinstance(node.op, MatMul):
            return matrix_product(node.inputs[0], columns(node.inputs[1]), node.op.transpose_a)
        return broadcast_to(columns(node.inputs[0]), value.shape)

    builder = Builder(parted.origin)
    replaced: dict[Value, Value] = {}
    with builder.active():
        totals = [sum((sizes[p] for p in group), 0 * sizes[0]) for group in order]
        axis = parted.inputs[0].rank - 1
        for group, part in zip(order, split(moved(parted.inputs[0]), totals, axis), strict=True):
            readers_of = [readers[parted.outputs[p]][0] for p in group]
            together = current_builder().add(readers_of[0].op, part)
            pieces = split(together, [sizes[p] for p in group], axis)
            replaced.update((node.outputs[0], piece) for node, piece in zip(readers_of, pieces, strict=True))
    gone = {made[value] for value in replaced}
    result: list[Node] = []
    for node in nodes:
        if node is parted:
            result += builder.nodes
        elif node not in gone:
            inputs = tuple(replaced.get(value, value) for value in node.inputs)
            result.append(node if inputs == node.inputs else Node(node.op, inputs, node.outputs, node.origin))
    return result
