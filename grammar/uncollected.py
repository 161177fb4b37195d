"""``with uncollected():`` leaves cycles of references alone inside.

A graph under construction is many objects that stay, and Python looks through all of them again and again for cycles
that nobody reaches. Of 1,000 dense layers that took a quarter of the CPU time of a check, and of all that leads to the
first step (2026-11-29); the peak of memory is the same. What this module does not do: collect anything at the end.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Inside, Python does not look for cycles, in no thread; behind it, it does again if it did before."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
