"""Constants, and ops that change the shape of a tensor without arithmetic on its elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from archonnx.compiler.ir.builder import broadcast_shapes, current_builder
from archonnx.compiler.ir.dims import ONE, Dim
from archonnx.compiler.ir.types import Array, DType, TensorType

from .base import Emitter, Op, Trait, TypeProblem, register

if TYPE_CHECKING:
    from archonnx.compiler.ir.graph import Value


@register
@dataclass(frozen=True)
class Constant(Op):
    """A tensor known at compile time. Equal constants compare equal."""

    dtype: DType = DType.f32
    shape: tuple[int, ...] = ()
    data: bytes = field(default=b"", repr=False)

    @staticmethod
    def of(array: Array, dtype: DType | None = None) -> Constant:
        """The op for this array."""
        dtype = dtype or DType.from_numpy(array.dtype)
        return Constant(dtype, array.shape, np.ascontiguousarray(array, dtype=dtype.numpy).tobytes())

    @property
    def array(self) -> Array:
        """The tensor."""
        return np.frombuffer(self.data, dtype=self.dtype.numpy).reshape(self.shape)

    def infer(self, *inputs: TensorType) -> TensorType:
        return TensorType(self.dtype, tuple(Dim.of(n) for n in self.shape))

    def evaluate(self, *inputs: Any) -> Any:
        return self.array

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        return ()

    def lower(self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType],
              results: Sequence[TensorType]) -> str:
        return emit.constant(self.array, self.dtype)


@register
@dataclass(frozen=True)
class Broadcast(Op):
    """Repeat along new leading axes and along axes of size 1. The only op whose gradient sums.

    Export leaves it out where the ONNX op that reads it broadcasts by itself.
    """

    traits: ClassVar[Trait] = Trait.PURE | Trait.VIEW
    shape: tuple[Dim, ...] = ()

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if broadcast_shapes([x.shape, self.shape]) != self.shape:
            raise TypeProblem("AX0302", f"{x} does not broadcast to [{', '.join(map(str, self.shape))}]")
        return x.with_shape(self.shape)

    def evaluate(self, x: Any) -> Any:
        return np.broadcast_to(x, [d.evaluate({}) for d in self.shape])

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        from .reduce import reduce_sum

        (x,) = inputs
        new = len(self.shape) - x.rank
        kept = tuple(i + new for i, (old, d) in enumerate(zip(x.shape, self.shape[new:], strict=True))
                     if old == ONE and d != ONE)
        total = reduce_sum(dy, (*range(new), *kept), keep=False)
        return (reshape(total, x.shape),)

    def lower(self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType],
              results: Sequence[TensorType]) -> str:
        return emit.node("Expand", inputs[0], emit.dims(self.shape))


@register
@dataclass(frozen=True)
class Reshape(Op):
    """The same elements in row-major order under another shape."""

    traits: ClassVar[Trait] = Trait.PURE | Trait.VIEW
    shape: tuple[Dim, ...] = ()

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        result = x.with_shape(self.shape)
        if result.size != x.size:
            raise TypeProblem("AX0304", f"cannot reshape {x} to {result}: {x.size} elements against {result.size}")
        return result

    def evaluate(self, x: Any) -> Any:
        return np.reshape(x, [d.evaluate({}) for d in self.shape])

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        return (reshape(dy, inputs[0].shape),)

    def lower(self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType],
              results: Sequence[TensorType]) -> str:
        sizes = [d.constant for d in self.shape]
        if sizes.count(None) == 1 and 0 not in sizes:
            return emit.node("Reshape", inputs[0], emit.constant([-1 if n is None else n for n in sizes]))
        return emit.node("Reshape", inputs[0], emit.dims(self.shape))


def reshape(x: Value, shape: Sequence[Dim | int]) -> Value:
    """``x`` under another shape; itself where it has it already."""
    dims = tuple(Dim.of(d) for d in shape)
    return x if dims == x.shape else current_builder().add(Reshape(dims), x)
