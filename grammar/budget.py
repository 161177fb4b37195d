"""What reading and checking one spec may cost: all stages draw on one budget of work and memory.

    with bounded():                       # of the module of that name
        ...
        spend(Cost.dims, 12)              # about so many microseconds of work
        hold(Cost.numbers, 8_000_000)     # so many bytes that stay

Work is counted, not timed, so that a spec is accepted or refused alike on every machine. Whoever runs statements says
which one (``at_statement``); so the finding can name the one that took most. Outside of ``bounded`` nothing is counted:
what was checked once may be built again at any length.

What this module does not do: make the finding (``bounded`` does), measure time, or limit what a process may use (the
command line does both, as the last resort, for what nobody counts).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from enum import Enum

from .source import Span

WORK = 4_300_000
"""Units of work in all. One is about a microsecond of a processor of 2020."""
BUILDING = 10
"""So many times as much has whoever asks for a model, and not only whether it is right."""
BYTES = 448 * 2**20
"""Bytes that what a spec makes may take."""

ALLOWANCE, MOST = "ARCHONNX_WORK", 1000
"""The variable of the environment by which somebody gives specs of their own so many times as much, and the limit."""


def allowance() -> int:
    """How many times as much as usual may be spent; 1 where the environment does not say, or not in these terms."""
    given = os.environ.get(ALLOWANCE, "")
    return min(MOST, max(1, int(given))) if given.isascii() and given.isdigit() and len(given) < 10 else 1


SUGGESTED, COMPARED = 100_000, 4
"""Words with which misspelt ones are compared, and what it costs to compare one."""


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

    __hash__ = object.__hash__  # an enum hashes its name, in Python, each time that something is counted

    def __init__(self, words: str, advice: str) -> None:
        self.words, self.advice = words, advice


class OverBudget(Exception):  # noqa: N818 - it becomes a finding
    """The budget is spent. Nothing between the place that notices it and ``bounded`` catches it."""


class Budget:
    """What is left, and what was spent by which statement."""

    __slots__ = ("_current", "_seen", "_spent", "left", "room", "suggested")

    def __init__(self, work: int | None = None, size: int | None = None, times: int = 1) -> None:
        self.left = WORK * times * allowance() if work is None else work
        self.room = BYTES * times * allowance() if size is None else size
        self._spent: dict[int, tuple[Span | None, dict[Cost, int]]] = {0: (None, {})}
        self._current = self._spent[0][1]
        self._seen: dict[int, int] = {}
        self.suggested = 0
        """Words that were compared with misspelt ones."""

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
            current[cost] = current.get(cost, 0) + WORK * allowance()  # whatever else was done, this is what ended it
            raise OverBudget

    def statements(self) -> list[tuple[Span | None, dict[Cost, int], int]]:
        """Every statement that was charged, with what it spent, and how much that weighs."""
        if self.left >= 0 and self.room >= 0 and self._seen:  # it was ended by a clock
            return [(span, spent, self._seen.get(id(spent), 0)) for span, spent in self._spent.values()]
        return [(span, spent, sum(spent.values())) for span, spent in self._spent.values()]

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


def may_suggest(words: int) -> bool:
    """Whether a misspelt word may be compared with so many: a spec with a thousand of them gets no help with each."""
    budget = _budget.get()
    if budget is None:
        return True
    budget.suggested += words
    if budget.suggested > SUGGESTED:
        return False
    budget.spend(Cost.findings, COMPARED * words)
    return True


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


def set_budget(budget: Budget | None) -> Token[Budget | None]:
    """Put a budget in force; the token is for ``reset_budget``."""
    return _budget.set(budget)


def reset_budget(token: Token[Budget | None]) -> None:
    """Put back what was in force before."""
    _budget.reset(token)
