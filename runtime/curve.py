"""The training curve as a small SVG, drawn by hand: one panel for each loss and metric.

What this module does not do: anything interactive; ``history.jsonl`` has the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 40, 34
COLOURS = {"train": "#4477aa", "valid": "#ee6677"}
Series = Mapping[str, Sequence[float]]


def training_curve(title: str, panels: Mapping[str, Series], best: int | None = None) -> str:
    """An SVG document.

    Args:
        title: what was trained.
        panels: for each loss or metric, its values epoch by epoch for ``train`` and ``valid``.
        best: the epoch whose parameters were kept (counted from 1), to be marked.
    """
    drawn = [_panel(name, series, best, index * WIDTH) for index, (name, series) in enumerate(panels.items())]
    width, height = WIDTH * max(len(drawn), 1), HEIGHT + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="#444">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n'
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="600" fill="#222">{escape(title)}</text>\n'
        f'<g transform="translate(0 20)">\n{"".join(drawn)}</g>\n</svg>\n'
    )


def _panel(name: str, series: Series, best: int | None, offset: int) -> str:
    finite = [v for values in series.values() for v in values if math.isfinite(v)] or [0.0]
    ticks = _ticks(min(finite), max(finite))
    low, high = ticks[0], ticks[-1]
    epochs = max(len(values) for values in series.values())

    def x(epoch: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(epochs - 1, 1)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)

    parts = [f'<g transform="translate({offset} 0)">', _text(LEFT, TOP - 12, name, weight=600)]
    for tick in ticks:
        parts.append(f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#e5e5e5"/>')
        parts.append(_text(LEFT - 6, y(tick) + 4, f"{tick:.4g}", anchor="end"))
    for epoch in sorted({1, (epochs + 1) // 2, epochs}):
        parts.append(_text(x(epoch), HEIGHT - BOTTOM + 16, str(epoch), anchor="middle"))
    if best is not None:
        parts.append(f'<path d="M{x(best):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#999" stroke-dasharray="3 3"/>')
    for position, (label, values) in enumerate(series.items()):
        colour = COLOURS.get(label, "#228833")
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(values, 1) if math.isfinite(v))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        right = WIDTH - RIGHT - 44 * (len(series) - position - 1)
        parts.append(_text(right, TOP - 12, label, anchor="end", fill=colour))
    return "\n".join([*parts, "</g>\n"])


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: int = 400, fill: str = "#444") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{fill}">'
            f"{escape(text)}</text>")


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, four to seven of them, that enclose the range."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if span / (power * factor) <= 5)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * i for i in range(first, max(last, first + 1) + 1)]
