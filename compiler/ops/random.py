"""Draws: pure functions of (seed, step, site, index of the element), the same on every provider and in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType, TensorType

from .base import Op, Trait, TypeProblem, register

if TYPE_CHECKING:
    from archonnx.compiler.ir.graph import Value


@register
@dataclass(frozen=True)
class RandomUniform(Op):
    """Independent draws from [0, 1). Inputs: ``seed: i64[]``, ``step: i64[]``."""

    traits: ClassVar[Trait] = Trait.PURE | Trait.RANDOM
    shape: tuple[Dim, ...] = ()
    dtype: DType = DType.f32
    site: int = 0

    def infer(self, *inputs: TensorType) -> TensorType:
        for position, scalar in enumerate(inputs):
            if scalar != TensorType(DType.i64, ()):
                raise TypeProblem("AX0303", f"seed and step are i64[], not {scalar}", operands=(position,))
        return TensorType(self.dtype, self.shape)

    def evaluate(self, seed: Any, step: Any) -> Any:
        generator = np.random.Generator(np.random.Philox(key=int(seed), counter=[int(step), self.site, 0, 0]))
        return generator.random([d.evaluate({}) for d in self.shape], dtype=np.float32).astype(self.dtype.numpy)


def random_uniform(shape: tuple[Dim, ...], seed: Value, step: Value, site: int, dtype: DType = DType.f32) -> Value:
    """Draws from [0, 1)."""
    return current_builder().add(RandomUniform(shape, dtype, site), seed, step)
