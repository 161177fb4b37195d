"""Where the labels of edges stand: beside their edge, near its start, and over as little else as can be.

What this module does not do: make room for them (``layout`` asks for it), or write them (``svg`` does).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, hypot

Point = tuple[float, float]
Frame = tuple[float, float, float, float]
"""Left, top, width, height."""
GAP = 5.0
"""Between an edge and its label."""
NEAR = 6.0
"""How far points lie apart that are looked at along a curve, and how large the cells are in which others are found."""
OVER, ACROSS, CROSSED, LEFT, FAR = 4.0, 60.0, 50.0, 12.0, 0.25
"""What it costs to stand over a frame (by area), across the border of a box, over another edge, left of the own edge,
and away from its start (by length)."""


@dataclass(slots=True)
class Labels:
    """Places for labels, one after the other.

    Attributes:
        frames: what no label is to stand over: items, headings, and labels that have a place.
        boxes: whose borders no label is to cross.
        curves: those of all edges: chains of cubic Bezier curves, each with the tip of its arrow at the end.
        height: of a label.
    """

    frames: list[Frame]
    boxes: Sequence[Frame]
    curves: Sequence[Sequence[Point]]
    height: float
    _points: list[list[Point]] = field(init=False)
    _passing: dict[tuple[int, int], set[int]] = field(init=False)
    """The edges that pass through a cell."""

    def __post_init__(self) -> None:
        self._points = [list(along(curve)) for curve in self.curves]
        self._passing = {}
        for number, points in enumerate(self._points):
            for x, y in points:
                self._passing.setdefault((int(x // NEAR), int(y // NEAR)), set()).add(number)

    def place(self, number: int, wide: float) -> Point:
        """The middle of the left end of a label of a width that belongs to the edge of this number."""
        best, least = self._points[number][0], float("inf")
        start = best
        for x, y in self._points[number][1:]:
            for left, side in ((x + GAP, 0.0), (x - GAP - wide, LEFT)):
                frame = (left, y - self.height / 2, wide, self.height)
                cost = side + FAR * (abs(x - start[0]) + abs(y - start[1])) + self._cost(frame, number)
                if cost < least:
                    best, least = (left, y), cost
        self.frames.append((best[0], best[1] - self.height / 2, wide, self.height))
        return best

    def _cost(self, frame: Frame, number: int) -> float:
        cost = OVER * sum(overlap(frame, other) for other in self.frames)
        cost += ACROSS * sum(0 < overlap(frame, box) < 0.999 * frame[2] * frame[3] for box in self.boxes)
        x, y, wide, high = frame
        columns = range(int(x // NEAR), int((x + wide) // NEAR) + 1)
        rows = range(int(y // NEAR), int((y + high) // NEAR) + 1)
        passing = {other for column in columns for row in rows for other in self._passing.get((column, row), ())}
        cost += CROSSED * len(passing - {number})
        return cost


def overlap(one: Frame, other: Frame) -> float:
    """The area that two frames share."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return wide * high if wide > 0 and high > 0 else 0.0


def along(curve: Sequence[Point]) -> Iterator[Point]:
    """Points of a chain of cubic Bezier curves, its start first."""
    yield curve[0]
    joints = range(0, len(curve) - 1, 3)
    for first, last in pairwise(joints):
        piece = curve[first : last + 1]
        length = sum(hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(piece))
        steps = max(1, ceil(length / NEAR))
        for step in range(1, steps + 1):
            yield bezier(piece, step / steps)


def bezier(points: Sequence[Point], t: float) -> Point:
    """A point of a cubic Bezier curve."""
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    x, y = (sum(w * p[axis] for w, p in zip(weights, points, strict=True)) for axis in (0, 1))
    return x, y
