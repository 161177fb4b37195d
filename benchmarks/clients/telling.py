"""The tables of docs/clients.md. What this module does not do: find what stands in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import onnxruntime

from archonnx.runtime.export.artifact import Kind
from archonnx.runtime.export.artifacts import GraphOptions
from benchmarks import page

from .comparing import EQUAL, Found
from .graphs import STEPS

HEADS: dict[Kind, str] = {
    "infer": "inference",
    "entry": "entries",
    "evaluate": "`evaluate`",
    "train_step": f"{STEPS} steps of training",
}
ROWS = 16
"""Rows in a batch, unless others are asked for: more than the 11 numbers whose Hessian a step of Newton's inverts."""
Table = Mapping[str, Mapping[Kind, Found]]


def options(opset: int, rows: int = ROWS) -> GraphOptions:
    """How graphs are written."""
    return GraphOptions("portable", opset, batch=rows, steps=100, steps_per_epoch=10)


def rows_of(table: Table) -> Iterator[list[str]]:
    """Of each label how many graphs of a kind are equal, and how far those that are lie apart at most."""
    for label, kinds in table.items():
        yield [label, *(f"{f.equal} of {f.tried}, {f.worst:.0e}" if f.tried else "" for f in kinds.values())]


def tell(part: str, texts: Sequence[str], *, whole: bool) -> None:
    """Print what was found, and put it in its part of docs/clients.md if all was tried."""
    today = datetime.now(UTC).date().isoformat()
    beside = f"Beside onnxruntime {onnxruntime.__version__}, {today}; equal is within {EQUAL:g}."
    text = "\n\n".join([*texts, beside])
    print(text)
    if whole:
        page.put("clients.md", part, text)
