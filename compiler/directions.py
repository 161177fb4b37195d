"""Which values of a loss or metric are good, as early stopping and searches want to know.

A loss should be small; a metric says it (``metric m = ..., smaller``), or the fn that it is a call of does. What this
module does not do: read a spec, or compare values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from archonnx.grammar.diagnostics import Report
from archonnx.grammar.source import Span

Direction: TypeAlias = Literal["smaller", "larger"]
DIRECTIONS: tuple[Direction, ...] = ("smaller", "larger")
MODES: Mapping[str, Direction] = {"min": "smaller", "max": "larger"}
"""What ``mode`` of early stopping may be, and what it means."""


class Chosen(NamedTuple):
    """Which values of a figure are good, and what would be said of it without ``mode``, if that is the opposite."""

    better: Direction
    instead_of: Direction | None = None

    def __str__(self) -> str:
        against = "" if self.instead_of is None else f", as `mode` says (otherwise {self.instead_of} would be)"
        return f"{self.better} is better{against}"


def chosen(monitor: str, mode: str | None, known: Mapping[str, Direction], report: Report, span: Span | None) -> Chosen:
    """What early stopping goes by; an error in the report if nobody says it.

    Args:
        monitor: what it watches, as ``valid.mae``.
        mode: ``min`` or ``max``, where it is given.
        known: by loss or metric.
        report: where an error is kept.
        span: where ``monitor`` is written.
    """
    name = monitor.partition(".")[2]
    better = known.get(name)
    if mode is not None:
        return Chosen(MODES[mode], better if better != MODES[mode] else None)
    if better is None:
        report.error(
            "AX0713",
            f"`{monitor}` is watched, and nothing says which of its values are good",
            span,
            help=f"say it: `metric {name} = ..., smaller` or `larger`; or beside `monitor`, `mode: min` or `max`",
        )
    return Chosen(better or "smaller")
