"""The gradient of the weight of a convolution in which each channel is a group of its own, by products of matrices.

onnxruntime has no kernel for it but a convolution with kernels as large as the image. Here the product of all rows of
x with all rows of dy gives, for each channel, a matrix of the columns of the one by the columns of the other; the sums
along its diagonals are the elements of the kernel. It computes far more than is needed, and takes a third of the time
or less. What this module does not do: the other two of the three, which are convolutions in blocks (``blocks``).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.conv import ConvWeightGrad
from archonnx.compiler.ops.linalg import matrix_product
from archonnx.compiler.ops.reduce import reduce_sum
from archonnx.compiler.ops.shape import full, reshape, transpose
from archonnx.compiler.ops.slicing import concat, pad, slice_axis

from .axes import Axis, axes_of
from .rewrite import Site, rule

WIDTH = 112
"""Rows that are longer are left to the convolution. Measured with AVX2, one thread, in ms, convolution and products:
32x64x32x32, 3x3 34 and 17; 32x128x16x16 18 and 6, at stride 2 5.6 and 3.7; 32x96x16x16, 7x7 30 and 10; 8x32x112x112 52
and 50.
"""


@rule(ConvWeightGrad, exact=False)
def weight_grad_alone(site: Site) -> Value | None:
    """``dw[c, i, j] = sum over places w of M[i][c, w * stride + j, w]``, with ``M[i][c]`` the product of the rows of x
    that are seen through the row i of the kernel with the rows of dy.
    """
    x, dy = site.inputs
    op, dw = site.node.op, site.output
    assert isinstance(op, ConvWeightGrad)
    known = [dim.constant for value in (x, dy) for dim in value.shape]
    alone = op.groups > 1 and x.shape[1] == dy.shape[1] == Dim.of(op.groups)
    if not alone or not all(known) or x.type.dtype is not DType.f32:
        return None
    *rows, last = axes_of(op, x.type, dy.type, dw.type)
    if last.size > WIDTH:
        return None
    n = len(rows)
    order = (1, *range(2, n + 2), 0, n + 2)
    begins, ends = ([0, *of, 0, 0] for of in ([a.begin for a in rows], [a.end for a in rows]))
    seen = pad(transpose(x, order), begins, ends)
    count, width = dy.type.size // (op.groups * last.places), last.size
    grads = reshape(transpose(dy, order), (op.groups, count, last.places))
    products = []
    for tap in product(*(range(a.kernel) for a in rows)):
        view = seen
        for place, (at, axis) in enumerate(zip(tap, rows, strict=True), 1):
            view = _every(view, place, at * axis.dilation, axis.places, axis.stride)
        view = reshape(view, (op.groups, count, width))
        products.append(reshape(matrix_product(view, grads, True), (op.groups, 1, width * last.places)))
    flat = _joined(products, 1)
    return reshape(_joined([_diagonal(flat, last, tap) for tap in range(last.kernel)], 2), dw.shape)


def _diagonal(products: Value, axis: Axis, tap: int) -> Value:
    """The sum along the diagonal of an element of the kernel, of matrices in a row.

    It ends where padding begins, so that rows need none: to put zeros around them takes as long as a product.
    """
    seen = [place for place in range(axis.places) if 0 <= axis.sees(place, tap) < axis.size]
    if not seen:
        return full((*products.shape[:2], 1), 0.0, products.type.dtype)
    start = axis.sees(seen[0], tap) * axis.places + seen[0]
    return reduce_sum(_every(products, 2, start, len(seen), axis.stride * axis.places + 1), 2, keep=True)


def _every(x: Value, axis: int, start: int, count: int, step: int) -> Value:
    """So many elements along an axis, from the first on by the step."""
    return slice_axis(x, axis, start, start + step * (count - 1) + 1, step)


def _joined(parts: Sequence[Value], axis: int) -> Value:
    return concat(parts, axis) if len(parts) > 1 else parts[0]
