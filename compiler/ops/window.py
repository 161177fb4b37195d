"""A window that slides over spatial axes: how many places it has, and which elements it covers at each.

What this module does not do: any arithmetic on what is covered; convolution and pooling do that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import TensorType
from archonnx.grammar.record import Record


class Window(Record):
    """The geometry on n spatial axes. ``pads`` are ONNX's: n at the beginnings, then n at the ends."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]

    @property
    def begins(self) -> tuple[int, ...]:
        """Pads before each axis."""
        return self.pads[: len(self.kernel)]

    @property
    def ends(self) -> tuple[int, ...]:
        """Pads after each axis."""
        return self.pads[len(self.kernel) :]

    @property
    def extents(self) -> tuple[int, ...]:
        """Elements from the window's first to its last, both included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def tiles(self) -> bool:
        """Whether places neither overlap nor leave gaps nor reach outside."""
        return self.strides == self.kernel == self.extents and not any(self.pads)

    def check(self, op: str, x: TensorType) -> None:
        """TypeProblem unless the window is well formed, and fits ``x: [N, C, *size]``."""
        n = len(self.kernel)
        if x.rank != n + 2:
            raise TypeProblem("AX0321", f"`{op}` with a window of {n} axes needs [N, C] and {n} axes more, not {x}")
        if n == 0:
            raise TypeProblem(
                "AX0321",
                f"`{op}` needs [N, C] and at least one axis more, not {x}",
                help="a batch of grey images is [B, 1, height, width]",
            )
        if not (len(self.strides) == len(self.dilations) == n and len(self.pads) == 2 * n):
            raise TypeProblem(
                "AX0322", f"`{op}` over {n} axes needs {n} strides, {n} dilations and {2 * n} pads", argument="kernel"
            )
        if min((*self.kernel, *self.strides, *self.dilations)) < 1 or min(self.pads) < 0:
            raise TypeProblem(
                "AX0322",
                f"`{op}` needs windows, strides, dilations of 1 or more, and no negative pads",
                argument="kernel",
            )
        for axis, (size, extent) in enumerate(zip(self._padded(x.shape[2:]), self.extents, strict=True)):
            if (number := size.constant) is not None and number < extent:
                raise TypeProblem(
                    "AX0322",
                    f"`{op}` has a window of {extent}, and axis {axis + 2} of {x} is {number} with its pads",
                    argument="kernel",
                    help="pad more, or take a smaller window",
                )

    def places(self, sizes: Sequence[Dim]) -> tuple[Dim, ...]:
        """How many places there are along each axis of these sizes."""
        return tuple(
            (size - extent) // stride + 1
            for size, extent, stride in zip(self._padded(sizes), self.extents, self.strides, strict=True)
        )

    def remainders(self, sizes: Sequence[Dim]) -> tuple[Dim, ...]:
        """Elements after the last place that no place covers, pads included."""
        return tuple(
            (size - extent) % stride
            for size, extent, stride in zip(self._padded(sizes), self.extents, self.strides, strict=True)
        )

    def _padded(self, sizes: Sequence[Dim]) -> list[Dim]:
        return [size + b + e for size, b, e in zip(sizes, self.begins, self.ends, strict=True)]

    def offsets(self) -> Iterator[tuple[int, ...]]:
        """Every element of the window, by its index in the kernel, in row-major order."""
        return product(*map(range, self.kernel))

    def covered(self, offset: tuple[int, ...], places: Sequence[int]) -> tuple[Any, ...]:
        """The index into a padded array of what the window's element ``offset`` covers, over all places."""
        starts = [o * d for o, d in zip(offset, self.dilations, strict=True)]
        return (
            ...,
            *(
                slice(start, start + s * (n - 1) + 1, s)
                for start, s, n in zip(starts, self.strides, places, strict=True)
            ),
        )

    def element(self, offset: tuple[int, ...]) -> tuple[Any, ...]:
        """The index into an array whose last axes are the kernel's."""
        return (..., *offset)

    def padded(self, x: Any, fill: float = 0) -> Any:
        """An array with its last axes padded."""
        spatial = list(zip(self.begins, self.ends, strict=True))
        return np.pad(x, [(0, 0)] * (x.ndim - len(spatial)) + spatial, constant_values=fill)

    def cropped(self, padded: Any, sizes: Sequence[int]) -> Any:
        """The part of a padded array that stands for the elements themselves."""
        return padded[(..., *(slice(b, b + size) for b, size in zip(self.begins, sizes, strict=True)))]


def spread(value: int | Sequence[int], count: int) -> tuple[int, ...]:
    """One integer for all of ``count`` axes, or one for each."""
    return (value,) * count if isinstance(value, int) else tuple(value)
