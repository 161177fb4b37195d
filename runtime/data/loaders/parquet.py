"""Reading Parquet files into columns, as CSV files are: numbers, booleans, dates and texts.

What this module does not do: guess. A column of lists or of something else is an error once it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.sources import ParquetSource
from archonnx.grammar.diagnostics import Diagnostic, Report, fail
from archonnx.grammar.source import Span
from archonnx.runtime.data.columns import Column, names_once
from archonnx.runtime.data.loader import Loaded, Place, loads
from archonnx.runtime.data.tables import check_named, check_target, table
from archonnx.runtime.extras import missing


@loads(ParquetSource)
def load(source: ParquetSource, place: Place) -> Loaded:
    """The columns, ``data`` and ``target``, as of a CSV file."""
    path = place.file(source.path)
    return read_parquet(path, source.target, place.kinds, place.span, columns=source.columns, own=place.own)


def read_parquet(
    path: Path,
    target: str | None = None,
    kinds: Mapping[str, str] | None = None,
    span: Span | None = None,
    *,
    columns: Sequence[str] | None = None,
    own: bool = False,
) -> Loaded:
    """What a Parquet file holds.

    Args:
        path: the file.
        target: the column that is the target.
        kinds: kinds of columns in an earlier reading, which must hold.
        span: the place of the spec that asked for it.
        columns: those that ``data`` has side by side; all of numbers and booleans but the target if None.
        own: whether it is the file that the spec is about, which has the target.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        missing("reading Parquet files", "pyarrow", "parquet", span)
    try:
        with parquet.ParquetFile(path) as file:
            read = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        fail("AX0604", f"{path.name} is not a Parquet file", span, notes=[str(error)])
    names = read.column_names
    report = Report(names_once(names, path.name, span))
    if not read.num_rows:
        report.error("AX0603", f"{path.name} has no rows", span)
    report.finish()
    if own:
        check_target(target, names, path.name, span)
        check_named("columns", columns or (), names, path.name, span)
    wanted = kinds or {}
    arrays = {name: _column(Column(path.name, name, span), read.column(name), wanted.get(name)) for name in names}
    return table(arrays, path.name, read.num_rows, target=target, side_by_side=columns, files=[path], span=span)


def _column(column: Column, values: Any, kind: str | None) -> Array | Diagnostic:
    """Arrow's values as i64, f64, bool, dates or texts."""
    from pyarrow import types

    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    of = values.type
    if types.is_string(of) or types.is_large_string(of):
        texts: Array = np.array(["" if text is None else text for text in values.to_pylist()], dtype=object)
        return column.read(texts, kind)
    if types.is_null(of):
        return column.read(np.full(len(values), None), kind)
    if types.is_temporal(of) and (types.is_date(of) or types.is_timestamp(of)):
        return column.read(values.to_numpy(), kind)  # those with a time zone are in UTC
    if types.is_decimal(of):
        return column.read(values.cast("float64").to_numpy(), kind)
    if not (types.is_boolean(of) or types.is_integer(of) or types.is_floating(of)):
        return column.problem(f"holds {of}, which is not a number, a text or a date")
    if not values.null_count:
        return column.read(values.to_numpy(), kind)
    filled = column.filled(values.drop_null().to_numpy(), ~values.is_null().to_numpy())
    return filled if isinstance(filled, Diagnostic) else column.read(filled, kind)
