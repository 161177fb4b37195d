"""Convolution and its two gradients. All three are bilinear, and each is the gradient of the other two.

What this module does not do: bias (an addition), causal or "same" padding (arithmetic on ``pads``, in the library).
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


@register
@dataclass(frozen=True)
class Conv(Op):
    """Cross-correlation of ``x: [N, C, *size]`` with ``w: [O, C / groups, *kernel]``."""

    onnx: ClassVar[OnnxOp | None] = OnnxOp("Conv", since=11, attributes={"groups": "group"})
    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    groups: int = 1

    def infer(self, *inputs: TensorType) -> TensorType:
        x, w = inputs
        n = len(self.strides)
        size = tuple(
            (x.shape[2 + i] + (self.pads[i] + self.pads[n + i] - 1) - self.dilations[i] * (w.shape[2 + i] - 1))
            // self.strides[i] + 1
            for i in range(n)
        )
        return x.with_shape((x.shape[0], w.shape[0], *size))
