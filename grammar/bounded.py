"""``with bounded():`` counts what is done inside, and makes one finding of a budget that is spent.

What this module does not do: say what costs how much (those who do the work do, by ``budget.spend``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .budget import ALLOWANCE, Budget, Cost, OverBudget, current, reset_budget, set_budget
from .diagnostics import Diagnostic, Report, SpecError, make_error
from .source import Span


@contextmanager
def bounded(budget: Budget | None = None) -> Iterator[Budget]:
    """Inside, work is counted: against the budget in force, or a new one if there is none.

    Raises:
        SpecError: the spec asks for more than the budget has, or than there is memory.
    """
    known = current()
    if known is not None:
        yield known
        return
    own = budget or Budget()
    token = set_budget(own)
    try:
        yield own
    except (OverBudget, MemoryError):
        raise SpecError(Report([over_budget(own)])) from None
    finally:
        reset_budget(token)


def over_budget(budget: Budget) -> Diagnostic:
    """Which statement took most, and by what."""
    statements = budget.statements()
    span, spent, most = max(statements, key=lambda one: one[2])
    cost = max(spent, key=lambda one: spent[one], default=Cost.text)
    share = round(100 * most / max(1, sum(weight for _, _, weight in statements)))
    return make_error(
        "AX0229",
        f"checking this spec costs too much: most of it goes into {cost.words}",
        _first_line(span) if span is not None else None,
        f"{share} % of the work is done here" if span is not None else "",
        notes=[
            "what a check may cost is bounded, so that no spec can exhaust the machine; one that you trust may take "
            f"ten times as much by `{ALLOWANCE}=10` in the environment"
        ],
        help=cost.advice,
    )


def _first_line(span: Span) -> Span:
    line = span.text.split("\n", 1)[0]
    return Span(span.source, span.start, span.start + len(line.rstrip()))
