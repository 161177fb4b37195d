"""How far the reading of a file is, told to whoever asked for it, now and then once it has taken a while.

What this module does not do: print. The command line does, and from Python nothing is told unless somebody listens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

FIRST, NEXT = 3.0, 10.0
"""Seconds before the first line is told, and between two."""
_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


@contextmanager
def listening(tell: Callable[[str], None]) -> Iterator[None]:
    """Whatever is read inside tells how far it is."""
    token = _listener.set(tell)
    try:
        yield
    finally:
        _listener.reset(token)


class Reading:
    """A file or a folder that is being read.

    Args:
        name: what people call it.
        total: how much it is, in any unit.
        unit: the word for many of them, where they are counted for people: ``pictures``.
    """

    def __init__(self, name: str, total: int, unit: str = "") -> None:
        self._name, self._total, self._unit = name, max(total, 1), unit
        self._due = time.monotonic() + FIRST

    def at(self, done: int) -> None:
        """So much is read."""
        tell = _listener.get()
        if tell is None or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + NEXT
        counted = f" ({done:,} of {self._total:,} {self._unit})" if self._unit else ""
        tell(f"reading {self._name}: {min(done / self._total, 1):.0%}{counted}")
