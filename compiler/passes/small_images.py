"""Convolutions of small images as products of matrices, one for the whole batch.

onnxruntime multiplies a matrix for each example, with a column for each place. Where there are few places such products
are thin, and one for all examples is many times faster: its rows are what the window sees at each place of each
example, the patches. The spatial axes lead (``[*size, N, C]``), so that an element of the window is a slice of whole
blocks of memory. A convolution and the gradient of its weight read the same patches, which are made once.

This comes last, before a graph of static shapes is run. What this module does not do: larger images (``blocks`` does),
or change graphs that are exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import at_most
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.conv import SMALL, Conv, ConvInputGrad, Convolution, ConvWeightGrad
from archonnx.compiler.ops.linalg import matrix_product
from archonnx.compiler.ops.shape import Transpose, reshape, transpose
from archonnx.compiler.ops.slicing import concat, pad, slices

from .axes import Axis, axes_of
from .crossings import crossings
from .rewrite import Site, rule
from .turned_kernels import kernel_first, turned_kernel

PLACES, CHANNELS = 16, 16
"""Images of more places than these, or of fewer channels, or of more rows in all examples together (``crossings``), are
better off in blocks, whose kernels are put in order anew for every step: that takes as long as 350 rows.

Measured with AVX2, 2 threads, forward, gradient of the input, of the weight, convolution and patches, in ms: 32
examples of 256 channels, 3x3: 1x1 places 4.4 and 2.5; 2x2: 54 and 25; 64 examples of 32 to 64 channels, 4x4, stride 2
from 4x4 to 2x2: 2.5 and 1.2.
"""


@rule(Conv, exact=False)
def conv_of_patches(site: Site) -> Value | None:
    """``y[p] = sum over taps t of x[p * stride + t] @ w[t]``."""
    x, w = site.inputs
    axes = _small(site, x.type, site.output.type, w.type)
    if axes is None:
        return None
    taps, turned = slices(w, 2, [axis.taps for axis in axes]), turned_kernel(site, w) is not None
    weights = transpose(taps, kernel_first(w.rank) if turned else (0, *range(2, w.rank), 1))
    columns = weights.type.size // w.shape[0]
    weights = reshape(weights, (columns, w.shape[0]) if turned else (w.shape[0], columns))
    return _images(matrix_product(_patches(x, axes), weights, False, not turned), [axis.places for axis in axes])


@rule(ConvWeightGrad, exact=False)
def weight_grad_of_patches(site: Site) -> Value | None:
    """``dw[t] = sum over places p of x[p * stride + t]^T @ dy[p]``."""
    x, dy = site.inputs
    axes = _small(site, x.type, dy.type, site.output.type)
    if axes is None:
        return None
    n, taps = len(axes), [axis.taps for axis in axes]
    rows = matrix_product(_leading(dy, matrix=True), _patches(x, axes), True)
    dw = reshape(rows, (dy.shape[1], *map(len, taps), x.shape[1]))
    before, after = [t.start for t in taps], [a.kernel - t.stop for a, t in zip(axes, taps, strict=True)]
    if any(before + after):
        return _widened(transpose(dw, (*range(1, n + 1), 0, n + 1)), before, after)
    return transpose(dw, (0, n + 1, *range(1, n + 1)))


@rule(Transpose, exact=False)
def weight_grad_turned(site: Site) -> Value | None:
    """``[*kernel, C, O]`` of the gradient of a weight, as it lies in memory (``compiler.turned``).

    Of larger images too. One product as far as all patches together are small, or are made for the convolution anyway.
    """
    made = site.made_by(site.inputs[0], ConvWeightGrad)
    if made is None or site.node.op != Transpose(kernel_first(site.output.rank)):
        return None
    (x, dy), op, kernel = made.inputs, made.op, made.outputs[0].type
    assert isinstance(op, ConvWeightGrad)
    axes = sized_axes(op, x.type, dy.type, kernel)
    if axes is None or op.is_large(dy.type):
        return None
    rows, views = _leading(dy, matrix=True), _patches_apart(x, axes)
    if few_rows(axes, x.type, dy.type, kernel) or at_most(views[0].type.size * len(views), Dim.of(SMALL)):
        dw = matrix_product(_beside(views), rows, True)
    else:
        dw = concat([matrix_product(view, rows, True) for view in views], 0)
    taps = [axis.taps for axis in axes]
    dw = reshape(dw, (*map(len, taps), x.shape[1], dy.shape[1]))
    before, after = [t.start for t in taps], [a.kernel - t.stop for a, t in zip(axes, taps, strict=True)]
    return pad(dw, (*before, 0, 0), (*after, 0, 0))


@rule(ConvInputGrad, exact=False)
def input_grad_of_patches(site: Site) -> Value | None:
    """``dx[i] = sum over taps t of dy[(i - t) / stride] @ w[t]^T``: a product for each remainder of i by the stride."""
    dy, w = site.inputs
    dx = site.output.type
    axes = _small(site, dx, dy.type, w.type)
    if axes is None or any(a.size % a.stride or (a.stride > 1 < a.dilation) for a in axes):
        return None
    phases = [[a.phase(first) for first in range(a.stride)] for a in axes]
    if not all(all(each) for each in phases):
        return None
    n, counts = len(axes), [a.size // a.stride for a in axes]
    seen = [[a.place(r, t) for r, each in enumerate(of) for t in each] for a, of in zip(axes, phases, strict=True)]
    before = [max(0, -min(of)) for of in seen]
    after = [max(0, max(of) + c - a.places) for of, c, a in zip(seen, counts, axes, strict=True)]
    padded = pad(_leading(dy), (*before, 0, 0), (*after, 0, 0))
    parts, turned = [], turned_kernel(site, w) is not None
    for firsts in product(*(range(a.stride) for a in axes)):
        taps = [of[first] for of, first in zip(phases, firsts, strict=True)]
        starts = [
            [b + a.place(first, t) for t in each] for b, a, first, each in zip(before, axes, firsts, taps, strict=True)
        ]
        patches = _beside(_views(padded, starts, counts, [1] * n))
        if turned and prod(map(len, taps)) == 1:
            weights = reshape(transpose(slices(w, 2, taps), kernel_first(w.rank)), (w.shape[1], w.shape[0]))
            parts.append(matrix_product(patches, weights, False, True))
        else:
            parts.append(matrix_product(patches, _kernel(w, taps)))
    strides = [a.stride for a in axes]
    whole = reshape(concat(parts, 0) if len(parts) > 1 else parts[0], (*strides, *counts, dx.shape[0], dx.shape[1]))
    apart = [place for axis in range(n) for place in (n + axis, axis)]
    return reshape(transpose(whole, (2 * n, 2 * n + 1, *apart)), dx.shape)


def _small(site: Site, x: TensorType, y: TensorType, w: TensorType) -> list[Axis] | None:
    """The axes of a convolution from x to y by w that patches are good for; None of another."""
    op = site.node.op
    assert isinstance(op, Convolution)
    axes = sized_axes(op, x, y, w)
    return axes if axes is not None and few_rows(axes, x, y, w) else None


def sized_axes(op: Convolution, x: TensorType, y: TensorType, w: TensorType) -> list[Axis] | None:
    """The axes of a convolution of one group and known sizes, none of which is 0; None of another."""
    known = [of.static_shape for of in (x, y, w)]
    if op.groups > 1 or x.dtype is not DType.f32 or not all(of is not None and all(of) for of in known):
        return None
    return axes_of(op, x, y, w)


def few_rows(axes: Sequence[Axis], x: TensorType, y: TensorType, w: TensorType) -> bool:
    """Whether patches are good for a convolution of known sizes."""
    images, *channels = (dim.evaluate({}) for dim in (x.shape[0], *w.shape[:2]))
    seen = min(prod(axis.size for axis in axes), prod(axis.places for axis in axes))
    if prod(axis.kernel for axis in axes) == 1 or seen > PLACES or min(channels) < CHANNELS:
        return False
    return seen * images <= crossings().patch_rows


def _patches(x: Value, axes: Sequence[Axis]) -> Value:
    """``[*places * N, taps * C]``: what each place sees."""
    return _beside(_patches_apart(x, axes))


def _patches_apart(x: Value, axes: Sequence[Axis]) -> list[Value]:
    """For each tap ``[*places * N, C]``: what each place sees through it."""
    padded = pad(_leading(x), (*(a.begin for a in axes), 0, 0), (*(a.end for a in axes), 0, 0))
    starts = [[tap * a.dilation for tap in a.taps] for a in axes]
    return _views(padded, starts, [a.places for a in axes], [a.stride for a in axes])


def _views(x: Value, starts: Sequence[Sequence[int]], counts: Sequence[int], strides: Sequence[int]) -> list[Value]:
    """Slices of the leading axes as matrices: a row for each element."""
    views = []
    for at in product(*starts):
        seen = [range(start, start + step * n, step) for start, n, step in zip(at, counts, strides, strict=True)]
        view = slices(x, 0, seen)
        views.append(reshape(view, (x.shape[-2] * prod(counts), x.shape[-1])))
    return views


def _beside(views: Sequence[Value]) -> Value:
    return concat(views, 1) if len(views) > 1 else views[0]


def _widened(dw: Value, before: Sequence[int], after: Sequence[int]) -> Value:
    """``[O, C, *kernel]`` of ``[*taps, O, C]``, with zeros for the taps that see nothing.

    Zeros go around whole blocks, which are then turned: for 512x512 of one tap 1.3 ms, and 6.7 if zeros go between
    elements.
    """
    n = len(before)
    whole = pad(dw, (*before, 0, 0), (*after, 0, 0))
    kernel, channels = whole.shape[:n], dw.shape[n:]
    pairs = channels[0] * channels[1]
    turned = transpose(reshape(whole, (whole.type.size // pairs, pairs)), (1, 0))
    return reshape(turned, (*channels, *kernel))


def _kernel(w: Value, taps: Sequence[range]) -> Value:
    """``[taps * O, C]``: these taps of the kernel as a matrix."""
    n = len(taps)
    weights = transpose(slices(w, 2, taps), (*range(2, n + 2), 0, 1))
    return reshape(weights, (prod(map(len, taps)) * weights.shape[-2], weights.shape[-1]))


def _leading(x: Value, matrix: bool = False) -> Value:
    """``[*size, N, C]`` of ``[N, C, *size]``, as a matrix where asked."""
    moved = transpose(x, (*range(2, x.rank), 0, 1))
    return reshape(moved, (x.type.size // x.shape[1], x.shape[1])) if matrix else moved


def _images(rows: Value, places: Sequence[int]) -> Value:
    """``[N, C, *places]`` of ``[*places * N, C]``."""
    n = len(places)
    return transpose(reshape(rows, (*places, rows.shape[0] // prod(places), rows.shape[1])), (n, n + 1, *range(n)))


PATCHES = (conv_of_patches, weight_grad_of_patches, input_grad_of_patches)
