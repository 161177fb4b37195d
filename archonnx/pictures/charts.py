"""Charts as SVG to be put into a page, drawn by matplotlib: lines, points, bars, a matrix.

Ink has the colour of the text around a chart, so that it suits a light page and a dark one; texts stay texts, and no
text is read as mathematics. What this module does not do: compute what is shown.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archonnx.compiler.ir.types import Array
from archonnx.runtime.extras import missing
from archonnx.runtime.html import Html, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#010203"
"""Stands for the colour of the text around a chart."""
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bb6633", "#8888bb", "#999999", "#559977")
"""Of Paul Tol's bright scheme, which people who do not see all colours tell apart too."""
PARTS = {"train": 0, "valid": 1, "test": 2}
"""Parts of data have the same colours in all charts, whichever of them are there."""
SIZE = (4.2, 2.9)
POINTS = 2000
"""More points than this are thinned out."""
DECADES = 30.0
"""Positive values that span a larger factor than this are drawn on a logarithmic axis."""
Line = tuple[str, Sequence[float], Sequence[float]]
"""A name, x and y."""


def lines(
    title: str,
    series: Sequence[Line],
    x: str,
    y: str = "",
    *,
    square: bool = False,
    diagonal: bool = False,
    mark: float | None = None,
    log: bool = False,
) -> Html:
    """Lines; ``mark`` is an x to be marked, and with ``log`` y is logarithmic where that helps."""

    def draw(axes: Axes) -> None:
        finite = [v for _, _, values in series for v in values if math.isfinite(v)]
        if log and finite and min(finite) > 0 and max(finite) / min(finite) > DECADES:
            axes.set_yscale("log")
        for number, (name, xs, ys) in enumerate(series):
            step = max(1, len(xs) // POINTS)
            colour = COLOURS[PARTS.get(name, number) % len(COLOURS)]
            many = len(xs) > 1
            axes.plot(
                list(xs)[::step], list(ys)[::step], color=colour, lw=1.5, label=_safe(name), marker="" if many else "o"
            )
        if diagonal:
            axes.plot([0, 1], [0, 1], color=INK, lw=0.7, ls=":")
        if mark is not None:
            axes.axvline(mark, color=INK, lw=0.8, ls="--", alpha=0.6)
        if square:
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        if x == "epoch":
            axes.locator_params(axis="x", integer=True)
        if axes.get_yscale() == "linear":
            axes.ticklabel_format(axis="y", useOffset=False)
            if finite and 0 <= min(finite) < 0.6 * max(finite) and not square:
                axes.set_ylim(bottom=0)
        _name(axes, title, x, y)
        if any(name for name, *_ in series):
            axes.legend(frameon=False, fontsize=7, labelcolor=INK)

    return _chart(title, (3.6, 3.4) if square else SIZE, draw)


def points(title: str, xs: Array, ys: Array, x: str, y: str, *, diagonal: bool = False) -> Html:
    """Points, and the line where both are equal."""

    def draw(axes: Axes) -> None:
        step = max(1, len(xs) // POINTS)
        axes.scatter(xs[::step], ys[::step], s=7, alpha=0.55, color=COLOURS[0], linewidths=0)
        if diagonal and len(xs):
            low, high = float(min(xs.min(), ys.min())), float(max(xs.max(), ys.max()))
            axes.plot([low, high], [low, high], color=INK, lw=0.7, ls=":")
        _name(axes, title, x, y)

    return _chart(title, (3.6, 3.4), draw)


def histogram(title: str, values: Array, x: str) -> Html:
    """How often values occur."""

    def draw(axes: Axes) -> None:
        axes.hist(values, bins=40, color=COLOURS[0])
        _name(axes, title, x, "examples")

    return _chart(title, SIZE, draw)


def matrix(title: str, counts: Array, names: Sequence[str]) -> Html:
    """A confusion matrix: true classes at the side, predicted ones above; shares of rows as shades, counts as texts."""
    side = min(3.0 + 0.28 * len(names), 9.0)

    def draw(axes: Axes) -> None:
        rows = counts.sum(axis=1, keepdims=True)
        shares = counts / rows.clip(min=1e-12)
        axes.grid(visible=False)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        shown = [_safe(name) for name in names]
        long = max(map(len, shown), default=0) > 3
        axes.set_xticks(range(len(names)), shown, rotation=45 if long else 0, ha="left" if long else "center")
        axes.set_yticks(range(len(names)), shown)
        axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False)
        for i, j in ((i, j) for i in range(len(names)) for j in range(len(names)) if counts[i, j] and len(names) <= 20):
            count = counts[i, j]
            said = f"{count:g}" if count == int(count) else f"{count:.2f}"
            colour = "white" if shares[i, j] > 0.55 else "#1c2330"
            axes.text(j, i, said, ha="center", va="center", fontsize=7, color=colour)
        axes.set_xlabel("predicted", color=INK)
        axes.set_ylabel("true", color=INK)

    return _chart(title, (side, side), draw)


def picture(pixels: Array) -> bytes:
    """Numbers from 0 to 1, [H, W] or [H, W, 3], as a PNG."""
    plot = _matplotlib()
    content = io.BytesIO()
    plot.imsave(content, pixels, format="png", vmin=0, vmax=1, cmap="gray")
    return content.getvalue()


def _name(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(_safe(title), fontsize=9, color=INK, loc="left")
    axes.set_xlabel(_safe(x), fontsize=8, color=INK)
    axes.set_ylabel(_safe(y), fontsize=8, color=INK)


def _safe(name: str) -> str:
    """A text as it is shown: a legend would leave out what begins with ``_``."""
    shown = printable(name if len(name) <= 40 else f"{name[:39]}…")
    return f"\N{ZERO WIDTH SPACE}{shown}" if shown.startswith("_") else shown


def _matplotlib() -> Any:
    try:
        import matplotlib
    except ImportError:
        missing("a chart", "matplotlib", "pictures", None)
    matplotlib.use("svg", force=True)
    import matplotlib.pyplot

    return matplotlib.pyplot


_STYLE: Mapping[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "text.usetex": False,
    "font.size": 8,
    "font.family": "sans-serif",
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#8a95a7",
    "grid.alpha": 0.25,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
}


def _chart(title: str, size: tuple[float, float], draw: Callable[[Axes], None]) -> Html:
    plot = _matplotlib()
    with plot.rc_context({**_STYLE, "svg.hashsalt": title}), warnings.catch_warnings():
        figure, axes = plot.subplots(figsize=size, layout="constrained")
        try:
            draw(axes)
            warnings.filterwarnings("ignore", message="Glyph")  # who reads the page has other fonts
            content = io.StringIO()
            figure.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        finally:
            plot.close(figure)
    text = content.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    return Html(re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.S))
