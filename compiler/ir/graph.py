"""The graph: inputs, ordered nodes, outputs. Immutable; whatever changes a graph builds a new one.

A value is known by identity. Values have operators (``a * b``), which add nodes to the builder in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from archonnx.grammar.record import Record

from . import builder as building
from .dims import Dim
from .origin import UNKNOWN, Origin
from .types import TensorType

if TYPE_CHECKING:
    from archonnx.compiler.ops.base import Op


class Value(Record, eq=False):
    """A tensor in a graph: an input, or a result of a node. ``name`` is a hint for people and for ONNX."""

    type: TensorType
    name: str = ""
    origin: Origin = UNKNOWN

    @property
    def shape(self) -> tuple[Dim, ...]:
        """Its dims."""
        return self.type.shape

    @property
    def rank(self) -> int:
        """Number of axes."""
        return self.type.rank

    def __add__(self, other: Value | float) -> Value:
        return building.current_builder().elementwise("add", self, other)

    def __radd__(self, other: float) -> Value:
        return building.current_builder().elementwise("add", other, self)

    def __sub__(self, other: Value | float) -> Value:
        return building.current_builder().elementwise("sub", self, other)

    def __rsub__(self, other: float) -> Value:
        return building.current_builder().elementwise("sub", other, self)

    def __mul__(self, other: Value | float) -> Value:
        return building.current_builder().elementwise("mul", self, other)

    def __rmul__(self, other: float) -> Value:
        return building.current_builder().elementwise("mul", other, self)

    def __truediv__(self, other: Value | float) -> Value:
        return building.current_builder().elementwise("div", self, other)

    def __rtruediv__(self, other: float) -> Value:
        return building.current_builder().elementwise("div", other, self)

    def __pow__(self, other: Value | float) -> Value:
        return building.current_builder().elementwise("pow", self, other)

    def __neg__(self) -> Value:
        return building.current_builder().elementwise("neg", self)

    def __gt__(self, other: Value | float) -> Value:
        return building.current_builder().elementwise("greater", self, other)

    def __lt__(self, other: Value | float) -> Value:
        return building.current_builder().elementwise("less", self, other)

    def __ge__(self, other: Value | float) -> Value:
        return building.current_builder().elementwise("greater_equal", self, other)

    def __le__(self, other: Value | float) -> Value:
        return building.current_builder().elementwise("less_equal", self, other)

    def __repr__(self) -> str:
        return f"<{self.name or 'value'}: {self.type}>"


class Node(Record, eq=False):
    """One application of an op."""

    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    origin: Origin = UNKNOWN

    def __repr__(self) -> str:
        return f"<{self.op.name}: {len(self.inputs)} inputs -> {', '.join(str(v.type) for v in self.outputs[:3])}>"


class Graph(Record, eq=False):
    """A function of tensors. Inputs and outputs are named in order; nodes stand in an order of evaluation."""

    name: str
    inputs: Mapping[str, Value]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Value]
    facts: tuple[Dim, ...] = ()
    """Dims that are at least 0, from ``assert``: what the shapes rest on."""

    def __repr__(self) -> str:
        return f"<graph {self.name}: {len(self.inputs)} inputs, {len(self.nodes)} nodes, {len(self.outputs)} outputs>"

    def producers(self) -> dict[Value, Node]:
        """The node that makes each value."""
        return {output: node for node in self.nodes for output in node.outputs}

    def values(self) -> Iterator[Value]:
        """All values: inputs, then results in order."""
        yield from self.inputs.values()
        for node in self.nodes:
            yield from node.outputs

    def symbols(self) -> set[str]:
        """All names of dims in the inputs."""
        return set().union(*(value.type.symbols() for value in self.inputs.values()))

    def op_symbols(self) -> set[str]:
        """All names of dims in the attributes of ops."""
        return set().union(*(node.op.symbols() for node in self.nodes))


def needed(nodes: Iterable[Node], outputs: Iterable[Value]) -> list[Node]:
    """The nodes on which these values depend, in order."""
    live = set(outputs)
    kept = []
    for node in reversed(list(nodes)):
        if not live.isdisjoint(node.outputs):
            kept.append(node)
            live.update(node.inputs)
    return kept[::-1]
