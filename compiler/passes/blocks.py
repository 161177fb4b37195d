"""Convolutions on images in blocks of channels, which onnxruntime computes about twice as fast on the CPU.

Each convolution, and each gradient of its input, is given its images in blocks, and what it gives is put out of blocks
again. Those of few rows are products of patches (``small_images``). What stands between two convolutions is left out of
blocks: a number for each channel then meets eight others at a time, for which onnxruntime takes six times as long
(1 million elements by 128 channels: 0.32 and 2.0 ms), more than the two reorders (0.4 ms each).

What this module does not do: know a machine's block (``archonnx.runtime.device.blocks`` asks for it), or change graphs
that are exported.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TypeAlias

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE, Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.blocks import (
    FOURS,
    BlockConv,
    FromBlocks,
    ToBlocks,
    flipped_kernel_blocks,
    from_blocks,
    kernel_alone_blocks,
    kernel_blocks,
    to_blocks,
    turned_flipped_kernel_blocks,
    turned_kernel_blocks,
)
from archonnx.compiler.ops.conv import Conv, ConvInputGrad, Convolution
from archonnx.compiler.ops.shape import reshape, transpose
from archonnx.compiler.ops.slicing import slices, stack

from .axes import Axis, axes_of
from .block_gradients import weight_grad_rules
from .cse import CommonSubexpressions
from .dce import DeadCode
from .depthwise import weight_grad_alone
from .first_layers import weight_grad_of_few_channels
from .manager import Pipeline
from .pointwise import POINTS
from .rewrite import Rewrite, Rule, Site, rule
from .small_images import PATCHES, weight_grad_turned
from .swapped import input_grad_by_convolution, weight_grad_of_narrower
from .turned_kernels import slice_of_turned, turned_kernel
from .views import transpose_to_same, transpose_twice

Ints: TypeAlias = tuple[int, ...]

MORE, MORE_OF_BOTH = 4, 1.8
"""So many times as many products, at most, where the last block is filled up with zeros: that of what a convolution
gives, or that of what it takes as well.

