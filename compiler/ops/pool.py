"""Pooling over windows of the spatial axes. Global pools are reductions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archonnx.compiler.ir.types import TensorType

from .base import OnnxOp, Op, register


@register
@dataclass(frozen=True)
class MaxPool(Op):
    """The largest element of each window of ``x: [N, C, *size]``."""

    onnx: ClassVar[OnnxOp | None] = OnnxOp("MaxPool", since=12, attributes={"kernel": "kernel_shape"})
    kernel: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        n = len(self.kernel)
        size = tuple(
            (x.shape[2 + i] + self.pads[i] + self.pads[n + i] - self.dilations[i] * (self.kernel[i] - 1) - 1)
            // self.strides[i] + 1
            for i in range(n)
        )
        return x.with_shape((*x.shape[:2], *size))
