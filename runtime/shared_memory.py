"""Memory that several processes of one machine see.

It has no name and no file: it is there for as long as one of them holds it. What this module does not do: see to it
that nobody reads what another is writing.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
TOKEN = 16
"""Bytes by which the others know that they have found the memory that is meant."""


def shared_memory(size: int, first: bool, tell: Callable[[Any], list[Any]]) -> Bytes | None:
    """Memory of so many bytes, zeros, that all processes see; None for all of them where one does not.

    Args:
        size: bytes.
        first: whether this process makes it, which the first one of those that ``tell`` does.
        tell: gives what each process says, in their order. All call this function at the same time.
    """
    token = secrets.token_bytes(TOKEN)
    descriptor = _made(size, token) if first else None
    place = f"/proc/{os.getpid()}/fd/{descriptor}" if descriptor is not None else None
    (place, token), *_ = tell((place, token))
    found = None
    with contextlib.suppress(OSError, ValueError):
        opened = os.open(place, os.O_RDWR) if place is not None else None
        if opened is not None:
            with contextlib.closing(os.fdopen(opened, "r+b", buffering=0)) as file:
                found = mmap.mmap(file.fileno(), size + TOKEN)
    seen = found is not None and found[:TOKEN] == token
    all_see = all(tell(seen))
    if descriptor is not None:
        os.close(descriptor)
    return np.frombuffer(found, np.uint8)[TOKEN:] if all_see and found is not None else None


def _made(size: int, token: bytes) -> int | None:
    """A file in memory that begins with ``token``, with all of its memory taken; None where the system has no such."""
    if not hasattr(os, "memfd_create") or not Path("/proc/self/fd").exists():
        return None
    descriptor = os.memfd_create("archonnx")
    try:
        os.posix_fallocate(descriptor, 0, size + TOKEN)
        os.write(descriptor, token)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
