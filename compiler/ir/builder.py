"""Adding nodes: a builder infers each node's type, keeps the order, and knows the origin in force.

Ops build their gradients through the functions and operators of values, which reach the builder in use
(``with builder.active():``). What this module does not do: anything to a finished graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from . import graph as graphs
from .dims import ONE, Dim
from .facts import is_one, same
from .origin import UNKNOWN, Origin
from .types import DType

if TYPE_CHECKING:
    from archonnx.compiler.ops.base import Op

    from .graph import Graph, Node, Value

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
    """Collects nodes. ``origin`` is given to every node added while it is in force."""

    def __init__(self, origin: Origin = UNKNOWN) -> None:
        self.nodes: list[Node] = []
        self.origin = origin
        self._constants: dict[tuple[Any, ...], Value] = {}

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
        outputs = tuple([graphs.Value(type_, name, self.origin) for type_ in types])
        self.nodes.append(graphs.Node(op, inputs, outputs, self.origin))
        return outputs

    def constant(self, array: Any, dtype: DType | None = None) -> Value:
        """A constant; equal small ones are made once."""
        from archonnx.compiler.ops.shape import Constant

        data = np.asarray(array, dtype=dtype.numpy if dtype else None)
        key = (dtype or DType.from_numpy(data.dtype), data.shape, data.tobytes())
        if data.size > 64:
            return self.add(Constant.of(data, key[0]))
        if key not in self._constants:
            self._constants[key] = self.add(Constant.of(data, key[0]))
        return self._constants[key]

    def elementwise(self, op: str, *operands: Value | float) -> Value:
        """Apply a registered elementwise op after broadcasting; Python numbers take the tensors' dtype."""
        from archonnx.compiler.ops.base import registry

        return self.add(registry()[op](), *self.broadcast(*operands))

    def broadcast(self, *operands: Value | float) -> tuple[Value, ...]:
        """Operands brought to one shape by NumPy's rule, as explicit Broadcast nodes; TypeProblem if none fits."""
        from archonnx.compiler.ops.shape import Broadcast

        tensors = [operand for operand in operands if isinstance(operand, graphs.Value)]
        dtype = tensors[0].type.dtype
        values = [o if isinstance(o, graphs.Value) else self.constant(o, dtype) for o in operands]
        shape = broadcast_shapes([value.shape for value in values])
        return tuple(v if v.shape == shape else self.add(Broadcast(shape), v) for v in values)

    def graph(self, name: str, inputs: Mapping[str, Value], outputs: Mapping[str, Value]) -> Graph:
        """The finished graph of what these outputs need."""
        return graphs.Graph(name, dict(inputs), tuple(graphs.needed(self.nodes, outputs.values())), dict(outputs))


def broadcast_shapes(shapes: Sequence[tuple[Dim, ...]]) -> tuple[Dim, ...]:
    """NumPy's rule on dims: aligned at the last axis, equal or 1. TypeProblem where that fails or cannot be told.

    Of dims that are equal by what is stated, the result has the simplest: a number, else a name, else the first.
    """
    from archonnx.compiler.ops.base import TypeProblem

    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(len(shape) for shape in shapes)
    result: list[Dim] = []
    for axis in range(-rank, 0):
        chosen, chosen_at = ONE, 0
        for position, shape in enumerate(shapes):
            dim = shape[axis] if -axis <= len(shape) else ONE
            if dim in (ONE, chosen):
                continue
            if chosen == ONE:
                chosen, chosen_at = dim, position
                continue
            equal = same(chosen, dim)
            if equal or is_one(dim):
                if equal and _plainness(dim) > _plainness(chosen):
                    chosen, chosen_at = dim, position
                continue
            if is_one(chosen):
                chosen, chosen_at = dim, position
                continue
            if equal is None:
                raise TypeProblem(
                    "AX0305",
                    f"cannot tell whether dims {chosen} and {dim} are equal (axis {axis})",
                    operands=(position, chosen_at),
                    help=f"state it: `assert {chosen} == {dim}`",
                )
            raise TypeProblem(
                "AX0302",
                f"shapes do not broadcast: axis {axis} is {chosen} on one side and {dim} on the other",
                operands=(position, chosen_at),
            )
        result.append(chosen)
    return tuple(result)


def _plainness(dim: Dim) -> int:
    return 2 if dim.constant is not None else 1 if dim.symbol is not None else 0


def check_broadcast(shape: tuple[Dim, ...], wanted: tuple[Dim, ...], shown: str) -> None:
    """TypeProblem unless a tensor of one shape can be repeated to another; ``shown`` is its type."""
    from archonnx.compiler.ops.base import TypeProblem

    result = broadcast_shapes([shape, wanted])
    if result != wanted and (len(result) != len(wanted) or not all(map(same, result, wanted))):
        raise TypeProblem("AX0302", f"{shown} does not broadcast to [{', '.join(map(str, wanted))}]")


def broadcasts(shape: tuple[Dim, ...], wanted: tuple[Dim, ...]) -> bool:
    """Whether it is certain that a tensor of one shape can be repeated to another."""
    from archonnx.compiler.ops.base import TypeProblem

    try:
        check_broadcast(shape, wanted, "")
    except TypeProblem:
        return False
    return True
