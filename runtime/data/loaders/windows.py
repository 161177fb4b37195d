"""Windows of a series: what a number of rows in the order of time hold, and what comes after them.

What this module does not do: order rows, or fill gaps. A time that does not grow by the same step is an error, or ends
a series where that is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.compiler.sources import Inner, WindowsSource
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, did_you_mean, fail, listing
from archonnx.grammar.source import Span
from archonnx.runtime.data.loader import KINDS, TOKENS, Fields, Loaded, Place, loads
from archonnx.runtime.data.overlaps import Spans
from archonnx.runtime.data.tables import NUMBERS, not_numbers, stacked

NEXT = "_next"
"""What the name of a field ends with that holds what comes after the window."""
TOKENS_NEXT = {TOKENS: "next"}
"""What comes after the tokens of a text has a name of its own."""
MAX_VALUES = 2**31
"""More numbers are not held; as f64 they take 16 GiB."""
MONTH = 28 * 24 * 3600
"""A step of so many seconds may be one of months."""
Rows = npt.NDArray[np.int64]
"""Numbers of rows."""


@loads(WindowsSource)
def load(source: WindowsSource, place: Place) -> Loaded:
    """Every field as windows of it."""
    assert place.inner is not None
    inner = Inner.model_validate(source.rows)
    return windows(place.inner(inner.kind, inner.arguments), source, place.span, targets=place.targets)


def windows(series: Loaded, how: WindowsSource, span: Span | None = None, *, targets: bool = True) -> Loaded:
    """Windows of the rows of a source; see ``WindowsSource``.

    Args:
        series: the rows, in the order of time.
        how: how long windows are, and where they may not reach.
        span: the place of the spec that asked for it.
        targets: whether what comes after each window must be there. If not, windows reach to the end of the series,
            and there are no fields of what comes next.
    """
    cut = _Cut(series, how, span)
    stretches = cut.stretches()
    held, (later, horizon) = how.held, how.ahead if targets else (0, 0)
    reach = max(held, later + horizon)
    starts = [_starts(len(rows), reach, how.step) for rows in stretches]
    cut.check_size(sum(map(len, starts)) * (held + horizon))
    taken = [rows[at[:, None] + np.arange(held)] for rows, at in zip(stretches, starts, strict=True)]
    after = [rows[at[:, None] + later + np.arange(horizon)] for rows, at in zip(stretches, starts, strict=True)]
    if not any(map(len, taken)):
        longest = max(map(len, stretches))
        needed = f"{held} + {reach - held}" if reach > held else f"{held}"
        unit = "rows" if series.tokens is None else series.tokens if series.alphabet is None else "tokens"
        fail("AX0604", f"{series.where}: a window takes {needed} {unit}, and there are {longest} in a row", span)
    short = [rows for rows, windows_of in zip(stretches, taken, strict=True) if not len(windows_of)]
    rows = np.concatenate(taken)
    loaded = _fields(cut, rows, np.concatenate(after), short)
    return replace(loaded, spans=_spans(series, stretches, starts, reach), moments=cut.moments(rows[:, -1]))


def _spans(series: Loaded, stretches: Sequence[Rows], starts: Sequence[Rows], reach: int) -> Spans:
    """The rows of each window with what comes after it, numbered stretch after stretch; see ``Loaded.spans``."""
    if series.spans is not None:
        bounds = [(rows[at], rows[at + reach - 1]) for rows, at in zip(stretches, starts, strict=True)]
        first, last = (np.concatenate(ends) for ends in zip(*bounds, strict=True))
        return np.stack([series.spans[first, 0], series.spans[last, 1]], axis=1)
    before = np.cumsum([0, *(len(rows) for rows in stretches[:-1])])
    begin = np.concatenate([at + number for at, number in zip(starts, before, strict=True)])
    return np.stack([begin, begin + reach], axis=1)


def _starts(rows: int, reach: int, stride: int) -> Rows:
    return np.arange(0, max(rows - reach + 1, 0), stride, dtype=np.int64)


def _fields(cut: _Cut, taken: Rows, after: Rows, short: Sequence[Rows]) -> Loaded:
    """The fields of windows, given as numbers of rows: i64[n, length] and [n, horizon]."""
    series, moving, last = cut.series, cut.moving, taken[:, -1]
    names = [name for name in series.fields if name not in series.made]
    fields: Fields = {name: series.fields[name][taken if name in moving else last] for name in names}
    made: Fields = {}
    if after.shape[1]:
        made |= {_next(series, name): series.fields[name][after] for name in moving}
        cut.check_free(made)
    problems = dict(series.problems)
    columns: tuple[str, ...] = ()
    if "data" not in names and series.tokens is None:
        columns = cut.side_by_side(problems)
    if columns:
        matrix = stacked(series.fields, columns)
        made |= {"data": matrix[taken]} | ({f"data{NEXT}": matrix[after]} if after.shape[1] else {})
    foretold = None
    if series.target is not None and "target" not in names:
        foretold = f"{series.target}{NEXT}"
        if foretold in made:
            made["target"] = made[foretold]
    problems |= {f"{name}{NEXT}": problem for name, problem in problems.items()}
    left = sum(map(len, short))
    note = f"{series.where}: {len(short)} stretches of {left} rows in all are shorter than a window and left out"
    return Loaded(
        {**made, **fields},
        series.where,
        None if series.lines is None else series.lines[last],
        target=foretold,
        classes=series.classes,
        columns_of={**series.columns_of, "data": columns} if columns else series.columns_of,
        problems=problems,
        settled={"columns": list(columns)} if columns else {},
        made=frozenset({"target"} & made.keys()),
        notes=(*series.notes, *([note] if short else [])),
        files=series.files,
        clocks=series.clocks,
        tokens=series.tokens,
        alphabet=series.alphabet,
        kin=tuple({TOKENS, _next(series, TOKENS)} & {*fields, *made}) if series.tokens is not None else (),
    )


def _next(series: Loaded, name: str) -> str:
    """What a field is called that holds what comes after windows of another."""
    return TOKENS_NEXT.get(name, name + NEXT) if series.tokens is not None else name + NEXT


@dataclass(slots=True)
class _Cut:
    """A series that is being cut into stretches, which no window leaves."""

    series: Loaded
    how: WindowsSource
    span: Span | None
    apart: set[str] = field(default_factory=set)
    """Columns that say when and which, and are not foretold."""

    def stretches(self) -> list[Rows]:
        """Rows of each stretch, in order."""
        rows = np.arange(len(next(iter(self.series.fields.values()))), dtype=np.int64)
        parts = [rows]
        if self.how.by is not None:
            keys = self._column(self.how.by, "by")
            _, first, which = np.unique(keys, return_index=True, return_inverse=True)
            parts = [np.flatnonzero(which == number) for number in np.argsort(first)]
        if self.how.time is None:
            return parts
        times = self._column(self.how.time, "time")
        if times.dtype.kind not in "Mif":
            kind = KINDS[times.dtype.kind]
            self._refuse(f"`time` is a column of dates or numbers, and `{self.how.time}` holds {kind} values")
        return [stretch for part in parts for stretch in self._without_gaps(part, times)]

    def moments(self, rows: Rows) -> Array | None:
        """When rows are: of several series by their time, or as the file has them where they have none."""
        if self.how.by is None:
            return None
        return rows if self.how.time is None else self.series.fields[self.how.time][rows]

    def _without_gaps(self, rows: Rows, times: Array) -> list[Rows]:
        """The rows, cut where the time takes another step than the usual one."""
        missing = np.flatnonzero(times[rows] != times[rows])  # NaN, NaT
        if len(missing):
            self._refuse(f"`{self.how.time}` has no value", rows[missing[0]])
        moments = times[rows].astype(np.int64) if times.dtype.kind == "M" else times[rows]
        steps = np.diff(moments)
        back = np.flatnonzero(steps <= 0)
        if len(back):
            now, before = (self._shown(times[rows[back[0] + i]]) for i in (1, 0))
            self._refuse(
                f"`{self.how.time}` is {now} after {before}, and rows are in the order of time",
                rows[back[0] + 1],
                "sort them by it" + ("" if self.how.by else "; `by=COLUMN` tells several series apart"),
            )
        unit = "seconds" if times.dtype.kind == "M" else ""
        if unit and len(steps) and steps.min() >= MONTH and _one_day(times[rows]):
            steps, unit = np.diff(times[rows].astype("datetime64[M]").astype(np.int64)), "months"
        usual = np.median(steps) if steps.dtype.kind == "f" and len(steps) else _usual(steps)
        gaps = np.flatnonzero(~np.isclose(steps, usual, rtol=1e-6, atol=0))
        if len(gaps) and self.how.gaps == "refuse":
            now, before = (self._shown(times[rows[gaps[0] + i]]) for i in (1, 0))
            self._refuse(
                f"`{self.how.time}` is {now} after {before}, where the usual step is {_step_shown(usual, unit)}",
                rows[gaps[0] + 1],
                "`gaps=split` lets no window reach across; without `time` rows are taken as they come",
            )
        return np.split(rows, gaps + 1)

    def _column(self, name: str, role: str) -> Array:
        """A column that says when or which; SpecError if there is none."""
        self.apart.add(name)
        if name in self.series.problems:
            raise SpecError(Report([self.series.problems[name]]))
        columns = {name: array for name, array in self.series.fields.items() if name not in self.series.made}
        if name not in columns or columns[name].ndim != 1:
            help = did_you_mean(name, columns) or f"columns: {listing(columns)}"
            fail(
                "AX0604", f"`{role}` names `{name}`, which is not a column of {self.series.where}", self.span, help=help
            )
        return columns[name]

    @property
    def moving(self) -> list[str]:
        """Fields of numbers, and the tokens of a text, which become windows."""
        tokens = {TOKENS} if self.series.tokens is not None else set()
        kinds = self.series.kinds.items()
        return [name for name, kind in kinds if (kind in NUMBERS or name in tokens) and name not in self.apart]

    def side_by_side(self, problems: dict[str, Diagnostic]) -> tuple[str, ...]:
        """The columns of ``data``; none (and what is wrong, among the problems) if they cannot be had."""
        moving = [name for name in self.moving if self.series.fields[name].ndim == 1]
        wanted = self.how.columns
        if wanted is None:
            return () if "data" in problems else tuple(moving)
        problems.pop("data", None)
        wrong = next((problems[name] for name in wanted if name in problems), None)
        if wrong is None:
            wrong = not_numbers(self.series.where, wanted, moving, self.series.fields, self.span)
        if wrong is None:
            return tuple(wanted)
        problems["data"] = wrong
        return ()

    def check_size(self, rows: int) -> None:
        """SpecError if there would be absurdly many numbers in so many rows."""
        held = 2 * rows * sum(int(np.prod(self.series.fields[name].shape[1:])) for name in self.moving)
        if held > MAX_VALUES:
            self._refuse(f"windows would hold {held:,} numbers", help="a larger `stride` makes fewer of them")

    def check_free(self, names: Mapping[str, Array]) -> None:
        """SpecError if a field of the source has the name of what comes next in another."""
        for name in names:
            if name in self.series.fields:
                of = name.removesuffix(NEXT)
                self._refuse(f"`{name}` is a column, and what comes after the windows of `{of}`", help="rename it")

    def _refuse(self, what: str, row: int | None = None, help: str | None = None) -> NoReturn:
        lines = self.series.lines
        where = self.series.where if row is None or lines is None else f"{self.series.where}:{lines[row]}"
        at = f" in row {row} (from 0)" if row is not None and lines is None else ""
        fail("AX0604", f"{where}: {what}{at}", self.span, help=help)

    @staticmethod
    def _shown(moment: np.generic) -> str:
        return str(moment).removesuffix("T00:00:00")


def _usual(steps: Array) -> float:
    """The most frequent step, the smallest of several."""
    counted = Counter(steps.tolist())
    return min(counted, key=lambda step: (-counted[step], step), default=0)


def _step_shown(step: float, unit: str) -> str:
    """A step in words: ``1 day``."""
    for seconds, larger in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if unit == "seconds" and step % seconds == 0:
            step, unit = step / seconds, larger
    return f"{step:g} {unit.removesuffix('s') if step == 1 else unit}".rstrip()


def _one_day(times: Array) -> bool:
    """Whether dates are the same day of their months at the same time, or all the last day."""
    seconds = times.astype("datetime64[s]")
    months = seconds.astype("datetime64[M]")
    first = seconds - months.astype("datetime64[s]")
    last = (months + np.timedelta64(1, "M")).astype("datetime64[s]") - seconds
    return len(np.unique(first)) == 1 or len(np.unique(last)) == 1
