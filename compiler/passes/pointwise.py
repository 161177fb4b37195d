"""Convolutions with kernels of one element on small images, as products of matrices, one for the whole batch.

A column is what one place of one example holds. What this module does not do: larger images (``blocks`` does), or
larger kernels (``small_images`` does).

Up to some places of all examples together (``crossings``) products take less time than convolutions in blocks, whose
kernels are put in order anew for every step; for the gradient of the input they are turned as well.

Measured with AVX-512, 2 threads, in ms, in blocks and as a product, of 8 examples (16 where there are 96 channels):

========== ============== ========= =========
channels   places         forward   backward
========== ============== ========= =========
768 - 3072 2x2            3.2, 0.9  6.3, 1.6
512 - 2048 2x2            1.4, 0.5  2.7, 0.9
384 - 1536 4x4            1.3, 1.0  2.1, 1.3
1024 - 256 4x4            0.6, 0.7  0.9, 0.5
96 - 576   4x4            0.2, 0.3  0.4, 0.3
512 - 128  8x8            0.4, 0.5  0.6, 0.5
64 - 256   16x16          0.4, 0.6  0.5, 0.5
========== ============== ========= =========
"""

from __future__ import annotations

from math import prod

from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.conv import Conv, ConvInputGrad, Convolution, ConvWeightGrad
from archonnx.compiler.ops.linalg import matrix_product
from archonnx.compiler.ops.shape import reshape, transpose
from archonnx.compiler.ops.slicing import slice_axis

from .crossings import crossings
from .rewrite import Site, rule


@rule(Conv, exact=False)
def conv_of_points(site: Site) -> Value | None:
    """``y = w @ x``, a column for each place of each example."""
    x, w = site.inputs
    if not _fits(site, site.output.type, w.type, crossings().columns):
        return None
    return _images(matrix_product(_matrix(w), _columns(_seen(x, site))), site.output.type)


@rule(ConvInputGrad, exact=False)
def input_grad_of_points(site: Site) -> Value | None:
    """``dx = w^T @ dy``, at stride 1."""
    dy, w = site.inputs
    op = site.node.op
    assert isinstance(op, Convolution)
    if not _fits(site, dy.type, w.type, crossings().columns_back) or set(op.strides) != {1}:
        return None
    return _images(matrix_product(_matrix(w), _columns(dy), True), site.output.type)


@rule(ConvWeightGrad, exact=False)
def weight_grad_of_points(site: Site) -> Value | None:
    """``dw = dy @ x^T``."""
    x, dy = site.inputs
    if not _fits(site, dy.type, site.output.type, crossings().columns):
        return None
    return reshape(matrix_product(_columns(dy), _columns(_seen(x, site)), False, True), site.output.shape)


def _fits(site: Site, y: TensorType, w: TensorType, columns: int) -> bool:
    """Whether a convolution to y by w is of few enough places."""
    op = site.node.op
    assert isinstance(op, Convolution)
    known, kernel = y.static_shape, w.static_shape
    if known is None or kernel is None or y.dtype is not DType.f32 or op.groups > 1 or any(op.pads):
        return False
    return prod(kernel[2:]) == 1 and 0 < prod(known) // known[1] <= columns


def _seen(x: Value, site: Site) -> Value:
    """The places of x that are seen."""
    op = site.node.op
    assert isinstance(op, Convolution)
    for axis, stride in enumerate(op.strides, 2):
        if stride > 1:
            size = x.shape[axis].evaluate({})
            x = slice_axis(x, axis, 0, (size - 1) // stride * stride + 1, stride)
    return x


def _columns(x: Value) -> Value:
    """``[C, N * places]`` of ``[N, C, *places]``."""
    return reshape(transpose(x, (1, 0, *range(2, x.rank))), (x.shape[1], x.type.size // x.shape[1]))


def _images(columns: Value, type_: TensorType) -> Value:
    """The other way round."""
    n, channels, *places = type_.shape
    return transpose(reshape(columns, (channels, n, *places)), (1, 0, *range(2, type_.rank)))


def _matrix(w: Value) -> Value:
    return reshape(w, w.shape[:2])


POINTS = (conv_of_points, weight_grad_of_points, input_grad_of_points)
