"""Weights and values in f16, but where that would leave its range or lose what counts: half the file, f32 at its ends.

f16 ends at 65504, and its smallest number is 6e-8. So these stay f32: ops that add up or magnify (``Op.wide``: sums,
means, softmax, exponentials, losses), what only they read (the squares of a variance), what is made element by element
of their results or of inputs (the square root of a variance, what a feed does), what is made of constants and integers
alone (of a schedule, 1 - 0.9999, which f16 takes for 1 - 1), ops that run graphs, constants and weights that f16 has
not, and whatever reads such.
What this module does not do: choose which graphs are written so.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.op import Op, Trait
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Cast
from archonnx.compiler.ops.shape import Constant
from archonnx.grammar.record import replace

LARGEST = float(np.finfo(np.float16).max)
SMALLEST = float(np.finfo(np.float16).tiny)
"""Constants below are not what they were: f16 has them with fewer digits, or not at all."""


def halved(graph: Graph, weights: Mapping[str, Array], *, ends: bool = False) -> tuple[Graph, dict[str, Array]]:
    """The graph in f16, and its weights.

    Args:
        graph: of f32; what is of other dtypes is left as it is.
        weights: of the inputs that are weights.
        ends: whether its other inputs and its outputs are of f16 too.
    """
    return _Halving(graph, weights, ends).run()


class _Halving:
    """``wide`` and ``narrow`` are what values of the graph have become, in f32 and in f16; each is made when asked."""

    def __init__(self, graph: Graph, weights: Mapping[str, Array], ends: bool) -> None:
        self.graph, self.ends = graph, ends
        self.kept = _kept_wide(graph, weights, ends)
        self.nodes: list[Node] = []
        self.wide: dict[Value, Value] = {}
        self.narrow: dict[Value, Value] = {}
        self.constants: dict[Value, Constant] = {}
        self.weights = dict(weights)
        self.inputs = {name: self._input(name, value) for name, value in graph.inputs.items()}

    def run(self) -> tuple[Graph, dict[str, Array]]:
        """All nodes, then the outputs in the dtype that they are to have."""
        for node in self.graph.nodes:
            self._visit(node)
        outputs = {
            name: self._as_narrow(value) if self.ends and _is_wide(value) else self._as_wide(value)
            for name, value in self.graph.outputs.items()
        }
        return replace(self.graph, inputs=self.inputs, nodes=tuple(self.nodes), outputs=outputs), self.weights

    def _input(self, name: str, value: Value) -> Value:
        """A weight that f16 can hold is of f16 where anything reads it so; an input where the ends are."""
        array = self.weights.get(name)
        read = [node for node in self.graph.nodes if value in node.inputs]
        if array is None:
            halve = self.ends
        else:
            fits = bool(np.abs(array).max(initial=0) <= LARGEST)  # vectors that statistics alone read stay as they are
            halve = fits and (array.ndim > 1 or any(node not in self.kept for node in read))
        if not _is_wide(value) or not halve:
            self.wide[value] = value
            return value
        if array is not None:
            self.weights[name] = array.astype(np.float16)
        made = Value(value.type.with_dtype(DType.f16), value.name, value.origin)
        self.narrow[value] = made
        return made

    def _visit(self, node: Node) -> None:
        if isinstance(node.op, Constant):
            self.constants[node.outputs[0]] = node.op
        reads = [value for value in node.inputs if _is_wide(value)]
        if reads and node not in self.kept and all(map(self._fits, reads)):
            given = [self._as_narrow(value) if _is_wide(value) else self._as_wide(value) for value in node.inputs]
            types = node.op.infer(*(value.type for value in given))
            self._add(node, given, types if isinstance(types, tuple) else (types,))
        else:
            self._add(node, [self._as_wide(value) for value in node.inputs], [value.type for value in node.outputs])

    def _add(self, node: Node, given: list[Value], types: tuple[TensorType, ...] | list[TensorType]) -> None:
        made = tuple(Value(t, v.name, v.origin) for t, v in zip(types, node.outputs, strict=True))
        self.nodes.append(Node(node.op, tuple(given), made, node.origin))
        for old, new in zip(node.outputs, made, strict=True):
            (self.narrow if _is_wide(old) and new.type.dtype is DType.f16 else self.wide)[old] = new

    def _fits(self, value: Value) -> bool:
        """Whether f16 has the numbers of a constant."""
        if value not in self.constants:
            return True
        sizes = np.abs(self.constants[value].array)
        sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
        return bool(sizes.max(initial=0) <= LARGEST and sizes.min(initial=1) >= SMALLEST)

    def _as_wide(self, value: Value) -> Value:
        if value not in self.wide:
            self.wide[value] = self._made(Cast(DType.f32), self.narrow[value])
        return self.wide[value]

    def _as_narrow(self, value: Value) -> Value:
        if value not in self.narrow:
            self.narrow[value] = self._halved_constant(value) or self._made(Cast(DType.f16), self.wide[value])
        return self.narrow[value]

    def _halved_constant(self, value: Value) -> Value | None:
        if value not in self.constants:
            return None
        op = Constant.of(self.constants[value].array.astype(np.float16), DType.f16)
        made = Value(value.type.with_dtype(DType.f16), value.name, value.origin)
        self.nodes.append(Node(op, (), (made,), value.origin))
        return made

    def _made(self, op: Cast, value: Value) -> Value:
        made = Value(value.type.with_dtype(op.dtype), value.name, value.origin)
        self.nodes.append(Node(op, (value,), (made,), value.origin))
        return made


def _is_wide(value: Value) -> bool:
    return value.type.dtype is DType.f32


def _kept_wide(graph: Graph, weights: Mapping[str, Array], ends: bool) -> set[Node]:
    """The nodes that compute in f32. Constants and vectors of weights have no say in what is made of them."""
    users: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        for value in node.inputs:
            users.setdefault(value, []).append(node)
    kept, fixed = set[Node](), set[Value]()
    neutral = {value for name, value in graph.inputs.items() if name in weights and weights[name].ndim < 2}
    made_wide = set() if ends else {value for name, value in graph.inputs.items() if name not in weights}
    for node in graph.nodes:
        reads = [value for value in node.inputs if _is_wide(value)]
        of_wide = (
            _is_elementwise(node.op)
            and not made_wide.isdisjoint(reads)
            and all(v in made_wide or v in neutral for v in reads)
        )
        known = fixed.issuperset(reads) and not node.op.wide  # a draw reads no number, and is none that is known
        if (known and reads) or node.op.wide or node.op.bodies() or of_wide:
            kept.add(node)
        if known:
            fixed.update(node.outputs)
        if isinstance(node.op, Constant) or (known and reads and not of_wide):
            neutral.update(node.outputs)
        elif node in kept or not reads:
            made_wide.update(node.outputs)
    results = set(graph.outputs.values())
    for node in reversed(graph.nodes):
        readers = [user for value in node.outputs for user in users.get(value, ())]
        if _is_elementwise(node.op) and readers and kept.issuperset(readers) and results.isdisjoint(node.outputs):
            kept.add(node)
    return kept


def _is_elementwise(op: Op) -> bool:
    return bool(op.traits & Trait.ELEMENTWISE) or bool(op.traits & Trait.VIEW)
