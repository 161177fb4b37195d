"""Where the parts of a drawing stand: asked of Graphviz, which is given sizes and numbers, and no text of anybody.

Sizes are reckoned from the number of letters, so that a drawing is the same whatever fonts a machine has. What this
module does not do: write the picture (``svg`` does).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from archonnx.runtime.extras import missing

from .labels import Frame, Labels, Point
from .outline import Box, Edge, Item, Outline

LETTER = 0.6
"""The width of a letter, in sizes of its font."""
LABEL, DETAIL, TYPE = 13.0, 11.0, 11.0
"""Sizes of fonts in points: names, what is said beneath, types on edges."""
LINE = 1.35
"""The height of a line, in sizes of its font."""


@dataclass(slots=True)
class Layout:
    """A drawing with places, in points from the upper left corner."""

    size: Point
    items: dict[Item, Frame] = field(default_factory=dict)
    boxes: list[tuple[Box, int, Frame]] = field(default_factory=list)
    """Boxes with how deep they are, outer ones first."""
    edges: list[tuple[Edge, list[Point], Point | None]] = field(default_factory=list)
    """Edges with the points of their Bezier curve, and where their label begins, if they have one."""


def width(text: str, size: float) -> float:
    """About how wide a text is."""
    return len(text) * LETTER * size


def heading(box: Box) -> str:
    """What stands at the top of a box."""
    return box.label or "repeated"


def heading_frame(box: Box, frame: Frame) -> Frame:
    """Where that stands, with what is said of the box."""
    x, y, _, _ = frame
    wide = max(width(heading(box), LABEL), width(", ".join(box.details), DETAIL))
    return x + 6, y + 4, wide + 8, LABEL * LINE + (DETAIL * LINE if box.details else 0) + 2


def lay_out(outline: Outline) -> Layout:
    """Places for all parts of an outline."""
    writer = _Dot(outline)
    return writer.read(_graphviz(writer.text()))


def _graphviz(text: str) -> dict[str, object]:
    try:
        import pygraphviz
    except ImportError:
        missing("a drawing", "pygraphviz", "pictures", None)
    drawn = pygraphviz.AGraph(text).draw(format="json0", prog="dot")
    found: dict[str, object] = json.loads(drawn)
    return found


class _Dot:
    """An outline in the language of Graphviz, and its answer read."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self.items = {f"n{i}": item for i, item in enumerate(outline.root.items())}
        self.numbers = {item: name for name, item in self.items.items()}
        self.boxes: dict[str, tuple[Box, int]] = {}
        self.edges = [edge for edge in outline.edges if edge.source in self.numbers and edge.target in self.numbers]
        self.labels: dict[Item, list[str]] = defaultdict(list)
        for edge in self.edges:
            self.labels[edge.source].append(edge.label)

    def text(self) -> str:
        """The graph: sizes and no letters."""
        lines = [
            "digraph {",
            'graph [rankdir=TB, nodesep=0.4, ranksep=0.4, margin=0, newrank=true, fontname="Courier"]',
            'node [shape=box, label="", fixedsize=true]',
            "edge [arrowsize=0.6]",
            *self._inside(self.outline.root, 0),
        ]
        for number, edge in enumerate(self.edges):
            ends = f"{self.numbers[edge.source]} -> {self.numbers[edge.target]}"
            lines.append(f'{ends} [comment="{number}", weight={1 if edge.loose else 4}]')
        lines += [f"{self.numbers[a]} -> {self.numbers[b]} [style=invis]" for a, b in self._order()]
        return "\n".join([*lines, "}"])

    def _order(self) -> Iterator[tuple[Item, Item]]:
        """What else stands above what: sources above all of the model, statements below it and in their order."""
        ranks: dict[bool, list[Item]] = {True: [], False: []}
        targets, sources = {edge.target for edge in self.edges}, {edge.source for edge in self.edges if not edge.loose}
        items = list(self.items.values())
        for item in items:
            if item.kind not in ("source", "step"):
                ranks[True] += [item] * (item not in targets)
                ranks[False] += [item] * (item not in sources)
        steps = [item for item in items if item.kind == "step"]
        for source in (item for item in items if item.kind == "source"):
            yield from ((source, first) for first in ranks[True])
        yield from ((last, step) for last in ranks[False] for step in steps[:1])
        yield from pairwise(steps)

    def _inside(self, box: Box, depth: int) -> Iterator[str]:
        framed = bool(box.label or box.repeat > 1)
        if framed:
            name = f"cluster{len(self.boxes)}"
            self.boxes[name] = (box, depth)
            wide = max(width(heading(box), LABEL) + (50 if box.repeat > 1 else 0),
                       width(", ".join(box.details), DETAIL))  # fmt: skip
            high = LABEL * LINE + (DETAIL * LINE if box.details else 0) + 2
            yield f"subgraph {name} {{ margin=24; labeljust=l; label={_table(wide + 8, high)}"
        for part in box.parts:
            if isinstance(part, Box):
                yield from self._inside(part, depth + framed)
            else:
                wide, high = item_size(part, self.labels.get(part, ()))
                yield f"{self.numbers[part]} [width={wide / 72:.4f}, height={high / 72:.4f}]"
        if framed:
            yield "}"

    def read(self, found: dict[str, object]) -> Layout:
        """What Graphviz answered; its y goes upwards."""
        _, _, right, top = map(float, str(found["bb"]).split(","))
        layout = Layout((right, top))
        said: set[tuple[Item, str]] = set()
        objects = found.get("objects", [])
        edges = found.get("edges", [])
        assert isinstance(objects, list) and isinstance(edges, list)
        for one in objects:
            name = one["name"]
            if name in self.boxes:
                x0, y0, x1, y1 = map(float, one["bb"].split(","))
                box, depth = self.boxes[name]
                layout.boxes.append((box, depth, (x0, top - y1, x1 - x0, y1 - y0)))
            elif name in self.items:
                x, y = map(float, one["pos"].split(","))
                wide, high = float(one["width"]) * 72, float(one["height"]) * 72
                layout.items[self.items[name]] = (x - wide / 2, top - y - high / 2, wide, high)
        layout.boxes.sort(key=lambda one: one[1])
        drawn: list[tuple[Edge, list[Point]]] = []
        for one in edges:
            if "comment" in one:
                start, *points = one["pos"].removeprefix("e,").split()
                curve = [(float(x), top - float(y)) for x, y in (point.split(",") for point in (*points, start))]
                drawn.append((self.edges[int(one["comment"])], curve))
        taken = [*layout.items.values(), *(heading_frame(box, frame) for box, _, frame in layout.boxes)]
        labels = Labels(taken, [frame for _, _, frame in layout.boxes], [curve for _, curve in drawn], TYPE * LINE)
        for number, (edge, curve) in enumerate(drawn):
            once = edge.label != "" and (edge.source, edge.label) not in said
            said.add((edge.source, edge.label))
            layout.edges.append((edge, curve, labels.place(number, width(edge.label, TYPE)) if once else None))
        return layout


def item_size(item: Item, labels: Iterable[str]) -> Point:
    """How wide and high the frame of an item is; the labels of its edges have room below it."""
    texts = [width(item.label, LABEL), *(width(line, DETAIL) for line in item.details)]
    extra = 34 if item.repeat > 1 else 0
    wide = max(max(texts) + 22 + extra, 60.0, *(width(label, TYPE) + 14 for label in labels))
    return wide, LABEL * LINE + len(item.details) * DETAIL * LINE + 12


def _table(wide: float, high: float) -> str:
    """A label of this size, with nothing in it."""
    size = f'FIXEDSIZE="TRUE" WIDTH="{wide:.0f}" HEIGHT="{high:.0f}"'
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0"><TR><TD {size}></TD></TR></TABLE>>'
