"""Ops that normalise along axes: softmax, its logarithm, layer normalisation.

What this module does not do: batch, group and instance normalisation; they are library code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.types import TensorType

from .base import OnnxOp, Op, TypeProblem, register

if TYPE_CHECKING:
    from archonnx.compiler.ir.graph import Value


@dataclass(frozen=True)
class AlongAxis(Op):
    """A floating-point tensor to one of its own type, along ``axis``."""

    axis: int = -1

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if not x.dtype.is_float:
            raise TypeProblem("AX0303", f"`{self.name}` is not defined for {x.dtype}: it takes float tensors")
        if not -x.rank <= self.axis < x.rank:
            raise TypeProblem("AX0306", f"`{self.name}` along axis {self.axis}, but {x} has {x.rank} axes")
        return x


@register
@dataclass(frozen=True)
class Softmax(AlongAxis):
    """``exp(x) / sum(exp(x))`` along one axis.

    Backward: ``dx = y * (dy - sum(dy * y))``.
    """

    onnx: ClassVar[OnnxOp | None] = OnnxOp("Softmax", since=13)

    def evaluate(self, x: Any) -> Any:
        weights = np.exp(x - np.max(x, axis=self.axis, keepdims=True))
        return weights / np.sum(weights, axis=self.axis, keepdims=True)


def softmax(x: Value, axis: int = -1) -> Value:
    """Weights that sum to 1 along an axis."""
    return current_builder().add(Softmax(axis), x)
