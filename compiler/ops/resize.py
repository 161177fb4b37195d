"""Images of other sizes: elements repeated, or interpolated linearly along each spatial axis.

Both are linear, so their gradients are sums over windows and products with the weights, which have gradients. What
this module does not do: other kernels (cubic), smoothing before an image is made smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE, Dim, exact_quotient, product
from archonnx.compiler.ir.op import Arithmetic, Emitter, Op, TypeProblem, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value

from .checks import check_float
from .elementwise import absolute, floor_div, maximum, minimum
from .functions import relu
from .index import gather
from .linalg import matrix_product, sums_of_products
from .pool import average_pool, emit_repeated
from .shape import reshape
from .sizes import dim_value, iota

COORDINATES = ("half_pixel", "asymmetric", "align_corners")
"""Where the elements of the result lie among those of the input, by ONNX's names: see ``Interpolate``."""


def _check_axes(op: str, x: TensorType, count: int) -> None:
    if x.rank != count + 2 or not 1 <= count <= 3:
        raise TypeProblem(
            "AX0321",
            f"`{op}` to {count} sizes needs [N, C] and 1, 2 or 3 axes more, as many as sizes: not {x}",
            help="a batch of grey images is [B, 1, height, width]",
        )


@register
class Repeat(Op):
    """Each element over a window of ``factors`` elements: upsampling by nearest neighbours.

    Forward for 64x32x28x28 to twice the size, 2 threads: Resize 1.0 ms, Expand along new axes 70.
    Backward: the sum of each window of ``dy``.
    """

    factors: tuple[int, ...] = ()

    def infer(self, x: TensorType) -> TensorType:
        check_float("repeat", x=x)
        _check_axes("repeat", x, len(self.factors))
        if min(self.factors) < 1:
            raise TypeProblem("AX0322", f"elements are repeated once or more, not {min(self.factors)} times")
        sizes = (size * factor for size, factor in zip(x.shape[2:], self.factors, strict=True))
        return x.with_shape((*x.shape[:2], *sizes))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] == 0

    def evaluate(self, x: Any) -> Any:
        for axis, factor in enumerate(self.factors, 2):
            x = np.repeat(x, factor, axis)
        return x

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (average_pool(dy, self.factors) * prod(self.factors),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return emit_repeated(emit, inputs[0], self.factors)


@register
class Interpolate(Op):
    """Linear interpolation along each spatial axis, to these sizes.

    Element i of m stands at ``(i + 0.5) n / m - 0.5`` of n (half_pixel), at ``i n / m`` (asymmetric), or at
    ``i (n - 1) / (m - 1)`` (align_corners), and in any case between 0 and n - 1.

    Backward: ``dy`` times the transposed weights of each axis. For 64x32x28x28 to twice the size, 2 threads: Resize
    forward 16 ms, products with the weights 10; for 1x32x128x128 they take 1.4 and 12.
    """

    size: tuple[Dim, ...] = ()
    coordinates: str = "half_pixel"

    def infer(self, x: TensorType) -> TensorType:
        check_float("interpolate", x=x)
        _check_axes("interpolate", x, len(self.size))
        for axis, size in enumerate((*x.shape[2:], *self.size)):
            if size.constant == 0:
                raise TypeProblem("AX0322", f"`interpolate` between no elements, or to none: axis {axis} of {x}")
        return x.with_shape((*x.shape[:2], *self.size))

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        """Each element is a weighted sum of the corners of a cell."""
        return sums_of_products(results[0], Dim.of(2 ** len(self.size)))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] == 0

    def evaluate(self, x: Any) -> Any:
        for axis, size in enumerate(self.size, 2):
            weights = self._weights(x.shape[axis], size.evaluate({})).astype(x.dtype)
            x = np.moveaxis(np.tensordot(x, weights, (axis, 1)), -1, axis)
        return x

    def _weights(self, n: int, m: int) -> Any:
        """What each of n elements adds to each of m: ``[m, n]``."""
        i = np.arange(m)
        at = {
            "half_pixel": (i + 0.5) * n / m - 0.5,
            "asymmetric": i * n / m,
            "align_corners": i * ((n - 1) / max(m - 1, 1)),
        }[self.coordinates]
        return np.maximum(0, 1 - np.abs(np.clip(at, 0, n - 1)[:, None] - np.arange(n)))

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        dtype = x.type.dtype
        for axis, (n, m) in enumerate(zip(x.shape[2:], self.size, strict=True), 2):
            if n != m:
                sizes = dy.shape
                lines = reshape(dy, [product(list(sizes[:axis])), m, product(list(sizes[axis + 1 :]))])
                part = matrix_product(_weights(n, m, self.coordinates, dtype), lines, transpose_a=True)
                dy = reshape(part, [*sizes[:axis], n, *sizes[axis + 1 :]])
        return (dy,)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        """Along one axis as along the second of two: kernels for three dims are missing."""
        (x,), shape, alone = inputs, results[0].shape, len(self.size) == 1
        if alone:
            x = emit.node("Unsqueeze", x, emit.constant([2]))
        sizes = emit.dims([*shape[:2], ONE, *self.size] if alone else shape)
        y = emit.node("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode=self.coordinates)
        return emit.node("Squeeze", y, emit.constant([2])) if alone else y


def _weights(n: Dim, m: Dim, coordinates: str, dtype: DType) -> Value:
    """The weights of ``Interpolate`` as a tensor; sizes may be symbolic."""
    i, size, count = iota(m, dtype), dim_value(n, dtype), dim_value(m, dtype)
    if coordinates == "half_pixel":
        at = (i + 0.5) * size / count - 0.5
    elif coordinates == "asymmetric":
        at = i * size / count
    else:
        at = i * ((size - 1.0) / dim_value((m - 1).maximum(1), dtype))
    held = minimum(maximum(at, 0.0), size - 1.0)
    return relu(1.0 - absolute(reshape(held, [m, 1]) - reshape(iota(n, dtype), [1, n])))


def repeat(x: Value, factors: Sequence[int]) -> Value:
    """Each element of ``x: [N, C, *size]`` over a window."""
    return current_builder().add(Repeat(tuple(factors)), x)


def resize_linear(x: Value, size: Sequence[Dim], coordinates: str) -> Value:
    """``x: [N, C, *old]`` interpolated to ``[N, C, *size]``."""
    return current_builder().add(Interpolate(tuple(size), coordinates), x)


def resize_nearest(x: Value, size: Sequence[Dim], coordinates: str) -> Value:
    """``x: [N, C, *old]`` to ``[N, C, *size]`` by the nearest element.

    As in ONNX: rounded down, where coordinates are asymmetric; else to the nearer one, and halves down. Positions are
    computed of integers, so that they are exact.
    """
    _check_axes("resize_nearest", x.type, len(size))
    factors = [_factor(n, m) for n, m in zip(x.shape[2:], size, strict=True)]
    if coordinates != "align_corners" and None not in factors:
        return repeat(x, [factor for factor in factors if factor is not None])
    for axis, (n, m) in enumerate(zip(x.shape[2:], size, strict=True), 2):
        if n != m:
            x = gather(x, _nearest(n, m, coordinates), axis)
    return x


def _factor(n: Dim, m: Dim) -> int | None:
    quotient = exact_quotient(m, n)
    return None if quotient is None else quotient.constant


def _nearest(n: Dim, m: Dim, coordinates: str) -> Value:
    i, size, count = iota(m), dim_value(n), dim_value(m)
    if coordinates == "asymmetric":
        return floor_div(i * size, count)
    if coordinates == "half_pixel":
        return floor_div((i * 2 + 1) * size - 1, count * 2)
    gaps = dim_value((m - 1).maximum(1))
    return floor_div(i * (size - 1) * 2 + gaps - 1, gaps * 2)
