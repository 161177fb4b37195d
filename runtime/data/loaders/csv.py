"""Reading CSV files into columns: numbers, booleans, dates and texts.

What this module does not do: guess. A row of another length is an error that names the line, and so is a column of
numbers with a text among them, once it is used.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from archonnx.compiler.sources import CsvSource
from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.grammar.source import Span
from archonnx.runtime.data.cells import Cells, is_number, shown
from archonnx.runtime.data.loader import Loaded, Place, loads
from archonnx.runtime.data.tables import check_named, check_target, table

ERRORS_SHOWN = 5
MAX_CELLS = 200_000_000
"""More are not held as texts; they would take some ten times the size of the file."""
BINARY = {
    b"PK\x03\x04": "a spreadsheet or another archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"\x1f\x8b": "compressed",
    b"PAR1": "a Parquet file",
    b"\x93NUMPY": "an array of NumPy",
    b"%PDF": "a PDF file",
}
"""What files are that begin like this."""
WRITTEN_INDEX = "Unnamed: 0"
"""What pandas calls a first column without a name when it reads it, and so when it writes it again."""
DELIMITERS = {";": ";", "\t": "\\t", "|": "|", ",": ","}
"""What separates the cells of most files, as a spec writes it."""


@loads(CsvSource)
def load(source: CsvSource, place: Place) -> Loaded:
    """The columns, ``data`` and ``target``."""
    return read_csv(place.file(source.path), source, place.kinds, place.span, own=place.own)


def read_csv(
    path: Path,
    how: CsvSource | None = None,
    kinds: Mapping[str, str] | None = None,
    span: Span | None = None,
    *,
    own: bool = False,
) -> Loaded:
    """What a CSV file holds, whose first row names the columns.

    Args:
        path: the file.
        how: how it is written, and the target.
        kinds: kinds of columns in an earlier reading, which must hold.
        span: the place of the spec that asked for it.
        own: whether it is the file that the spec is about, which has the columns that the spec names.
    """
    how = how or CsvSource(path=str(path))
    names, rows, ends = _rows(path, how, span)
    if own:
        check_target(how.target, names, path.name, span)
        check_named("kinds", how.kinds, names, path.name, span)
        check_named("columns", how.columns or (), names, path.name, span)
    lines = np.array(ends, dtype=np.int64)
    cells = Cells(path.name, ends, span, how.decimal, frozenset(how.missing))
    wanted = {**how.kinds, **(kinds or {})}
    columns = {
        name: cells.column(name, [cell.strip() for cell in column], wanted.get(name))
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    notes = []
    if "" in columns:
        del columns[""]
        notes.append(f"{path.name}: the first column has no name (an index, as pandas writes one) and is left out")
    apart = [name for name in names[:1] if name == WRITTEN_INDEX]
    notes += [f"{path.name}: `{name}`, an index that pandas wrote, is not in `data.data`" for name in apart]
    return table(
        columns,
        path.name,
        len(rows),
        target=how.target,
        lines=lines,
        side_by_side=how.columns,
        apart=apart,
        notes=notes,
        files=[path],
        span=span,
    )


def _rows(path: Path, how: CsvSource, span: Span | None) -> tuple[list[str], list[list[str]], list[int]]:
    """Names of the columns, rows of cells, and the line on which each row ends."""
    report = Report()
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = None
    try:
        encoding = "utf-8-sig" if how.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else how.encoding
        with path.open(newline="", encoding=encoding) as file:
            reader = csv.reader(file, delimiter=how.delimiter, strict=True)
            names = [name.strip() for name in next(reader, [])]
            for row in reader:
                if not row:
                    continue
                if not rows:
                    _check_delimiter(path, how.delimiter, names, row, span)
                if len(row) != len(names):
                    cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
                    what = f"{path.name}:{reader.line_num}: {cells} where the header names {len(names)}"
                    report.error("AX0603", what, span)
                    if len(report.diagnostics) == ERRORS_SHOWN:
                        break
                rows.append(row)
                lines.append(reader.line_num)
                if len(rows) * len(names) > MAX_CELLS:
                    _too_large(path, span)
    except UnicodeError:
        _check_text(path, span)
        at = _undecoded_line(path, encoding)
        fail("AX0603", f"{path.name}{at} is not {_encoding(how)} text", span, help=_other_encoding(path, how))
    except csv.Error as error:
        _check_text(path, span)
        fail("AX0603", f"{path.name}:{reader.line_num if reader is not None else 1}: {error}", span)
    _check_names(path, how, names, report, span)
    if not rows and not report.failed:
        report.error("AX0603", f"{path.name} has a header and no rows", span)
    if report.failed:
        raise SpecError(Report(report.diagnostics[:ERRORS_SHOWN]))
    return names, rows, lines


def _too_large(path: Path, span: Span | None) -> None:
    fail(
        "AX0603",
        f"{path.name} has more than {MAX_CELLS:,} cells",
        span,
        help="a Parquet file (`parquet`) or arrays (`npy`) take a tenth of the memory",
    )


def _check_delimiter(path: Path, delimiter: str, names: Sequence[str], row: Sequence[str], span: Span | None) -> None:
    """SpecError if the one column of the file is several by another delimiter."""
    if len(names) != 1:
        return
    body = delimiter.join(row)
    for other, written in DELIMITERS.items():
        if other != delimiter and other in names[0] and names[0].count(other) == body.count(other):
            fail(
                "AX0603",
                f"{path.name}:1: one column, {shown(names[0])}: the cells seem to be separated by `{written}`",
                span,
                help=f'`delimiter="{written}"`',
            )


def _check_names(path: Path, how: CsvSource, names: Sequence[str], report: Report, span: Span | None) -> None:
    if not names:
        fail("AX0603", f"{path.name} is empty", span, help="its first line names the columns")
    for name in dict.fromkeys(names):
        if names.count(name) > 1 and name:
            report.error("AX0603", f"{path.name}:1: the column `{name}` is there {names.count(name)} times", span)
    for position, name in enumerate(names):
        if not name and position:  # the first may be the index that pandas writes
            help = "name it in the first line, or drop it"
            report.error("AX0603", f"{path.name}:1: column {position + 1} has no name", span, help=help)
    if all(is_number(name, how.decimal) for name in names):
        report.error(
            "AX0603",
            f"{path.name}:1: the first line holds numbers, not the names of the columns",
            span,
            help="put a line of names above it",
        )


def _check_text(path: Path, span: Span | None) -> None:
    """SpecError if a file is one of those that are not text at all."""
    with path.open("rb") as file:
        begins = file.read(8)
    what = next((what for magic, what in BINARY.items() if begins.startswith(magic)), None)
    if what is not None:
        fail("AX0603", f"{path.name} is {what}, not a CSV file", span, help="write it as a CSV file")


def _undecoded_line(path: Path, encoding: str) -> str:
    """``:7`` for the first line that is not text in an encoding, where lines can be told before they are decoded."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return f":{number}" if number > 1 else ""
    return ""


def _encoding(how: CsvSource) -> str:
    return "UTF-8" if how.encoding.lower() in ("utf-8", "utf8") else how.encoding


def _other_encoding(path: Path, how: CsvSource) -> str:
    """What else the file may be."""
    with path.open("rb") as file:
        marked = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
    usual = "utf-16" if marked else "cp1252" if _encoding(how) == "UTF-8" else "utf-8"
    return f'say how it is written, as in `encoding="{usual}"`'