Measured on two threads with blocks of 16, plain and in blocks, in us, of 3x3 unless said: 64 images of 24 channels to
24 and 8x8 415 and 361 (1.8 times the products), 72 to 24 1,223 and 846, 24 to 72 1,646 and 963; 32 of 40 to 40 and
16x16 3,062 and 1,660; but 20 to 20 511 and 704 (2.6 times), 8 to 8 and 28x28 423 and 634 (4), 4 to 16 274 and 665 (4).
Of what is given alone: 32 to 8 and 16x16 905 and 416 (2), 16 to 4 243 and 207 (4), 16 to 3 and 32x32 730 and 751 (5.3),
32 to 3 by 5x5 4,471 and 8,346.
"""


def has_images(graph: Graph) -> bool:
    """Whether a graph has convolutions."""
    return any(isinstance(node.op, Conv | ConvInputGrad) for node in graph.nodes)


def in_blocks(graph: Graph, block: int) -> Graph:
    """A graph that computes the same with its convolutions in blocks of so many channels."""
    turned, gradients = weight_grad_rules(block)
    gradients = *gradients, weight_grad_of_few_channels, weight_grad_alone
    swapped = weight_grad_of_narrower, input_grad_by_convolution
    views = slice_of_turned, transpose_twice, transpose_to_same
    rules = *POINTS, *PATCHES, *gradients, *block_rules(block), *swapped, *views
    rewrites = Rewrite((*turned, weight_grad_turned), name="turned"), DeadCode(), Rewrite(rules, name="images")
    return Pipeline((*rewrites, CommonSubexpressions(), DeadCode())).run(graph)


def block_rules(block: int) -> tuple[Rule, ...]:
    """The rules for a machine with blocks of so many channels."""

    @rule(Conv, exact=False)
    def conv_in_blocks(site: Site) -> Value | None:
        x, w = site.inputs
        op = site.node.op
        assert isinstance(op, Conv)
        if not _fits(op, block, x.type, site.output.type, w.type):
            return None
        if (first := turned_kernel(site, w)) is not None and op.groups == 1:
            kernel = turned_kernel_blocks(first, block)
        else:
            kernel = kernel_alone_blocks(w, block) if _alone(op, w.type) else kernel_blocks(w, block)
        y = _conv(to_blocks(x, block), kernel, op.strides, op.dilations, op.pads, op.groups)
        return from_blocks(y, w.shape[0])

    @rule(ConvInputGrad, exact=False)
    def input_grad_in_blocks(site: Site) -> Value | None:
        """At stride 1 a convolution with the kernel turned round; else one for each remainder by the strides."""
        dy, w = site.inputs
        op, dx = site.node.op, site.output
        assert isinstance(op, ConvInputGrad)
        if not _fits(op, block, dy.type, dx.type, w.type):
            return None
        axes = axes_of(op, dx.type, dy.type, w.type)
        if any(a.size % a.stride or (a.stride > 1 < a.dilation) for a in axes):
            return None
        phases = list(product(*(_phases(a) for a in axes)))
        if not all(taps and min(pads) >= 0 for each in phases for taps, *pads in each):
            return None
        images, parts, first = to_blocks(dy, block), [], turned_kernel(site, w)
        for each in phases:
            taps, begins, ends = zip(*each, strict=True)
            if first is not None and op.groups == 1:
                kernel = turned_flipped_kernel_blocks(first, block, taps)
            elif _alone(op, w.type):
                kernel = kernel_alone_blocks(slices(w, 2, taps), block, flipped=True)
            else:
                kernel = flipped_kernel_blocks(w, block, op.groups, taps)
            parts.append(_conv(images, kernel, (1, 1), op.dilations, (*begins, *ends), op.groups))
        return from_blocks(_interleaved(parts, op.strides), dx.shape[1])

    @rule(ToBlocks)
    def in_blocks_already(site: Site) -> Value | None:
        made = site.made_by(site.inputs[0], FromBlocks)
        return made.inputs[0] if made is not None and made.inputs[0].type == site.output.type else None

    return conv_in_blocks, input_grad_in_blocks, in_blocks_already


def _conv(x: Value, w: Value, strides: Ints, dilations: Ints, pads: Ints, groups: int) -> Value:
    return current_builder().add(BlockConv(strides, dilations, pads, groups), x, w)


def _phases(axis: Axis) -> list[tuple[range, int, int]]:
    """For each remainder of places of x by the stride: the taps, and the pads of dy at both ends."""
    count, found = axis.size // axis.stride, []
    for first in range(axis.stride):
        taps = axis.phase(first)
        ends = (axis.place(first, taps[-1]), axis.place(first, taps[0])) if taps else (0, 0)
        found.append((taps, -ends[0], ends[1] + count - axis.places))
    return found


def _interleaved(parts: list[Value], strides: Ints) -> Value:
    """One of the images in blocks that have the places of each remainder by the strides."""
    if len(parts) == 1:
        return parts[0]
    n, blocks, height, width, block = parts[0].shape
    whole = reshape(stack(parts, 0), (*strides, n, blocks, height, width, block))
    moved = transpose(whole, (2, 3, 4, 0, 5, 1, 6))
    return reshape(moved, (n, blocks, height * strides[0], width * strides[1], block))


def _fits(op: Convolution, block: int, x: TensorType, y: TensorType, w: TensorType) -> bool:
    """Whether a convolution of images x to images y can be done in blocks."""
    known = [d.constant for of in (x, y, w) for d in of.shape]
    if x.dtype is not DType.f32 or len(op.strides) != 2 or not all(known):
        return False
    sides = [of.shape[1].evaluate({}) // op.groups for of in (x, y)]
    if sides == [1, 1]:
        return op.groups % block == 0
    if op.groups > 1:
        return all(side % block == 0 for side in sides)
    whole = [-(-side // block) * block for side in sides]
    more = MORE if sides[0] % block == 0 else MORE_OF_BOTH
    return sides[0] % min(FOURS, block) == 0 and prod(whole) <= more * prod(sides)


def _alone(op: Convolution, w: TensorType) -> bool:
    """Whether each channel is a group of its own, and gives one."""
    return op.groups > 1 and w.shape[:2] == (Dim.of(op.groups), ONE)
