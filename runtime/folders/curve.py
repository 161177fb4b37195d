"""Training curves as a small SVG, drawn by hand: a row for each program, in it a panel for each loss and metric.

What this module does not do: anything interactive; ``history.jsonl`` has the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 360, 238
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 42, 40
HEADER, NAME = 34, 22
COLOURS = {"train": "#4477aa", "valid": "#ee6677"}
INK, PALE, GRID = "#333333", "#777777", "#e8e8e8"
DECADES = 30.0
"""Positive values that span a larger factor than this are drawn on a logarithmic axis."""
POINTS = 500
"""More epochs than this are thinned out: a picture has no more columns."""
LARGEST, SMALLEST = 1e300, 1e-300
"""Larger values are not drawn, and smaller ones not on a logarithmic axis: the arithmetic of an axis needs the room."""
Series = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Row:
    """A program: its name (or nothing), and for each loss or metric its values epoch by epoch, by part of the data."""

    name: str
    panels: Mapping[str, Series]
    best: int | None = None
    """The epoch whose parameters were kept (counted from 1), to be marked."""


def training_curve(title: str, rows: Sequence[Row]) -> str:
    """An SVG document."""
    parts, y = [], HEADER
    for row in rows:
        if row.name:
            y += NAME
            parts.append(_text(16, y - 6, row.name, size=12, weight=600))
        parts += [
            _panel(name, series, row.best, index * WIDTH, y) for index, (name, series) in enumerate(row.panels.items())
        ]
        y += HEIGHT
    width = WIDTH * max([1, *(len(row.panels) for row in rows)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}" '
        f'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" font-size="11">\n'
        f'<rect width="{width}" height="{y}" fill="white"/>\n{_text(16, 22, title, size=15, weight=600)}\n'
        f"{''.join(parts)}</svg>\n"
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    """The vertical axis: its ticks, evenly spaced in the values or in their logarithms."""

    ticks: Sequence[float]
    logarithmic: bool

    @staticmethod
    def of(values: Sequence[float]) -> _Axis:
        """The axis that suits some finite values."""
        low, high = min(values), max(values)
        if low > SMALLEST and high / low > DECADES:
            return _Axis([10.0**power for power in _powers(low, high)], True)
        return _Axis(_ticks(low, high), False)

    def y(self, value: float) -> float:
        """Where a value lies in its panel."""
        low, high, at = self._scaled(self.ticks[0]), self._scaled(self.ticks[-1]), self._scaled(value)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (at - low) / (high - low)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def _panel(name: str, series: Series, best: int | None, left: float, top: float) -> str:
    drawn = [v for values in series.values() for v in values if _is_drawn(v)]
    axis = _Axis.of(drawn or [0.0])
    epochs = max((len(values) for values in series.values()), default=1)

    def x(epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(epochs - 1, 1)

    parts = [f'<g transform="translate({left:g} {top:g})">', _text(LEFT, TOP - 20, name, weight=600)]
    for tick in axis.ticks:
        parts.append(f'<path d="M{LEFT} {axis.y(tick):.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
        parts.append(_text(LEFT - 7, axis.y(tick) + 4, f"{tick:.4g}", anchor="end", fill=PALE))
    for epoch in _epoch_ticks(epochs):
        parts.append(_text(x(epoch), HEIGHT - BOTTOM + 16, str(epoch), anchor="middle", fill=PALE))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "epoch", anchor="middle", fill=PALE))
    if best is not None:
        parts.append(f'<path d="M{x(best):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{PALE}" stroke-dasharray="3 3"/>')
        parts.append(_text(x(best), TOP - 4, f"best: {best}", anchor="middle", size=9, fill=PALE))
    if not drawn:
        middle = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
        parts.append(_text(*middle, "not a number in any epoch", anchor="middle", fill=PALE))
    for position, (label, values) in enumerate(reversed(list(series.items()))):
        colour = COLOURS.get(label, "#228833")
        parts.append(_line([(x(i), axis.y(v)) for i, v in _thinned(values) if _is_drawn(v)], colour))
        parts.append(_text(WIDTH - RIGHT - 40 * position, TOP - 20, label, anchor="end", fill=colour, weight=600))
    return "\n".join([*parts, "</g>\n"])


def _is_drawn(value: float) -> bool:
    """Whether a value has a place on an axis."""
    return abs(value) <= LARGEST


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    """A line through the points; a dot where there is but one, nothing where there is none."""
    if not points:
        return ""
    if len(points) == 1:
        ((x, y),) = points
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{text}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>'


def _thinned(values: Sequence[float]) -> list[tuple[int, float]]:
    """Values by epoch, not many more than ``POINTS``, with the last one."""
    stride = max(1, math.ceil(len(values) / POINTS))
    numbered = list(enumerate(values, 1))
    return numbered[:-1:stride] + numbered[-1:]


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 11,
    weight: int = 400,
    fill: str = INK,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{fill}">{escape(text)}</text>'
    )


def _epoch_ticks(epochs: int) -> list[int]:
    """The first epoch, and round numbers up to the last."""
    step = max(1, round(_step(max(epochs - 1, 1))))
    return sorted({1, *range(step, epochs + 1, step)})


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, three to seven of them, that enclose the range."""
    if low == high:
        low, high = low - (abs(low) / 4 or 1.0), high + (abs(high) / 4 or 1.0)
    step = _step(high - low)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * i for i in range(first, last + 1)]


def _step(span: float) -> float:
    """A round number of which the span holds three to five."""
    power = 10.0 ** math.floor(math.log10(span / 4))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if span / (power * factor) <= 5)


def _powers(low: float, high: float) -> list[int]:
    """Exponents of ten that enclose the range, at most eight of them."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = math.ceil((last - first) / 7)
    return list(range(first, last + stride, stride))
