"""What a model is made of, for people and for programs: ``show``.

What this module does not do: count (``compiler.counting`` does).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archonnx.compiler.counting import ITSELF, Count, Counts, Row, count
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.spec import Spec
from archonnx.runtime.columns import columns
from archonnx.runtime.html import element, indented, joined, table

if TYPE_CHECKING:
    from archonnx.compiler.ir.dims import Dim

LEFT = 3
"""Columns that are set to the left: module, block, output."""


@dataclass(frozen=True, slots=True, repr=False)
class Summary:
    """A model by module. Printed, it is a table.

    Attributes:
        model: its name.
        graph: whose operations were counted.
        count: all figures.
    """

    model: str
    graph: str
    count: Count

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its modules."""
        return self.count.rows

    @property
    def total(self) -> Counts:
        """The figures of the whole model."""
        return self.count.total

    @property
    def heading(self) -> str:
        """What was counted, in a line."""
        example = self.count.example
        sizes = ", ".join(f"{name} = {size}" for name, size in self.count.dims.items())
        where = f", for one example ({sizes})" if example is not None else f", for {sizes}" if sizes else ""
        return f"{self.model}, graph `{self.graph}`{where}"

    @property
    def notes(self) -> list[str]:
        """What the table does not say."""
        notes = []
        if self.total.untrained:
            notes.append(f"{self.total.untrained:,} of the parameters are not trained")
        if self.count.unread:
            notes.append(f"`{self.graph}` does not read {self.count.unread:,} of the parameters")
        return notes

    def cells(self, depth: int | None = None) -> list[list[str]]:
        """The table as texts: a heading, a row for each module down to ``depth``, and the total."""
        counted: dict[str, Callable[[Counts], str]] = {
            "parameters": lambda c: f"{c.parameters:,}",
            "buffers": lambda c: f"{c.buffers:,}",
            "multiplications": lambda c: number(c.multiplications),
            "additions": lambda c: number(c.additions),
            "parameter bytes": lambda c: f"{c.parameter_bytes:,}",
            "activation bytes": lambda c: number(c.activation_bytes),
        }
        if not self.total.buffers:
            del counted["buffers"]
        rows = [
            [
                "  " * row.depth + row.label,
                row.block + (f" x {row.uses}" if row.uses > 1 else ""),
                ", ".join(map(str, row.outputs)),
                *(text(row.counts) for text in counted.values()),
            ]
            for row in self.rows
            if depth is None or row.depth < depth
        ]
        outputs = ", ".join(map(str, self.count.outputs.values()))
        total = ["total", "", outputs, *(text(self.total) for text in counted.values())]
        return [["module", "block", "output", *counted], *rows, total]

    def as_json(self, depth: int | None = None) -> dict[str, Any]:
        """The same as JSON has it: counts are integers, or formulas where dims are open."""
        shown = [row for row in self.rows if depth is None or row.depth < depth]
        return {
            "model": self.model,
            "graph": self.graph,
            "dims": dict(self.count.dims),
            "outputs": {name: str(type_) for name, type_ in self.count.outputs.items()},
            "rows": [_record(row) for row in shown],
            "total": _figures(self.total),
            "unread": self.count.unread,
        }

    def as_csv(self, depth: int | None = None) -> str:
        """A line a module, and one of totals, with the columns of ``as_json``."""
        lines = [*self.as_json(depth)["rows"], {"path": "total", "depth": 0, **_figures(self.total)}]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        for line in lines:
            writer.writerow({**line, "outputs": "; ".join(line.get("outputs", ()))})
        return text.getvalue()

    def text(self, depth: int | None = None) -> str:
        """The table."""
        head, *body, total = columns(self.cells(depth), range(LEFT)).splitlines()
        rule = "-" * max(map(len, (head, *body, total)))
        return "\n".join([self.heading, "", head, rule, *body, rule, total, *self.notes])

    def _repr_html_(self) -> str:
        """How a notebook shows it: the table."""
        cells = [[indented(row[0]), *row[1:]] for row in self.cells()]
        notes = [element("p", note) for note in self.notes]
        return joined([element("p", self.heading), table(cells, range(LEFT), total=True), *notes])

    def __repr__(self) -> str:
        return f"<Summary of {self.heading}: {len(self.rows)} modules, {self.total.parameters:,} parameters>"

    def __str__(self) -> str:
        return self.text()


def show(
    spec: str | Path | Spec, graph: str | None = None, *, dims: Mapping[str, int] | None = None, **arguments: Any
) -> Summary:
    """Count a model's parameters, multiplications, additions and bytes, module by module.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave.
        graph: whose operations are counted: ``infer`` (``evaluate`` where the model has no outputs), or an entry.
        dims: sizes of open dims; the one that counts examples is 1 unless given.
        arguments: of the model, where ``spec`` is a name or a file.

    Examples:
        >>> digits = show("digits_cnn")
        >>> digits.total.parameters, str(digits.total.multiplications)
        (21386, '315914')
        >>> digits.rows[0].path, digits.rows[0].counts.parameters
        ('conv.0', 320)
    """
    loaded = spec if isinstance(spec, Spec) else load(spec, **arguments)
    model = elaborate(loaded)
    name = graph or ("infer" if model.infer.outputs else "evaluate")
    return Summary(model.name, name, count(model, name, dims))


def number(dim: Dim) -> str:
    """A count for people: ``7,840 T + 10``."""
    short = str(dim).replace(" ** ", "^").replace(" * ", " ")
    return re.sub(r"\d{4,}", lambda found: f"{int(found[0]):,}", short)


def _record(row: Row) -> dict[str, Any]:
    return {
        "path": row.path,
        "depth": row.depth,
        "block": row.block or ITSELF,
        "uses": row.uses,
        "outputs": list(map(str, row.outputs)),
        **_figures(row.counts),
    }


def _figures(counts: Counts) -> dict[str, Any]:
    return {
        "parameters": counts.parameters,
        "untrained": counts.untrained,
        "buffers": counts.buffers,
        "multiplications": _exact(counts.multiplications),
        "additions": _exact(counts.additions),
        "parameter_bytes": counts.parameter_bytes,
        "activation_bytes": _exact(counts.activation_bytes),
    }


def _exact(dim: Dim) -> int | str:
    return str(dim) if dim.constant is None else dim.constant


def dumps(summary: Summary, depth: int | None = None) -> str:
    """A summary as the text of a JSON document."""
    return json.dumps(summary.as_json(depth), indent=2)
