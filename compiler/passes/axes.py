"""The spatial axes of convolutions of known sizes: what is seen through which tap of the kernel.

What this module does not do: compute anything (``blocks`` and ``small_images`` do).
"""

from __future__ import annotations

from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ops.conv import Convolution
from archonnx.grammar.record import Record


class Axis(Record):
    """One spatial axis of a convolution, of known sizes: ``place * stride + tap * dilation - begin`` is seen there."""

    size: int
    places: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int

    @property
    def taps(self) -> range:
        """The elements of the kernel from the first to the last that ever sees more than padding."""
        places = range(self.places)
        seen = [tap for tap in range(self.kernel) if any(0 <= self.sees(place, tap) < self.size for place in places)]
        return range(seen[0], seen[-1] + 1) if seen else range(1)

    def sees(self, place: int, tap: int) -> int:
        """Which element a place sees through a tap: less than 0, or beyond the last one, where that is padding."""
        return place * self.stride + tap * self.dilation - self.begin

    def phase(self, first: int) -> range:
        """The taps through which the elements ``first``, ``first + stride``, ... are seen."""
        taps = [t for t in self.taps if (first + self.begin - t * self.dilation) % self.stride == 0]
        step = taps[1] - taps[0] if len(taps) > 1 else 1
        return range(taps[0], taps[-1] + 1, step) if taps else range(0)

    def place(self, first: int, tap: int) -> int:
        """At which place the element ``first`` is seen through a tap of its phase."""
        return (first + self.begin - tap * self.dilation) // self.stride


def axes_of(op: Convolution, x: TensorType, y: TensorType, w: TensorType) -> list[Axis]:
    """The axes of a convolution from x to y by w, whose sizes are known."""
    n = len(op.strides)
    sizes = ([dim.evaluate({}) for dim in of.shape[2:]] for of in (x, y, w))
    return [Axis(*of) for of in zip(*sizes, op.strides, op.dilations, op.pads[:n], op.pads[n:], strict=True)]
