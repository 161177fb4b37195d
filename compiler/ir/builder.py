"""Adding nodes: a builder infers each node's type, keeps the order, and knows the origin in force.

Ops build their gradients through the functions and operators of values, which reach the builder in use
(``with builder.active():``). What this module does not do: anything to a finished graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from archonnx.grammar.budget import Cost, hold, spend

from .graph import Graph, Node, needed
from .op import Op, TypeProblem
from .origin import UNKNOWN, Origin
from .value import Value

MAX_RANK = 64
"""Axes of a tensor: NumPy has no arrays of more."""
NODE, NODE_BYTES = 42, 3_000
"""What a node costs, in work and in memory, with its values and their types."""
_current: ContextVar[Builder] = ContextVar("builder")


def current_builder() -> Builder:
    """The builder in use; using a value's operators outside ``builder.active()`` is a bug (LookupError)."""
    return _current.get()


class At:
    """An origin that is in force inside a ``with``; a class, since it is entered for every node."""

    __slots__ = ("builder", "origin", "outer")

    def __init__(self, builder: Builder, origin: Origin) -> None:
        self.builder, self.origin = builder, origin

    def __enter__(self) -> None:
        self.outer, self.builder.origin = self.builder.origin, self.origin

    def __exit__(self, *error: object) -> None:
        self.builder.origin = self.outer


class Builder:
    """Collects nodes. ``origin`` is given to every node added while it is in force; ``once`` are values made once."""

    def __init__(self, origin: Origin = UNKNOWN) -> None:
        self.nodes: list[Node] = []
        self.cost = Cost.nodes
        self.origin = origin
        self._once: dict[Op, Value] = {}
        self.once: set[Value] = set()
        self._positions: dict[Value, int] = {}
        self._indexed = 0
        self._last: Node | None = None

    @contextmanager
    def active(self) -> Iterator[Builder]:
        """Make this the builder in use."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def at(self, origin: Origin) -> At:
        """Give nodes added inside this origin."""
        return At(self, origin)

    def add(self, op: Op, *inputs: Value, name: str = "") -> Value:
        """Add a node of one result; TypeProblem if the inputs do not fit."""
        return self.add_many(op, *inputs, name=name)[0]

    def add_many(self, op: Op, *inputs: Value, name: str = "") -> tuple[Value, ...]:
        """Add a node; its results in order."""
        inferred = op.infer(*[value.type for value in inputs])
        types = inferred if isinstance(inferred, tuple) else (inferred,)
        if max(len(type_.shape) for type_ in types) > MAX_RANK:
            rank = max(len(type_.shape) for type_ in types)
            raise TypeProblem("AX0327", f"this tensor would have {rank:,} axes: it may have {MAX_RANK}", operands=())
        spend(self.cost, NODE + sum([len(type_.shape) for type_ in types]) + 2 * len(inputs))
        hold(self.cost, NODE_BYTES)
        outputs = tuple([Value(type_, name, self.origin) for type_ in types])
        self.nodes.append(Node(op, inputs, outputs, self.origin))
        return outputs

    def add_once(self, op: Op) -> Value:
        """The result of an op without inputs; equal ones are made once."""
        if op not in self._once:
            self._once[op] = self.add(op)
            self.once.add(self._once[op])
        return self._once[op]

    def behind(self, values: Iterable[Value]) -> list[Node]:
        """The nodes on which these values depend, in order: it looks at those alone, not at all that there are."""
        if self._indexed and self.nodes[self._indexed - 1 : self._indexed] != [self._last]:  # loops take nodes out
            self._positions.clear()
            self._indexed = 0
        for position in range(self._indexed, len(self.nodes)):
            self._positions.update(dict.fromkeys(self.nodes[position].outputs, position))
        self._indexed, self._last = len(self.nodes), self.nodes[-1] if self.nodes else None
        found: set[int] = set()
        stack = list(values)
        while stack:
            position = self._positions.get(stack.pop(), -1)
            if position >= 0 and position not in found:
                found.add(position)
                stack += self.nodes[position].inputs
        return [self.nodes[position] for position in sorted(found)]

    def graph(self, name: str, inputs: Mapping[str, Value], outputs: Mapping[str, Value]) -> Graph:
        """The finished graph of what these outputs need."""
        return Graph(name, dict(inputs), tuple(needed(self.nodes, outputs.values())), dict(outputs))
