"""Boxes about things in pictures, from a table: in pixels of each picture as a model is given it.

What this module does not do: read pictures (``pictures`` does), or cut boxes off at the edge of their picture. One that
does not lie in it is an error with its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.sources import CsvSource
from archonnx.grammar.diagnostics import Report, SpecError, did_you_mean, fail, listing
from archonnx.grammar.source import Span

from .loader import KINDS, Fields, Loaded
from .loaders.csv import read_csv
from .pictures import SHOWN, Picture, Size, size_of

EDGES = ("left", "top", "right", "bottom")
"""Columns of a box: pixels of the upright picture from its upper left corner, where 0 is the edge itself."""
FILE, LABEL = "file", "label"
"""The column that names the picture, and the one that says what is in the box, which may be absent."""

MAX_PLACES = 2**28
"""More places for boxes are not held; they would take 4 GiB."""


@dataclass(frozen=True, slots=True)
class Boxes:
    """What a table says of the boxes of pictures.

    Attributes:
        fields: ``boxes``, f32[n, m, 4] as ``EDGES``, where m is the number of boxes of the picture that has most;
            ``box_count``, i64[n]; ``box_label``, i64[n, m], if the table has labels. Places without a box hold zeros.
        classes: what the labels stand for, where they are texts.
        notes: what was left out.
    """

    fields: Fields
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_boxes(
    pictures: Sequence[Picture],
    path: Path,
    size: Size | None = None,
    classes: Sequence[str] | None = None,
    span: Span | None = None,
) -> Boxes:
    """The boxes of pictures, each a line of a CSV file.

    Args:
        pictures: those that the table names by the end of their path, all of it (``cat/1.png``) or, where no other
            picture has it, the name of the file alone (``1.png``). A picture that it does not name has no boxes.
        path: the table.
        size: height and width to which the pictures are scaled, and the boxes with them.
        classes: texts among the labels, in the order of their numbers; all there are by name if None.
        span: the place of the spec that asked for it.
    """
    kinds = {FILE: "text", **dict.fromkeys(EDGES, "float")}
    table = read_csv(path, CsvSource.model_construct(None, path=path.name), kinds, span)
    _check_columns(table, span)
    reading = _Reading(table, pictures, _by_name(pictures), span)
    labels, names = reading.labels(classes)
    of_row, boxes = reading.boxes(size)
    count = np.bincount(of_row, minlength=len(pictures)).astype(np.int64)
    if len(pictures) * int(count.max()) > MAX_PLACES:
        most = pictures[int(count.argmax())]
        fail("AX0604", f"{path.name}: {most.shown} has {count.max():,} boxes: too many places in all pictures", span)
    order = np.argsort(of_row, kind="stable")  # the boxes of a picture stay in the order of the file
    place = np.empty(len(of_row), np.int64)
    place[order] = np.arange(len(of_row)) - np.repeat(np.cumsum(count) - count, count)
    fields: Fields = {"boxes": np.zeros((len(pictures), count.max(), 4), np.float32), "box_count": count}
    fields["boxes"][of_row, place] = boxes
    if labels is not None:
        fields["box_label"] = np.zeros((len(pictures), count.max()), np.int64)
        fields["box_label"][of_row, place] = labels
    return Boxes(fields, names, (*table.notes, *_left_out(table)))


def _check_columns(table: Loaded, span: Span | None) -> None:
    """SpecError unless the columns of a box are there, and hold what they should."""
    there = [*(table.fields.keys() - table.made), *table.problems]
    report = Report()
    for name in (FILE, *EDGES):
        if name not in there:
            help = did_you_mean(name, there) or f"its columns are {', '.join((FILE, *EDGES))}, and {LABEL} if wanted"
            report.error("AX0604", f"{table.where} has no column `{name}`", span, help=help)
    report.finish()
    wrong = [table.problems[name] for name in (FILE, *EDGES, LABEL) if name in table.problems]
    if wrong:
        raise SpecError(Report(wrong))


def _left_out(table: Loaded) -> Iterator[str]:
    """A note on columns that say nothing of a box."""
    rest = [name for name in (*table.kinds, *table.problems) if name not in (FILE, *EDGES, LABEL, "data")]
    if rest:
        yield f"{table.where}: not read: {listing(f'`{name}`' for name in rest)}"


def _by_name(pictures: Sequence[Picture]) -> Mapping[str, list[int]]:
    """Numbers of the pictures that a table may mean by a name."""
    found: dict[str, list[int]] = {}
    for number, picture in enumerate(pictures):
        for name in {picture.name, picture.path.name}:
            found.setdefault(name, []).append(number)
    return found


@dataclass(frozen=True, slots=True)
class _Reading:
    """A table of boxes that is being read."""

    table: Loaded
    pictures: Sequence[Picture]
    by_name: Mapping[str, list[int]]
    span: Span | None

    def boxes(self, size: Size | None) -> tuple[Array, Array]:
        """The number of the picture of each row, and its box as f64[4]; SpecError that names the first wrong lines."""
        report = Report()
        sizes: dict[int, tuple[int, int]] = {}
        rows = len(self.table.fields[FILE])
        of_row, boxes = np.zeros(rows, np.int64), np.zeros((rows, 4))
        for row in range(rows):
            with report.collecting():
                number = of_row[row] = self._picture(row)
                if number not in sizes:
                    sizes[number] = size_of(self.pictures[number])
                boxes[row] = self._box(row, self.pictures[number], sizes[number])
                if size is not None:
                    boxes[row] *= np.array([size[1], size[0]] * 2) / np.array(sizes[number] * 2)
            if len(report.diagnostics) == SHOWN:
                break
        report.finish()
        return of_row, boxes

    def _picture(self, row: int) -> int:
        name = self.table.fields[FILE][row]
        if not name:
            self._refuse(row, "no picture is named")
        found = self.by_name.get(name, [])
        if not found:
            self._refuse(row, f"there is no picture `{name}`", did_you_mean(name, self.by_name))
        exact = [number for number in found if self.pictures[number].name == name]
        if len(found) > 1 and not exact:
            shown = ", ".join(self.pictures[number].name for number in found[:SHOWN])
            self._refuse(row, f"`{name}` may be any of {shown}", "name it with its folder")
        return (exact or found)[0]

    def _box(self, row: int, picture: Picture, size: tuple[int, int]) -> list[float]:
        """The edges of a box in pixels of the upright picture, whose width and height are given."""
        edges = [float(self.table.fields[name][row]) for name in EDGES]
        for name, edge in zip(EDGES, edges, strict=True):
            if np.isnan(edge):
                self._refuse(row, f"`{name}` has no value")
        for (low, first), (high, last), most, side in (
            (("left", edges[0]), ("right", edges[2]), size[0], "wide"),
            (("top", edges[1]), ("bottom", edges[3]), size[1], "high"),
        ):
            if not first < last:
                self._refuse(row, f"`{high}` is {last:g}, which is not more than `{low}`, {first:g}")
            if first < 0 or last > most:
                shown = f"`{low}` is {first:g}" if first < 0 else f"`{high}` is {last:g}"
                help = "pixels are counted from the upper left corner of the picture as a viewer shows it"
                self._refuse(row, f"{shown}, and {picture.shown} is {most} pixels {side}", help)
        return edges

    def labels(self, wanted: Sequence[str] | None) -> tuple[Array | None, tuple[str, ...]]:
        """The class of each row by its number, and the names of the classes if they are texts."""
        if LABEL not in self.table.kinds:
            return None, ()
        labels = self.table.fields[LABEL]
        kind = KINDS[labels.dtype.kind]
        missing = np.flatnonzero(labels == "" if kind == "text" else labels != labels)
        if len(missing):
            self._refuse(missing[0], f"`{LABEL}` has no value")
        if kind not in ("text", "int"):
            self._refuse(None, f"`{LABEL}` holds {kind} values, where texts or integers are expected")
        if kind == "int":
            if wanted is not None:
                self._refuse(None, f"`{LABEL}` holds integers, and `box_classes` names the classes of texts")
            numbers = labels.astype(np.int64)
            below = np.flatnonzero(numbers < 0)
            if len(below):
                self._refuse(below[0], f"`{LABEL}` is {numbers[below[0]]}, and classes are counted from 0")
            return numbers, ()
        names = tuple(sorted(set(labels.tolist()))) if wanted is None else tuple(wanted)
        number: dict[Any, int] = {name: place for place, name in enumerate(names)}
        for row, label in enumerate(labels):
            if label not in number:
                help = did_you_mean(label, names) or f"classes: {listing(names)}"
                self._refuse(row, f'`{LABEL}` is "{label}", which is none of the classes', help)
        return np.array([number[label] for label in labels], np.int64), names

    def _refuse(self, row: int | None, what: str, help: str | None = None) -> NoReturn:
        assert self.table.lines is not None
        where = self.table.where if row is None else f"{self.table.where}:{self.table.lines[row]}"
        fail("AX0604", f"{where}: {what}", self.span, help=help)
