"""Columns that have types: those of Parquet files, frames and arrays, as i64, f64, bool, texts or dates.

What this module does not do: read files, or texts as numbers (``cells`` does).
"""

from __future__ import annotations

import numbers
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import Diagnostic, make_error
from archonnx.grammar.source import Span

from .cells import EXACT, shown
from .loader import KINDS

WHAT = {"int": "integers", "float": "numbers", "bool": "booleans", "text": "texts", "date": "dates"}
WAYS = {
    "S": 'decode it: `numpy.char.decode(x)`, in a frame `.str.decode("utf-8")`',
    "c": "give its parts as columns: `.real` and `.imag`",
    "V": "give each of its fields as a column by itself",
    "m": 'give it as a number, as of seconds: `.total_seconds()`, or `.astype("timedelta64[s]").astype(int)`',
    "f": "give it as `.astype(float)`",
    "list": "rows of numbers are an array: `numpy.savez(path, x=numpy.stack(column))`, read by `npz`",
    "time": "give it as a number, as of seconds, or as a text",
    "Period": "give its beginning: `.dt.to_timestamp()`",
    "Interval": "give it as a text, `.astype(str)`, or give its ends",
}
"""What to do about types that are no kind of column, by the letters of NumPy or their names; ``f`` are long floats."""
WHOLE_SECONDS = 'cut them off before: `.astype("datetime64[s]")`, in a frame `.dt.floor("s")`'
GAPS = {"text": "", "date": np.datetime64("NaT", "s")}
"""What stands for no value, where it is not NaN."""


