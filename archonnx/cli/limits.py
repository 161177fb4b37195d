"""Processor time and memory of verbs that only read specs: the last resort, for what the budget of a check misses.

Work is counted (``grammar.budget``), and nearly always that is what refuses a spec. What takes long without being
counted is ended here by the clock, and what takes memory by the system; the finding is the same. The clock is set by
the machine: one that does a small sum in twice the time has twice as long.
"""

from __future__ import annotations

import atexit
import signal
import time
from contextlib import suppress
from types import FrameType

from archonnx.grammar.budget import WORK, OverBudget, allowance, current

SECONDS = 4.5
"""Of processor time, on a machine that does the sum in ``REFERENCE``."""
REFERENCE = 0.75e-3
SLOWEST = 4e-6
"""Seconds that a unit of counted work may take: where others use the processor as well, it takes thrice as long."""
TICK = 0.05
BYTES = 2**30
"""Of address space: what is resident is less."""


def limit() -> None:
    """From here on this process has a bound on its time and memory. Where a system has no such thing, there is none."""
    if not hasattr(signal, "setitimer") or not hasattr(signal, "SIGPROF"):
        return
    allowed = counted = 0.0
    times = allowance()

    def tick(number: int, frame: FrameType | None) -> None:
        nonlocal allowed, counted
        budget = current()
        if budget is not None:
            budget.sample()
            spent = WORK * times - budget.left
            counted = max(counted, SLOWEST * spent)  # it holds afterwards, when the model is described
        used = time.process_time()
        if used > max(allowed or SECONDS * times, counted):
            allowed = allowed or SECONDS * times * max(1.0, slowness())
            if used > max(allowed, counted):
                signal.setitimer(signal.ITIMER_PROF, 0)
                raise OverBudget

    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGPROF, tick)
        signal.setitimer(signal.ITIMER_PROF, TICK, TICK)
        atexit.register(signal.setitimer, signal.ITIMER_PROF, 0)  # later a tick finds no handler, and kills
    limit_memory(BYTES * times)


def limit_memory(size: int) -> None:
    """Give this process so many bytes of address space."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


def slowness() -> float:
    """How many times longer than usual this machine takes for a small sum, at best."""
    best = float("inf")
    for _ in range(20):
        begin = time.process_time()
        total = 0
        for number in range(20_000):
            total += number & 7
        best = min(best, time.process_time() - begin)
    return best / REFERENCE
