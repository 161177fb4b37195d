"""Reading CSV files into columns: numbers as numbers, texts as texts.

What this module does not do: guess. A row of another length, an empty cell or a text among numbers is an error that
names the line.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.sources import CsvSource
from archonnx.grammar.diagnostics import Report, SpecError, did_you_mean, fail
from archonnx.grammar.source import Span
from archonnx.runtime.data.loader import Fields, Loaded, Place, loads

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
ERRORS_SHOWN = 5


@loads(CsvSource)
def load(source: CsvSource, place: Place) -> Loaded:
    """The columns, ``data`` and ``target``."""
    table = read_csv(place.file(source.path), source.delimiter, place.span)
    return with_matrix(table, source.target, place.span)


def read_csv(path: Path, delimiter: str = ",", span: Span | None = None) -> Loaded:
    """The table in a CSV file whose first row names the columns.

    Args:
        path: the file, in UTF-8.
        delimiter: what separates cells.
        span: the place of the spec that asked for it.
    """
    names, rows, lines = _rows(path, delimiter, span)
    report = Report()
    columns: dict[str, Array] = {}
    for position, name in enumerate(names):
        cells = [row[position].strip() for row in rows]
        empty = [line for cell, line in zip(cells, lines, strict=True) if cell.lower() in MISSING]
        if empty:
            report.error(
                "AX0603",
                f"{path.name}: `{name}` has no value in {_lines(empty)}",
                span,
                help="fill the cells in, or drop those rows or the column",
            )
            continue
        column = _numbers(cells)
        if column is None:
            _check_texts(path, name, cells, lines, report, span)
            column = np.array(cells, dtype=object)
        columns[name] = column
    report.finish()
    return Loaded(columns, path.name, np.array(lines, dtype=np.int64), files=(path,))


def with_matrix(table: Loaded, target: str | None, span: Span | None = None) -> Loaded:
    """A table with ``data`` (a matrix of the numeric columns but the target) and ``target`` among its fields."""
    columns = table.fields
    if target is not None and target not in columns:
        fail(
            "AX0604",
            f"there is no column `{target}`",
            span,
            help=did_you_mean(target, columns) or f"columns: {', '.join(columns)}",
        )
    made: Fields = {}
    numeric = tuple(name for name, kind in table.kinds.items() if kind not in ("text", "date") and name != target)
    if numeric:
        made["data"] = np.stack([columns[name].astype(np.float64) for name in numeric], axis=1)
    if target is not None:
        made["target"] = columns[target]
    return replace(
        table, fields={**made, **columns}, matrix=numeric, target=target, made=frozenset(made.keys() - columns.keys())
    )


def _rows(path: Path, delimiter: str, span: Span | None) -> tuple[list[str], list[list[str]], list[int]]:
    """Names of the columns, rows of cells, and the line on which each row ends."""
    report = Report()
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            names = [name.strip() for name in next(reader, [])]
            _check_names(path, names, report, span)
            for row in reader:
                if not row:
                    continue
                if len(row) != len(names):
                    cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
                    what = f"{path.name}:{reader.line_num}: {cells} where the header names {len(names)}"
                    report.error("AX0603", what, span)
                rows.append(row)
                lines.append(reader.line_num)
    except UnicodeDecodeError as error:
        fail("AX0603", f"{path.name} is not UTF-8 text (byte {error.start})", span)
    except csv.Error as error:
        fail("AX0603", f"{path.name}:{reader.line_num}: {error}", span)
    if not rows and not report.failed:
        report.error("AX0603", f"{path.name} has a header and no rows", span)
    if report.failed:
        raise SpecError(Report(report.diagnostics[:ERRORS_SHOWN]))
    return names, rows, lines


def _check_names(path: Path, names: Sequence[str], report: Report, span: Span | None) -> None:
    if not names:
        fail("AX0603", f"{path.name} is empty", span, help="its first line names the columns")
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            report.error("AX0603", f"{path.name}:1: the column `{name}` is there {names.count(name)} times", span)
    if all(_number(name) is not None for name in names):
        report.error(
            "AX0603",
            f"{path.name}:1: the first line holds numbers, not the names of the columns",
            span,
            help="put a line of names above it",
        )


def _numbers(cells: Sequence[str]) -> Array | None:
    """The cells as i64 or f64, or None if one of them is not a number."""
    try:
        return np.array([int(cell) for cell in cells], dtype=np.int64)
    except (ValueError, OverflowError):
        pass
    numbers = [_number(cell) for cell in cells]
    return None if None in numbers else np.array(numbers, dtype=np.float64)


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _check_texts(
    path: Path,
    name: str,
    cells: Sequence[str],
    lines: Sequence[int],
    report: Report,
    span: Span | None,
) -> None:
    """A column that is nearly all numbers is a column of numbers with a slip in it."""
    odd = [line for cell, line in zip(cells, lines, strict=True) if _number(cell) is None]
    if len(odd) * 10 <= len(cells):
        cell = cells[lines.index(odd[0])]
        report.error("AX0603", f"{path.name}: `{name}` holds numbers, but {cell!r} in {_lines(odd)}", span)


def _lines(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:ERRORS_SHOWN]))
    more = f" and {len(numbers) - ERRORS_SHOWN} more" if len(numbers) > ERRORS_SHOWN else ""
    return f"line{'s' if len(numbers) > 1 else ''} {shown}{more}"
