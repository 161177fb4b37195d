"""Columns of texts, as CSV files have them, read as one kind: integers, floats, booleans, dates or texts.

A column that is not all of one kind is not read at all: which of its cells are slips nobody but its owner knows. What
this module does not do: open files.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from archonnx.compiler.feeding import DATA
from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import Diagnostic, make_error
from archonnx.grammar.source import Span
from archonnx.grammar.text.words import column_of, is_name

from .dressed import TIMES, are_days, formats, grouped, left_out
from .moments import ISO, OF_UTC, Clock, OddCellError, check_offsets, date, date_as, without_parts

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""What means that there is no value, in small letters; in a column of texts only ``""`` does."""
EXACT = 2**53
"""Integers up to here are floats without loss."""
DATES_TRIED = 1000
"""Cells of a column that are tried as dates, all over it: a column of a million takes 5 s for each form otherwise."""
MINUS = "\u2212"
"""The sign that typesetters take for a minus."""
LINES_SHOWN = 5
LONGEST_SHOWN = 60
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_PADDED = re.compile(r"[+-]?0\d", re.ASCII)
_NUMBER = {
    ".": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII),
    ",": re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?", re.ASCII),
}
_WHOLE = r"-?(?:0|[1-9]\d{0,15})"
_REAL = rf"{_WHOLE}(?:\.\d{{1,20}})?(?:[eE][+-]?\d{{1,3}})?"
_INTEGERS, _FLOATS = (re.compile(rf"(?:{one}\n)*+{one}", re.ASCII) for one in (_WHOLE, _REAL))
"""Columns of usual numbers, a line for each."""
_APART = re.compile(r"(?<=\d)[ _'\u00a0\u202f](?=\d{3}(?!\d))")
"""What stands between thousands besides a comma and a point."""
_ARTICLE = {"int": "an integer", "float": "a number", "bool": "true or false", "date": "a date", "text": "a text"}
_PLURAL = {"number": "numbers", "bool": "true and false", "date": "dates", "other": "numbers with another decimal sign"}


