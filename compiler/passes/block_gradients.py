"""The gradient of a convolution's weight as a convolution of images in blocks, of blocks of examples.

It is a convolution of x by dy in which examples are what channels are elsewhere, and the elements of the kernel are the
places: each is a sum over all examples and all places of dy. onnxruntime multiplies for several places of a row at once
where none of them sees padding, so zeros are put around x beforehand, and it does 106 to 112 thousand million
multiplications a second on two threads, of the 115 that the processor can do. Where each channel is a group of its own,
examples and channels together are the channels of a convolution by one kernel each, and blocks are those that x and dy
lie in already.

What this module does not do: kernels of one element, which are a product, or groups of several channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.blocks import FOURS, BlockConv, from_blocks, to_blocks
from archonnx.compiler.ops.conv import ConvWeightGrad
from archonnx.compiler.ops.reduce import reduce_sum
from archonnx.compiler.ops.shape import Transpose, reshape, transpose
from archonnx.compiler.ops.slicing import concat, pad, slice_axis, slices

from .axes import Axis, axes_of
from .rewrite import Rule, Site, rule
from .small_images import few_rows, sized_axes
from .turned_kernels import kernel_first

MORE = 2
"""So many times as many multiplications, at most, where zeros fill the last block of dy."""


def weight_grad_rules(block: int) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """For a machine with blocks of so many channels: the rule for gradients that lie turned, and those for all."""

    @rule(Transpose, exact=False)
    def turned_weight_grad_in_blocks(site: Site) -> Value | None:
        made = site.made_by(site.inputs[0], ConvWeightGrad)
        if made is None or site.node.op != Transpose(kernel_first(site.output.rank)):
            return None
        (x, dy), op, dw = made.inputs, made.op, made.outputs[0]
        assert isinstance(op, ConvWeightGrad)
        axes = sized_axes(op, x.type, dy.type, dw.type)
        if axes is None or few_rows(axes, x.type, dy.type, dw.type) or not _fits(axes, x, dy, block):
            return None
        elements = _elements(op, axes, x, dy, block)
        channels, blocks, *kernel, _ = elements.shape
        whole = reshape(transpose(elements, (2, 3, 0, 1, 4)), (*kernel, channels, blocks * block))
        return slice_axis(whole, 3, 0, dy.shape[1])

    @rule(ConvWeightGrad, exact=False)
    def weight_grad_in_blocks(site: Site) -> Value | None:
        """``dw[o, c, t] = sum over examples n and places p of dy[n, o, p] * x[n, c, p * stride + t]``."""
        x, dy = site.inputs
        op = site.node.op
        assert isinstance(op, ConvWeightGrad)
        axes = sized_axes(op, x.type, dy.type, site.output.type)
        if axes is None or not _fits(axes, x, dy, block):
            return None
        return transpose(from_blocks(_elements(op, axes, x, dy, block), dy.shape[1]), (1, 0, 2, 3))

    @rule(ConvWeightGrad, exact=False)
    def weight_grad_alone_in_blocks(site: Site) -> Value | None:
        """``dw[c, t] = sum over examples n and places p of dy[n, c, p] * x[n, c, p * stride + t]``."""
        x, dy = site.inputs
        op, dw = site.node.op, site.output
        assert isinstance(op, ConvWeightGrad)
        if not _fits_alone(op, x, dy, block):
            return None
        axes = axes_of(op, x.type, dy.type, dw.type)
        if not _any_seen(axes):
            return None
        images, kernel = to_blocks(x, block), to_blocks(dy, block)
        n, blocks = (dim.evaluate({}) for dim in images.shape[:2])
        images = _around(images, 2, axes)
        images = reshape(images, (1, n * blocks, *images.shape[2:]))
        kernel = reshape(kernel, (n * blocks, 1, *kernel.shape[2:4], 1, block))
        each = _conv(op, images, kernel, n * blocks * block)
        total = reduce_sum(reshape(each, (n, blocks, *each.shape[2:])), 0)
        whole = reshape(transpose(total, (0, 3, 1, 2)), (blocks * block, 1, *dw.shape[2:]))
        return slice_axis(whole, 0, 0, dw.shape[0])

    return (turned_weight_grad_in_blocks,), (weight_grad_in_blocks, weight_grad_alone_in_blocks)


def _fits(axes: Sequence[Axis], x: Value, dy: Value, block: int) -> bool:
    """Whether the gradient for a kernel of these axes, of one group, can be made in blocks of examples."""
    if len(axes) != 2 or axes[-1].kernel == 1 or not _any_seen(axes):
        return False
    outputs, examples = dy.shape[1].evaluate({}), x.shape[0].evaluate({})
    whole = -(-outputs // block) * block
    return (
        outputs % min(FOURS, block) == 0 and whole <= MORE * outputs and axes[0].places % _bands(examples, block) == 0
    )


def _fits_alone(op: ConvWeightGrad, x: Value, dy: Value, block: int) -> bool:
    known = [dim.constant for value in (x, dy) for dim in value.shape]
    alone = op.groups > 1 and x.shape[1] == dy.shape[1] == Dim.of(op.groups)
    return alone and x.rank == 4 and all(known) and x.type.dtype is DType.f32 and op.groups % min(FOURS, block) == 0


def _bands(examples: int, block: int) -> int:
    """In how many bands of rows images are cut, each of which counts as an example, so that examples fill blocks."""
    return block // gcd(examples, block)


def _elements(op: ConvWeightGrad, axes: Sequence[Axis], x: Value, dy: Value, block: int) -> Value:
    """``[C, O / block, *kernel, block]``: the gradient, with images of C as the batch."""
    rows, columns = axes
    bands, images = _bands(x.shape[0].evaluate({}), block), transpose(x, (1, 0, 2, 3))
    kernel = to_blocks(dy, block)
    if bands > 1:
        places = rows.places // bands
        seen = (places - 1) * rows.stride + (rows.kernel - 1) * rows.dilation + 1
        images = _around(images, 2, [rows])
        firsts = [band * places for band in range(bands)]
        images = concat([slice_axis(images, 2, p * rows.stride, p * rows.stride + seen) for p in firsts], 1)
        kernel = concat([slice_axis(kernel, 2, p, p + places) for p in firsts], 0)
        images = _around(to_blocks(images, block), 3, [columns])
    else:
        images = _around(to_blocks(images, block), 2, axes)
    n, blocks, height, width, _ = kernel.shape
    apart = reshape(kernel, (n // block, block, blocks, height, width, block))
    return _conv(op, images, transpose(apart, (2, 0, 3, 4, 1, 5)), 1)


def _around(x: Value, place: int, axes: Sequence[Axis]) -> Value:
    """What the window sees, zeros and all, along spatial axes of x of which the first stands at this place."""
    ends, others = [_end(axis) for axis in axes], (0,) * (x.rank - place - len(axes))
    kept = slices(x, place, [range(axis.size + min(end, 0)) for axis, end in zip(axes, ends, strict=True)])
    before, after = (axis.begin for axis in axes), (max(end, 0) for end in ends)
    return pad(kept, (*(0,) * place, *before, *others), (*(0,) * place, *after, *others))


def _end(axis: Axis) -> int:
    """How many zeros follow the last element; less than 0 where so many elements are never seen."""
    return (axis.places - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1 - axis.size - axis.begin


def _any_seen(axes: Sequence[Axis]) -> bool:
    """Whether any place sees more than padding."""
    return all(axis.size + min(_end(axis), 0) > 0 for axis in axes)


def _conv(op: ConvWeightGrad, images: Value, kernel: Value, groups: int) -> Value:
    """What is a step of the window for x is a step within it for dy, and the other way round."""
    return current_builder().add(BlockConv(op.dilations, op.strides, (0,) * 4, groups), images, kernel)
