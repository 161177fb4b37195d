"""Which arrays look like images, and their pixels.

What this module does not do: write a picture (``charts`` does).
"""

from __future__ import annotations

import numpy as np

from archonnx.compiler.ir.types import Array


def pixels_of(array: Array) -> Array | None:
    """An example that looks like an image, as numbers from 0 to 1, [H, W] or [H, W, 3]; None of any other."""
    if array.dtype.kind not in "fu" or array.ndim not in (2, 3) or not np.isfinite(array).all():
        return None
    if array.ndim == 3:
        if array.shape[0] not in (1, 3):
            return None
        array = array[0] if array.shape[0] == 1 else np.moveaxis(array, 0, -1)
    if min(array.shape[:2]) < 4 or max(array.shape[:2]) > 512:
        return None
    low, high = float(array.min()), float(array.max())
    low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high if high > low else low + 1)
    return (array.astype(np.float64) - low) / (high - low)


def square_of(array: Array) -> Array | None:
    """A row of numbers that is a square image, as one."""
    side = round(array.size**0.5)
    return pixels_of(array.reshape(side, side)) if side >= 8 and side * side == array.size else None
