"""Losses that one ONNX kernel computes faster, or more stably, than their parts. All others are library code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import same
from archonnx.compiler.ir.types import DType, TensorType

from .base import Op, TypeProblem, register

if TYPE_CHECKING:
    from archonnx.compiler.ir.graph import Value


@register
@dataclass(frozen=True)
class CrossEntropy(Op):
    """``logsumexp(logits) - logits[label]`` along the last axis: a loss for each example, none of them reduced.

    Logits are float ``[..., C]``, labels i64 ``[...]`` in ``0 .. C-1``.
    Backward: ``dlogits = (softmax(logits) - one_hot(label)) * dy``.
    """

    def infer(self, *inputs: TensorType) -> TensorType:
        logits, label = inputs
        if not logits.dtype.is_float:
            raise TypeProblem("AX0303", f"cross-entropy needs float logits, not {logits.dtype}")
        if label.dtype is not DType.i64:
            raise TypeProblem("AX0303", f"cross-entropy needs labels of type i64, not {label.dtype}", operands=(1,))
        fits = logits.rank == label.rank + 1 and all(
            same(a, b) for a, b in zip(logits.shape, label.shape, strict=False))
        if not fits:
            raise TypeProblem(
                "AX0302", f"labels {label} do not fit logits {logits}", operands=(1, 0),
                help="logits have one axis more, the last, over the classes",
            )
        return TensorType(logits.dtype, label.shape)

    def evaluate(self, logits: Any, label: Any) -> Any:
        shifted = logits - np.max(logits, axis=-1, keepdims=True)
        chosen = np.take_along_axis(shifted, label[..., None], axis=-1)[..., 0]
        return np.log(np.sum(np.exp(shifted), axis=-1)) - chosen


def cross_entropy(logits: Value, label: Value) -> Value:
    """The loss of each example: logits ``[..., C]``, integer labels ``[...]``."""
    return current_builder().add(CrossEntropy(), logits, label)
