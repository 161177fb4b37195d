"""The gradient of gates by their products: where ``y = s * g`` with ``s = sigmoid(z)``, the cotangent of ``z`` is
``dy * g * (s * (1 - s))``, which is ``dy * y * (1 - s)``. A loop then keeps ``y``, which it makes anyway, and ``g``
need not be known at every step: of an LSTM, that is the cell before the step.

What this module does not do: anything where a gate is read by more than one product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Node, needed
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Mul, Sub
from archonnx.compiler.ops.functions import Sigmoid
from archonnx.compiler.ops.slicing import Concat, Split, concat


def by_products(forward: Sequence[Node], gradient: Sequence[Node], results: Sequence[Value]) -> list[Node]:
    """The nodes of a gradient, where it goes by the products of gates.

    Args:
        forward: the nodes that are differentiated.
        gradient: those that do it.
        results: what is needed of the gradient.
    """
    made = {value: node for node in (*forward, *gradient) for value in node.outputs}
    products = {frozenset(node.inputs): node.outputs[0] for node in forward if isinstance(node.op, Mul)}
    parts = {node.inputs[0]: node for node in forward if isinstance(node.op, Split)}
    nodes: list[Node] = []
    same = True
    for node in gradient:
        slope = _slope(node, made)
        pairs = _times_gates(slope.gates, slope.cotangent, products, parts, made) if slope is not None else None
        if slope is None or pairs is None:
            nodes.append(node)
            continue
        same = False
        builder = Builder(node.origin)
        with builder.active():
            pieces = [d * y for d, y in pairs]
            joined = pieces[0] if len(pieces) == 1 else concat(pieces, slope.gates.rank - 1)
        nodes += [*builder.nodes, Node(node.op, (joined, slope.rest), node.outputs, node.origin)]
    return nodes if same else list(needed(nodes, results))


class _Slope(NamedTuple):
    """The parts of ``d * (s * (1 - s))``: the sigmoid ``s``, the cotangent ``d``, and ``1 - s``."""

    gates: Value
    cotangent: Value
    rest: Value


def _slope(node: Node, made: Mapping[Value, Node]) -> _Slope | None:
    """A node as the cotangent of what a sigmoid is of, if it is one."""
    if not isinstance(node.op, Mul):
        return None
    for d, slope in (node.inputs, node.inputs[::-1]):
        inner = made.get(slope)
        if inner is None or not isinstance(inner.op, Mul):
            continue
        s, rest = inner.inputs
        source, minus = made.get(s), made.get(rest)
        is_gate = source is not None and isinstance(source.op, Sigmoid)
        if is_gate and minus is not None and isinstance(minus.op, Sub) and minus.inputs[1] is s:
            return _Slope(s, d, rest)
    return None


def _times_gates(
    gates: Value,
    cotangent: Value,
    products: Mapping[frozenset[Value], Value],
    parts: Mapping[Value, Node],
    made: Mapping[Value, Node],
) -> list[tuple[Value, Value]] | None:
    """For each part of the gates the cotangent of its product, and that product; None where one is not so."""
    parted, joined = parts.get(gates), made.get(cotangent)
    if parted is None:
        pairs = [(gates, cotangent)]
    elif joined is not None and isinstance(joined.op, Concat) and len(joined.inputs) == len(parted.outputs):
        pairs = list(zip(parted.outputs, joined.inputs, strict=True))
    else:
        return None
    found = []
    for gate, d in pairs:
        node = made.get(d)
        if node is None or not isinstance(node.op, Mul):
            return None
        sides = (node.inputs, node.inputs[::-1])
        pair = next(((dy, products[frozenset((gate, g))]) for dy, g in sides if frozenset((gate, g)) in products), None)
        if pair is None:
            return None
        found.append(pair)
    return found
