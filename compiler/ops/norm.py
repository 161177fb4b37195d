"""Ops that normalise along axes: softmax, its logarithm, layer normalisation.

What this module does not do: batch, group and instance normalisation; they are library code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE, product
from archonnx.compiler.ir.op import Arithmetic, Emitter, OnnxOp, Op, TypeProblem, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.older import LAYER_NORMALIZATION

from .checks import check_equal, check_float
from .functions import exp
from .reduce import lines, reduce_mean, reduce_sum
from .shape import broadcast_to, normal_axis
from .sizes import dim_value


class AlongAxis(Op):
    """A float tensor to one of its own type, along one axis, counted from the front."""

    axis: int = 0

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] != self.axis

    def infer(self, x: TensorType) -> TensorType:
        check_float(self.name, x=x)
        normal_axis(self.axis, x.rank, self.name)
        return x


@register
class Softmax(AlongAxis):
    """``exp(x) / sum(exp(x))`` along one axis. Backward: ``dx = y * (dy - sum(dy * y))``."""

    wide = True
    onnx = OnnxOp("Softmax")

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        """A sum and a quotient for each element."""
        return Arithmetic(inputs[0].size, inputs[0].size - lines(inputs[0], self.axis))

    def evaluate(self, x: Any) -> Any:
        weights = np.exp(x - np.max(x, axis=self.axis, keepdims=True))
        return weights / np.sum(weights, axis=self.axis, keepdims=True)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (y * (dy - reduce_sum(dy * y, self.axis, keep=True)),)


@register
class LogSoftmax(AlongAxis):
    """``x - log(sum(exp(x)))`` along one axis. Backward: ``dx = dy - exp(y) * sum(dy)``."""

    wide = True
    onnx = OnnxOp("LogSoftmax")

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        """A sum, and a difference for each element."""
        return Arithmetic(additions=2 * inputs[0].size - lines(inputs[0], self.axis))

    def evaluate(self, x: Any) -> Any:
        shifted = x - np.max(x, axis=self.axis, keepdims=True)
        return shifted - np.log(np.sum(np.exp(shifted), axis=self.axis, keepdims=True))

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (dy - exp(y) * reduce_sum(dy, self.axis, keep=True),)


@register
class LayerNorm(Op):
    """``(x - mean) * inverse * scale + bias`` over the axes from ``axis`` on; ``inverse`` is 1 / standard deviation.

    ``epsilon`` is added to the variance; ``scale`` and ``bias`` have the axes that are normalised. Results: the
    normalised ``x``, ``mean``, ``inverse``; the last two keep the axes, with size 1, and serve the gradient.
    Ba et al. 2016.

    Backward, with ``n = (x - mean) * inverse`` and ``g = dy * scale``:
    ``dx = inverse * (g - mean(g) - n * mean(dy * n * scale))``, ``dscale = sum(dy * n)``, ``dbias = sum(dy)``.
    """

    axis: int = 0
    epsilon: float = 1e-5

    def infer(self, x: TensorType, scale: TensorType, bias: TensorType) -> tuple[TensorType, ...]:
        check_float("layer_norm", x=x, scale=scale, bias=bias)
        axis = normal_axis(self.axis, x.rank, "layer_norm")
        normalised = x.shape[axis:]
        for position, (name, given) in enumerate((("scale", scale), ("bias", bias)), 1):
            headline = f"`layer_norm` over the last {len(normalised)} axes of {x} is given a {name} {given}"
            if given.rank != len(normalised):
                raise TypeProblem("AX0321", headline, operands=(position, 0))
            for left, right in zip(normalised, given.shape, strict=True):
                check_equal(left, right, headline, operands=(position, 0))
        statistic = x.with_shape((*x.shape[:axis], *(ONE for _ in normalised)))
        return x.with_shape(x.shape), statistic, statistic

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        """For n elements: two means, n differences, n squares, epsilon, an inverse, and three steps for each of n."""
        size, rows = inputs[0].size, results[1].size
        return Arithmetic(3 * size + 3 * rows, 4 * size - rows)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        place, *others = places
        return place is not None and place < self.axis and others == [None, None]

    def evaluate(self, x: Any, scale: Any, bias: Any) -> Any:
        axes = tuple(range(self.axis, x.ndim))
        mean = np.mean(x, axis=axes, keepdims=True)
        inverse = 1 / np.sqrt(np.mean((x - mean) ** 2, axis=axes, keepdims=True) + x.dtype.type(self.epsilon))
        return (x - mean) * inverse * scale + bias, mean, inverse

    def vjp(
        self, dy: tuple[Value | None, ...], y: tuple[Value, ...], x: Value, scale: Value, bias: Value
    ) -> tuple[Value | None, ...]:
        (_, mean, inverse), (dresult, dmean, dinverse) = y, dy
        axes = list(range(self.axis, x.rank))
        leading = list(range(self.axis))
        normal = (x - mean) * inverse
        dx: Value | None = None
        dscale = dbias = None
        if dresult is not None:
            g, along = dresult * scale, dresult * normal
            dx = inverse * (g - reduce_mean(g, axes, keep=True) - normal * reduce_mean(along * scale, axes, keep=True))
            dscale, dbias = reduce_sum(along, leading), reduce_sum(dresult, leading)
        count = dim_value(product(x.shape[self.axis :]), x.type.dtype)
        if dmean is not None:
            part = broadcast_to(dmean / count, x.shape)
            dx = part if dx is None else dx + part
        if dinverse is not None:
            part = normal * (-dinverse * inverse * inverse / count)
            dx = part if dx is None else dx + part
        return dx, dscale, dbias

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> list[str]:
        if types[0].dtype is DType.f64 or emit.opset < LAYER_NORMALIZATION:
            return self._by_formula(emit, inputs, types[0])
        y, mean, inverse = emit.nodes(
            "LayerNormalization", *inputs, outputs=3, axis=self.axis, epsilon=self.epsilon, stash_type=DType.f32
        )
        dtype = types[0].dtype
        if dtype is DType.f32:
            return [y, mean, inverse]
        return [y, emit.node("Cast", mean, to=dtype), emit.node("Cast", inverse, to=dtype)]

    def _by_formula(self, emit: Emitter, inputs: Sequence[str], given: TensorType) -> list[str]:
        """In f64, since the operator hands out mean and inverse, of which the gradient is made, in f32 alone; and where
        there is no such operator yet. f16 is computed in f32, as the operator does."""
        dtype = DType.f64 if given.dtype is DType.f64 else DType.f32
        cast = dtype is not given.dtype
        x, scale, bias = (emit.node("Cast", one, to=dtype) for one in inputs) if cast else inputs
        axes = emit.constant(list(range(self.axis, given.rank)))
        mean = emit.node("ReduceMean", x, axes, keepdims=1)
        centred = emit.node("Sub", x, mean)
        variance = emit.node("ReduceMean", emit.node("Mul", centred, centred), axes, keepdims=1)
        spread = emit.node("Sqrt", emit.node("Add", variance, emit.constant(self.epsilon, dtype)))
        inverse = emit.node("Div", emit.constant(1, dtype), spread)
        normal = emit.node("Mul", centred, inverse)
        results = [emit.node("Add", emit.node("Mul", normal, scale), bias), mean, inverse]
        return [emit.node("Cast", one, to=given.dtype) for one in results] if cast else results


def softmax(x: Value, axis: int = -1) -> Value:
    """Weights that sum to 1 along an axis."""
    return current_builder().add(Softmax(normal_axis(axis, x.rank, "softmax")), x)


def log_softmax(x: Value, axis: int = -1) -> Value:
    """The logarithm of softmax, stable where a weight is 0 in floats."""
    return current_builder().add(LogSoftmax(normal_axis(axis, x.rank, "log_softmax")), x)


def layer_norm(x: Value, scale: Value, bias: Value, axis: int = -1, epsilon: float = 1e-5) -> Value:
    """Normalise over the axes from ``axis`` on, then scale and shift by tensors of those axes."""
    op = LayerNorm(normal_axis(axis, x.rank, "layer_norm"), epsilon)
    return current_builder().add_many(op, x, scale, bias)[0]
