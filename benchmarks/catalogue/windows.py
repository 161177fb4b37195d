"""Convolution and pooling in NumPy, by a view of all windows: the oracle of rows 2.1 and 2.2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class Setting(NamedTuple):
    """One layer and the image it sees. ``pads`` has a pair for each axis."""

    layer: str
    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    padding: str
    groups: int = 1
    more: tuple[int, ...] = ()

    @property
    def call(self) -> str:
        """The layer in the language."""
        kernel, stride, dilation = (str(list(values)) for values in (self.kernel, self.stride, self.dilation))
        common = f"{kernel}, stride={stride}, padding={self.padding}"
        match self.layer:
            case "AveragePool":
                return f"AveragePool({common})"
            case "MaxPool":
                return f"MaxPool({common}, dilation={dilation})"
            case "DepthwiseConv":
                return f"DepthwiseConv({common}, dilation={dilation}, multiplier=2)"
            case "ConvTranspose":
                return f"ConvTranspose(6, {common}, output_padding={list(self.more)}, dilation={dilation})"
        return f"Conv(6, {common}, dilation={dilation}, groups={self.groups})"

    @property
    def places(self) -> tuple[int, ...]:
        """The formula: (n + pads - dilation (kernel - 1) - 1) // stride + 1, and its inverse for a transposed layer."""
        axes = list(zip(self.sizes, self.kernel, self.stride, self.dilation, self.pads, strict=True))
        if self.layer == "ConvTranspose":
            sizes = [(n - 1) * s - sum(p) + d * (k - 1) + 1 for n, k, s, d, p in axes]
            return tuple(size + extra for size, extra in zip(sizes, self.more, strict=True))
        return tuple((n + sum(p) - d * (k - 1) - 1) // s + 1 for n, k, s, d, p in axes)


def windows(
    x: Any,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Sequence[tuple[int, int]],
    fill: float = 0.0,
) -> Any:
    """``[N, C, *places, *kernel]``."""
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padded = np.pad(x, [(0, 0), (0, 0), *pads], constant_values=fill)
    view = sliding_window_view(padded, extents, tuple(range(2, x.ndim)))
    steps = [slice(None, None, step) for step in (*stride, *dilation)]
    return view[(slice(None), slice(None), *steps)]


def square_windows(x: Any, size: int, stride: int, margin: int, fill: float = 0.0) -> Any:
    """Those of an image, alike along both axes."""
    return windows(x, (size, size), (stride, stride), (1, 1), [(margin, margin)] * 2, fill)


def convolved(cut: Any, w: Any, groups: int = 1) -> Any:
    """Windows times kernels ``[O, C / groups, *kernel]``."""
    n = w.ndim - 2
    within = cut.shape[1] // groups
    parts = []
    for group, kernels in enumerate(np.split(w, groups)):
        part = cut[:, group * within : (group + 1) * within]
        parts.append(
            np.moveaxis(np.tensordot(part, kernels, ([1, *range(n + 2, 2 * n + 2)], [1, *range(2, n + 2)])), -1, 1)
        )
    return np.concatenate(parts, 1)


def expected(x: Any, setting: Setting, parameters: Sequence[Any]) -> Any:
    """What the layer gives, with its parameters in order."""
    n = len(setting.sizes)
    last = tuple(range(n + 2, 2 * n + 2))
    geometry = setting.kernel, setting.stride, setting.dilation, setting.pads
    if setting.layer == "MaxPool":
        return windows(x, *geometry, -np.inf).max(last)
    if setting.layer == "AveragePool":
        return windows(x, *geometry).sum(last) / windows(np.ones_like(x), *geometry).sum(last)
    w, b = parameters
    bias = b.reshape(-1, *[1] * n)
    if setting.layer == "ConvTranspose":
        return _transposed(x, setting, w) + bias
    groups = x.shape[1] if setting.layer == "DepthwiseConv" else setting.groups
    return convolved(windows(x, *geometry), w, groups) + bias


def _transposed(x: Any, setting: Setting, w: Any) -> Any:
    """A convolution by the turned kernels of x with zeros between its elements."""
    n = len(setting.sizes)
    spaced = np.zeros(
        (*x.shape[:2], *((size - 1) * s + 1 for size, s in zip(setting.sizes, setting.stride, strict=True)))
    )
    spaced[(slice(None), slice(None), *(slice(None, None, s) for s in setting.stride))] = x
    reach = [d * (k - 1) for k, d in zip(setting.kernel, setting.dilation, strict=True)]
    wide = [(0, 0), (0, 0), *((r, r + m) for r, m in zip(reach, setting.more, strict=True))]
    cut = windows(np.pad(spaced, wide), setting.kernel, (1,) * n, setting.dilation, [(0, 0)] * n)
    y = convolved(cut, np.flip(w, tuple(range(2, n + 2))).swapaxes(0, 1))
    return y[(..., *(slice(p[0], size - p[1]) for p, size in zip(setting.pads, y.shape[2:], strict=True)))]
