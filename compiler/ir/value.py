"""Values: tensors of a graph, known by identity. Their operators (``a * b``) add nodes to the builder in use.

What the operators do is up to ops, of which this room knows nothing: ``ops`` installs them when it is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from archonnx.grammar.record import Record

from .dims import Dim
from .origin import UNKNOWN, Origin
from .types import TensorType


class Value(Record, eq=False):
    """A tensor in a graph: an input, or a result of a node. ``name`` is a hint for people and for ONNX.

    Its operators broadcast; Python numbers take the dtype of the tensor.
    """

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
        return _operators.add(self, other)

    def __radd__(self, other: float) -> Value:
        return _operators.add(other, self)

    def __sub__(self, other: Value | float) -> Value:
        return _operators.sub(self, other)

    def __rsub__(self, other: float) -> Value:
        return _operators.sub(other, self)

    def __mul__(self, other: Value | float) -> Value:
        return _operators.mul(self, other)

    def __rmul__(self, other: float) -> Value:
        return _operators.mul(other, self)

    def __truediv__(self, other: Value | float) -> Value:
        return _operators.div(self, other)

    def __rtruediv__(self, other: float) -> Value:
        return _operators.div(other, self)

    def __pow__(self, other: Value | float) -> Value:
        return _operators.pow(self, other)

    def __neg__(self) -> Value:
        return _operators.neg(self)

    def __gt__(self, other: Value | float) -> Value:
        return _operators.greater(self, other)

    def __lt__(self, other: Value | float) -> Value:
        return _operators.less(self, other)

    def __ge__(self, other: Value | float) -> Value:
        return _operators.greater_equal(self, other)

    def __le__(self, other: Value | float) -> Value:
        return _operators.less_equal(self, other)

    def sum(self, axes: Sequence[int], *, keep: bool = False) -> Value:
        """The sum over axes, counted from the front; with ``keep`` they stay, with size 1."""
        return _operators.sum(self, axes, keep)

    def __repr__(self) -> str:
        return f"<{self.name or 'value'}: {self.type}>"


Unary = Callable[[Value], Value]
Binary = Callable[["Value | float", "Value | float"], Value]
Sum = Callable[[Value, Sequence[int], bool], Value]


class Operators(Record):
    """What the operators of values do."""

    add: Binary
    sub: Binary
    mul: Binary
    div: Binary
    pow: Binary
    neg: Unary
    greater: Binary
    less: Binary
    greater_equal: Binary
    less_equal: Binary
    sum: Sum


def install_operators(operators: Operators) -> None:
    """Say what the operators of values do."""
    global _operators
    _operators = operators


def _missing(*operands: Any) -> Value:
    raise LookupError("the operators of values are those of `archonnx.compiler.ops`, which is not imported")


_operators = Operators(*(_missing,) * 11)
