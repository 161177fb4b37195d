"""The functions of analysis, element by element: powers, exponentials, circles, and the few activations that are
primitive or have a kernel of their own.

Other activations are written in the language (``specs/std``). Ops that others are made of are also functions of their
own names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.op import Emitter, OnnxOp, TypeProblem, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value

from .compare import equal, greater
from .elementwise import heaviside, minimum, where
from .narrow import narrowed, widened
from .pointwise import Elementwise


class Function(Elementwise):
    """A function of one real variable: a NumPy function and its derivative."""

    accepts = "float"
    function: ClassVar[Any]

    def evaluate(self, x: Any) -> Any:
        return type(self).function(x)

    def derivative(self, x: Value, y: Value) -> Value:
        """The derivative at ``x``, where the value is ``y``."""
        raise TypeError(f"{type(self).__name__} has no derivative")

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (dy * self.derivative(x, y),)


# Powers, exponentials, logarithms.


@register
class Pow(Elementwise):
    """``a ** b``.

    Backward: ``da = dy * b * a ** (b - 1)``, 0 where ``b`` is 0; ``db = dy * y * log(a)``, 0 where ``a <= 0``.
    """

    wide = True
    onnx = OnnxOp("Pow")
    remedy = "a negative number has no fractional power, and 0 no negative one: keep the base above 0"

    def evaluate(self, a: Any, b: Any) -> Any:
        return np.power(a, b)

    def vjp(self, dy: Value, y: Value, a: Value, b: Value) -> tuple[Value | None, ...]:
        power = where(equal(b, 0.0), 0.0, b - 1)
        return dy * b * a**power, dy * y * log(where(greater(a, 0.0), a, 1.0))

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        dtype = types[0].dtype
        return narrowed(emit, emit.node("Pow", *widened(emit, inputs, dtype)), dtype)


@register
class Sqrt(Function):
    """The square root."""

    onnx = OnnxOp("Sqrt")
    remedy = "keep its argument from falling below 0: `sqrt(max(x, 0.0))`"
    function = np.sqrt

    def derivative(self, x: Value, y: Value) -> Value:
        return 0.5 / y


@register
class Exp(Function):
    """``e ** x``."""

    wide = True
    onnx = OnnxOp("Exp")
    remedy = "bound its argument, `exp(min(x, 80.0))`, or subtract its largest element first, as `softmax` does"
    function = np.exp

    def derivative(self, x: Value, y: Value) -> Value:
        return y


@register
class Log(Function):
    """The natural logarithm."""

    onnx = OnnxOp("Log")
    remedy = "keep its argument above 0, `log(x + 1e-7)`; of a probability, take a loss of logits: `bce_logits`"
    function = np.log

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (dy / x,)


@register
class Expm1(Function):
    """``exp(x) - 1``, precise near 0: in ONNX ``tanh(x / 2) * (exp(x) + 1)``, which is the same."""

    wide = True
    function = np.expm1

    def derivative(self, x: Value, y: Value) -> Value:
        return y + 1

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        (x,), dtype = inputs, types[0].dtype
        tanh_half = emit.node("Tanh", emit.node("Mul", x, emit.constant(0.5, dtype)))
        return emit.node("Mul", tanh_half, emit.node("Add", emit.node("Exp", x), emit.constant(1, dtype)))


@register
class Log1p(Function):
    """``log(1 + x)``, precise near 0.

    In ONNX, with ``u = 1 + x`` as rounded: ``log(u) * x / (u - 1)``, or ``x`` where ``u`` is 1 or infinite, which is
    where ``u * log(u)`` is ``log(u)``. The quotient makes up for what rounding took from ``u`` (Goldberg 1991,
    theorem 4).
    """

    function = np.log1p

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (dy / (x + 1),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        (x,), one = inputs, emit.constant(1, types[0].dtype)
        u = emit.node("Add", x, one)
        log_u = emit.node("Log", u)
        scaled = emit.node("Mul", log_u, emit.node("Div", x, emit.node("Sub", u, one)))
        return emit.node("Where", emit.node("Equal", emit.node("Mul", u, log_u), log_u), x, scaled)


# Circles and hyperbolas.


@register
class Sin(Function):
    """The sine."""

    onnx = OnnxOp("Sin")
    function = np.sin

    def derivative(self, x: Value, y: Value) -> Value:
        return cos(x)


@register
class Cos(Function):
    """The cosine."""

    onnx = OnnxOp("Cos")
    function = np.cos

    def derivative(self, x: Value, y: Value) -> Value:
        return -sin(x)


@register
class Tan(Function):
    """The tangent."""

    onnx = OnnxOp("Tan")
    function = np.tan

    def derivative(self, x: Value, y: Value) -> Value:
        return y * y + 1


@register
class Asin(Function):
    """The inverse of the sine, on [-1, 1]."""

    onnx = OnnxOp("Asin")
    function = np.arcsin

    def derivative(self, x: Value, y: Value) -> Value:
        return 1 / sqrt(1 - x * x)


@register
class Acos(Function):
    """The inverse of the cosine, on [-1, 1]."""

    onnx = OnnxOp("Acos")
    function = np.arccos

    def derivative(self, x: Value, y: Value) -> Value:
        return -1 / sqrt(1 - x * x)


@register
class Atan(Function):
    """The inverse of the tangent."""

    onnx = OnnxOp("Atan")
    function = np.arctan

    def derivative(self, x: Value, y: Value) -> Value:
        return 1 / (x * x + 1)


@register
class Sinh(Function):
    """The hyperbolic sine."""

    wide = True
    onnx = OnnxOp("Sinh")
    function = np.sinh

    def derivative(self, x: Value, y: Value) -> Value:
        return cosh(x)


@register
class Cosh(Function):
    """The hyperbolic cosine."""

    wide = True
    onnx = OnnxOp("Cosh")
    function = np.cosh

    def derivative(self, x: Value, y: Value) -> Value:
        return sinh(x)


@register
class Tanh(Function):
    """The hyperbolic tangent."""

    onnx = OnnxOp("Tanh")
    function = np.tanh

    def derivative(self, x: Value, y: Value) -> Value:
        return 1 - y * y


@register
class Asinh(Function):
    """The inverse of the hyperbolic sine."""

    onnx = OnnxOp("Asinh")
    function = np.arcsinh

    def derivative(self, x: Value, y: Value) -> Value:
        return 1 / sqrt(x * x + 1)


@register
class Acosh(Function):
    """The inverse of the hyperbolic cosine, from 1 on."""

    onnx = OnnxOp("Acosh")
    function = np.arccosh

    def derivative(self, x: Value, y: Value) -> Value:
        return 1 / sqrt(x * x - 1)


@register
class Atanh(Function):
    """The inverse of the hyperbolic tangent, on (-1, 1)."""

    onnx = OnnxOp("Atanh")
    function = np.arctanh

    def derivative(self, x: Value, y: Value) -> Value:
        return 1 / (1 - x * x)


# Activations.


def _sigmoid(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(x), small) / (1 + small)


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=[np.float64])(x).astype(np.asarray(x).dtype)


@register
class Sigmoid(Function):
    """``1 / (1 + exp(-x))``."""

    onnx = OnnxOp("Sigmoid")
    function = staticmethod(_sigmoid)

    def derivative(self, x: Value, y: Value) -> Value:
        return y * (1 - y)


@register
class Softplus(Function):
    """``log(1 + exp(x))``."""

    onnx = OnnxOp("Softplus")
    function = staticmethod(_softplus)

    def derivative(self, x: Value, y: Value) -> Value:
        return sigmoid(x)


@register
class Relu(Function):
    """``max(x, 0)``, with derivative 0 at 0."""

    onnx = OnnxOp("Relu")

    def evaluate(self, x: Any) -> Any:
        return np.maximum(x, 0)

    def derivative(self, x: Value, y: Value) -> Value:
        return heaviside(y)


@register
class Erf(Function):
    """The error function."""

    onnx = OnnxOp("Erf")
    function = staticmethod(_erf)

    def derivative(self, x: Value, y: Value) -> Value:
        return 2 / math.sqrt(math.pi) * exp(-(x * x))


@register
class Gelu(Function):
    """``x`` times the normal distribution function: exactly, or by the approximation with tanh.

    Hendrycks and Gimpel 2016.
    """

    onnx = OnnxOp("Gelu")
    approximate: str = "none"
    """``none`` or ``tanh``."""

    def infer(self, *inputs: TensorType) -> TensorType:
        if self.approximate not in ("none", "tanh"):
            raise TypeProblem("AX0306", f"`gelu` is approximated by none or tanh, not by {self.approximate}")
        return Elementwise.infer(self, *inputs)

    def evaluate(self, x: Any) -> Any:
        if self.approximate == "tanh":
            return 0.5 * x * (1 + np.tanh(_TANH_SCALE * (x + _TANH_CUBE * x**3)))
        return 0.5 * x * (1 + _erf(x * math.sqrt(0.5)))

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        """Of f64 by its formula: that of ONNX's own Gelu has constants of f32. Before opset 20 there is none."""
        (x,), dtype = inputs, types[0].dtype
        if emit.opset >= GELU_SINCE and (dtype is not DType.f64 or self.approximate != "tanh"):
            return emit.node("Gelu", x, approximate=self.approximate)
        if self.approximate != "tanh":
            scaled = emit.node("Mul", x, emit.constant(math.sqrt(0.5), dtype))
            cumulative = emit.node("Add", emit.node("Erf", scaled), emit.constant(1, dtype))
            return emit.node("Mul", emit.node("Mul", x, emit.constant(0.5, dtype)), cumulative)
        square = emit.node("Mul", emit.node("Mul", x, x), emit.constant(_TANH_SCALE * _TANH_CUBE, dtype))
        slope = emit.node("Add", square, emit.constant(_TANH_SCALE, dtype))
        cumulative = emit.node("Add", emit.node("Tanh", emit.node("Mul", x, slope)), emit.constant(1, dtype))
        return emit.node("Mul", emit.node("Mul", x, emit.constant(0.5, dtype)), cumulative)

    def derivative(self, x: Value, y: Value) -> Value:
        if self.approximate == "tanh":  # 1 + tanh(z) is 2 * sigmoid(2 * z)
            square = minimum(x * x, 900.0)  # from there on s is 0 or 1, and what it multiplies may not be infinite
            s = sigmoid(x * (2 * _TANH_SCALE * _TANH_CUBE * square + 2 * _TANH_SCALE))
            steepness = 6 * _TANH_SCALE * _TANH_CUBE * square + 2 * _TANH_SCALE
            return s * (1 - s) * x * steepness + s
        u = x * math.sqrt(0.5)
        density = exp(-math.log(2 * math.pi) / 2 - u * u)
        return normal_distribution(x) + x * density


GELU_SINCE = 20
"""The opset that has Gelu."""
_TANH_SCALE, _TANH_CUBE = math.sqrt(2 / math.pi), 0.044715


def normal_distribution(x: Value) -> Value:
    """The probability that a standard normal number is below ``x``."""
    return erf(x * math.sqrt(0.5)) * 0.5 + 0.5


def gelu(x: Value, approximate: str = "none") -> Value:
    """``x`` times the normal distribution function; ``approximate`` is none or tanh."""
    return current_builder().add(Gelu(approximate), x)


power, sqrt, exp, log, expm1, log1p = Pow(), Sqrt(), Exp(), Log(), Expm1(), Log1p()
sin, cos, tan, sinh, cosh, tanh = Sin(), Cos(), Tan(), Sinh(), Cosh(), Tanh()
sigmoid, softplus, relu, erf = Sigmoid(), Softplus(), Relu(), Erf()