@dataclass(frozen=True, slots=True)
class Cells:
    """How the cells of a table are read.

    Attributes:
        where: what messages call the table: ``people.csv``.
        lines: the line of each row.
        span: the place of the spec that asked for it.
        decimal: what separates the fraction of a number: ``.`` or ``,``.
        missing: what else means that there is no value, in texts as well.
        without: by the name of a column: characters that are left out of its cells.
        dates: by the name of a column: how its dates are written, as ``strptime`` has it.
        again: whether they are read as others were before them: then no spec is asked how they are written.
    """

    where: str
    lines: Sequence[int]
    span: Span | None = None
    decimal: str = "."
    missing: frozenset[str] = frozenset()
    without: Mapping[str, str] = field(default_factory=dict)
    dates: Mapping[str, str] = field(default_factory=dict)
    again: bool = False

    def column(self, name: str, cells: Sequence[str] | Array, kind: str | None = None) -> Array | Diagnostic:
        """The cells as an array, or what is wrong with them.

        Args:
            name: what the column is called.
            cells: as they stand in the file, without the spaces around them; i64 or f64 where ``plain_numbers`` has
                read all of them.
            kind: ``int``, ``float``, ``bool``, ``text`` or ``date``; found out if None. Numbers and booleans of which
                some are missing are f64.
        """
        if isinstance(cells, np.ndarray):
            numbers = cells.astype(np.float64) if kind == "float" else cells
            return numbers if kind is not None else self._no_days(name, numbers)
        if name in self.without:
            gone = str.maketrans("", "", self.without[name])
            cells = [cell.translate(gone).strip() for cell in cells]
        if kind == "text":
            return self._texts(cells)
        if self.decimal == "." and not self.missing and (plain := plain_numbers(cells, kind)) is not None:
            return plain if kind is not None else self._no_days(name, plain)
        gaps = {cell for cell in set(cells) if cell.lower() in MISSING or cell in self.missing}
        present = np.array([cell not in gaps for cell in cells] if gaps else [True] * len(cells), dtype=np.bool_)
        values = [cell for cell in cells if cell not in gaps] if gaps else cells
        if kind is not None:
            try:
                return self._filled(present, self._as(kind, values, self.dates.get(name)))
            except OddCellError as odd:
                return self._not_of_kind(name, cells, kind, odd)
        if not values:
            says = f"say what it is: `kinds={{{_key(name)}: float}}`"
            return self._problem(f"{self.where}: `{name}` has no value in any row", says)
        try:
            return self._guessed(name, cells, values, present)
        except OddCellError as odd:
            form = without_parts(odd.cell)
            cut = f"{_written(name, form)} leaves it out, " if form else ""
            says = f"{cut}`kinds={{{_key(name)}: text}}` reads it as texts"
            return self._problem(f"{self._at(name, cells, odd.cell)}, {odd.why}", says)

    def clock(self, name: str, cells: Sequence[str] | Array) -> Clock:
        """By which clock dates are written: all of them have an offset from UTC, or none."""
        found = next((match for cell in cells if (match := ISO.fullmatch(cell))), None)
        if ("%z" not in self.dates[name]) if name in self.dates else (found is None or found["offset"] is None):
            return "local"
        gaps = {cell for cell in set(cells) if cell.lower() in MISSING or cell in self.missing}
        return "UTC" if all(cell.endswith(OF_UTC) or cell in gaps for cell in cells) else "offset"

    # ---------------------------------------------------------------- what kind it is

    def _guessed(self, name: str, cells: Sequence[str], values: Sequence[str], present: Array) -> Array | Diagnostic:
        """The column by the kind that all of its values have; else texts, if none of them is anything else."""
        different = set(values)
        if all(map(_INTEGER.fullmatch, different)):
            padded = next(filter(_PADDED.match, values), None)
            if padded is not None:
                return self._problem(
                    f"{self._at(name, cells, padded)}: is that a number or a code?",
                    f"`kinds={{{_key(name)}: text}}` keeps the 0 in front, `kinds={{{_key(name)}: int}}` drops it",
                )
            return self._no_days(name, self._filled(present, self._as("int", values)))
        for kind, pattern in (("float", _NUMBER[self.decimal]), ("date", ISO)):
            if all(map(pattern.fullmatch, different)):
                return self._filled(present, self._as(kind, values))
        if all(cell.lower() in ("true", "false") for cell in different):
            return self._filled(present, self._as("bool", values))
        return self._mixed(name, cells, different) or self._texts(cells)

    def _no_days(self, name: str, numbers: Array) -> Array | Diagnostic:
        """Numbers as they are, unless all of them are days that are written without a mark."""
        known: Any = numbers[~np.isnan(numbers)] if numbers.dtype.kind == "f" else numbers
        if not are_days(known):
            return numbers
        row = 0 if numbers.dtype.kind == "i" else int(np.flatnonzero(~np.isnan(numbers))[0])
        return self._problem(
            f"{self.where}:{self.lines[row]}: `{name}` has {numbers[row]:.0f}: is that a date or a number?",
            f'`dates={{{_key(name)}: "%Y%m%d"}}` says how it is written, `kinds={{{_key(name)}: int}}` keeps numbers',
        )

    def _mixed(self, name: str, cells: Sequence[str], different: set[str]) -> Diagnostic | None:
        """What is wrong with a column of several kinds; None if they are all texts."""
        other = _NUMBER["," if self.decimal == "." else "."]
        looks = {cell: self._looks(cell, other) for cell in different}
        found = set(looks.values())
        as_texts = f"`kinds={{{_key(name)}: text}}`"
        if found == {"text"}:
            return self._dressed(name, cells, different)
        if found <= {"number", "other"}:
            cell = next(cell for cell in cells if looks.get(cell) == "other")
            sign = "," if self.decimal == "." else "."
            if grouped([one for one in different if looks[one] == "other"], self.decimal):
                return self._problem(
                    f"{self._at(name, cells, cell)}: is the `{sign}` a decimal one, or between thousands?",
                    f'`without={{{_key(name)}: "{sign}"}}` reads {cell.replace(sign, "")}, `decimal="{sign}"` '
                    f"{cell.replace(sign, '.')}, {as_texts} a text",
                )
            return self._problem(
                f"{self._at(name, cells, cell)}: is that a number with a decimal `{sign}`?",
                f'`decimal="{sign}"` reads it as a number, {as_texts} as a text',
            )
        usual = next(kind for kind in ("number", "date", "bool", "other") if kind in found)
        one = next(cell for cell in cells if looks.get(cell) == usual)
        odd = [i for i, cell in enumerate(cells) if looks.get(cell, usual) != usual]
        cell = cells[odd[0]]
        way = f"{as_texts} reads all of it as texts"
        gone = left_out(different, self.decimal) if found <= {"number", "other", "text"} else None
        apart = set(_APART.findall(cell))
        if gone is not None:
            way = f"`without={{{_key(name)}: {_quoted(gone)}}}` leaves out what is no number, {way}"
        elif usual == "number" and apart and _NUMBER[self.decimal].fullmatch(_APART.sub("", cell)):
            way = f"`without={{{_key(name)}: {_quoted(''.join(sorted(apart)))}}}` reads `{_APART.sub('', cell)}`, {way}"
        else:
            way = self._way_out(cells, odd, way)
        return self._problem(
            f"{self.where}: `{name}` holds {_PLURAL[usual]} ({shown(one)} in line {self._line(cells, one)}), "
            f"but {shown(cell)} in {shown_lines([self.lines[i] for i in odd])}",
            way,
        )

    def _way_out(self, cells: Sequence[str], odd: Sequence[int], as_texts: str) -> str:
        """What to do about cells that are not of the kind of the others."""
        cell = cells[odd[0]]
        if is_number(cell.replace(MINUS, "-"), self.decimal):
            return f"a minus is written `-`, and this is U+2212; {as_texts}"
        different = list(dict.fromkeys(cells[at] for at in odd))
        if len(odd) == 1 and odd[0] in (0, len(cells) - 1) and len(cells) > 2 and _is_word(cell):
            holds = "units" if odd[0] == 0 else "totals"
            as_texts = f"take line {self.lines[odd[0]]} out of the file if it holds {holds}; {as_texts}"
        gaps = ", ".join(map(_quoted, different[:LINES_SHOWN]))
        return f"{as_texts}, `missing=[{gaps}]` takes {'those' if len(different) > 1 else 'that'} for a gap"

    def _dressed(self, name: str, cells: Sequence[str], different: set[str]) -> Diagnostic | None:
        """What is to be said of texts that seem to be numbers or dates as people write them; None of other texts."""
        as_texts = f"`kinds={{{_key(name)}: text}}` keeps texts"
        gone = left_out(different, self.decimal)
        at = self._at(name, cells, next(cell for cell in cells if cell in different))
        if gone is not None:
            way = f"`without={{{_key(name)}: {_quoted(gone)}}}` leaves out what is no number"
            return self._problem(f"{at}: is that a number or a text?", f"{way}, {as_texts}")
        some = [cell for cell in cells[:: max(1, len(cells) // DATES_TRIED)] if cell in different]
        forms = formats(different, some)
        if forms:
            said = f"{' or '.join(_written(name, form) for form in forms)} says how it is written"
            what = "a date" if forms[0] not in TIMES else "a time of day"
            return self._problem(f"{at}: is that {what}?", f"{said}, {as_texts}")
        return None

    def _looks(self, cell: str, other: re.Pattern[str]) -> str:
        if _NUMBER[self.decimal].fullmatch(cell):
            return "number"
        if other.fullmatch(cell):
            return "other"
        if ISO.fullmatch(cell):
            return "date"
        return "bool" if cell.lower() in ("true", "false") else "text"

    # ---------------------------------------------------------------- as one kind

    def _as(self, kind: str, values: Sequence[str], form: str | None = None) -> Array:
        """The values as a kind, dates in a form of their own; OddCellError if one of them is not."""
        if kind == "float" and values and all(cell.lower() in ("true", "false") for cell in set(values)):
            return self._as("bool", values).astype(np.float64)  # what they were where one of them was missing
        read: Callable[[str], Any] = {"int": self._integer, "float": self._float, "bool": _boolean, "date": date}[kind]
        different = dict.fromkeys(values)
        if kind == "date" and form is not None:
            read = partial(date_as, form=form)
        elif kind == "date":
            check_offsets(different)
        dtype = {"int": "i8", "float": "f8", "bool": "?", "date": "M8[s]"}[kind]
        known = np.array([read(cell) for cell in different], dtype=dtype)
        place = {cell: i for i, cell in enumerate(different)}
        return known[[place[cell] for cell in values]]

    def _integer(self, cell: str) -> int:
        if not _INTEGER.fullmatch(cell):
            number = self._float(cell)  # 3.0, as pandas writes a 3 in a column with gaps
            if not number.is_integer() or abs(number) > EXACT:
                raise OddCellError(cell)
            return int(number)
        number = int(cell) if len(cell.lstrip("+-").lstrip("0")) < 20 else 2**64
        if not -(2**63) <= number < 2**63:
            raise OddCellError(cell, "too large for i64")
        return number

    def _float(self, cell: str) -> float:
        if not _NUMBER[self.decimal].fullmatch(cell):
            raise OddCellError(cell)
        number = float(cell.replace(",", "."))
        if not math.isfinite(number):
            raise OddCellError(cell, "too large for a float")
        return number

    def _filled(self, present: Array, values: Array) -> Array:
        """The column with its gaps: NaN, or NaT among dates."""
        if len(values) == len(present):
            return values
        if values.dtype.kind == "i" and np.any(np.abs(values) > EXACT):
            raise OddCellError(
                str(values[np.abs(values) > EXACT][0]), "which a column with missing values cannot hold exactly"
            )
        gap = np.datetime64("NaT") if values.dtype.kind == "M" else np.nan
        filled: Array = np.full(len(present), gap, dtype=values.dtype if values.dtype.kind == "M" else np.float64)
        filled[present] = values
        return filled

    def _texts(self, cells: Sequence[str]) -> Array:
        return np.array(["" if cell in self.missing else cell for cell in cells], dtype=object)

    # ---------------------------------------------------------------- what is said

    def _not_of_kind(self, name: str, cells: Sequence[str], kind: str, odd: OddCellError) -> Diagnostic:
        why = odd.why or f"which is not {_ARTICLE[kind]}"
        gone = left_out([odd.cell], self.decimal) if kind in ("int", "float") and odd.why is None else None
        way = f"`without={{{_key(name)}: {_quoted(gone)}}}` leaves out what is no number" if gone is not None else None
        if kind == "bool":
            own = column_of(DATA, name)
            way = f"leave `kinds` out: `index({own}, vocabulary({own}))` numbers two texts 0 and 1, in their order"
        if kind == "date" and name not in self.dates:
            forms = formats([odd.cell]) or [form for form in [without_parts(odd.cell)] if form]
            ways = " or ".join(_written(name, form) for form in forms)
            way = f"{ways} says how it is written" if forms else None
        if self.again:
            before = self._as_before(name, odd.cell, kind) if odd.why is None else None
            way = before if gone is None else f"write it without `{gone}`"
        return self._problem(f"{self._at(name, cells, odd.cell)}, {why}", way)

    def _as_before(self, name: str, cell: str, kind: str) -> str | None:
        """How a cell is written in a file that is read as another one was."""
        if kind == "int" and is_number(cell, self.decimal):
            return f"all were integers in the training; with `kinds={{{_key(name)}: float}}` there, fractions are taken"
        if kind == "date":
            form = self.dates.get(name, "%Y-%m-%d` or `%Y-%m-%dT%H:%M:%S")
            return f"as in the training, dates are written `{form}`"
        return "write `true` or `false`" if kind == "bool" else None

    def _at(self, name: str, cells: Sequence[str], cell: str) -> str:
        """Where a cell is and what it holds."""
        return f"{self.where}:{self._line(cells, cell)}: `{name}` has {shown(cell)}"

    def _problem(self, headline: str, help: str | None = None) -> Diagnostic:
        return make_error("AX0603", headline, self.span, help=help)

    def _line(self, cells: Sequence[str], cell: str) -> int:
        return self.lines[cells.index(cell)]


def plain_numbers(cells: Sequence[str], kind: str | None) -> Array | None:
    """A column of nothing but usual numbers, read at once; None where it must be looked at cell by cell."""
    text = "\n".join(cells)
    if kind not in (None, "int", "float") or text.count("\n") != len(cells) - 1:
        return None
    if _INTEGERS.fullmatch(text):
        numbers = np.fromstring(text, np.int64, sep="\n")
        return numbers.astype(np.float64) if kind == "float" else numbers
    if kind == "int" or not _FLOATS.fullmatch(text):
        return None
    read = np.fromstring(text, np.float64, sep="\n")
    return read if np.isfinite(read).all() else None


def _boolean(cell: str) -> bool:
    known = {"true": True, "false": False, "1": True, "0": False}.get(cell.lower())
    if known is None:
        raise OddCellError(cell)
    return known


def _written(name: str, form: str) -> str:
    """How a source is told how the dates of a column are written."""
    return f'`dates={{{_key(name)}: "{form}"}}`'


def _is_word(cell: str) -> bool:
    """Whether a cell is a word or two, and no number in disguise."""
    return any(map(str.isalpha, cell)) and not any(map(str.isdigit, cell)) and cell.lower() not in ("true", "false")


def is_number(cell: str, decimal: str = ".") -> bool:
    """Whether a text is a number."""
    return _NUMBER[decimal].fullmatch(cell) is not None


def shown_lines(numbers: Sequence[int]) -> str:
    """Lines in words, the first few of them: ``lines 2, 7 and 3 more``."""
    shown = ", ".join(map(str, numbers[:LINES_SHOWN]))
    more = f" and {len(numbers) - LINES_SHOWN} more" if len(numbers) > LINES_SHOWN else ""
    return f"line{'s' if len(numbers) > 1 else ''} {shown}{more}"


def shown(cell: str) -> str:
    """A cell as messages show it."""
    return repr(cell if len(cell) <= LONGEST_SHOWN else cell[:LONGEST_SHOWN] + "...")


def _quoted(text: str) -> str:
    """A text as a spec writes it."""
    return json.dumps(text, ensure_ascii=False)


def _key(name: str) -> str:
    """A name as the key of a dictionary in a spec."""
    return name if is_name(name) else _quoted(name)
