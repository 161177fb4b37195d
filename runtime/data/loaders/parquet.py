"""Reading Parquet files into columns, as CSV files are: numbers, booleans, dates and texts.

A column is read in pieces, row group by row group, so that no more than a piece is there besides what is kept of it:
numbers, which lie in a file where they are many, and texts, each different one once. What this module does not do:
guess. A column of lists or of something else is an error once it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.sources import ParquetSource
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, fail
from archonnx.grammar.source import Span
from archonnx.runtime.data.cells import EXACT
from archonnx.runtime.data.columns import Column, names_once
from archonnx.runtime.data.loader import KINDS, Loaded, Place, loads
from archonnx.runtime.data.moments import clock_of
from archonnx.runtime.data.progress import Reading
from archonnx.runtime.data.room import check_free, check_swelling
from archonnx.runtime.data.storage import blocks, storage
from archonnx.runtime.data.tables import check_named, check_target, table
from archonnx.runtime.extras import missing
from archonnx.runtime.paths import reading, short

NO_KINDS = {
    "list": "list",
    "fixed_size_list": "list",
    "large_list": "list",
    "struct": "V",
    "duration": "m",
    "time": "time",
    "binary": "S",
}
"""Types of Arrow that are no kind of column, by how they begin, as ``WAYS`` calls them."""
BYTES_OF_VALUE = 8
PIECE_ROWS = 2**16
"""Rows of a column that are read at once."""


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
            names, rows = file.schema_arrow.names, file.metadata.num_rows
            report = Report(names_once(names, path.name, span))
            if not rows:
                report.error("AX0603", f"{path.name} has no rows", span)
            report.finish()
            if own:
                check_target(target, names, path.name, span)
                check_named("columns", columns or (), names, path.name, span)
            times = [of for of in file.schema_arrow if str(of.type).startswith("timestamp")]
            clocks = {of.name: clock_of(of.type.tz) for of in times}
            arrays, progress = dict[str, Array | Diagnostic](), Reading(path.name, len(names), "columns")
            for done, name in enumerate(names):
                arrays[name] = _readable(Column(path.name, name, span), file, rows, (kinds or {}).get(name))
                progress.at(done)
    except (SpecError, MemoryError):
        raise
    except Exception as error:  # of damaged files pyarrow raises many kinds, in names of columns as well
        help = "make the file again, or copy it again"
        fail("AX0604", f"{path.name} is not a Parquet file, or is damaged", span, notes=[_first(error)], help=help)
    return table(arrays, path.name, rows, target=target, side_by_side=columns, files=[path], span=span, clocks=clocks)


def _check_room(path: Path, file: Any, span: Span | None) -> None:
    """SpecError if the columns would take more than there is room for: equal values take no place in a file."""
    texts = sum(field.type in ("string", "large_string") for field in file.schema_arrow)
    rows = file.metadata.num_rows
    help = "write it without compression and without dictionaries, if that is what it holds"
    check_swelling(path, rows * (len(file.schema_arrow) + texts) * BYTES_OF_VALUE, span, help=help)
    check_free(path, rows * 2 * texts * BYTES_OF_VALUE, span)


def _first(error: Exception) -> str:
    return short(str(error).partition("\n")[0])


def _readable(column: Column, file: Any, rows: int, kind: str | None) -> Array | Diagnostic:
    """A column, or that it is damaged. What is wrong with one is told of all of it, which is then read at once."""
    from pyarrow import types

    of = file.schema_arrow.field(column.name).type
    of = of.value_type if types.is_dictionary(of) else of
    texts = types.is_string(of) or types.is_large_string(of)
    found = None if types.is_null(of) else _texts(column, file, rows) if texts else _numbers(column, file, rows)
    try:
        if found is None:
            return _column(column, _whole(file, column.name), kind)
        if not texts and (kind is None or KINDS[found.dtype.kind] == kind):
            return found
        return column.read(found, kind)
    except MemoryError:
        raise
    except Exception as error:  # texts that are none, numbers out of range
        return column.problem(f"cannot be read: {_first(error)}")


def _numbers(column: Column, file: Any, rows: int) -> Array | None:
    """Numbers, booleans or dates; None where something is wrong with them. Where any is missing, they are floats."""
    kept: Array | None = None
    held = rows * BYTES_OF_VALUE * len(file.schema_arrow)
    for begin, end, piece in _pieces(file, column.name, rows):
        try:
            read = _column(column, piece, None)
        except (ValueError, TypeError, ArithmeticError, NotImplementedError):  # as pyarrow's errors are, too
            return None
        if isinstance(read, Diagnostic):
            return None
        if kept is None:
            kept = storage((rows,), read.dtype, column.where, column.span, among=held)
        if read.dtype != kept.dtype:
            floats = storage((rows,), np.float64, column.where, column.span, among=held)
            for one, other in [*blocks(begin, BYTES_OF_VALUE)] if kept.dtype != np.float64 else []:
                if not _exact(kept[one:other]):
                    return None
                floats[one:other] = kept[one:other]
            kept = kept if kept.dtype == np.float64 else floats
            if not _exact(read):
                return None
        kept[begin:end] = read
    return kept


def _exact(numbers: Array) -> bool:
    """Whether floats hold these numbers exactly."""
    return numbers.dtype.kind != "i" or not (numbers.size and (numbers.max() > EXACT or numbers.min() < -EXACT))


def _texts(column: Column, file: Any, rows: int) -> Array | None:
    """Texts, "" where one is missing; equal ones are one object. None where one cannot be read."""
    kept: Array = np.empty(rows, dtype=object)
    known: dict[str, str] = {}
    for begin, end, piece in _pieces(file, column.name, rows):
        try:
            coded = _coded(piece)
            table: Array = np.array(
                [known.setdefault(text, text) for text in coded.dictionary.to_pylist()] + [""], object
            )
            kept[begin:end] = table[coded.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)]
        except (ValueError, TypeError):  # what is not UTF-8
            return None
    return kept


def _coded(values: Any) -> Any:
    """Texts as numbers in a table of the different ones."""
    from pyarrow import types

    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    coded = values.combine_chunks().dictionary_encode()
    return coded.combine_chunks() if hasattr(coded, "combine_chunks") else coded


def _pieces(file: Any, name: str, rows: int) -> Iterator[tuple[int, int, Any]]:
    """A column in pieces, each with its first row and the one after its last; ValueError unless they are ``rows``."""
    from pyarrow import Table

    done = 0
    for batch in file.iter_batches(PIECE_ROWS, columns=[name]):  # it may bring others, whose names begin so
        end = done + batch.num_rows
        if end > rows:
            break
        yield done, end, Table.from_batches([batch]).column(batch.schema.get_field_index(name))
        done = end
    if done != rows:
        raise ValueError(f"`{name}` does not have the {rows} rows that the file says")


def _whole(file: Any, name: str) -> Any:
    read = file.read(columns=[name])
    return read.column(read.schema.get_field_index(name))


def _column(column: Column, values: Any, kind: str | None) -> Array | Diagnostic:
    """Arrow's values as i64, f64, bool, dates or texts."""
    from pyarrow import types

    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    of = values.type
    if types.is_string(of) or types.is_large_string(of):
        coded = _coded(values)
        known: Array = np.array([*coded.dictionary.to_pylist(), ""], dtype=object)
        return column.read(known[coded.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)], kind)
    if types.is_null(of):
        return column.read(np.full(len(values), None), kind)
    if types.is_temporal(of) and (types.is_date(of) or types.is_timestamp(of)):
        return column.read(values.to_numpy(), kind)  # those with a time zone are in UTC
    if types.is_decimal(of):
        return column.read(values.cast("float64").to_numpy(), kind)
    if not (types.is_boolean(of) or types.is_integer(of) or types.is_floating(of)):
        return column.no_kind(of, next((way for start, way in NO_KINDS.items() if str(of).startswith(start)), ""))
    if not values.null_count:
        return column.read(values.to_numpy(), kind)
    filled = column.filled(values.drop_null().to_numpy(), ~values.is_null().to_numpy())
    return filled if isinstance(filled, Diagnostic) else column.read(filled, kind)
