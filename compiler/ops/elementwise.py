"""Arithmetic, steps, selection and conversion, element by element on inputs of one shape.

What this module does not do: the functions of analysis (``functions``), truth values (``compare``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.op import Emitter, OnnxOp, Op, Trait, TypeProblem, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value

from .checks import UNSIGNED, one_place
from .pointwise import COMMUTATIVE, ELEMENTWISE, Elementwise, ZeroGradient
from .shape import broadcast, constant

# Arithmetic.


@register
class Add(Elementwise):
    """``a + b``."""

    additions = 1
    traits = COMMUTATIVE
    onnx = OnnxOp("Add")

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return all(inputs)

    def evaluate(self, a: Any, b: Any) -> Any:
        return a + b

    def vjp(self, dy: Value, y: Value, a: Value, b: Value) -> tuple[Value | None, ...]:
        return dy, dy


@register
class Sub(Elementwise):
    """``a - b``."""

    additions = 1
    onnx = OnnxOp("Sub")

    def evaluate(self, a: Any, b: Any) -> Any:
        return a - b

    def vjp(self, dy: Value, y: Value, a: Value, b: Value) -> tuple[Value | None, ...]:
        return dy, -dy


@register
class Mul(Elementwise):
    """``a * b``."""

    multiplications = 1
    traits = COMMUTATIVE
    onnx = OnnxOp("Mul")

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return all(inputs)

    def evaluate(self, a: Any, b: Any) -> Any:
        return a * b

    def vjp(self, dy: Value, y: Value, a: Value, b: Value) -> tuple[Value | None, ...]:
        return dy * b, dy * a


@register
class Div(Elementwise):
    """``a / b`` of floats. Backward: ``da = dy / b``, ``db = -da * y``."""

    multiplications = 1
    remedy = "keep the divisor away from 0: `a / (b + 1e-7)`"
    accepts = "float"
    onnx = OnnxOp("Div")

    def evaluate(self, a: Any, b: Any) -> Any:
        return np.divide(a, b)

    def vjp(self, dy: Value, y: Value, a: Value, b: Value) -> tuple[Value | None, ...]:
        da = dy / b
        return da, -(da * y)


@register
class Neg(Elementwise):
    """``-x``."""

    accepts = "signed"
    onnx = OnnxOp("Neg")

    def evaluate(self, x: Any) -> Any:
        return -x

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (-dy,)


@register
class FloorDiv(ZeroGradient):
    """``floor(a / b)``; an integer divided by zero is undefined.

    ONNX's Div of integers drops the fraction, so that the remainder is taken off first where signs may differ.
    """

    multiplications = 1

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return all(inputs)

    def evaluate(self, a: Any, b: Any) -> Any:
        return np.floor(np.divide(a, b)) if np.asarray(a).dtype.kind == "f" else np.floor_divide(a, b)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        a, b = inputs
        dtype = types[0].dtype
        if dtype.is_float:
            return emit.node("Floor", emit.node("Div", a, b))
        if dtype not in UNSIGNED:
            a = emit.node("Sub", a, emit.node("Mod", a, b))
        return emit.node("Div", a, b)


@register
class Mod(Elementwise):
    """``a - b * floor(a / b)``: the remainder with the sign of ``b``, as in Python.

    ONNX's Mod of floats has the sign of ``a``; ``b`` is added where the signs differ.
    """

    multiplications, additions = 2, 1

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return inputs[1]

    def evaluate(self, a: Any, b: Any) -> Any:
        return np.mod(a, b)

    def vjp(self, dy: Value, y: Value, a: Value, b: Value) -> tuple[Value | None, ...]:
        return dy, -(dy * floor_div(a, b))

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        a, b = inputs
        dtype = types[0].dtype
        if not dtype.is_float:
            return emit.node("Mod", a, b)
        rest = emit.node("Mod", a, b, fmod=1)
        signs_differ = emit.node("Less", emit.node("Mul", rest, emit.node("Sign", b)), emit.constant(0, dtype))
        return emit.node("Add", rest, emit.node("Mul", b, emit.node("Cast", signs_differ, to=dtype)))


@register
class Maximum(Elementwise):
    """The larger of two. Where they are equal each gets half of the gradient (which needs them finite)."""

    traits = COMMUTATIVE
    onnx = OnnxOp("Max")

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return any(inputs)

    def evaluate(self, a: Any, b: Any) -> Any:
        return np.maximum(a, b)

    def vjp(self, dy: Value, y: Value, a: Value, b: Value) -> tuple[Value | None, ...]:
        da = dy * heaviside(a - b, at_zero=0.5)
        return da, dy - da


@register
class Minimum(Elementwise):
    """The smaller of two. Where they are equal each gets half of the gradient (which needs them finite)."""

    traits = COMMUTATIVE
    onnx = OnnxOp("Min")

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return all(inputs)

    def evaluate(self, a: Any, b: Any) -> Any:
        return np.minimum(a, b)

    def vjp(self, dy: Value, y: Value, a: Value, b: Value) -> tuple[Value | None, ...]:
        da = dy * heaviside(b - a, at_zero=0.5)
        return da, dy - da


@register
class Abs(Elementwise):
    """``|x|``, with derivative 0 at 0."""

    onnx = OnnxOp("Abs")

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return True

    def evaluate(self, x: Any) -> Any:
        return np.abs(x)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (dy * (heaviside(x, at_zero=0.5) * 2 - 1),)


# Steps.


@register
class Sign(ZeroGradient):
    """-1, 0 or 1."""

    onnx = OnnxOp("Sign")

    def evaluate(self, x: Any) -> Any:
        return np.sign(x)


@register
class Heaviside(ZeroGradient):
    """1 above zero, 0 below, ``at_zero`` (from 0 to 1) at zero.

    Every gradient with a kink is made of it: onnxruntime computes HardSigmoid, ``clip(alpha * x + beta, 0, 1)``, twice
    as fast as a comparison and a Cast, and seven times as fast as Sign. The largest alpha makes it a step for all
    normal f32 numbers; below those (1e-38) it is a ramp. Of f64, where there is no HardSigmoid, Clip does the same.
    A portable graph compares: OpenVINO makes 1/2 of the HardSigmoid of 0, and dead units learned there.
    """

    accepts = "float"
    at_zero: float = 0.0

    def evaluate(self, x: Any) -> Any:
        return np.heaviside(x, np.asarray(self.at_zero, np.asarray(x).dtype))

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        (x,) = inputs
        dtype = types[0].dtype
        if dtype is DType.f32 and not emit.everywhere:
            return emit.node("HardSigmoid", x, alpha=float(np.finfo(np.float32).max), beta=self.at_zero)
        zero = emit.constant(0, dtype)
        if dtype is DType.f64 and not emit.everywhere:
            steep = emit.node("Mul", x, emit.constant(np.finfo(np.float64).max, dtype))
            ramp = emit.node("Add", steep, emit.constant(self.at_zero, dtype)) if self.at_zero else steep
            return emit.node("Clip", ramp, zero, emit.constant(1, dtype))
        above = emit.node("Cast", emit.node("Greater", x, zero), to=dtype)
        if not self.at_zero:
            return above
        at = emit.node("Cast", emit.node("Equal", x, zero), to=dtype)
        return emit.node("Add", above, emit.node("Mul", at, emit.constant(self.at_zero, dtype)))


@register
class Floor(ZeroGradient):
    """The largest integer not above ``x``, as a float."""

    accepts = "float"
    onnx = OnnxOp("Floor")

    def evaluate(self, x: Any) -> Any:
        return np.floor(x)


@register
class Ceil(ZeroGradient):
    """The smallest integer not below ``x``, as a float."""

    accepts = "float"
    onnx = OnnxOp("Ceil")

    def evaluate(self, x: Any) -> Any:
        return np.ceil(x)


@register
class Round(ZeroGradient):
    """The nearest integer, halves to even, as a float."""

    accepts = "float"
    onnx = OnnxOp("Round")

    def evaluate(self, x: Any) -> Any:
        return np.round(x)


# Selection and conversion.


@register
class Where(Op):
    """``a`` where the condition holds, else ``b``. What is not selected gets the gradient ``dy * 0``."""

    traits = ELEMENTWISE | Trait.CHOOSES
    onnx = OnnxOp("Where")

    def infer(self, condition: TensorType, a: TensorType, b: TensorType) -> TensorType:
        if condition.dtype is not DType.bool:
            raise TypeProblem(
                "AX0303",
                f"the condition of `where` is bool, not {condition.dtype}",
                help="compare it: `x != 0`",
            )
        if a.dtype is not b.dtype:
            raise TypeProblem(
                "AX0303",
                f"`where` needs one dtype to choose from: {a.dtype} and {b.dtype}",
                operands=(2, 1),
                help=f"convert one of them: `{a.dtype}(...)`",
            )
        for position, other in enumerate((a, b), 1):
            if other.shape != condition.shape:
                raise TypeProblem("AX0302", f"`where` needs one shape: {condition} and {other}", operands=(position, 0))
        return a

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return one_place(places)

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return all(inputs[1:])

    def evaluate(self, condition: Any, a: Any, b: Any) -> Any:
        return np.where(condition, a, b)

    def vjp(self, dy: Value, y: Value, condition: Value, a: Value, b: Value) -> tuple[Value | None, ...]:
        da = dy * cast(condition, dy.type.dtype)
        return None, da, dy - da


@register
class Cast(Op):
    """Convert to another dtype: floats to integers truncate, numbers to bool are ``x != 0``."""

    traits = Trait.PURE | Trait.KEEPS
    onnx = OnnxOp("Cast", attributes={"dtype": "to"})
    dtype: DType = DType.f32

    def infer(self, x: TensorType) -> TensorType:
        return x.with_dtype(self.dtype)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return True

    def evaluate(self, x: Any) -> Any:
        return np.asarray(x).astype(self.dtype.numpy)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (cast(dy, x.type.dtype),) if self.dtype.is_float and x.type.dtype.is_float else (None,)


def cast(x: Value, dtype: DType) -> Value:
    """``x`` in another dtype; itself where it has it already."""
    return x if x.type.dtype is dtype else current_builder().add(Cast(dtype), x)


def where(condition: Value, a: Value | float, b: Value | float, dtype: DType = DType.f32) -> Value:
    """``a`` where the condition holds, else ``b``, broadcast; ``dtype`` is for when both are Python numbers."""
    known = next((x.type.dtype for x in (a, b) if not isinstance(x, int | float)), dtype)
    chosen = (constant(x, known) if isinstance(x, int | float) else x for x in (a, b))
    return current_builder().add(Where(), *broadcast(condition, *chosen))


def heaviside(x: Value, at_zero: float = 0.0) -> Value:
    """1 where ``x`` is above zero, 0 where below, ``at_zero`` at zero."""
    return current_builder().add(Heaviside(at_zero), x)


add, sub, mul, div, neg = Add(), Sub(), Mul(), Div(), Neg()
floor_div, mod, maximum, minimum, absolute = FloorDiv(), Mod(), Maximum(), Minimum(), Abs()
sign, floor, ceil = Sign(), Floor(), Ceil()
