"""Functions of the language over the spatial axes of ``[B, c, ...S]``: convolution, pooling, resizing."""

from __future__ import annotations

from typing import Any

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.static import is_whole
from archonnx.compiler.elaborate.core.values import describe
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops import conv, pool, resize

from .calling import Ints, Items, Shape, Tensor, builtin, dims_of, require


@builtin
def convolve(
    frame: Frame, x: Tensor, weight: Tensor, *, stride: Ints, pads: Items, dilation: Ints, groups: int
) -> Value:
    """Cross-correlation of ``x: [B, c, ...S]`` with ``w: [out, c / groups, ...k]``; pads are pairs [begin, end]."""
    return conv.conv(x, weight, strides=stride, pads=_flat_pads(pads), dilations=dilation, groups=groups)


@builtin
def convolve_transposed(
    frame: Frame,
    x: Tensor,
    weight: Tensor,
    *,
    stride: Ints,
    pads: Items,
    output_padding: Ints,
    dilation: Ints,
    groups: int,
) -> Value:
    """What ``convolve`` with ``w: [c, out / groups, ...k]`` has as gradient, for ``x: [B, c, ...S]`` as its cotangent.

    ``output_padding`` elements more at each end that ``convolve`` would not have reached.
    """
    return conv.conv_transpose(
        x, weight, stride, dilations=dilation, pads=_flat_pads(pads), output_pads=output_padding, groups=groups
    )


@builtin
def max_pool(frame: Frame, x: Tensor, *, kernel: Ints, stride: Ints, pads: Items, dilation: Ints) -> Value:
    """The largest element of each window over the spatial axes of ``x: [B, c, ...S]``."""
    return pool.max_pool(x, kernel, strides=stride, pads=_flat_pads(pads), dilations=dilation)


@builtin
def average_pool(
    frame: Frame, x: Tensor, *, kernel: Ints, stride: Ints, pads: Items, count_include_pad: bool = False
) -> Value:
    """The mean of each window over the spatial axes of ``x: [B, c, ...S]``; pads are pairs [begin, end]."""
    return pool.average_pool(x, kernel, strides=stride, pads=_flat_pads(pads), count_include_pad=count_include_pad)


@builtin
def resize_linear(frame: Frame, x: Tensor, size: Shape, *, coordinates: Any = "half_pixel") -> Value:
    """``x: [B, c, ...S]`` interpolated along each spatial axis; coordinates are those of ``resize``."""
    return resize.resize_linear(x, dims_of(size, "size"), _coordinates(coordinates))


@builtin
def resize_nearest(frame: Frame, x: Tensor, size: Shape, *, coordinates: Any = "half_pixel") -> Value:
    """``x: [B, c, ...S]`` with the nearest element at each place; coordinates are those of ``resize``."""
    return resize.resize_nearest(x, dims_of(size, "size"), _coordinates(coordinates))


def _coordinates(word: Any) -> str:
    known = resize.COORDINATES
    require(str(word) in known, "AX0208", f"`coordinates` is one of {', '.join(known)}: not {describe(word)}")
    return str(word)


def _flat_pads(pads: Items) -> list[int]:
    """ONNX's order: all beginnings, then all ends."""
    for pair in pads:
        fits = isinstance(pair, list) and len(pair) == 2 and all(is_whole(n) and n >= 0 for n in pair)
        require(fits, "AX0306", "padding is a pair of ints [begin, end] for each spatial axis")
    return [pair[0] for pair in pads] + [pair[1] for pair in pads]
