"""Faults in what changes a disk: each call of ``runtime.disk`` in turn fails, or is the last one of its process."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archonnx.runtime import disk


class Killed(BaseException):
    """The process has ended: nothing that it would still do on the disk is done."""


class Faults:
    """Counts the calls; the one with the number ``at`` fails with ``error``, or ends the process if that is None."""

    def __init__(self, at: int | None = None, error: int | None = None) -> None:
        self._at, self._error = at, error
        self.calls: list[str] = []
        self.dead = False

    def __call__(self, action: str, path: Path) -> None:
        if self.dead:
            raise Killed
        self.calls.append(f"{action} {path.name}")
        if len(self.calls) - 1 != self._at:
            return
        if self._error is not None:
            raise OSError(self._error, f"{errno.errorcode[self._error]} at call {self._at}")
        if action == "write" and path.is_file():
            path.write_bytes(b"half of what was to be written")
        self.dead = True
        raise Killed


@contextmanager
def faults(at: int | None = None, error: int | None = None) -> Iterator[Faults]:
    """Let a call fail, or be the last one; without ``at`` calls are counted."""
    found = Faults(at, error)
    disk.GATE.append(found)
    try:
        yield found
    finally:
        disk.GATE.remove(found)
