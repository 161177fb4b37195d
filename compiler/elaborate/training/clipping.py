"""Bounds on gradients, of each element and of their joint norm."""

from __future__ import annotations

from collections.abc import Sequence

from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import cast, maximum, minimum
from archonnx.compiler.ops.functions import sqrt
from archonnx.compiler.ops.reduce import reduce_sum
from archonnx.grammar.record import Record


class Clip(Record):
    """Bounds on the gradients of a step (003 6.2.4): of each element, then of their joint norm."""

    value: float | None = None
    norm: float | None = None

    def apply(self, gradients: Sequence[Value]) -> Sequence[Value]:
        """The gradients within the bounds."""
        if self.value is not None:
            gradients = clip_by_value(gradients, self.value)
        return gradients if self.norm is None else clip_by_norm(gradients, self.norm)


def clip_by_value(gradients: Sequence[Value], limit: float) -> list[Value]:
    """Gradients whose elements are held between ``-limit`` and ``limit`` (Mikolov 2012)."""
    return [maximum(minimum(g, limit), -limit) for g in gradients]


def clip_by_norm(gradients: Sequence[Value], limit: float) -> list[Value]:
    """Gradients scaled by ``min(1, limit / norm)``, their joint Euclidean norm (Pascanu et al. 2013)."""
    widest = max((g.type.dtype for g in gradients), key=lambda dtype: dtype.numpy.itemsize)
    squares = [cast(reduce_sum(g * g), widest) for g in gradients]
    norm = sqrt(sum(squares[1:], start=squares[0]))
    scale = limit / maximum(norm, limit)
    return [g * cast(scale, g.type.dtype) for g in gradients]
