"""What reading and checking one spec may cost: all stages draw on one budget of work and memory.

    with bounded():                       # the outermost one counts; SpecError where the spec asks for too much
        ...
        spend(Cost.dims, 12)              # about so many microseconds of work
        hold(Cost.numbers, 8_000_000)     # so many bytes that stay

Work is counted, not timed, so that a spec is accepted or refused alike on every machine. Whoever runs statements says
which one (``at_statement``); so the finding can name the one that took most. Outside of ``bounded`` nothing is counted:
what was checked once may be built again at any length.

What this module does not do: measure time, or limit what a process may use (the command line does both, as the last
resort, for what nobody counts).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum

from .diagnostics import Diagnostic, Report, SpecError, make_error
from .source import Span

WORK = 5_000_000
"""Units of work in all. One is about a microsecond of a processor of 2020."""
BYTES = 512 * 2**20
"""Bytes that what a spec makes may take."""


class Cost(Enum):
    """What costs, in the words of a finding, and the way out."""

    expressions = "expressions and statements", "a static `for` is unrolled: keep its range small, or use `scan`"
    dims = "arithmetic on sizes", "keep sizes short: give an intermediate size a name as the axis of an input"
    facts = "comparing sizes by what `assert` states", "state fewer facts, or those alone that are needed"
    items = "items of lists, dicts and texts", "keep lists small: what has many numbers is data, and belongs in a file"
    numbers = "numbers in constants", "what has many numbers is data, or a parameter, and not a constant of the spec"
    nodes = "nodes of the graph", "what is repeated many times belongs in a `scan` or a `loop`"
    gradients = "nodes of gradients", "each gradient of a gradient is several times as large: take fewer of them"
    modules = "modules and their parameters", "make fewer, or larger ones"
    updates = "updates of parameters", "have fewer statements that train, or fewer parameters"
    findings = "findings", "mend the first ones, and check again"
    text = "reading the text", "divide the spec into files, and import them"

    def __init__(self, words: str, advice: str) -> None:
        self.words, self.advice = words, advice


class OverBudget(Exception):  # noqa: N818 - it becomes a finding
    """The budget is spent. Nothing between the place that notices it and ``bounded`` catches it."""


class Budget:
    """What is left, and what was spent by which statement."""

    __slots__ = ("_current", "_seen", "_spent", "left", "room")

    def __init__(self, work: int = WORK, size: int = BYTES) -> None:
        self.left, self.room = work, size
        self._spent: dict[int, tuple[Span | None, dict[Cost, int]]] = {0: (None, {})}
        self._current = self._spent[0][1]
        self._seen: dict[int, int] = {}

    def enter(self, span: Span) -> dict[Cost, int]:
        """From here on this statement is charged; what was charged before, to be given to ``leave``."""
        before = self._current
        entry = self._spent.get(id(span))
        if entry is None:
            entry = self._spent[id(span)] = (span, {})
        self._current = entry[1]
        return before

    def leave(self, before: dict[Cost, int]) -> None:
        """The statement has ended."""
        self._current = before

    def spend(self, cost: Cost, work: int) -> None:
        """Count work; OverBudget where there is none left for it."""
        current = self._current
        current[cost] = current.get(cost, 0) + work
        self.left -= work
        if self.left < 0:
            raise OverBudget

    def hold(self, cost: Cost, size: int) -> None:
        """Count memory likewise. A byte weighs as much as what is left of either allows."""
        self.room -= size
        if self.room < 0:
            current = self._current
            current[cost] = current.get(cost, 0) + WORK  # whatever else was done, this is what ended it
            raise OverBudget

    def sample(self) -> None:
        """Take note of the statement under way: for whoever looks at a clock, whatever is counted."""
        key = id(self._current)
        self._seen[key] = self._seen.get(key, 0) + 1

    def totals(self) -> dict[Cost, int]:
        """The work of each kind."""
        totals: dict[Cost, int] = {}
        for _, spent in self._spent.values():
            for cost, work in spent.items():
                totals[cost] = totals.get(cost, 0) + work
        return totals

    def finding(self) -> Diagnostic:
        """Which statement took most, and by what."""
        weights = {id(spent): sum(spent.values()) for _, spent in self._spent.values()}
        if self.left >= 0 and self.room >= 0:  # it took too long by the clock, or more memory than was counted
            weights = weights if not self._seen else {key: self._seen.get(key, 0) for key in weights}
        span, spent = max(self._spent.values(), key=lambda entry: weights[id(entry[1])])
        cost = max(spent, key=lambda one: spent[one], default=Cost.text)
        share = round(100 * weights[id(spent)] / max(1, sum(weights.values())))
        return make_error(
            "AX0229",
            f"checking this spec costs too much: most of it goes into {cost.words}",
            _shown(span),
            f"{share} % of the work is done here" if span is not None else "",
            notes=["what a check may cost is bounded, so that no spec can exhaust the machine"],
            help=cost.advice,
        )


def _shown(span: Span | None) -> Span | None:
    """The first line of a statement."""
    if span is None:
        return None
    line = span.text.split("\n", 1)[0]
    return Span(span.source, span.start, span.start + len(line.rstrip()))


_budget: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current() -> Budget | None:
    """The budget in force; None where nothing is counted."""
    return _budget.get()


def spend(cost: Cost, work: int) -> None:
    """Count work against the budget in force."""
    if (budget := _budget.get()) is not None:
        budget.spend(cost, work)


def hold(cost: Cost, size: int) -> None:
    """Count bytes against the budget in force."""
    if (budget := _budget.get()) is not None:
        budget.hold(cost, size)


@contextmanager
def at_statement(span: Span) -> Iterator[None]:
    """What is spent inside is spent by this statement."""
    budget = _budget.get()
    if budget is None:
        yield
        return
    before = budget.enter(span)
    try:
        yield
    finally:
        budget.leave(before)


@contextmanager
def bounded(budget: Budget | None = None) -> Iterator[Budget]:
    """Inside, work is counted: against the budget in force, or a new one if there is none.

    Raises:
        SpecError: the spec asks for more than the budget has, or than there is memory.
    """
    known = _budget.get()
    if known is not None:
        yield known
        return
    own = budget or Budget()
    token = _budget.set(own)
    try:
        yield own
    except (OverBudget, MemoryError):
        raise SpecError(Report([own.finding()])) from None
    finally:
        _budget.reset(token)
