"""Loaded data as plain numbers, for feeds that know no texts, dates or missing values: texts become class numbers.

What this module does not do: read anything.
"""

from __future__ import annotations

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import Report
from archonnx.grammar.source import Span

from .loader import Fields, Loaded

LINES_SHOWN = 5


def plain_fields(loaded: Loaded, span: Span | None = None) -> Fields:
    """The fields as numbers: texts as the numbers of their sorted values; SpecError where a value is missing."""
    report = Report()
    for problem in loaded.problems.values():
        report.add(problem)
    fields: Fields = {}
    for name, array in loaded.fields.items():
        if loaded.lines is not None or loaded.where.endswith(".parquet"):
            _check_complete(name, array, loaded, report, span)
        if array.dtype.kind == "M":
            report.error("AX0603", f"{loaded.where}: `{name}` holds dates, neither numbers nor texts", span)
        elif array.dtype.kind == "O":
            fields[name] = np.unique(array.astype(str), return_inverse=True)[1].astype(np.int64)
        else:
            fields[name] = array
    report.finish()
    return fields


def _check_complete(name: str, array: Array, loaded: Loaded, report: Report, span: Span | None) -> None:
    """An error in the report if a column of a table has a missing value."""
    if name in loaded.made or array.ndim != 1:
        return
    absent = np.flatnonzero(array == "") if array.dtype.kind == "O" else np.flatnonzero(array != array)  # NaN, NaT
    if not len(absent):
        return
    rows = absent if loaded.lines is None else loaded.lines[absent]
    if loaded.lines is None:
        where = f"{len(rows)} row{'s' if len(rows) > 1 else ''}"
    else:
        shown = ", ".join(map(str, rows[:LINES_SHOWN]))
        more = f" and {len(rows) - LINES_SHOWN} more" if len(rows) > LINES_SHOWN else ""
        where = f"line{'s' if len(rows) > 1 else ''} {shown}{more}"
    report.error(
        "AX0603",
        f"{loaded.where}: `{name}` has no value in {where}",
        span,
        help="fill the cells in, or drop those rows or the column",
    )
