"""``with watching(seen):`` hands the value of every expression and name of a spec to an onlooker, such as an editor.

What this module does not do: keep anything, or change what is elaborated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from archonnx.grammar.source import Span

Onlooker = Callable[[Span, Any], None]
"""(where it is written, its value). A place that is evaluated again is told again."""

ONLOOKER: ContextVar[Onlooker | None] = ContextVar("onlooker", default=None)


@contextmanager
def watching(seen: Onlooker) -> Iterator[None]:
    """Inside, ``seen`` is told what is evaluated and bound."""
    token = ONLOOKER.set(seen)
    try:
        yield
    finally:
        ONLOOKER.reset(token)
