"""Reading CSV files into columns: numbers, booleans, dates and texts.

What this module does not do: guess. A row of another length is an error that names the line, and so is a column of
numbers with a text among them, once it is used.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np

from archonnx.compiler.sources import CsvSource
from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.grammar.source import Span
from archonnx.runtime.data.cells import Cells, is_number, shown
from archonnx.runtime.data.gathering import PART, Gathered
from archonnx.runtime.data.loader import Loaded, Place, loads
from archonnx.runtime.data.progress import Reading as Progress
from archonnx.runtime.data.room import available
from archonnx.runtime.data.tables import check_named, check_target, table
from archonnx.runtime.paths import reading, short

ERRORS_SHOWN = 5
MAX_CELLS = 200_000_000
"""More are not held; as texts they would take some ten times the size of the file."""
LONGEST_LINE, LONGEST_NAME = 2**24, 1000
"""Characters that a line may have, and the name of a column."""
LEFT_FREE = 2**28
"""So much memory is left to others."""
SMALLER = "a Parquet file (`parquet`) or arrays (`npy`) take a tenth of the memory"
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
    columns = {name: cells.column(name, column, wanted.get(name)) for name, column in zip(names, read, strict=True)}
    clocks = {
        name: cells.clock(name, read[at])
        for at, name in enumerate(names)
        if isinstance(column := columns[name], np.ndarray) and column.dtype.kind == "M"
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
    headed: bool = True
    """Whether the first line names the columns."""
    again: bool = False
    """Whether it is read as another file was before it: then no spec is asked how it is written."""

    def read(self, kinds: Mapping[str, str]) -> tuple[list[str], Gathered, list[int]]:
        """Names of the columns, their cells, and the line on which each row ends."""
        report = Report()
        ends: list[int] = []
        _check_table(self.path, self.span)
        with self._rows() as rows:
            names, rows = self._named(rows)
            _check_names(self.path, self.how, names, report, self.span)
            plain = self.how.decimal == "." and not self.how.missing
            gathered = Gathered(names, kinds, plain=plain)
            part: list[list[str]] = []
            for row in rows:
                if not row:
                    continue
                if not ends:
                    self._check_delimiter(names, row)
                ends.append(self.line)
                if len(row) != len(names):
                    cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
                    header = "the header names" if self.headed else "`names` has"
                    what = f"{self.path.name}:{self.line}: {cells} where {header} {len(names)}"
                    report.error("AX0603", what, self.span, help=self._help_with_length(row, names))
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

    def _help_with_length(self, row: Sequence[str], names: Sequence[str]) -> str | None:
        """What to do about a row of another length."""
        if len(row) < len(names):
            return None
        if len(row) == len(names) + 1 and not row[-1]:
            return f"the line ends with a `{self.how.delimiter}` that the first one lacks"
        return f"a cell that has a `{self.how.delimiter}` in it stands in double quotes"

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

    def cells(self, positions: Collection[int]) -> dict[int, list[str]]:
        """The cells of some columns, by their positions; equal ones are one object."""
        found: dict[int, list[str]] = {at: [] for at in positions}
        known: dict[str, str] = {}
        with self._rows() as rows:
            if self.headed:
                next(rows, None)
            for row in filter(None, rows):
                for at, cells in found.items():
                    cells.append(known.setdefault(row[at].strip(), row[at].strip()))
        return found

    @contextmanager
    def _rows(self) -> Iterator[Iterator[list[str]]]:
        """The rows of the file; SpecError with the line where it is not text, or not CSV."""
        path, how, span = self.path, self.how, self.span
        encoding = "utf-8-sig" if how.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else how.encoding
        try:
            with reading(path, span), path.open("rb") as file:
                text = io.TextIOWrapper(file, encoding, newline="")
                progress = Progress(path.name, path.stat().st_size)
                lines = csv.reader(_lines(text), delimiter=how.delimiter, strict=True)
                yield self._counted(lines, progress, file)
        except UnicodeError:
            _check_text(path, span)
            at = _undecoded_line(path, encoding)
            way = f"write it in {_encoding(how)}, as in the training" if self.again else _other_encoding(path, how)
            fail("AX0603", f"{path.name}{at} is not {_encoding(how)} text", span, help=way)
        except csv.Error as error:
            _check_text(path, span)
            fail("AX0603", f"{path.name}:{self.line}: {error}", span, help=_help_with(str(error)))

    def _counted(self, rows: Any, progress: Progress, file: IO[bytes]) -> Iterator[list[str]]:
        """The same rows; meanwhile it is kept how far they are."""
        try:
            for number, row in enumerate(rows):
                self.line = rows.line_num
                yield row
                if number % PART == 0:
                    progress.at(file.tell())
        finally:
            self.line = max(1, rows.line_num)

    def _check_delimiter(self, names: Sequence[str], row: Sequence[str]) -> None:
        """SpecError if the one column of the file is several by another delimiter."""
        if len(names) != 1:
            return
        delimiter = self.how.delimiter
        body = delimiter.join(row)
        for other, written in DELIMITERS.items():
            if other != delimiter and other in names[0] and names[0].count(other) == body.count(other):
                seem = f"one column, {shown(names[0])}: the cells seem to be separated by `{written}`"
                usual = DELIMITERS.get(delimiter, delimiter)
                way = f"separate them by `{usual}`, as in the training" if self.again else f'`delimiter="{written}"`'
                fail("AX0603", f"{self.path.name}:1: {seem}", self.span, help=way)

    def _check_room(self, cells: int) -> None:
        """SpecError where so many cells were read that no more can be held."""
        if cells > MAX_CELLS:
            fail("AX0603", f"{self.path.name} has more than {MAX_CELLS:,} cells", self.span, help=SMALLER)
        free = available()
        if free is not None and free < LEFT_FREE:
            what = f"{self.path.name}:{self.line}: there is no memory for more rows"
            fail("AX0660", what, self.span, help=SMALLER)


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a file; csv.Error where one is too long to be a line, or holds what no text does."""
    while line := text.readline(LONGEST_LINE):
        if "\0" in line:
            raise csv.Error("a NUL character, which no text has")
        if len(line) == LONGEST_LINE:
            raise csv.Error(f"a line of more than {LONGEST_LINE:,} characters")
        yield line


