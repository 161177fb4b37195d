"""Arrays by name, and frames of pandas and polars, as what a source holds.

What this module does not do: import pandas or polars. Who has a frame has imported them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array, DType
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, did_you_mean, fail, listing
from archonnx.grammar.source import Span

from .columns import WAYS, Column, names_once
from .lengths import numbered
from .loader import KINDS, Fields, Loaded
from .moments import clock_of
from .tables import table

NO_KINDS = {"Duration": "m", "Time": "time", "List": "list", "Array": "list", "Struct": "V", "Binary": "S"}
"""Types of polars that are no kind of column, as ``WAYS`` calls them."""
FRAMES = ("pandas", "polars")
"""Packages whose frames are read."""
_HELD = frozenset(dtype.numpy for dtype in DType)


def from_arrays(
    arrays: Mapping[str, Any],
    kinds: Mapping[str, str] | None = None,
    where: str = "the given data",
    *,
    whole: Collection[str] = (),
) -> Loaded:
    """Arrays or lists by name as what a source holds; SpecError if they differ in length.

    Args:
        arrays: numbers of any shape with as many rows; texts and dates in columns.
        kinds: kinds of columns in an earlier reading, which must hold.
        where: what messages call them.
        whole: those of them that have no row for each example.
    """
    return numbered(named_arrays(arrays, where, kinds=kinds, whole=[name for name in whole if name in arrays]))


def named_arrays(
    arrays: Mapping[str, Any],
    where: str,
    *,
    kinds: Mapping[str, str] | None = None,
    files: Sequence[Path] = (),
    span: Span | None = None,
    whole: Collection[str] = (),
) -> Loaded:
    """Arrays by name as fields that keep their types; what is neither a number, a text nor a date is a problem.

    Args:
        arrays: arrays, or nested lists.
        where: what messages call their source.
        kinds: kinds of columns in an earlier reading, which must hold.
        files: what was read.
        span: the place of the spec that asked for it.
        whole: those that have no row for each example; SpecError if one is not there.
    """
    fields: Fields = {}
    problems: dict[str, Diagnostic] = {}
    rowless = _rowless(arrays, whole, where, span)
    for name, values in arrays.items():
        if name in rowless:
            continue
        read = _array(Column(where, str(name), span), values, (kinds or {}).get(name))
        if isinstance(read, Diagnostic):
            problems[str(name)] = read
        else:
            fields[str(name)] = read
    if not fields and problems:
        raise_all(problems)
    return Loaded(fields, where, problems=problems, files=tuple(files), whole=rowless)


def _rowless(arrays: Mapping[str, Any], names: Collection[str], where: str, span: Span | None) -> dict[str, Array]:
    """Arrays of numbers as they are; SpecError unless all of them are there, and are such."""
    report = Report()
    found: dict[str, Array] = {}
    for name in names:
        with report.collecting():
            if name not in arrays:
                help = did_you_mean(name, list(arrays)) or f"it has {listing(arrays)}"
                fail("AX0603", f"{where} has no `{name}` to be given whole", span, help=help)
            if isinstance(arrays[name], Diagnostic):
                raise SpecError(Report([arrays[name]]))
            array = np.asarray(arrays[name])
            if array.dtype.kind not in "iufb":
                fail("AX0603", f"{where}: `{name}` holds {array.dtype}, and only numbers are given whole", span)
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                fail("AX0603", f"{where}: `{name}`, which is given whole, has numbers that are not finite", span)
            if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
                fail("AX0603", f"{where}: `{name}` holds {array.max()}, too large for i64", span)
            found[name] = array.astype(np.int64) if array.dtype.kind in "iu" else array
    report.finish()
    return found


def raise_all(problems: Mapping[str, Diagnostic]) -> None:
    """SpecError with everything that is wrong."""
    report = Report()
    for problem in problems.values():
        report.add(problem)
    report.finish()


def _array(column: Column, values: Any, kind: str | None) -> Array | Diagnostic:
    """An array as it is, if it is one of numbers; else as a column. What is wrong with one already stays so."""
    if isinstance(values, Diagnostic):
        return values
    try:
        array: Array = np.asanyarray(values)
    except ValueError:
        return column.problem("is not an array: its rows differ in shape")
    if isinstance(array, np.ma.MaskedArray):
        return _masked(column, array, kind)
    if array.ndim == 1 and not hasattr(values, "dtype"):
        array = np.array([*values, None], dtype=object)[:-1]  # values of several kinds stay what they are
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype not in _HELD:
        if not array.ndim:
            return column.problem("is a single value, not one for each row")
        if array.ndim > 1 and _are_texts(array):
            return array.astype(object)
        if array.ndim > 1 and array.dtype.kind in "iu":  # 16 bits, as of sounds and of measured pictures
            return array.astype(np.int32)
        if array.ndim > 1:
            what = f"holds {array.dtype} in {array.ndim} axes, and only numbers and texts have several"
            return column.problem(what, WAYS.get(array.dtype.kind))
        return column.read(array, kind)
    if kind is None or array.ndim != 1 or KINDS[array.dtype.kind] == kind:
        return array
    return column.read(array, kind)


def _are_texts(array: Array) -> bool:
    return array.dtype.kind in "UT" or (array.dtype.kind == "O" and all(isinstance(v, str) for v in array.ravel()))


def _masked(column: Column, array: Any, kind: str | None) -> Array | Diagnostic:
    """An array with its masked values missing."""
    present = ~np.ma.getmaskarray(array)
    values = np.asarray(array.data)
    if present.all():
        return _array(column, values, kind)
    if array.ndim != 1:
        return column.problem(f"has masked values in {array.ndim} axes, and only columns may lack some")
    return _array(column, [value if there else None for value, there in zip(values, present, strict=True)], kind)


# ---------------------------------------------------------------- frames


def from_frame(
    frame: Any,
    target: str | None = None,
    kinds: Mapping[str, str] | None = None,
    where: str = "the frame",
    *,
    columns: Sequence[str] | None = None,
) -> Loaded:
    """A frame of pandas or polars as what a source holds: its columns by name, ``data``, ``target`` and ``index``.

    Args:
        frame: the frame; its index, if it has one, is not a column.
        target: the column that is the target; it may be absent.
        kinds: kinds of columns in an earlier reading, which must hold.
        where: what messages call it.
        columns: those that ``data`` has side by side; all of numbers and booleans but the target if None.
    """
    package = is_frame(frame)
    if package is None:
        given = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"
        lazy = "collect it first: `frame.collect()`" if type(frame).__name__ == "LazyFrame" else None
        fail("AX0604", f"a DataFrame of pandas or polars is needed, not {given}", None, help=lazy)
    names = [str(name) if isinstance(name, int | np.integer) else name for name in frame.columns]
    report = Report(names_once(names, where, None))
    for name in names:
        if not isinstance(name, str):
            help = "give columns single names" if isinstance(name, tuple) else None
            report.error("AX0603", f"{where}: a column is called {name!r}, which is not a text", None, help=help)
    if not len(frame):
        report.error("AX0603", f"{where} has no rows", None)
    report.finish()
    read = _pandas if package == "pandas" else _polars
    arrays: dict[str, Array | Diagnostic] = {}
    clocks: dict[str, str] = {}
    for position, name in enumerate(names):
        series = frame.iloc[:, position] if package == "pandas" else frame.to_series(position)
        arrays[name] = read(Column(where, name), series, (kinds or {}).get(name))
        if str(series.dtype).lower().startswith("datetime"):
            clocks[name] = clock_of(getattr(series.dtype, "tz", None) or getattr(series.dtype, "time_zone", None))
    return table(arrays, where, len(frame), target=target, side_by_side=columns, clocks=clocks)


def is_frame(value: Any) -> str | None:
    """``pandas`` or ``polars`` if a value is a frame of theirs, which is seen without importing them."""
    package = type(value).__module__.partition(".")[0]
    return package if package in FRAMES and type(value).__name__ == "DataFrame" else None


def _pandas(column: Column, series: Any, kind: str | None) -> Array | Diagnostic:
    if str(series.dtype) == "category":
        gaps = series.isna().any() and series.dtype.categories.dtype.kind in "iub"  # which hold none
        series = series.astype("object" if gaps else series.dtype.categories.dtype)
    of = series.dtype.kind
    present = ~series.isna().to_numpy(dtype=bool)
    if of in "iub":
        return _numbers(column, series[present].to_numpy(dtype={"i": "i8", "u": "u8", "b": "?"}[of]), present, kind)
    if of == "f":
        return column.read(series.to_numpy(dtype=np.float64, na_value=np.nan), kind)
    if of == "M":
        zoned = getattr(series.dtype, "tz", None) is not None
        moments = series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series
        return column.read(moments.to_numpy(), kind)
    if of in "OU" or type(series.dtype).__name__ == "StringDtype":
        if not present.any() and type(series.dtype).__name__ == "StringDtype":
            return column.read(np.full(len(series), "", dtype=object), kind)
        return column.read(series.to_numpy(dtype=object), kind)
    return column.no_kind(series.dtype, of)


def _polars(column: Column, series: Any, kind: str | None) -> Array | Diagnostic:
    of = str(series.dtype).partition("(")[0]
    if of in ("Categorical", "Enum", "String"):
        return column.read(np.array(series.cast(_polars_type(series, "String")).fill_null("").to_list(), object), kind)
    present = series.is_not_null().to_numpy()
    if of == "Boolean" or series.dtype.is_integer():
        return _numbers(column, series.drop_nulls().to_numpy(), present, kind)
    if series.dtype.is_float() or of == "Decimal":
        floats = series.cast(_polars_type(series, "Float64")).to_numpy()
        return column.read(np.where(present, floats, np.nan), kind)
    if of == "Null":
        return column.read(np.full(len(series), None), kind)
    if of in ("Date", "Datetime"):
        unit = "D" if of == "Date" else series.dtype.time_unit
        moments = series.to_physical().fill_null(0).to_numpy().astype(f"datetime64[{unit}]")  # in UTC
        return column.read(np.where(present, moments, np.datetime64("NaT")), kind)
    return column.no_kind(series.dtype, NO_KINDS.get(of, ""))


def _polars_type(series: Any, name: str) -> Any:
    """A type of the polars that made the series."""
    import sys

    return getattr(sys.modules["polars"], name)


def _numbers(column: Column, values: Array, present: Array, kind: str | None) -> Array | Diagnostic:
    filled = column.filled(values, present)
    return filled if kind is None or isinstance(filled, Diagnostic) else column.read(filled, kind)
