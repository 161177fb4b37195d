"""Gradients of convolutions at stride 1, which are convolutions themselves, with the cheaper of two images moved.

onnxruntime's ConvTranspose makes a column for each place and adds up what meets, image by image; its Conv has quicker
ways for small kernels and few channels. The gradient of a weight reads one of its two images once for each element of
the kernel, and at stride 1 it may be either.

What this module does not do: convolutions that blocks or patches are good for (``blocks`` and ``small_images`` come
first), other strides, or change graphs that are exported.
"""

from __future__ import annotations

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.conv import Conv, ConvInputGrad, Convolution, ConvWeightGrad
from archonnx.compiler.ops.shape import transpose
from archonnx.compiler.ops.slicing import reverse

from .rewrite import Site, rule

NARROWER = 2
"""The gradient has so many times fewer channels than what the weight saw, or more."""


@rule(ConvInputGrad, exact=False)
def input_grad_by_convolution(site: Site) -> Value | None:
    """``dx = conv(dy, w turned round)``.

    Measured on two threads in us, ConvTranspose and Conv, of 3x3: 64 images of 24 to 24 channels and 8x8 661 and 415,
    of 1 to 24 362 and 31; 32 of 3 to 32 and 32x32 2,900 and 397; 32 of 12 to 24 and 16x16 805 and 413; 64 of 72 to 24
    and 8x8 1,157 and 1,223; 64 of 24 to 72 1,891 and 1,646.
    """
    dy, w = site.inputs
    op = site.node.op
    assert isinstance(op, ConvInputGrad)
    pads = _pads_of_gradient(op, w.type)
    if op.groups > 1 or pads is None:
        return None
    kernel = transpose(reverse(w, range(2, w.rank)), (1, 0, *range(2, w.rank)))
    return current_builder().add(Conv(op.strides, op.dilations, pads), dy, kernel)


@rule(ConvWeightGrad, exact=False)
def weight_grad_of_narrower(site: Site) -> Value | None:
    """``dw[t] = sum over places q of x[q]^T @ dy[q - t]``: what is padded and cut for each tap is ``dy``."""
    x, dy = site.inputs
    op, dw = site.node.op, site.output
    assert isinstance(op, ConvWeightGrad)
    pads = _pads_of_gradient(op, dw.type)
    channels, outputs = x.shape[1].constant, dy.shape[1].constant
    if op.groups > 1 or pads is None or channels is None or outputs is None or outputs * NARROWER > channels:
        return None
    moved = current_builder().add(ConvWeightGrad(op.strides, op.dilations, pads, 1, op.kernel), dy, x)
    return reverse(transpose(moved, (1, 0, *range(2, dw.rank))), range(2, dw.rank))


def _pads_of_gradient(op: Convolution, w: TensorType) -> tuple[int, ...] | None:
    """The padding of the gradient that makes it an image like the input; None at another stride, or where it is cut."""
    if set(op.strides) != {1} or w.dtype is not DType.f32:
        return None
    reach = [(size.evaluate({}) - 1) * by for size, by in zip(w.shape[2:], op.dilations, strict=True)] * 2
    if max(reach) == 0:
        return None
    pads = tuple(far - pad for far, pad in zip(reach, op.pads, strict=True))
    return pads if min(pads) >= 0 else None
