"""Writes a drawing as SVG: texts that can be selected, a title for whoever points at a thing, light and dark colours.

Nothing in it is run or fetched, and every text is escaped. What this module does not do: decide where things stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from archonnx.runtime.html import printable

from .labels import Frame
from .layout import DETAIL, LABEL, LINE, TYPE, Layout, heading, heading_frame, width
from .outline import Box, Edge, Item, Outline

MARGIN = 16.0
NOTE = 11.0
FONT = "'DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono',monospace"
LIGHT = {
    "paper": "#ffffff", "ink": "#1c2330", "faint": "#5a6475", "line": "#6b7688", "box": "#f4f6fa", "rim": "#b9c2d0",
    "field": "#e3f1e6", "module": "#e4ecfb", "formula": "#ffffff", "result": "#fbf0d9", "loss": "#fbe3e0",
    "metric": "#f3e9f9", "source": "#dff1f3", "step": "#fde9cf",
}  # fmt: skip
DARK = {
    "paper": "#14181f", "ink": "#e6eaf0", "faint": "#a3adbd", "line": "#8a95a7", "box": "#1c222c", "rim": "#475366",
    "field": "#1f3a27", "module": "#223454", "formula": "#14181f", "result": "#463914", "loss": "#4b2420",
    "metric": "#3a2749", "source": "#173c42", "step": "#4a3213",
}  # fmt: skip
KINDS = ("field", "module", "formula", "result", "loss", "metric", "source", "step")
ROUND = {"field": 14, "result": 14, "loss": 14, "metric": 14, "formula": 10}
"""Radii of corners, by kind; 4 for the others."""


def write(outline: Outline, layout: Layout, label: str) -> str:
    """The text of an SVG document; ``label`` says to those who do not see it what it shows."""
    wide, high = (size + 2 * MARGIN for size in layout.size)
    high += len(outline.notes) * NOTE * LINE + (6 if outline.notes else 0)
    body = "\n".join(_body(outline, layout))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {_n(wide)} {_n(high)}" width="{_n(wide)}" height="{_n(high)}" font-family="{FONT}" '
        f'class="net">\n<style>{_style()}</style>\n<rect class="paper" width="100%" height="100%"/>\n'
        f'<g transform="translate({_n(MARGIN)} {_n(MARGIN)})">\n{body}\n</g>\n</svg>\n'
    )


def _style() -> str:
    def rules(colours: dict[str, str]) -> str:
        kinds = "".join(f".net .{kind}{{fill:{colours[kind]}}}" for kind in KINDS)
        return (
            f".net .paper{{fill:{colours['paper']}}}.net .box{{fill:{colours['box']};stroke:{colours['rim']}}}"
            f".net .back{{fill:{colours['box']}}}.net .odd{{fill:{colours['paper']}}}"
            f".net .frame{{stroke:{colours['line']}}}{kinds}"
            f".net text{{fill:{colours['ink']}}}.net .faint{{fill:{colours['faint']}}}"
            f".net .edge{{stroke:{colours['line']}}}.net .head{{fill:{colours['line']}}}"
            f".net .over{{stroke:{colours['box']}}}"
        )

    return (
        f"{rules(LIGHT)}.net .edge{{fill:none;stroke-width:1.2}}.net .loose{{stroke-dasharray:5 4}}"
        ".net .over{paint-order:stroke;stroke-width:4;stroke-linejoin:round}"
        f"@media (prefers-color-scheme:dark){{{rules(DARK)}}}"
    )


def _body(outline: Outline, layout: Layout) -> Iterator[str]:
    for box, depth, frame in layout.boxes:
        yield from _box(box, depth, frame)
    for edge, curve, _ in layout.edges:
        yield from _edge(edge, curve)
    for item, frame in layout.items.items():
        yield from _item(item, frame)
    for box, depth, frame in layout.boxes:
        yield from _heading(box, depth, frame)
    for edge, _, start in layout.edges:
        if start is not None:
            x, y = start
            yield _text(x, y + TYPE * 0.36, edge.label, TYPE, "faint over")
    for number, note in enumerate(outline.notes):
        y = layout.size[1] + 6 + (number + 1) * NOTE * LINE
        yield _text(0, y, note, NOTE, "faint")


def _box(box: Box, depth: int, frame: Frame) -> Iterator[str]:
    x, y, wide, high = frame
    yield "<g>" + _title(box.title)
    yield from _stack(box.repeat, frame, 8, "box")
    shade = "box odd" if depth % 2 else "box"
    yield f'<rect class="{shade}" x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="{_n(high)}" rx="8"/>'
    yield "</g>"


def _heading(box: Box, depth: int, frame: Frame) -> Iterator[str]:
    """What a box is called; edges that cross it pass below."""
    x, y, wide, _ = frame
    left, top, width_, high = heading_frame(box, frame)
    shade = "back odd" if depth % 2 else "back"
    yield f'<rect class="{shade}" x="{_n(left)}" y="{_n(top)}" width="{_n(width_)}" height="{_n(high)}"/>'
    yield _text(x + 10, y + LABEL * 1.5, heading(box), LABEL, "", bold=True)
    if box.details:
        yield _text(x + 10, y + LABEL * 1.5 + DETAIL * LINE, ", ".join(box.details), DETAIL, "faint")
    if box.repeat > 1:
        yield _text(x + wide - 10, y + LABEL * 1.5, _times(box), LABEL, "over", anchor="end", bold=True)


def _item(item: Item, frame: Frame) -> Iterator[str]:
    x, y, wide, high = frame
    yield "<g>" + _title(item.title)
    radius = ROUND.get(item.kind, 4)
    yield from _stack(item.repeat, frame, radius, f"{item.kind} frame")
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="{_n(high)}"'
    yield f'<rect class="{item.kind} frame" {place} rx="{radius}"/>'
    middle = x + (wide - (34 if item.repeat > 1 else 0)) / 2
    line = y + 6 + LABEL
    yield _text(middle, line, item.label, LABEL, "", anchor="middle", bold=item.kind != "formula")
    for detail in item.details:
        line += DETAIL * LINE
        yield _text(middle, line, detail, DETAIL, "faint", anchor="middle")
    if item.repeat > 1:
        yield _text(x + wide - 8, y + high / 2 + LABEL * 0.36, _times(item), LABEL, "", anchor="end", bold=True)
    yield "</g>"


def _times(part: Item | Box) -> str:
    return f"× {part.repeat}"


def _stack(times: int, frame: Frame, radius: float, kind: str) -> Iterator[str]:
    """Two more frames behind one that stands for several."""
    x, y, wide, high = frame
    for off in (6, 3) if times > 1 else ():
        yield (
            f'<rect class="{kind}" x="{_n(x + off)}" y="{_n(y + off)}" width="{_n(wide)}" height="{_n(high)}" '
            f'rx="{radius}"/>'
        )


def _edge(edge: Edge, curve: list[tuple[float, float]]) -> Iterator[str]:
    *points, end = curve
    (x, y), rest = points[0], points[1:]
    path = f"M{_n(x)} {_n(y)}C" + " ".join(f"{_n(px)} {_n(py)}" for px, py in rest)
    loose = " loose" if edge.loose else ""
    yield f'<path class="edge{loose}" d="{path}"/>'
    yield _head(points[-1], end)


def _head(base: tuple[float, float], tip: tuple[float, float]) -> str:
    """An arrow's head."""
    dx, dy = tip[0] - base[0], tip[1] - base[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ox, oy = -dy / length * 3.2, dx / length * 3.2
    corners = ((base[0] + ox, base[1] + oy), tip, (base[0] - ox, base[1] - oy))
    return '<path class="head" d="M' + "L".join(f"{_n(x)} {_n(y)}" for x, y in corners) + 'Z"/>'


def _text(x: float, y: float, text: str, size: float, kind: str, *, anchor: str = "start", bold: bool = False) -> str:
    """A text, squeezed if the font at hand is wider than was reckoned."""
    marks = f' class="{kind}"' if kind else ""
    marks += f' text-anchor="{anchor}"' if anchor != "start" else ""
    marks += ' font-weight="600"' if bold else ""
    fit = f' textLength="{_n(width(text, size))}" lengthAdjust="spacingAndGlyphs"' if len(text) > 3 else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}"{marks}{fit}>{escape(printable(text))}</text>'


def _title(text: str) -> str:
    return f"<title>{escape(printable(text))}</title>" if text else ""


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")
