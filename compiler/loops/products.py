"""Gates as kernels compute them: a product and a function behind it are one kernel of onnxruntime, and a split between
them is one more. A step of ``i, f, o, g = split(x_t + h @ U, 4)`` with ``sigmoid`` of the first three and ``tanh`` of
the last one then has two products, each with its function, and no split of their sum.

What this module does not do: group gates of one function (``gates`` does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archonnx.compiler.ir.builder import Builder, current_builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph, Node, needed
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ir.walk import changed
from archonnx.compiler.ops.elementwise import Add
from archonnx.compiler.ops.functions import Relu, Sigmoid, Tanh
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.slicing import Split, split
from archonnx.grammar.record import replace

from .scan import Scan
from .scanning import body_of

FUSED = (Sigmoid, Tanh, Relu)
"""Functions that onnxruntime computes in the kernel of the product before them."""


def apart(graph: Graph) -> Graph:
    """The graph with products of their own for the gates of its loops; itself where there are none."""
    return changed(graph, _parted)


def _parted(node: Node, made: Mapping[Value, Node]) -> tuple[list[Node], Mapping[Value, Value]] | None:
    """A scan whose steps have a product for each part of a split one, where functions stand behind the parts."""
    if not isinstance(node.op, Scan):
        return None
    loop = _Loop(node, node.op)
    if not sum(loop.part(inner) for inner in node.op.body.nodes if isinstance(inner.op, Split)):
        return None
    return [*loop.ahead.nodes, loop.finished()], {}


class _Loop:
    """A scan, whose body changes."""

    def __init__(self, node: Node, op: Scan) -> None:
        self.node, self.op = node, op
        inputs = list(op.body.inputs.values())
        last = op.states + op.scanned
        self.states = inputs[: op.states]
        self.slices = dict(zip(inputs[op.states : last], node.inputs[op.states : last], strict=True))
        self.captured = dict(zip(inputs[last:], node.inputs[last:], strict=True))
        self.ahead = Builder(node.origin)
        self.made = {value: inner for inner in op.body.nodes for value in inner.outputs}
        self.readers: dict[Value, list[Node]] = {}
        for inner in op.body.nodes:
            for value in inner.inputs:
                self.readers.setdefault(value, []).append(inner)
        self.results = set(op.body.outputs.values())
        self.instead: dict[Node, list[Node]] = {}

    def part(self, node: Node) -> bool:
        """Compute the parts of a split apart, if they are of a product, and enough of them go into a function."""
        assert isinstance(node.op, Split)
        total = node.inputs[0]
        if node.op.axis != total.rank - 1 or not self._once(total):
            return False
        behind = sum(self._is_fused(value) for value in node.outputs)
        source = self.made.get(total)
        added: Value | None = None
        if source is not None and isinstance(source.op, Add):
            added = next((value for value in source.inputs if value in self.slices), None)
            other = next((value for value in source.inputs if value not in self.slices), None)
            source = self.made.get(other) if added is not None and other is not None and self._once(other) else None
        if source is None or not isinstance(source.op, MatMul) or source.inputs[1] not in self.captured:
            return False
        if source.op.transpose_b or source.inputs[1].rank != 2 or not behind or behind < len(node.outputs) - 1:
            return False
        self.instead[node] = self._products(node, source, added)
        return True

    def _products(self, node: Node, product: Node, added: Value | None) -> list[Node]:
        """A product for each part, with its sum; weights and slices are parted ahead of the loop."""
        assert isinstance(node.op, Split) and isinstance(product.op, MatMul)
        x, weights = product.inputs
        columns = self._ahead(self.captured, weights, node.op.sizes)
        stacks = self._ahead(self.slices, added, node.op.sizes) if added is not None else None
        builder = Builder(node.origin)
        with builder.active():
            for place, (value, column) in enumerate(zip(node.outputs, columns, strict=True)):
                result = current_builder().add(product.op, x, column)
                if stacks is not None:
                    result = stacks[place] + result
                last = builder.nodes[-1]
                builder.nodes[-1] = Node(last.op, last.inputs, (value,), last.origin)
        return list(builder.nodes)

    def _ahead(self, table: dict[Value, Value], inner: Value, sizes: Sequence[Dim]) -> list[Value]:
        """Parts of what a body takes, taken by it in its place: along the last axis, of these sizes."""
        outer = table[inner]
        with self.ahead.active():
            pieces = split(outer, sizes, outer.rank - 1)
        scanned = table is self.slices
        taken = []
        for number, piece in enumerate(pieces):
            shape = piece.type.shape[1:] if scanned else piece.type.shape
            value = Value(piece.type.with_shape(shape), f"{inner.name}.{number}", inner.origin)
            table[value] = piece
            taken.append(value)
        return taken

    def _once(self, value: Value) -> bool:
        return len(self.readers.get(value, ())) == 1 and value not in self.results

    def _is_fused(self, value: Value) -> bool:
        """Whether a function is computed of a value, or of its sum with another one, and nothing else."""
        for _ in range(2):
            if not self._once(value):
                return False
            (reader,) = self.readers[value]
            if isinstance(reader.op, FUSED):
                return True
            if not isinstance(reader.op, Add):
                return False
            value = reader.outputs[0]
        return False

    def finished(self) -> Node:
        """The scan."""
        nodes = [new for node in self.op.body.nodes for new in self.instead.get(node, [node])]
        outputs = list(self.op.body.outputs.values())
        nodes = list(needed(nodes, outputs))
        states = self.op.states
        body = body_of(nodes, self.states, self.slices, self.captured, outputs[:states], outputs[states:])
        op = replace(self.op, body=body, scanned=len(self.slices))
        given = (*self.node.inputs[:states], *self.slices.values(), *self.captured.values())
        return Node(op, given, self.node.outputs, self.node.origin)