class Column:
    """A column that is being read: its name and what messages call its table.

    Args:
        where: what messages call the table.
        name: what the column is called.
        span: the place of the spec that asked for it.
    """

    def __init__(self, where: str, name: str, span: Span | None = None) -> None:
        self.where, self.name, self.span = where, name, span

    def problem(self, what: str, help: str | None = None) -> Diagnostic:
        """What is wrong with it."""
        return make_error("AX0603", f"{self.where}: `{self.name}` {what}", self.span, help=help)

    def read(self, values: Any, kind: str | None = None) -> Array | Diagnostic:
        """An array of any NumPy type as a column; of a kind that it must have, if that is given.

        Args:
            values: the array; None, NaN, NaT and pandas' NA among objects are missing values.
            kind: what it was in an earlier reading.
        """
        array = np.asarray(values)
        if kind is not None and array.dtype.kind == "O" and all(map(is_missing, array.tolist())):
            return np.full(len(array), GAPS.get(kind, np.nan), dtype=object if kind == "text" else None)
        column = self._of_objects(array) if array.dtype.kind == "O" else self._typed(array)
        return column if kind is None or isinstance(column, Diagnostic) else self._as(column, kind)

    def _typed(self, array: Array) -> Array | Diagnostic:
        match array.dtype.kind:
            case "b":
                return array
            case "i" | "u":
                if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
                    return self.problem(f"holds {array.max()}, too large for i64")
                return array.astype(np.int64)
            case "f":
                column = array.astype(np.float64)
                infinite = np.flatnonzero(np.isinf(column))
                return self.problem(f"has {column[infinite[0]]} in {_row(infinite[0])}") if len(infinite) else column
            case "M":
                return self._dates(array)
            case "U" | "T":
                return array.astype(object)
        return self.no_kind(array.dtype, array.dtype.kind)

    def no_kind(self, dtype: object, of: str = "") -> Diagnostic:
        """What is wrong with a column of a type that is none; ``of`` is what ``WAYS`` calls it."""
        return self.problem(f"holds {dtype}, which is not a number, a text or a date", WAYS.get(of))

    def _dates(self, array: Array) -> Array | Diagnostic:
        try:
            column = array.astype("datetime64[s]")
        except OverflowError:
            return self.problem("has a date out of range")
        parts = np.flatnonzero((array != column) & ~np.isnat(column))
        if len(parts):
            what = f"has {array[parts[0]]} in {_row(parts[0])}, and dates keep no parts of a second"
            return self.problem(what, WHOLE_SECONDS)
        return column

    def _of_objects(self, array: Array) -> Array | Diagnostic:
        """Python's own values: all of them texts, numbers, booleans or dates, or missing."""
        values: list[Any] = array.tolist()
        gone = np.array([is_missing(value) for value in values], dtype=np.bool_)
        kinds = {kind_of(value): i for i, value in reversed(list(enumerate(values))) if not gone[i]}
        if not kinds:
            return self.problem("has no value in any row", "give it a type, or leave it out")
        if None in kinds:
            of = type(values[kinds[None]]).__name__
            what = f"has {of} in {_row(kinds[None])}, which is not a number, a text or a date"
            return self.problem(what, WAYS.get({"ndarray": "list", "tuple": "list", "bytes": "S"}.get(of, of)))
        if len(kinds) > 1 and set(kinds) != {"int", "float"}:
            (one, first), (other, second) = sorted(kinds.items(), key=lambda item: item[1])[:2]
            return self.problem(
                f"holds {WHAT[str(one)]} ({shown(str(values[first]))} in {_row(first)}), "
                f"but {shown(str(values[second]))} in {_row(second)}",
                f"make all of it {WHAT[str(one)]} or {WHAT[str(other)]}",
            )
        if "text" in kinds:
            return np.array(["" if absent else str(value) for value, absent in zip(values, gone, strict=True)], object)
        if "date" in kinds:
            nat = np.datetime64("NaT")
            return self._dates(np.array([nat if g else moment(value) for value, g in zip(values, gone, strict=True)]))
        return self.filled([value for value, absent in zip(values, gone, strict=True) if not absent], ~gone)

    def filled(self, values: Any, present: Array) -> Array | Diagnostic:
        """Numbers or booleans that stand at some of the rows; NaN stands at the others."""
        numbers = np.asarray(values)
        if numbers.dtype.kind == "O":  # decimals, or integers beyond all types
            floats = all(isinstance(value, Decimal | float) for value in numbers.tolist())
            if not floats:
                return self.problem("holds an integer too large for i64")
            numbers = numbers.astype(np.float64)
        if present.all():
            return self._typed(numbers)
        if numbers.dtype.kind in "iu" and numbers.size and np.any(abs(numbers.astype(object)) > EXACT):
            return self.problem("has missing values and integers that floats cannot hold exactly")
        column = np.full(len(present), np.nan)
        column[present] = numbers
        return self._typed(column)

    def _as(self, column: Array, kind: str) -> Array | Diagnostic:
        """A column as what it was in an earlier reading."""
        found = KINDS[column.dtype.kind]
        if found == kind:
            return column
        if kind == "float" and found in ("int", "bool"):
            return column.astype(np.float64)
        if (kind, found) in (("int", "float"), ("bool", "float"), ("bool", "int")):
            gone = np.isnan(column) if found == "float" else np.zeros(len(column), np.bool_)
            there = column[~gone]
            odd = there != np.round(there) if kind == "int" else ~np.isin(there, (0, 1))
            if odd.any():
                row = int(np.flatnonzero(~gone)[np.flatnonzero(odd)[0]])
                return self.problem(f"has {column[row]} in {_row(row)}, where {WHAT[kind]} are expected")
            return column if gone.any() else column.astype(np.int64 if kind == "int" else np.bool_)
        make = {"date": "to_datetime", "int": "to_numeric", "float": "to_numeric"}.get(kind)
        way = f"make it {WHAT[kind]}, in pandas by `pandas.{make}(column)`" if make and found == "text" else None
        return self.problem(f"holds {WHAT[found]}, where {WHAT[kind]} are expected", way)


def kind_of(value: Any) -> str | None:
    """The kind of one value; None if it is none."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, date | np.datetime64):
        return "date"
    if isinstance(value, numbers.Integral):
        return "int"
    return "float" if isinstance(value, numbers.Real | Decimal) else None


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: None, NaN, NaT, pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating | np.datetime64 | Decimal) and bool(value != value)


def moment(value: Any) -> np.datetime64:
    """A date or datetime; in UTC if it has an offset."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(value)


def _row(number: Any) -> str:
    return f"row {int(number)} (from 0)"


def names_once(names: Sequence[str], where: str, span: Span | None) -> list[Diagnostic]:
    """What is wrong with names of columns that are there several times."""
    return [
        make_error("AX0603", f"{where}: the column `{name}` is there {count} times", span)
        for name, count in Counter(names).items()
        if count > 1
    ]
