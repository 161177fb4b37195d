"""Images in blocks of channels, as onnxruntime's fastest convolutions on the CPU take them.

A block is as many channels as a vector register holds numbers (8 or 16): ``[N, C, H, W]`` stands in memory as
``[N, C / block, H, W, block]``. Graphs get these ops last, before they are run on a machine whose block is known.
What this module does not do: choose what is put into blocks (``passes.blocks`` does), or ask for the machine's block
(``archonnx.runtime.device.blocks`` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE, ZERO, Dim, product
from archonnx.compiler.ir.facts import at_most
from archonnx.compiler.ir.op import Arithmetic, Emitter, Op, TypeProblem, register
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value

from .checks import check_divides, check_float
from .conv import Conv, Convolution
from .index import gather
from .linalg import sums_of_products
from .shape import constant, reshape, transpose
from .slicing import pad, slice_axis, slices

DOMAIN = "com.microsoft.nchwc"
"""Of onnxruntime's ops on images in blocks."""
FOURS = 4
"""So many channels, or a multiple, are put into blocks."""


@register
class ToBlocks(Op):
    """``[N, C, H, W]`` to ``[N, C / block, H, W, block]``; what the last block lacks are zeros.

    Channels come in fours, as onnxruntime moves them. Backward: ``from_blocks(dy)``.
    """

    block: int = 8

    def infer(self, x: TensorType) -> TensorType:
        check_float(self.name, x=x)
        _check_rank(self.name, x, 4)
        few = min(FOURS, self.block)
        check_divides(few, x.shape[1], f"{x.shape[1]} channels do not divide evenly by {few}")
        blocks = (x.shape[1] + (self.block - 1)) // self.block
        return x.with_shape((x.shape[0], blocks, *x.shape[2:], Dim.of(self.block)))

    def evaluate(self, x: Any) -> Any:
        whole = np.pad(x, ((0, 0), (0, -x.shape[1] % self.block), (0, 0), (0, 0)))
        apart = whole.reshape(x.shape[0], -1, self.block, *x.shape[2:])
        return np.ascontiguousarray(np.moveaxis(apart, 2, -1))

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (from_blocks(dy, x.shape[1]),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        n, blocks, h, w, block = results[0].shape
        missing = blocks * block - types[0].shape[1]
        if emit.portable:
            zeros = emit.dims([ZERO] * 5 + [missing, ZERO, ZERO])
            whole = emit.node("Pad", inputs[0], zeros) if missing != ZERO else inputs[0]
            apart = emit.node("Reshape", whole, emit.dims([n, blocks, block, h, w]))
            return emit.node("Transpose", apart, perm=[0, 1, 3, 4, 2])
        point = types[0].shape[2:] == (ONE, ONE) and missing == ZERO
        moved = inputs[0] if point else emit.node("ReorderInput", inputs[0], domain=DOMAIN)
        return emit.node("Reshape", moved, emit.dims(results[0].shape))


@register
class FromBlocks(Op):
    """``[N, K, H, W, block]`` to the first ``channels`` of ``[N, K * block, H, W]``, all but some of the last block.

    Backward: ``to_blocks`` of dy, with zeros for the channels that were left out.
    """

    channels: Dim = Dim.of(0)

    def infer(self, x: TensorType) -> TensorType:
        check_float(self.name, x=x)
        _check_rank(self.name, x, 5)
        n, blocks, h, w, block = x.shape
        if not at_most((blocks - 1) * block + 1, self.channels) or not at_most(self.channels, blocks * block):
            raise TypeProblem("AX0322", f"{blocks} blocks of {block} do not hold {self.channels} channels")
        return x.with_shape((n, self.channels, h, w))

    def evaluate(self, x: Any) -> Any:
        joined = np.moveaxis(x, -1, 2).reshape(x.shape[0], -1, *x.shape[2:4])
        return np.ascontiguousarray(joined[:, : self.channels.evaluate({})])

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        block = x.shape[-1].evaluate({})
        return (to_blocks(pad(dy, (0,) * 4, (0, x.shape[1] * block - dy.shape[1], 0, 0)), block),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        n, blocks, h, w, block = types[0].shape
        whole = emit.dims([n, blocks * block, h, w])
        if emit.portable:
            joined = emit.node("Reshape", emit.node("Transpose", inputs[0], perm=[0, 1, 4, 2, 3]), whole)
            bounds = [emit.constant([0]), emit.dims([self.channels]), emit.constant([1])]
            return joined if blocks * block == self.channels else emit.node("Slice", joined, *bounds)
        joined = emit.node("Reshape", inputs[0], whole)
        return emit.node("ReorderOutput", joined, domain=DOMAIN, channels=self.channels.evaluate({}))


@register
class BlockConv(Convolution):
    """``Conv`` of images in blocks with a kernel in blocks: ``[N, C / b, H, W, b]``, ``[O / b, C / groups / b, *kernel,
    b, b]`` (the block of the input's channels first) to ``[N, O / b, *places, b]``.

    Where each channel is a group of its own, the kernel is ``[C / b, 1, *kernel, 1, b]``. Backward: that of ``Conv``.
    """

    def infer(self, x: TensorType, w: TensorType) -> TensorType:
        check_float(self.name, x=x, w=w)
        _check_rank(self.name, x, 5)
        _check_rank(self.name, w, 6)
        plain = Conv(self.strides, self.dilations, self.pads, self.groups).infer(_plain(x), _plain_kernel(w))
        block = w.shape[-1]
        return x.with_shape((x.shape[0], w.shape[0], *plain.shape[2:], block))

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        return sums_of_products(results[0], product(inputs[1].shape[1:5]))

    def evaluate(self, x: Any, w: Any) -> Any:
        o, c, h, k, inner, outer = w.shape
        kernel = w.transpose(0, 5, 1, 4, 2, 3).reshape(o * outer, c * inner, h, k)
        images = FromBlocks(Dim.of(x.shape[1] * x.shape[4])).evaluate(x)
        y = Conv(self.strides, self.dilations, self.pads, self.groups).evaluate(images, kernel)
        return ToBlocks(outer).evaluate(y)

    def vjp(self, dy: Value, y: Value, x: Value, w: Value) -> tuple[Value | None, ...]:
        block = x.shape[-1].evaluate({})
        images, grad = (from_blocks(of, of.shape[1] * block) for of in (x, dy))
        kernel = reshape(transpose(w, (0, 5, 1, 4, 2, 3)), _plain_kernel(w.type).shape)
        plain = Conv(self.strides, self.dilations, self.pads, self.groups)
        dx, dw = plain.vjp(grad, grad, images, kernel)
        assert dx is not None and dw is not None
        alone = self.groups > 1 and w.shape[-2] == ONE != w.shape[-1]
        return to_blocks(dx, block), kernel_alone_blocks(dw, block) if alone else kernel_blocks(dw, block)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        x, w = inputs
        geometry: dict[str, Any] = {
            "kernel_shape": [d.evaluate({}) for d in types[1].shape[2:4]],
            "strides": self.strides, "dilations": self.dilations, "pads": self.pads, "group": self.groups,
        }  # fmt: skip
        shape, kernel = _plain(types[0]).shape, _plain_kernel(types[1]).shape
        if emit.portable:
            x = emit.node("Reshape", emit.node("Transpose", x, perm=[0, 1, 4, 2, 3]), emit.dims(shape))
            w = emit.node("Reshape", emit.node("Transpose", w, perm=[0, 5, 1, 4, 2, 3]), emit.dims(kernel))
            y = emit.node("Conv", x, w, **geometry)
            return ToBlocks(results[0].shape[-1].evaluate({})).lower(emit, [y], [_plain(results[0])], results)
        x, w = emit.node("Reshape", x, emit.dims(shape)), emit.node("Reshape", w, emit.dims(kernel))
        return emit.node("Reshape", emit.node("Conv", x, w, domain=DOMAIN, **geometry), emit.dims(results[0].shape))


def _check_rank(name: str, x: TensorType, rank: int) -> None:
    if x.rank != rank:
        raise TypeProblem("AX0321", f"`{name}` takes {rank} axes, not {x}")


def _plain(x: TensorType) -> TensorType:
    """The type of images out of their blocks."""
    return x.with_shape((x.shape[0], x.shape[1] * x.shape[4], *x.shape[2:4]))


def _plain_kernel(w: TensorType) -> TensorType:
    return w.with_shape((w.shape[0] * w.shape[5], w.shape[1] * w.shape[4], *w.shape[2:4]))


def to_blocks(x: Value, block: int) -> Value:
    """``[N, C, H, W]`` to ``[N, C / block, H, W, block]``."""
    return current_builder().add(ToBlocks(block), x)


def from_blocks(x: Value, channels: Dim | int) -> Value:
    """``[N, K, H, W, block]`` to the first ``channels`` of ``[N, K * block, H, W]``."""
    return current_builder().add(FromBlocks(Dim.of(channels)), x)


def kernel_blocks(w: Value, block: int) -> Value:
    """The weights of a convolution, ``[O, C, *kernel]``, in blocks; missing channels of the last block are zeros.

    Blocks of O are made as those of images are, and moved as wholes: several times faster than one transpose.
    """
    o, c = (-(-d.evaluate({}) // block) for d in w.shape[:2])
    kernel = [d.evaluate({}) for d in w.shape[2:]]
    w = pad(w, (0,) * 4, (o * block - w.shape[0], c * block - w.shape[1], 0, 0))
    apart = to_blocks(reshape(w, (o, block, c, block * prod(kernel))), block)
    if prod(kernel) > 1:
        apart = transpose(reshape(apart, (o, c, block, prod(kernel), block)), (0, 1, 3, 2, 4))
    return reshape(apart, (o, c, *kernel, block, block))


def flipped_kernel_blocks(w: Value, block: int, groups: int, taps: Sequence[range]) -> Value:
    """The same of a convolution that gives the gradient of the input: within each group the channels of the input and
    of the output change places, and the taps that are used stand in opposite order.
    """
    for axis, used in enumerate(taps, 2):
        w = slice_axis(w, axis, used.start, used[-1] + 1, used.step)
    o, c = (-(-d.evaluate({}) // block) for d in (w.shape[0] // groups, w.shape[1]))
    w = pad(w, (0,) * 4, (o * groups * block - w.shape[0], c * block - w.shape[1], 0, 0))
    kernel = [len(used) for used in taps]
    if prod(kernel) == 1:
        rows = reshape(w, (groups, o * block, c, block))
        return reshape(transpose(rows, (0, 2, 1, 3)), (groups * c, o, *kernel, block, block))
    apart = to_blocks(reshape(w, (w.shape[0] * c, block, *kernel)), block)
    each = reshape(apart, (groups, o, block, c, prod(kernel), block))
    flat = reshape(transpose(each, (0, 3, 1, 4, 2, 5)), (groups * c, o, prod(kernel), block, block))
    flat = gather(flat, constant(np.arange(prod(kernel))[::-1].copy()), 2)
    return reshape(flat, (groups * c, o, *kernel, block, block))


def turned_kernel_blocks(w: Value, block: int) -> Value:
    """``kernel_blocks`` of a kernel that lies as ``[*kernel, C, O]``: blocks are moved as they are."""
    *kernel, c, o = (d.evaluate({}) for d in w.shape)
    inner, outer = -(-c // block), -(-o // block)
    w = pad(w, (0,) * 4, (0, 0, inner * block - c, outer * block - o))
    apart = reshape(w, (prod(kernel), inner, block, outer, block))
    return reshape(transpose(apart, (3, 1, 0, 2, 4)), (outer, inner, *kernel, block, block))


def turned_flipped_kernel_blocks(w: Value, block: int, taps: Sequence[range]) -> Value:
    """``flipped_kernel_blocks`` of such a kernel, of one group."""
    w = transpose(slices(w, 0, taps), (0, 1, 3, 2))
    *kernel, o, c = (d.evaluate({}) for d in w.shape)
    flat = reshape(w, (prod(kernel), o, c))
    if prod(kernel) > 1:
        flat = gather(flat, constant(np.arange(prod(kernel))[::-1].copy()), 0)
    return turned_kernel_blocks(reshape(flat, (*kernel, o, c)), block)


def kernel_alone_blocks(w: Value, block: int, flipped: bool = False) -> Value:
    """The weights of a convolution in which each channel is a group, ``[C, 1, *kernel]``, in blocks; with ``flipped``
    those that give the gradient of the input.
    """
    kernel = [d.evaluate({}) for d in w.shape[2:]]
    blocks = w.shape[0] // block
    flat = to_blocks(reshape(w, (blocks, block, 1, prod(kernel))), block)
    if flipped and prod(kernel) > 1:
        flat = gather(flat, constant(np.arange(prod(kernel))[::-1].copy()), 3)
    return reshape(flat, (blocks, 1, *kernel, 1, block))
