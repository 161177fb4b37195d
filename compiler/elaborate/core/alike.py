"""What is alike is elaborated once: when two static values mean the same, and nodes that are there once more.

What this module does not do: decide what else must agree (``meaning.starts`` and ``meaning.repeats`` do).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from archonnx.compiler.ir.builder import NODE, NODE_BYTES
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.op import Op
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.custom import Backward, StatedGradient
from archonnx.grammar.budget import Cost, hold, spend
from archonnx.grammar.record import replace

from .values import Builtin, Choice, Function, Partial

ATOMS = frozenset({bool, int, float, str, type(None), DType})
"""Values that are told apart by how they are written."""


class OpenValue(Exception):  # noqa: N818 - no error: what has it is elaborated by itself
    """A value of which it is not certain that an equal one means the same."""


def meant(value: object) -> Hashable:
    """What a static value means: equal for values that mean the same.

    Raises:
        OpenValue: it may mean more than can be seen, as a module or a fn inside another body does.
    """
    if type(value) in ATOMS:
        return type(value), str(value)
    match value:
        case Choice() | Dim():
            return value
        case list():
            return tuple(map(meant, value))
        case Function() if value.around is None:
            return id(value.declaration), id(value.scope)
        case Builtin():
            return value.name
        case Partial():
            return meant(value.function), tuple([(name, meant(item)) for name, item in value.arguments.items()])
    raise OpenValue


class Copies:
    """Nodes and values once more, each copied once.

    Args:
        place: where a copy comes from, by the origin of what is copied.
        known: values that have others in their place.
    """

    def __init__(self, place: Callable[[Origin], Origin], known: Mapping[Value, Value] | None = None) -> None:
        self._place, self._values = place, dict(known or {})
        self._origins: dict[int, Origin] = {}
        self._backwards: dict[int, Backward] = {}

    def value(self, value: Value) -> Value:
        """What stands for a value."""
        found = self._values.get(value)
        if found is None:
            found = self._values[value] = Value(value.type, value.name, self._origin(value.origin))
        return found

    def node(self, node: Node) -> Node:
        """The node, of what stands for its inputs; it costs what a new one does."""
        spend(Cost.nodes, NODE)
        hold(Cost.nodes, NODE_BYTES)
        inputs, outputs = tuple(map(self.value, node.inputs)), tuple(map(self.value, node.outputs))
        return Node(self._op(node.op), inputs, outputs, self._origin(node.origin))

    def graph(self, graph: Graph) -> Graph:
        """The graph, of values of its own but for those that are known."""
        inputs = {name: self.value(value) for name, value in graph.inputs.items()}
        nodes = tuple(map(self.node, graph.nodes))
        outputs = {name: self.value(value) for name, value in graph.outputs.items()}
        return Graph(graph.name, inputs, nodes, outputs, graph.facts)

    def _origin(self, origin: Origin) -> Origin:
        found = self._origins.get(id(origin))
        if found is None:
            found = self._origins[id(origin)] = self._place(origin)
        return found

    def _op(self, op: Op) -> Op:
        """A gradient that the spec states has nodes of its own, and may have itself among them."""
        if not isinstance(op, StatedGradient):
            return op
        backward = self._backwards.get(id(op.backward))
        if backward is None:
            backward = self._backwards[id(op.backward)] = Backward()
            backward.graph = self.graph(op.backward.graph)
        return replace(op, backward=backward)
