"""Where a body runs: in which module, by which calls. Diagnostics and origins are told by it how the spec got there.

What this module does not do: hold the names of the body (``frame`` does).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from archonnx.grammar.diagnostics import Diagnostic, Label
from archonnx.grammar.record import Record, replace
from archonnx.grammar.source import Span

from .values import Module

NOTES = 6
"""Calls that a diagnostic lists."""


class Call(Record):
    """How a body came to run.

    Attributes:
        kind: what was called: ``fn``, ``block``, ``method``, ``optimizer``, ``schedule``, ``the backward of fn``.
        name: its name.
        at: where the call is written.
        dims: of a block, the dims of its module, which the first application fixes.
    """

    kind: str
    name: str
    at: Span
    dims: Mapping[str, tuple[Any, Span]] = {}

    @property
    def what(self) -> str:
        """``fn `mse` ``."""
        return f"{self.kind} `{self.name}`"

    @property
    def used(self) -> str:
        """What an origin says of a call into the library: `` `mse` ``."""
        return self.what.partition(" ")[2]

    @property
    def sizes(self) -> str:
        """`` with n = 3``; empty where no dims are fixed."""
        return f" with {', '.join(f'{name} = {size}' for name, (size, _) in self.dims.items())}" if self.dims else ""


@dataclass(frozen=True, eq=False)
class Place:
    """A body, its kind, the module that it is part of, how it was called, and the place of the caller."""

    kind: str
    owner: Module
    call: Call | None = None
    caller: Place | None = None

    def around(self) -> Iterator[Place]:
        """This place and those of its callers, from the inside out."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.caller

    @cached_property
    def use(self) -> tuple[Span | None, str]:
        """Where the spec called into the library, and what it called; None in the spec's own bodies."""
        if self.call is not None and not self.call.at.source.library:
            return self.call.at, self.call.used
        return self.caller.use if self.caller is not None else (None, "")

    def explain(self, diagnostic: Diagnostic) -> Diagnostic:
        """Add how we got here. In library code the primary label moves to the user's call."""
        labels, notes, span = list(diagnostic.labels), [], diagnostic.span
        for call in (place.call for place in self.around() if place.call is not None):
            if span is not None and span.source.library and not call.at.source.library:
                labels = [Label(lab.span, lab.text or ("here" if lab.primary else ""), False) for lab in labels]
                span = call.at
                labels.insert(0, Label(span, f"in this use of {call.what}", True))
            notes.append(f"inside {call.what}, called at {call.at}{call.sizes}")
        if len(notes) > NOTES:
            notes[NOTES - 2 : -1] = [f"... and {len(notes) - NOTES + 1} more calls like it"]
        return replace(diagnostic, labels=tuple(labels), notes=(*diagnostic.notes, *notes))
