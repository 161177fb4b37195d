"""Reading Parquet files into columns, as CSV files are: numbers as numbers, texts as texts.

What this module does not do: guess. A missing value, or a column of dates or lists, is an error that names the column.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.sources import ParquetSource
from archonnx.grammar.diagnostics import Report, fail
from archonnx.grammar.source import Span
from archonnx.runtime.data.loader import Loaded, Place, loads
from archonnx.runtime.extras import missing

from .csv import with_matrix


@loads(ParquetSource)
def load(source: ParquetSource, place: Place) -> Loaded:
    """The columns, ``data`` and ``target``, as of a CSV file."""
    return with_matrix(read_parquet(place.file(source.path), place.span), source.target, place.span)


def read_parquet(path: Path, span: Span | None = None) -> Loaded:
    """The table in a Parquet file.

    Args:
        path: the file.
        span: the place of the spec that asked for it.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        missing("reading Parquet files", "pyarrow", "parquet", span)
    try:
        with parquet.ParquetFile(path) as file:
            table = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        fail("AX0604", f"{path.name} is not a Parquet file", span, notes=[str(error)])
    names = table.column_names
    report = Report()
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            report.error("AX0603", f"{path.name}: the column `{name}` is there {names.count(name)} times", span)
    if not table.num_rows:
        report.error("AX0603", f"{path.name} has no rows", span)
    report.finish()
    columns: dict[str, Array] = {}
    for name in names:
        column = _column(path, name, table.column(name), report, span)
        if column is not None:
            columns[name] = column
    report.finish()
    return Loaded(columns, path.name, files=(path,))


def _column(path: Path, name: str, column: Any, report: Report, span: Span | None) -> Array | None:
    """A column as i64, f64, bool, or objects that are texts; None (and an error in the report) if it is none."""
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if types.is_string(kind) or types.is_large_string(kind):
        values: Array = np.array(column.to_pylist(), dtype=object)
    elif types.is_boolean(kind) and not column.null_count:
        values = np.array(column.to_pylist(), dtype=np.bool_)
    elif types.is_integer(kind) and not column.null_count:
        values = column.to_numpy()
    elif types.is_floating(kind) or types.is_integer(kind) or types.is_boolean(kind):
        values = np.array(column.to_pylist(), dtype=np.float64)  # of None, NaN
    else:
        report.error("AX0603", f"{path.name}: `{name}` holds {kind}, neither numbers nor texts", span)
        return None
    absent = column.null_count or (values.dtype.kind == "f" and int(np.count_nonzero(~np.isfinite(values))))
    if absent:
        report.error(
            "AX0603",
            f"{path.name}: `{name}` has no value in {absent} row{'s' if absent > 1 else ''}",
            span,
            help="fill them in, or drop those rows or the column",
        )
        return None
    if values.dtype.kind == "u" and values.max() > np.iinfo(np.int64).max:
        report.error("AX0603", f"{path.name}: `{name}` holds {values.max()}, too large for i64", span)
        return None
    wanted = {"i": np.int64, "u": np.int64, "f": np.float64}.get(values.dtype.kind)
    return values.astype(wanted) if wanted is not None else values
