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
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, fail
from archonnx.grammar.source import Span
from archonnx.runtime.data.columns import Column, names_once
from archonnx.runtime.data.loader import Loaded, Place, loads
from archonnx.runtime.data.progress import Reading
from archonnx.runtime.data.room import check_room
from archonnx.runtime.data.tables import check_named, check_target, table
from archonnx.runtime.extras import missing
from archonnx.runtime.paths import reading, short

BYTES_OF_VALUE = 8


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
        from pyarrow import parquet
    except ImportError:
        missing("reading Parquet files", "pyarrow", "parquet", span)
    try:
        with reading(path, span), path.open("rb") as opened, parquet.ParquetFile(opened) as file:
            _check_room(path, file, span)
            read = file.read()
        names = read.column_names
    except (SpecError, MemoryError):
        raise
    except Exception as error:  # of damaged files pyarrow raises many kinds, in names of columns as well
        help = "make the file again, or copy it again"
        fail("AX0604", f"{path.name} is not a Parquet file, or is damaged", span, notes=[_first(error)], help=help)
    report = Report(names_once(names, path.name, span))
    if not read.num_rows:
        report.error("AX0603", f"{path.name} has no rows", span)
    report.finish()
    if own:
        check_target(target, names, path.name, span)
        check_named("columns", columns or (), names, path.name, span)
    wanted = kinds or {}
    rows, arrays, progress = read.num_rows, dict[str, Array | Diagnostic](), Reading(path.name, len(names), "columns")
    for done, name in enumerate(names):
        values, read = read.column(0), read.remove_column(0)  # so that a column is in memory once
        arrays[name] = _readable(Column(path.name, name, span), values, wanted.get(name))
        progress.at(done)
    return table(arrays, path.name, rows, target=target, side_by_side=columns, files=[path], span=span)


def _check_room(path: Path, file: Any, span: Span | None) -> None:
    """SpecError if the columns would take more than there is room for: equal values take no place in a file."""
    texts = sum(field.type in ("string", "large_string") for field in file.schema_arrow)
    held = file.metadata.num_rows * (len(file.schema_arrow) * BYTES_OF_VALUE + texts * BYTES_OF_VALUE)
    check_room(path, held, span, help="write it without compression and without dictionaries, if that is what it holds")


def _first(error: Exception) -> str:
    return short(str(error).partition("\n")[0])


def _readable(column: Column, values: Any, kind: str | None) -> Array | Diagnostic:
    """A column, or that it is damaged."""
    try:
        return _column(column, values, kind)
    except MemoryError:
        raise
    except Exception as error:  # texts that are none, numbers out of range
        return column.problem(f"cannot be read: {_first(error)}")


def _column(column: Column, values: Any, kind: str | None) -> Array | Diagnostic:
    """Arrow's values as i64, f64, bool, dates or texts."""
    from pyarrow import types

    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    of = values.type
    if types.is_string(of) or types.is_large_string(of):
        coded = values.combine_chunks().dictionary_encode()  # so that equal texts are one object
        coded = coded.combine_chunks() if hasattr(coded, "combine_chunks") else coded
        known: Array = np.array([*coded.dictionary.to_pylist(), ""], dtype=object)
        return column.read(known[coded.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)], kind)
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
