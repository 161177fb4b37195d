"""What is cheap to compute again is not kept for the gradient: a product or a sum of tensors that are kept anyway.

Between the forward pass and the gradient that reads it a tensor takes its memory for most of a step. One pass over
tensors that wait there as well gives it once more: silu keeps its input and the sigmoid, and multiplies them again. A
gelu keeps its input alone, since forward it is one operator without a distribution function (``shared``). Losses are
computed before gradients (``order``), so that logits need not wait for a loss at the end of a step.

What this module does not do: compute again what takes arithmetic (functions, products of matrices, sums over axes), or
whole regions, which a spec chooses (``compiler/remat.py``).
"""

from __future__ import annotations

from collections.abc import Collection
from math import inf

from archonnx.compiler.ir.graph import Graph, Node, needed
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.custom import StatedGradient
from archonnx.compiler.ops.elementwise import Add, Maximum, Minimum, Mul, Neg, Sub
from archonnx.compiler.ops.functions import Relu
from archonnx.compiler.ops.shape import Broadcast, Reshape, Squeeze, StopGradient, Unsqueeze
from archonnx.grammar.record import replace

from .order import bytes_of, in_order
from .shared import made_by_gradients

CHEAP = (Add, Maximum, Minimum, Mul, Neg, Relu, Sub)
"""Ops that take one pass over memory."""
VIEWS = (Reshape, Squeeze, Unsqueeze)
"""Ops that move nothing."""
PASSES = 1
"""How many ops a tensor may take that is computed again. A normalised tensor, scaled and shifted, takes two."""
LARGE = 2**17
"""Bytes from which on a tensor is worth a node of its own, which takes 6 kB of the session and a microsecond."""
SMALL = 8
"""A tensor of so much less than another one may be kept for it."""


def recomputed(graph: Graph, losses: Collection[str], handed: Collection[str] = ()) -> Graph:
    """The graph in which gradients read such tensors from a second computation, to the bit the same.

    Args:
        graph: all of whose dims are integers.
        losses: the outputs that gradients are of: what they need is the forward pass.
        handed: outputs for which onnxruntime takes the memory when they are made.
    """
    found = {name: value for name, value in graph.outputs.items() if name in losses}
    if not found:
        return graph
    graph = made_by_gradients(graph, found.values(), lambda value: bytes_of(value) >= LARGE)
    again = _Recomputing(graph, found.values()).run()
    return in_order(again, found.values(), {again.outputs[name] for name in handed})


class _Recomputing:
    """A graph in which the gradient computes again what it read of the forward pass, as far as that is cheap."""

    def __init__(self, graph: Graph, losses: Collection[Value]) -> None:
        self._graph = graph
        self._forward = set(needed(graph.nodes, losses))
        self._made = {value: node for node in graph.nodes if node in self._forward for value in node.outputs}
        later = (value for node in graph.nodes if node not in self._forward for value in node.inputs)
        self._read = {value for value in later if value in self._made}
        """Values of the forward pass that something else reads."""
        self._held = {self._base(value) for value in (*self._read, *graph.outputs.values())}
        """Those whose memory is kept for it, and those that are results."""
        self._again: set[Value] = set()
        self._copies: dict[Value, Value] = {}

    def run(self) -> Graph:
        results = {self._base(value) for value in self._graph.outputs.values()}
        for node in self._graph.nodes:
            value = node.outputs[0]
            large = value in self._held and value not in results and bytes_of(value) >= LARGE
            if large and isinstance(node.op, CHEAP) and self._passes(value, bytes_of(value)) <= PASSES:
                self._again.add(value)
        if not self._again:
            return self._graph
        nodes: list[Node] = []
        for node in self._graph.nodes:
            if node in self._forward:
                nodes.append(node)
                if node.outputs[0] in self._read and self._base(node.outputs[0]) in self._again:
                    self._copy(node.outputs[0], bytes_of(node.outputs[0]), nodes)
            else:
                inputs = tuple([self._copies.get(value, value) for value in node.inputs])
                nodes.append(node if inputs == node.inputs else Node(node.op, inputs, node.outputs, node.origin))
        return replace(self._graph, nodes=tuple(nodes))

    def _base(self, value: Value) -> Value:
        """The value whose memory it is."""
        while (node := self._made.get(value)) is not None and (isinstance(node.op, VIEWS) or _is_same(node)):
            value = node.inputs[0]
        return value

    def _passes(self, value: Value, size: int) -> float:
        """How many ops compute a value again, given what is kept and what is small beside ``size``."""
        node = self._made[value]
        if not isinstance(node.op, CHEAP):
            return inf
        passes = 1.0
        for given in node.inputs:
            base = self._base(given)
            while (source := self._made.get(base)) is not None and isinstance(source.op, Broadcast):
                base = self._base(source.inputs[0])
            if base in self._made and not self._there(base, size):
                passes += self._passes(base, size) if passes < PASSES else inf
        return passes

    def _there(self, base: Value, size: int) -> bool:
        return base in self._held or not self._made[base].inputs or bytes_of(base) * SMALL <= size

    def _copy(self, value: Value, size: int, nodes: list[Node]) -> Value:
        """What gradients read in place of a value: itself, or a second one, whose nodes are added to ``nodes``."""
        node = self._made.get(value)
        if node is None or value in self._copies:
            return self._copies.get(value, value)
        if _is_same(node):
            return self._copies.setdefault(value, self._copy(node.inputs[0], size, nodes))
        base = self._base(value)
        if base not in self._again and base in self._made and self._there(base, size):
            return value
        inputs = tuple([self._copy(given, size, nodes) for given in node.inputs])
        if inputs == node.inputs and not isinstance(node.op, CHEAP):
            return value
        copied = Value(value.type, value.name, value.origin)
        nodes.append(Node(node.op, inputs, (copied,), node.origin))
        self._copies[value] = copied
        return copied


def _is_same(node: Node) -> bool:
    """Whether its result is its first input, which ONNX does not copy."""
    return isinstance(node.op, StopGradient) or (isinstance(node.op, StatedGradient) and node.op.results == 1)