def _help_with(said: str) -> str | None:
    """What to do about what the reader says."""
    if "NUL" in said:
        return 'is it UTF-16? Then say `encoding="utf-16"`'
    if "unexpected end" in said or "field larger" in said or "expected after" in said:
        return 'a cell that begins with `"` ends with `"`, and a `"` inside is written twice'
    return None


def _check_names(path: Path, how: CsvSource, names: Sequence[str], report: Report, span: Span | None) -> None:
    if not names:
        fail("AX0603", f"{path.name} is empty", span, help="its first line names the columns")
    for name, count in Counter(names).items():
        if count > 1 and name:
            what = f"{path.name}:1: the column `{short(name)}` is there {count} times"
            report.error("AX0603", what, span, help="give each a name of its own")
    for position, name in enumerate(names):
        if len(name) > LONGEST_NAME or not name.isprintable():
            what = f"has {len(name):,} characters" if len(name) > LONGEST_NAME else "has characters that are not shown"
            report.error("AX0603", f"{path.name}:1: the name of column {position + 1} {what}: {shown(name)}", span)
        if not name and position:  # the first may be the index that pandas writes
            help = "name it in the first line, or drop it"
            report.error("AX0603", f"{path.name}:1: column {position + 1} has no name", span, help=help)
    if all(is_number(name, how.decimal) for name in names):
        report.error(
            "AX0603",
            f"{path.name}:1: the first line holds numbers, not the names of the columns",
            span,
            help=f"say what they are called: `names=[{', '.join(f'c{i}' for i in range(1, min(len(names), 3) + 1))}"
            f"{', ...' if len(names) > 3 else ''}]`",
        )


def _check_table(path: Path, span: Span | None) -> None:
    """SpecError if a file of text is one of JSON."""
    with reading(path, span), path.open("rb") as file:
        begins = file.read(2)
    if begins in (b'{"', b"[{", b"[\n", b"{\n", b"[\r", b"{\r"):
        fail("AX0603", f"{path.name} is JSON, not a CSV file", span, help="write it as a table: CSV or Parquet")


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
