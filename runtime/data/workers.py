"""Many files decoded by several processes: each one's result in the order of the files, a few of them at a time.

A file that makes its decoder crash ends a process of these, and not the training. What this module does not do: decode
(who asks says how), or keep results.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.grammar.source import Span

WORTH = 2**26
"""Bytes of files from which on they are decoded by processes, whose start takes about a second."""
MOST, AT_ONCE = 8, 16
"""So many processes at most, each of which is given so many files at once."""


class File(Protocol):
    """A file to be decoded."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def shown(self) -> str:
        """What messages call it."""


One = TypeVar("One", bound=File)
Result = TypeVar("Result")


def decoded(files: Sequence[One], decode: Callable[[One, Span | None], Result], span: Span | None) -> Iterator[Result]:
    """What ``decode`` gives for each of the files, in their order; SpecError as it says for the first that fails.

    Args:
        files: to be decoded.
        decode: what can be sent to other processes: a function of a module, or a ``partial`` of one.
        span: the place of the spec that asked for it.
    """
    count = min(MOST, _cores())
    if count < 2 or sum(_size(file.path) for file in files) < WORTH:
        return (decode(file, span) for file in files)
    return _by_processes(files, decode, span, count)


def _by_processes(
    files: Sequence[One], decode: Callable[[One, Span | None], Result], span: Span | None, count: int
) -> Iterator[Result]:
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    parallel = Parallel(count, return_as="generator", pre_dispatch=2 * count * AT_ONCE, batch_size=AT_ONCE)
    done = 0
    try:
        for result in parallel(delayed(_tried)(decode, file) for file in files):
            # what fails there is tried again here, so that it is told as it would be in one process
            yield decode(files[done], span) if result is None else result
            done += 1
    except BrokenProcessPool:
        near = files[min(len(files) - 1, done)]
        fail(
            "AX0604",
            f"a process that decoded files has ended, at {near.shown} or soon after it",
            span,
            help="one of them may be harmful, or the machine had too little memory",
        )
    finally:
        get_reusable_executor(count).shutdown(wait=False, kill_workers=True)


def _tried(decode: Callable[[Any, Span | None], Any], file: Any) -> Any:
    """A result; None where there is none."""
    try:
        return decode(file, None)
    except (SpecError, MemoryError):
        return None


def _size(path: Path) -> int:
    """Bytes of a file; 0 where that cannot be said, which decoding will tell."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
