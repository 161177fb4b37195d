"""The values of loaded data, for what is wrong with them: which are missing, and how the place of each is named.

What this module does not do: change a value.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from archonnx.compiler.feeding import DATA, Encoding
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import Field
from archonnx.compiler.tokens import Tokens
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.source import Span
from archonnx.grammar.text.words import column_of

from .loader import Loaded
from .storage import BLOCK, blocks

SHOWN = 5
"""So many rows are named, and so many values."""
UNLEARNED = "a class without an example that trains is not learned: `stratify` in the split gives each part some, or \
take those rows out"
"""What is to be done about a value of the target that the train part lacks."""


class Values:
    """The values of what was loaded."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    def missing(self, column: str) -> npt.NDArray[np.bool_]:
        """Whether a row has no value in a column."""
        values: Any = self._loaded.fields[column]
        if values.dtype.kind == "f" and values.nbytes > BLOCK:
            parts = (slice(begin, end) for begin, end in blocks(len(values), values[:1].nbytes))
            return np.concatenate([np.isnan(values[part].reshape(len(values[part]), -1)).any(axis=1) for part in parts])
        if values.dtype.kind == "O":
            return np.asarray((values.reshape(len(values), -1) == "").any(axis=1), dtype=np.bool_)
        if values.dtype.kind == "M":
            return np.array(np.isnat(values), dtype=np.bool_)
        if values.dtype.kind != "f":
            return np.zeros(len(values), np.bool_)
        return np.asarray(np.isnan(values.reshape(len(values), -1)).any(axis=1), dtype=np.bool_)

    def place(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> str:
        """Where rows are: ``people.csv:7``, or ``rows 3, 4 and 12 more of the data``."""
        loaded, first = self._loaded, rows[:SHOWN]
        more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
        if loaded.lines is not None:
            if len(rows) == 1:
                return f"{loaded.where}:{loaded.lines[rows[0]]}"
            return f"{loaded.where}: lines {', '.join(str(loaded.lines[row]) for row in first)}{more}"
        word = "row" if len(rows) == 1 else "rows"
        return f"{loaded.where}, {word} {', '.join(str(row + loaded.first) for row in first)}{more}"

    def fail_unseen(self, encoding: Encoding, rows: npt.NDArray[np.int64], values: Array) -> NoReturn:
        """SpecError for rows whose value of a column is not in its table; ``values`` are theirs."""
        name, keys = encoding.column, {*encoding.keys}
        value: Any = next(v for v in np.ravel(values[0]).tolist() if v not in keys)
        if value == "":
            self.fail_no_text(name, rows)
        same = rows[np.asarray(values == value).reshape(len(rows), -1).any(axis=1)]
        what = "is" if encoding.tokens is None else "has"
        of = f"data.{name}" if encoding.tokens is None else encoding.tokens.of(f"data.{name}")
        listed = ", ".join(map(repr, encoding.keys[:SHOWN]))
        more = f" and {len(encoding.keys) - SHOWN} more" if len(encoding.keys) > SHOWN else ""
        named = isinstance(value, str) and encoding.tokens is None  # a text has words that no other text has
        close = did_you_mean(value, [str(key) for key in encoding.keys]) if named else None
        known = f"give what is not known a number: `vocabulary({of}, unknown=true)`"
        fail(
            "AX0631",
            f"{self.place(same)}: `{name}` {what} {_shown(value)}, which the train part does not have",
            None,
            notes=[f"it has {listed}{more}"],
            help=close or (UNLEARNED if name == self._loaded.target else known),
        )

    def fail_no_text(self, column: str, rows: npt.NDArray[np.int64]) -> NoReturn:
        """SpecError for rows without a text."""
        own = column_of(DATA, column)
        fail(
            "AX0631",
            f"{self.place(rows)}: `{column}` has no value",
            None,
            help=f'fill it in the feed, as in `fill({own}, "none")`, or take those rows out of the file',
        )

    def fail_length(self, column: str, how: Tokens, rows: npt.NDArray[np.int64], size: int) -> NoReturn:
        """SpecError for rows whose text does not have as many tokens as a row; the first of them has ``size``."""
        short = size < how.length
        some = f"{'fewer' if short else 'more'} {how.unit} than the {how.length} of a row"
        fail(
            "AX0631",
            f"{self.place(rows)}: `{column}` has {some}: {size}{' in the first' if len(rows) > 1 else ''}",
            None,
            help='say what stands after the end: `pad="<pad>"`' if short else "`truncate=true` leaves the rest out",
        )

    def refuse_no_date(self, column: str) -> None:
        """SpecError if a row has no date in a column."""
        rows = np.flatnonzero(self.missing(column))
        if len(rows):
            fail("AX0631", f"{self.place(rows)}: `{column}` has no date", None, help="take those rows out of the file")

    def refuse_wide(self, column: str) -> None:
        """SpecError if a number of a column is beyond i64."""
        column_values: Any = self._loaded.fields[column]
        values = column_values.reshape(len(column_values), -1)
        rows = np.flatnonzero((values > np.iinfo(np.int64).max).any(axis=1))
        if len(rows):
            fail("AX0631", f"{self.place(rows)}: `{column}` is {values[rows[0]].max()}, beyond i64", None)

    def refuse_missing(self, column: str) -> None:
        """SpecError if a row has no value in a column that had one in every row of the training."""
        rows, own = np.flatnonzero(self.missing(column)), column_of(DATA, column)
        if len(rows):
            fail(
                "AX0631",
                f"{self.place(rows)}: `{column}` has no value, and had one in every row of the training",
                None,
                help=f"take those rows out of the file, or train with a feed that fills them: `fill({own}, 0)`",
            )

    def fitting(
        self, array: Any, wanted: Field, columns: Sequence[str], span: Span | None, handled: Collection[str] = ()
    ) -> Array:
        """What is fed to a field, in its dtype; SpecError if a value is missing, or would not be itself there.

        Args:
            array: the values.
            wanted: the field.
            columns: of which they are made.
            span: where the spec says so.
            handled: those of the columns whose missing values are dealt with there.
        """
        dtype = wanted.type.dtype
        numbers = array if array.dtype.kind == "f" else None
        if numbers is not None and np.isnan(numbers).any():
            self._refuse_missing(numbers, wanted, columns, handled, span)
        if dtype.is_float or array.dtype.kind == "b":
            return np.asarray(array, dtype=dtype.numpy)
        if numbers is not None and dtype.is_integer:
            self._refuse(numbers != np.trunc(numbers), array, wanted, "a fraction", columns, span)
            self._refuse(np.abs(numbers) >= 2.0**63, array, wanted, f"beyond {dtype}", columns, span)
        if dtype.is_integer:
            limits = np.iinfo(np.dtype(dtype.numpy.name))
            if array.min(initial=0) < limits.min or array.max(initial=0) > limits.max:
                outside = (array < limits.min) | (array > limits.max)
                self._refuse(outside, array, wanted, f"beyond {dtype}", columns, span)
        elif array.dtype.kind != "b":
            self._refuse((array != 0) & (array != 1), array, wanted, "neither 0 nor 1", columns, span)
        return np.asarray(array, dtype=dtype.numpy)

    def _refuse_missing(
        self, array: Array, wanted: Field, columns: Sequence[str], handled: Collection[str], span: Span | None
    ) -> None:
        rows = np.flatnonzero(np.isnan(array.reshape(len(array), -1)).any(axis=1)) if array.ndim else np.zeros(1, int)
        rowed = [column for column in columns if column not in self._loaded.whole]
        for column in sorted(rowed, key=handled.__contains__):  # one that nothing fills is the likelier
            at = rows[self.missing(column)[rows]] if array.ndim else rows
            if len(at):
                self.fail_missing(column, at, wanted, span)
        fail("AX0631", f"{self.place(rows)}: what is fed to `{wanted.name}` is not a number", span)

    def fail_missing(self, column: str, rows: npt.NDArray[np.int64], wanted: Field, span: Span | None) -> NoReturn:
        """SpecError: a column has no value in these rows, and a field is made of it."""
        own = column_of(DATA, column)
        way = f"as in `fill({own}, 0.0)`, or with what is learned: `impute({own})`"
        way = f"fill it in the feed of `{wanted.name}`, {way}"
        if wanted.target:
            way = "take those rows out of the file: what is made up for a target is learned and measured like any other"
        fail("AX0631", f"{self.place(rows)}: `{column}` has no value", span, help=way)

    def _refuse(
        self, bad: Array, array: Array, wanted: Field, what: str, columns: Sequence[str], span: Span | None
    ) -> None:
        places = np.argwhere(bad) if array.ndim else np.zeros((int(bool(bad)), 0), int)
        if not len(places):
            return
        rows = np.unique(places[:, 0]) if array.ndim else np.zeros(1, int)
        value = array[tuple(places[0])]
        made = f" (made of {', '.join(f'`{column}`' for column in columns if column != DATA)})" if columns else ""
        made = "" if list(columns) == [wanted.name] else made
        fail(
            "AX0631",
            f"{self.place(rows)}: `{wanted.name}`{made} is {value:g}, {what}, and the model takes {wanted.type.dtype}",
            span,
            help="`i64(...)` in a feed cuts fractions off" if what == "a fraction" else None,
        )


def _shown(value: object) -> str:
    return f'"{on_a_line(value)}"' if isinstance(value, str) else str(value)


def on_a_line(text: str) -> str:
    """A text with its line ends and other controls written out, as ``\\n``."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
