"""Comparison and logic, element by element: results are truth values, without gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from archonnx.compiler.ir.op import Emitter, OnnxOp, register
from archonnx.compiler.ir.types import DType, TensorType

from .pointwise import COMMUTATIVE, ZeroGradient


class Predicate(ZeroGradient):
    """A NumPy function with truth values as results."""

    result_dtype = DType.bool
    function: ClassVar[Any]

    def evaluate(self, *inputs: Any) -> Any:
        return self.function(*inputs)


@register
class Equal(Predicate):
    """``a == b``."""

    traits = COMMUTATIVE
    accepts = "any"
    function = np.equal

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return _emit_equal(emit, inputs, types[0].dtype)


@register
class NotEqual(Predicate):
    """``a != b``."""

    traits = COMMUTATIVE
    accepts = "any"
    function = np.not_equal

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return emit.node("Not", _emit_equal(emit, inputs, types[0].dtype))


def _emit_equal(emit: Emitter, inputs: Sequence[str], dtype: DType) -> str:
    """Equality; of truth values it is that of integers where any client is to compute it: tract has no other."""
    if dtype is DType.bool and emit.everywhere:
        inputs = [emit.node("Cast", name, to=DType.i32) for name in inputs]
    return emit.node("Equal", *inputs)


@register
class Greater(Predicate):
    """``a > b``."""

    onnx = OnnxOp("Greater")
    function = np.greater


@register
class Less(Predicate):
    """``a < b``."""

    onnx = OnnxOp("Less")
    function = np.less


@register
class GreaterEqual(Predicate):
    """``a >= b``."""

    onnx = OnnxOp("GreaterOrEqual")
    function = np.greater_equal


@register
class LessEqual(Predicate):
    """``a <= b``."""

    onnx = OnnxOp("LessOrEqual")
    function = np.less_equal


@register
class LogicalAnd(Predicate):
    """Both."""

    traits = COMMUTATIVE
    accepts = "bool"
    onnx = OnnxOp("And")
    function = np.logical_and


@register
class LogicalOr(Predicate):
    """At least one."""

    traits = COMMUTATIVE
    accepts = "bool"
    onnx = OnnxOp("Or")
    function = np.logical_or


@register
class LogicalXor(Predicate):
    """Exactly one."""

    traits = COMMUTATIVE
    accepts = "bool"
    onnx = OnnxOp("Xor")
    function = np.logical_xor


@register
class LogicalNot(Predicate):
    """Not."""

    accepts = "bool"
    onnx = OnnxOp("Not")
    function = np.logical_not


@register
class IsNan(Predicate):
    """Whether ``x`` is not a number."""

    accepts = "float"
    onnx = OnnxOp("IsNaN")
    function = np.isnan


@register
class IsInf(Predicate):
    """Whether ``x`` is infinite, of either sign."""

    accepts = "float"
    onnx = OnnxOp("IsInf")
    function = np.isinf


equal, not_equal, greater, less = Equal(), NotEqual(), Greater(), Less()
greater_equal, less_equal = GreaterEqual(), LessEqual()
logical_and, logical_or, logical_xor, logical_not = LogicalAnd(), LogicalOr(), LogicalXor(), LogicalNot()
is_nan, is_inf = IsNan(), IsInf()
