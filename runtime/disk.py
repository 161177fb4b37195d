"""The few functions that change a disk: whatever a run leaves goes through them.

Each asks ``GATE`` before it does something, so that a test can let any of them fail, or end the process there.
What this module does not do: decide what is written where (``files``, ``staging`` and ``reserving`` do).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

CHUNK = 1 << 24
"""Bytes that are written in one go."""


def _open(action: str, path: Path) -> None:
    """Nothing stands in the way."""


GATE: list[Callable[[str, Path], None]] = [_open]
"""The last one is asked: what is about to be done, and to which file. It may raise OSError."""


def gate(action: str, path: Path) -> None:
    """Ask whether something may be done."""
    GATE[-1](action, path)


def write(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write a new file, piece by piece, and see that it is on the disk."""
    gate("create", path)
    with path.open("wb") as file:
        for given in pieces:
            piece = memoryview(given)
            for start in range(0, len(piece), CHUNK):
                gate("write", path)
                file.write(piece[start : start + CHUNK])
        file.flush()
        gate("sync", path)
        os.fsync(file.fileno())


def rename(path: Path, target: Path) -> None:
    """Put a file in the place of another."""
    gate("rename", target)
    path.replace(target)


def sync_folder(folder: Path) -> None:
    """See that the names in a folder are on the disk, where a system can do that."""
    gate("sync", folder)
    if sys.platform == "win32":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def make_folder(folder: Path, *, again: bool = False) -> None:
    """Make a folder; ``again`` if one may be there."""
    gate("make", folder)
    folder.mkdir(exist_ok=again)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    gate("remove", path)
    path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove an empty folder."""
    gate("remove", folder)
    folder.rmdir()
