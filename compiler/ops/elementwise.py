"""Ops that act element by element on inputs of one shape. Broadcasting happens before them, in ``Broadcast``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.types import DType, TensorType

from .base import Emitter, OnnxOp, Op, Trait, TypeProblem, register

if TYPE_CHECKING:
    from archonnx.compiler.ir.graph import Value

ELEMENTWISE = Trait.PURE | Trait.ELEMENTWISE


class Elementwise(Op):
    """Inputs share one shape and one dtype, which are the result's unless ``result_dtype`` says otherwise."""

    traits: ClassVar[Trait] = ELEMENTWISE
    accepts: ClassVar[str] = "number"
    """``number``, ``float``, ``integer``, ``bool`` or ``any``."""
    result_dtype: ClassVar[DType | None] = None

    def infer(self, *inputs: TensorType) -> TensorType:
        first = inputs[0]
        for position, other in enumerate(inputs[1:], 1):
            if other.dtype is not first.dtype:
                raise TypeProblem(
                    "AX0303", f"`{self.name}` needs one dtype: {first.dtype} and {other.dtype}",
                    operands=(position, 0), help=f"convert one of them: `{first.dtype}(...)`",
                )
            if other.shape != first.shape:
                raise TypeProblem("AX0302", f"`{self.name}` needs one shape: {first} and {other}", operands=(position, 0))
        if not accepts(self.accepts, first.dtype):
            raise TypeProblem("AX0303", f"`{self.name}` is not defined for {first.dtype}: it takes {self.accepts} tensors")
        return TensorType(self.result_dtype or first.dtype, first.shape, first.notes)


def accepts(kind: str, dtype: DType) -> bool:
    """Whether a dtype is of a kind (``number``, ``float``, ``integer``, ``bool``, ``any``)."""
    return {
        "any": True,
        "bool": dtype is DType.bool,
        "float": dtype.is_float,
        "integer": dtype.is_integer,
        "number": dtype is not DType.bool,
    }[kind]


@register
@dataclass(frozen=True)
class Add(Elementwise):
    """``a + b``."""

    traits: ClassVar[Trait] = ELEMENTWISE | Trait.COMMUTATIVE
    onnx: ClassVar[OnnxOp | None] = OnnxOp("Add", since=14)

    def evaluate(self, a: Any, b: Any) -> Any:
        return a + b

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        return dy, dy


@register
@dataclass(frozen=True)
class Mul(Elementwise):
    """``a * b``."""

    traits: ClassVar[Trait] = ELEMENTWISE | Trait.COMMUTATIVE
    onnx: ClassVar[OnnxOp | None] = OnnxOp("Mul", since=14)

    def evaluate(self, a: Any, b: Any) -> Any:
        return a * b

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        a, b = inputs
        return dy * b, dy * a


@register
@dataclass(frozen=True)
class Exp(Elementwise):
    """``e ** x``. Backward: ``dx = dy * y``."""

    accepts: ClassVar[str] = "float"
    onnx: ClassVar[OnnxOp | None] = OnnxOp("Exp", since=13)

    def evaluate(self, x: Any) -> Any:
        return np.exp(x)

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        return (dy * y,)


@register
@dataclass(frozen=True)
class Cast(Op):
    """Convert to another dtype: floats to integers truncate, numbers to bool are ``x != 0``."""

    onnx: ClassVar[OnnxOp | None] = OnnxOp("Cast", since=21, attributes={"dtype": "to"})
    dtype: DType = DType.f32

    def infer(self, *inputs: TensorType) -> TensorType:
        return inputs[0].with_dtype(self.dtype)

    def evaluate(self, x: Any) -> Any:
        return np.asarray(x).astype(self.dtype.numpy)

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        (x,) = inputs
        return (cast(dy, x.type.dtype),) if self.dtype.is_float and x.type.dtype.is_float else (None,)


def cast(x: Value, dtype: DType) -> Value:
    """``x`` in another dtype; itself where it has it already."""
    return x if x.type.dtype is dtype else current_builder().add(Cast(dtype), x)
