"""Dims as tensors: the size of an axis, ranges, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE, Dim
from archonnx.compiler.ir.op import Emitter, Op, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value

from .compare import equal
from .elementwise import cast
from .shape import constant, unsqueeze


@register
class DimValue(Op):
    """The size of an axis as a scalar."""

    dim: Dim = ONE

    def infer(self) -> TensorType:
        return TensorType(DType.i64, ())

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return True

    def evaluate(self) -> Any:
        return np.asarray(self.dim.evaluate({}), np.int64)

    def vjp(self, dy: Value, y: Value) -> tuple[Value | None, ...]:
        return ()

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        if (size := self.dim.constant) is not None:
            return emit.constant(size)
        return emit.node("Squeeze", emit.dims([self.dim]))


@register
class Iota(Op):
    """``0, 1, ..., length - 1`` as i64."""

    length: Dim = ONE

    def infer(self) -> TensorType:
        return TensorType(DType.i64, (self.length,))

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return True

    def evaluate(self) -> Any:
        return np.arange(self.length.evaluate({}))

    def vjp(self, dy: Value, y: Value) -> tuple[Value | None, ...]:
        return ()

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        if (size := self.length.constant) is not None:
            return emit.constant(np.arange(size))
        return emit.node("Range", emit.constant(0), emit.node("Squeeze", emit.dims([self.length])), emit.constant(1))


def dim_value(dim: Dim | int, dtype: DType = DType.i64) -> Value:
    """A dim as a scalar tensor."""
    size = Dim.of(dim).constant
    if size is not None:
        return constant(size, dtype)
    return cast(current_builder().add(DimValue(Dim.of(dim))), dtype)


def iota(length: Dim | int, dtype: DType = DType.i64) -> Value:
    """``0, 1, ..., length - 1``."""
    return cast(current_builder().add(Iota(Dim.of(length))), dtype)


def eye(size: Dim | int, dtype: DType = DType.f32) -> Value:
    """The identity matrix."""
    index = iota(size)
    return cast(equal(unsqueeze(index, 1), index), dtype)
