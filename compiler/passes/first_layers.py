"""The gradient of the weight of a first convolution, whose images have few channels, as one product.

What each place sees is put together from pieces of memory that are as long as may be: examples come last, and before
them the elements that one tap of the kernel sees, so that a step of the window costs nothing. What this module does not
do: more channels (``small_images`` does), or change graphs that are exported.
"""

from __future__ import annotations

from itertools import product

from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.conv import NARROW, ConvWeightGrad
from archonnx.compiler.ops.linalg import matrix_product
from archonnx.compiler.ops.shape import reshape, transpose
from archonnx.compiler.ops.slicing import concat, pad, slices

from .axes import Axis
from .rewrite import Site, rule
from .small_images import sized_axes

EXAMPLES = 4
"""So many at least. Milliseconds on two threads, of pieces as long as there are channels, and of these: 32 examples of
3x32x32, 7x7 at stride 2 4.7 and 3.2; 8 of 3x64x64 5.8 and 3.9; 32 of 3x32x32, 3x3 at stride 2 0.72 and 0.47;
4 of 3x64x64, 7x7 3.9 and 3.3; 1 of 3x224x224 9.4 and 11.3. Windows that do not overlap (4x4 at stride 4) 0.7 and 1.9.
"""


@rule(ConvWeightGrad, exact=False)
def weight_grad_of_few_channels(site: Site) -> Value | None:
    """``dw[t] = sum over places p of dy[p] @ x[p * stride + t]^T``, with a row for each channel and tap.

    With a row for each place and example a piece has as many numbers as there are channels.
    """
    x, dy = site.inputs
    op = site.node.op
    assert isinstance(op, ConvWeightGrad)
    axes = sized_axes(op, x.type, dy.type, site.output.type)
    if axes is None or op.is_large(dy.type):
        return None
    examples, channels, outputs = x.shape[0].evaluate({}), x.shape[1].evaluate({}), dy.shape[1]
    apart = all(axis.kernel <= axis.stride for axis in axes)
    if apart or examples < EXAMPLES or not 1 < channels < NARROW:
        return None
    n, images = len(axes), _by_remainders(x, axes)
    seen = dy.type.size // outputs
    views = []
    for taps in product(*(range(axis.kernel) for axis in axes)):
        steps = [divmod(tap * axis.dilation, axis.stride) for tap, axis in zip(taps, axes, strict=True)]
        cut = [range(left, left + 1) for _, left in steps]
        cut += [range(first, first + axis.places) for (first, _), axis in zip(steps, axes, strict=True)]
        views.append(reshape(slices(images, 1, cut), (channels, seen)))
    rows = reshape(transpose(dy, (1, *range(2, n + 2), 0)), (outputs, seen))
    dw = matrix_product(rows, concat(views, 0), False, True)
    return transpose(reshape(dw, (outputs, *op.kernel, channels)), (0, n + 1, *range(1, n + 1)))


def _by_remainders(x: Value, axes: list[Axis]) -> Value:
    """``[C, *strides, *rows, N]``: by remainder what is ``row * stride + remainder`` in padded images."""
    n, channels, examples = len(axes), x.shape[1], x.shape[0]
    counts = [axis.places + (axis.kernel - 1) * axis.dilation // axis.stride for axis in axes]
    ends = [count * axis.stride - axis.size - axis.begin for count, axis in zip(counts, axes, strict=True)]
    moved = transpose(x, (1, *range(2, n + 2), 0))
    moved = slices(moved, 1, [range(axis.size + min(end, 0)) for axis, end in zip(axes, ends, strict=True)])
    padded = pad(moved, (0, *(axis.begin for axis in axes), 0), (0, *(max(end, 0) for end in ends), 0))
    apart = [size for count, axis in zip(counts, axes, strict=True) for size in (count, axis.stride)]
    split = reshape(padded, (channels, *apart, examples))
    return transpose(split, (0, *range(2, 2 * n + 1, 2), *range(1, 2 * n + 1, 2), 2 * n + 1))
