"""Whether there is room for what a file holds, asked before it is read.

A file may hold far more than its size: zeros that were compressed, or a table of equal values. What is read is
bounded by ``SWELLS`` times the size of the file (and ``ALWAYS``, whatever that is), and by the memory that is free.
What this module does not do: bound what is given in memory.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

SWELLS, ALWAYS = 100, 2**27
"""So many times its size a file may hold, and so many bytes in any case."""
_CGROUP = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def check_room(path: Path, held: int, span: Span | None = None, *, help: str | None = None) -> None:
    """SpecError if a file holds more than there is room for.

    Args:
        path: the file.
        held: bytes in memory, as far as they can be known before.
        span: the place of the spec that asked for it.
        help: what to do where it holds far more than its size.
    """
    check_swelling(path, held, span, help=help)
    check_free(path, held, span)


def check_swelling(path: Path, held: int, span: Span | None = None, *, help: str | None = None) -> None:
    """SpecError if a file holds far more than its size; the arguments are those of ``check_room``."""
    size = path.stat().st_size
    if held > max(ALWAYS, SWELLS * size):
        headline = f"{path.name} has {amount(size)} and would take {amount(held)} of memory"
        fail(
            "AX0660", headline, span, notes=[f"a file may take {SWELLS} times its size, or {amount(ALWAYS)}"], help=help
        )


def check_free(path: Path, held: int, span: Span | None = None) -> None:
    """SpecError if what a file holds in memory is more than there is."""
    free = available()
    if free is not None and held > free:
        fail(
            "AX0660",
            f"{path.name} would take {amount(held)} of memory, and {amount(free)} are free",
            span,
            help="take a part of the data, or a machine with more memory",
        )


def available() -> int | None:
    """Bytes of memory that this process may still take, as far as the system says; None if it says nothing."""
    found = [free for ask in (_of_machine, _of_container, _of_process) if (free := ask()) is not None]
    return max(0, min(found)) if found else None


def _of_machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _of_container() -> int | None:
    for most, used in _CGROUP:
        with contextlib.suppress(OSError, ValueError):  # "max" is not a number: there is no limit
            return int(Path(most).read_text("ascii")) - int(Path(used).read_text("ascii"))
    return None


def _of_process() -> int | None:
    """What ``ulimit -v`` leaves."""
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    with contextlib.suppress(OSError, ValueError, IndexError):
        return limit - int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    return None


def amount(size: int) -> str:
    """Bytes in words: ``1.5 GB``."""
    for unit, of in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if size >= of:
            return f"{size / of:.3g} {unit}" if size < 1000 * of else f"{size // of:,} {unit}"
    return f"{size} bytes"
