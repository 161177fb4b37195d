"""Reading CSV files into columns: numbers, booleans, dates and texts.

What this module does not do: guess. A row of another length is an error that names the line, and so is a column of
numbers with a text among them, once it is used.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.sources import CsvSource
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, fail, listing, make_error
from archonnx.grammar.source import Span
from archonnx.runtime.data.cells import Cells, is_number, shown
from archonnx.runtime.data.gathering import PART, Gathered
from archonnx.runtime.data.loader import Loaded, Place, loads
from archonnx.runtime.data.progress import Reading as Progress
from archonnx.runtime.data.room import available
from archonnx.runtime.data.tables import check_named, check_target, table
from archonnx.runtime.data.written import (
    COMMENTS,
    DELIMITERS,
    Lines,
    check_encoding,
    check_no_json,
    check_text,
    coding,
    fail_not_text,
    help_with,
)
from archonnx.runtime.paths import reading, short

ERRORS_SHOWN = 5
MAX_CELLS = 200_000_000
"""More are not held; as texts they would take some ten times the size of the file."""
LONGEST_NAME = 1000
"""Characters that the name of a column may have."""
LEFT_FREE = 2**28
"""So much memory is left to others."""
SMALLER = "a Parquet file (`parquet`) or arrays (`npy`) take a tenth of the memory"
WRITTEN_INDEX = "Unnamed: 0"
"""What pandas calls a first column without a name when it reads it, and so when it writes it again."""
TITLES = 20
"""Rows among which the names of the columns are looked for below a title."""
TOTALS = frozenset({"total", "totals", "grand total", "sum", "summe", "gesamt", "insgesamt", "average", "mean"})
"""What the last line of a table says, in small letters, where it holds totals."""


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
    wanted = {**how.kinds, **dict.fromkeys(how.dates, "date"), **(kinds or {})}
    as_text = {**wanted, **dict.fromkeys([*how.dates, *how.without], "text")}
    again = bool(kinds) and span is None
    reader = _Reader(path, how, span, own=own, again=again)
    names, gathered, ends = reader.read(as_text)
    if own:
        check_target(how.target, names, path.name, span)
        check_named("kinds", how.kinds, names, path.name, span)
        check_named("columns", how.columns or (), names, path.name, span)
        check_named("without", how.without, names, path.name, span)
        check_named("dates", how.dates, names, path.name, span)
    lines = np.array(ends, dtype=np.int64)
    cells = Cells(path.name, ends, span, how.decimal, frozenset(how.missing), how.without, how.dates, again)
    read = gathered.columns(reader.cells, [as_text.get(name) for name in names])
    notes = reader.left_out(names, read)
    columns = {
        name: cells.column(name, column, wanted.get(name)) for name, column in zip(names, read, strict=True) if name
    }
    notes += _totals(path.name, names, read, lines)
    clocks = {
        name: cells.clock(name, read[at])
        for at, name in enumerate(names)
        if isinstance(column := columns.get(name), np.ndarray) and column.dtype.kind == "M"
    }
    apart = [name for name in names[:1] if name == WRITTEN_INDEX]
    notes += [f"{path.name}: `{name}`, an index that pandas wrote, is not in `data.data`" for name in apart]
    return table(
        columns,
        path.name,
        len(ends),
        target=how.target,
        lines=lines,
        side_by_side=how.columns,
        apart=apart,
        notes=notes,
        files=[path],
        span=span,
        clocks=clocks,
    )


@dataclass
class _Reader:
    """A file that is being read, which is opened twice where a column turns out not to be one of numbers."""

    path: Path
    how: CsvSource
    span: Span | None
    line: int = 1
    """The line that was read last."""
    own: bool = False
    header: str = ""
    """Where the names of the columns stand, for messages."""
    headed: bool = True
    """Whether the first line names the columns."""
    again: bool = False
    """Whether it is read as another file was before it: then no spec is asked how it is written."""
    empty: int = 0
    """How many rows at the end have nothing in any cell."""
    _lines: Lines = field(init=False, repr=False)

    def read(self, kinds: Mapping[str, str]) -> tuple[list[str], Gathered, list[int]]:
        """Names of the columns, their cells, and the line on which each row ends."""
        report = Report()
        ends: list[int] = []
        check_no_json(self.path, self.span)
        with self._rows() as rows:
            names, rows = self._named(rows)
            self.header = f"{self.path.name}:{max(1, self.line)}"
            _check_names(self, names, report)
            plain = self.how.decimal == "." and not self.how.missing
            gathered = Gathered(names, kinds, plain=plain)
            part: list[list[str]] = []
            for row in self._without_last(rows):
                if not ends:
                    self._check_first(names, row)
                ends.append(self.line)
                wrong = self._wrong(row, names)
                if wrong is not None:
                    report.add(wrong)
                    if len(report.diagnostics) >= ERRORS_SHOWN:
                        break
                    part.clear()
                    continue
                if report.diagnostics:
                    continue
                part.append(row)
                if len(part) == gathered.rows_of_a_part:
                    gathered.add(part)
                    part.clear()
                    self._check_room(len(ends) * len(names))
        if not ends and not report.failed:
            report.error("AX0603", f"{self.path.name} has a header and no rows", self.span)
        if report.failed:
            raise SpecError(Report(report.diagnostics[:ERRORS_SHOWN]))
        if part:
            gathered.add(part)
            self._check_room(len(ends) * len(names))
        return names, gathered, ends

    def _wrong(self, row: Sequence[str], names: Sequence[str]) -> Diagnostic | None:
        """What is wrong with a row as a whole."""
        where = f"{self.path.name}:{self.line}"
        if len(row) != len(names):
            cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
            header = "the header names" if self.headed else "`names` has"
            what, help = f"{cells} where {header} {len(names)}", self._help_with_length(row, names)
        elif len(row) > 1 and row[0] == names[0] and [cell.strip() for cell in row] == names:
            what, help = "the names of the columns are there again", "take that line out, as where files were joined"
        else:
            return None
        return make_error("AX0603", f"{where}: {what}", self.span, help=help)

    def _help_with_length(self, row: Sequence[str], names: Sequence[str]) -> str | None:
        """What to do about a row of another length."""
        begins = next((mark for mark in COMMENTS if row[0].startswith(mark)), None)
        above = next((mark for mark in COMMENTS if names[0].startswith(mark)), None)
        if (begins or above) and self.how.comment is None and not self.again:
            return f"`comment={json.dumps(begins or above)}` leaves out the lines that begin so"
        if len(names) == 1 and self.headed and not self.again:
            return self._below_titles() or f"a cell that has a `{self.how.delimiter}` in it stands in double quotes"
        if len(row) < len(names):
            return "each row has a cell for each name: take that line out if it is none"
        if len(row) == len(names) + 1 and not row[-1]:
            return f"the line ends with a `{self.how.delimiter}` that the first one lacks: let that end with one too"
        return f"a cell that has a `{self.how.delimiter}` in it stands in double quotes"

    def _below_titles(self) -> str | None:
        """What to say if names of columns seem to stand below the first line: as many texts as rows have cells."""
        with self._rows() as rows:
            found = [(self.line, [cell.strip() for cell in row]) for row in islice(filter(None, rows), TITLES)]
        line, names = next(((line, row) for line, row in found[1:] if len(row) > 1 and all(row)), (0, [""]))
        if not line or any(is_number(name, self.how.decimal) for name in names):
            return None
        return f"if the names of the columns are in line {line}, leave out what is above: `skip={line - 1}`"

    def left_out(self, names: Sequence[str], columns: Sequence[Array | list[str]]) -> list[str]:
        """Notes: left out are an index, columns and rows that hold nothing. SpecError of others without names."""
        unnamed = [at for at, name in enumerate(names) if not name and at]
        report = Report()
        for at in unnamed:
            if isinstance(columns[at], np.ndarray) or any(columns[at]):
                way = self._below_titles() if not self.again else None
                what = f"{self.header}: column {at + 1} has no name"
                report.error("AX0603", what, self.span, help=way or "name it in the first line, or drop it")
        report.finish()
        notes = []
        if self.empty:
            some = f"{self.empty} rows" if self.empty > 1 else "a row"
            notes.append(f"{self.path.name}: {some} with nothing in any cell left out at the end")
        if names and not names[0]:
            index = "the first column has no name (an index, as pandas writes one) and is left out"
            notes.append(f"{self.path.name}: {index}")
        if unnamed:
            which = "columns" if len(unnamed) > 1 else "column"
            numbers = listing(str(at + 1) for at in unnamed)
            notes.append(f"{self.path.name}: {which} {numbers} without a name and without values left out")
        return notes

    def _named(self, rows: Iterator[list[str]]) -> tuple[list[str], Iterator[list[str]]]:
        """The names of the columns, and the rows behind them.

        A file whose columns the spec names has no header; one that is read later, for predictions, may have one, of
        some of these names.
        """
        first = next(rows, [])
        header = [name.strip() for name in first]
        if self.how.names is None:
            return header, rows
        self.headed = bool(header) and set(header) <= {name.strip() for name in self.how.names}
        if self.headed and self.own:
            what = f"{self.path.name}:1: the first line has the names of the columns"
            fail("AX0603", what, self.span, help="leave `names` out")
        names = header if self.headed else [name.strip() for name in self.how.names]
        return names, rows if self.headed else chain([first], rows)

    def _without_last(self, rows: Iterator[list[str]]) -> Iterator[list[str]]:
        """The rows without blank lines, and without rows of empty cells at the end, which spreadsheets leave there."""
        empty: list[tuple[int, list[str]]] = []
        for row in rows:
            if not any(row):
                empty += [(self.line, row)] if row else []
                continue
            if empty:
                here = self.line
                for self.line, between in empty:
                    yield between
                self.line = here
                empty.clear()
            yield row
        self.empty = len(empty)

    def cells(self, positions: Collection[int]) -> dict[int, list[str]]:
        """The cells of some columns, by their positions; equal ones are one object."""
        found: dict[int, list[str]] = {at: [] for at in positions}
        known: dict[str, str] = {}
        with self._rows() as rows:
            if self.headed:
                next(rows, None)
            for row in self._without_last(rows):
                for at, cells in found.items():
                    cells.append(known.setdefault(row[at].strip(), row[at].strip()))
        return found

    @contextmanager
    def _rows(self) -> Iterator[Iterator[list[str]]]:
        """The rows of the file; SpecError with the line where it is not text, or not CSV."""
        path, how, span = self.path, self.how, self.span
        try:
            with reading(path, span), path.open("rb") as file:
                check_encoding(file, path, how, span, again=self.again)
                lines = self._lines = Lines(io.TextIOWrapper(file, coding(how), newline=""), how)
                progress = Progress(path.name, path.stat().st_size)
                # spaces around a cell are no part of it, before a quote neither
                found = csv.reader(lines, delimiter=how.delimiter, skipinitialspace=True, strict=True)
                yield self._counted(found, progress, file)
        except UnicodeError:
            fail_not_text(path, how, span, again=self.again)
        except csv.Error as error:
            check_text(path, span)
            fail("AX0603", f"{path.name}:{self.line}: {error}", span, help=help_with(str(error)))

    def _counted(self, rows: Any, progress: Progress, file: IO[bytes]) -> Iterator[list[str]]:
        """The same rows; meanwhile it is kept how far they are."""
        try:
            for number, row in enumerate(rows):
                self.line = rows.line_num + self._lines.passed
                yield row
                if number % PART == 0:
                    progress.at(file.tell())
        finally:
            self.line = max(1, rows.line_num + self._lines.passed)

    def _check_first(self, names: Sequence[str], row: Sequence[str]) -> None:
        """SpecError if the one column of the file is several by another delimiter, or the first line is a row."""
        fractions = [name for name, cell in zip(names, row, strict=False) if self._is_fraction(name, cell)]
        if fractions and self.headed:
            seem = f"the first line seems to be a row: {shown(fractions[0])} is no name of a column of numbers"
            fail("AX0603", f"{self.header}: {seem}", self.span, help=_named_so(names, again=self.again))
        if len(names) != 1:
            return
        delimiter = self.how.delimiter
        body = delimiter.join(row)
        for other, written in DELIMITERS.items():
            cells = cells_by(other, names[0]), cells_by(other, body)
            if other == delimiter or len(cells[0]) < 2 or len(cells[0]) != len(cells[1]):
                continue
            if other == " " and not all(is_number(cell, self.how.decimal) for cell in cells[1]):
                continue  # a text has spaces
            seem = f"one column, {shown(names[0])}: the cells seem to be separated by `{written}`"
            usual = DELIMITERS.get(delimiter, delimiter)
            way = f"separate them by `{usual}`, as in the training" if self.again else f'`delimiter="{written}"`'
            fail("AX0603", f"{self.header}: {seem}", self.span, help=way)

    def _is_fraction(self, name: str, cell: str) -> bool:
        """Whether a name is a number with a fraction above a number: integers may be years."""
        decimal = self.how.decimal
        return decimal in name and is_number(name, decimal) and is_number(cell.strip(), decimal)

    def _check_room(self, cells: int) -> None:
        """SpecError where so many cells were read that no more can be held."""
        if cells > MAX_CELLS:
            fail("AX0603", f"{self.path.name} has more than {MAX_CELLS:,} cells", self.span, help=SMALLER)
        free = available()
        if free is not None and free < LEFT_FREE:
            what = f"{self.path.name}:{self.line}: there is no memory for more rows"
            fail("AX0660", what, self.span, help=SMALLER)


def _check_names(reader: _Reader, names: Sequence[str], report: Report) -> None:
    path, span, where = reader.path, reader.span, reader.header
    if not names:
        fail("AX0603", f"{path.name} is empty", span, help="its first line names the columns")
    for name, count in Counter(names).items():
        if count > 1 and name:
            what = f"{where}: the column `{short(name)}` is there {count} times"
            report.error("AX0603", what, span, help="give each a name of its own")
    for position, name in enumerate(names):
        if len(name) > LONGEST_NAME or not name.isprintable():
            what = f"has {len(name):,} characters" if len(name) > LONGEST_NAME else "has characters that are not shown"
            report.error("AX0603", f"{where}: the name of column {position + 1} {what}: {shown(name)}", span)
    if all(is_number(name, reader.how.decimal) for name in names):
        report.error(
            "AX0603",
            f"{where}: the first line holds numbers, not the names of the columns",
            span,
            help=_named_so(names, again=reader.again),
        )


def _named_so(names: Sequence[str], *, again: bool) -> str:
    """What to do about a file that does not name its columns."""
    if again:
        return "the first line names the columns, as in the training"
    some = ", ".join(f"c{i}" for i in range(1, min(len(names), 3) + 1))
    return f"say what they are called: `names=[{some}{', ...' if len(names) > 3 else ''}]`"


def cells_by(delimiter: str, line: str) -> list[str]:
    """The cells of a line by a delimiter; a run of spaces is one."""
    return line.split() if delimiter == " " else line.split(delimiter)


def _totals(where: str, names: Sequence[str], columns: Sequence[Array | list[str]], lines: Array) -> list[str]:
    """A note if the last row says that it holds totals of the others, which are learned like them."""
    for name, column in zip(names, columns, strict=True):
        if isinstance(column, list) and column[-1].lower().rstrip(":") in TOTALS and column.count(column[-1]) == 1:
            last = f"{where}:{lines[-1]}: `{name}` is {shown(column[-1])} in the last row"
            return [f"{last}, which is a row like the others: take it out of the file if it holds totals"]
    return []
