"""A folder that one process writes at a time: reserved before a training, and locked until it ends.

    .lock    who writes; the lock on it goes with the process that holds it, however that ends

What this module does not do: write what the folder is for (``staging`` does).
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from archonnx.grammar.diagnostics import SpecError, fail

from . import disk
from .staging import interrupted, mend

LOCK = ".lock"
MARK = "archonnx writes here"
BUSY = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)
"""What a system says where somebody else holds a lock."""
WITHOUT = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
"""What it says where a file system has no locks."""
PATIENCE = 100
"""Tenths of a second for which a reader waits while files are moved to their places."""
TRIES = 50
"""How often a folder is looked at again that another process makes or removes at the same time."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that this process alone writes.

    Attributes:
        folder: the folder.
        fresh: whether nothing was in it.
        made: what was made for it, the outermost folder first.
        lock: the open file on which the lock is.
    """

    folder: Path
    fresh: bool
    made: tuple[Path, ...]
    lock: int

    def release(self) -> None:
        """Let others write. What was made for nothing is removed."""
        try:
            with suppress(OSError):
                disk.remove(self.folder / LOCK)
        finally:
            os.close(self.lock)
        if self.fresh:
            _unmake(self.made)


@contextmanager
def reserved(folder: Path) -> Iterator[Place]:
    """Reserve a folder, which is made if there is none, and mend what was not finished there.

    Raises:
        SpecError: another process writes there (AX0640), it is not a folder (AX0614), or nobody can write (AX0616).
    """
    place = _reserve(folder)
    try:
        yield place
    finally:
        place.release()


@contextmanager
def reserved_number(folder: Path, name: str) -> Iterator[Place]:
    """Reserve ``NAME-N`` in a folder, with the first number that nobody has."""
    paths = (folder / f"{name}-{number}" for number in count(1))
    place = next(place for path in paths if (place := _reserve_new(path)) is not None)
    try:
        yield place
    finally:
        place.release()


@contextmanager
def nowhere() -> Iterator[Place]:
    """A place for a process that writes nothing, since the first one of those that train together does."""
    with TemporaryDirectory() as folder, reserved(Path(folder) / "run") as place:
        yield place


def _reserve(folder: Path) -> Place:
    if os.path.lexists(folder) and not folder.is_dir():
        why = ": it is a link that leads nowhere" if folder.is_symlink() else ""
        fail("AX0614", f"{folder} exists already{why}", None, help="choose another directory: `--out runs/other`")
    again = 0
    while True:
        made: tuple[Path, ...] = ()
        try:
            made = _made(folder)
            if (lock := _locked(folder)) is not None:
                return _opened(folder, made, lock)
        except FileNotFoundError as error:  # whoever made it has removed it
            _unmake(made)
            again += 1
            if again == TRIES:
                fail_writing(folder, error)
        except (OSError, ValueError) as error:
            _unmake(made)
            fail_writing(folder, error)


def _reserve_new(folder: Path) -> Place | None:
    """Reserve a folder that is not there; None if there is one."""
    if os.path.lexists(folder):
        return None
    try:
        made = _made(folder.parent)
        try:
            disk.make_folder(folder)
        except FileExistsError:
            return None
        lock = _locked(folder)
    except (OSError, ValueError) as error:
        fail_writing(folder, error)
    return _opened(folder, (*made, folder.absolute()), lock) if lock is not None else None


def _opened(folder: Path, made: tuple[Path, ...], lock: int) -> Place:
    """A folder that is locked, after what was not finished there has been mended."""
    try:
        mend(folder)
        fresh = all(path.name == LOCK for path in folder.iterdir())
    except BaseException:
        os.close(lock)
        raise
    return Place(folder, fresh, made, lock)


def fail_writing(folder: Path, error: OSError | ValueError) -> NoReturn:
    """SpecError: what a system said when something was to be written in a folder."""
    there = next((path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path)), folder)
    reason = error.strerror if isinstance(error, OSError) else str(error)
    known = "it is not a folder" if not there.is_dir() else reason
    fail("AX0616", f"cannot write in {there}: {known}", None)


def _made(folder: Path) -> tuple[Path, ...]:
    """Make a folder and what it lies in, all that is not there; what was made."""
    made: list[Path] = []
    missing = [path for path in (folder.absolute(), *folder.absolute().parents) if not os.path.lexists(path)]
    try:
        for path in reversed(missing):
            with suppress(FileExistsError):
                disk.make_folder(path)
                made.append(path)
    except BaseException:
        _unmake(made)
        raise
    return tuple(made)


def _unmake(made: tuple[Path, ...] | list[Path]) -> None:
    with suppress(OSError):  # something is in it
        for path in reversed(made):
            disk.remove_folder(path)


# ---------------------------------------------------------------- the lock


def _locked(folder: Path) -> int | None:
    """Lock a folder; None if its lock was removed meanwhile. SpecError if somebody else holds it."""
    path = folder / LOCK
    disk.gate("lock", path)
    number = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        held = _take(number)
        said = _said(number)
        if held is False or (held is None and _lives(said)):
            _fail_busy(folder, said)
        if said is None:
            fail("AX0614", f"{folder} has a file {LOCK} that archonnx did not write", None, help="move it elsewhere")
        if not _same(number, path):
            os.close(number)
            return None
        since = datetime.now(UTC).isoformat(timespec="seconds")
        holder = {"file": MARK, "process": os.getpid(), "host": socket.gethostname(), "since": since}
        os.ftruncate(number, 0)
        os.lseek(number, 0, os.SEEK_SET)
        os.write(number, json.dumps(holder).encode())
    except BaseException:
        with suppress(OSError):
            os.close(number)
        raise
    return number


def _take(number: int) -> bool | None:
    """Lock an open file: whether it is ours now; None where a file system has no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(number, 1 << 30, os.SEEK_SET)  # far from what others are to read
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in BUSY:
            return False
        if error.errno in WITHOUT:
            return None
        raise
    return True


def _said(number: int) -> dict[str, Any] | None:
    """What the file of a lock says of who holds it; None if archonnx did not write it."""
    os.lseek(number, 0, os.SEEK_SET)
    text = os.read(number, 4096)
    if not text.strip():
        return {}
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and said.get("file") == MARK else None


def holder(folder: Path) -> str:
    """What the lock of a folder says of who writes there, as it is written; empty where there is none."""
    try:
        return (folder / LOCK).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _same(number: int, path: Path) -> bool:
    """Whether an open file is the one that stands at a path."""
    try:
        return os.path.samestat(os.fstat(number), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _lives(said: dict[str, Any] | None) -> bool:
    """Whether the process lives that a lock names; one of another machine does, as far as is known."""
    process = (said or {}).get("process")
    if not isinstance(process, int) or said is None:
        return False
    if said.get("host") != socket.gethostname():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _fail_busy(folder: Path, said: dict[str, Any] | None = None) -> NoReturn:
    who = said or {}
    process, host, since = (who.get(name) for name in ("process", "host", "since"))
    notes = [f"process {process} on {host}, since {since}"] if process is not None else []
    fail(
        "AX0640",
        f"another process writes in {folder}",
        None,
        notes=notes,
        help="wait until it ends, or choose another directory: `--out runs/other`",
    )


def fail_if_in_use(folder: Path) -> None:
    """SpecError (AX0640) where a training writes in a folder in which nothing is to be read yet."""
    if in_use(folder):
        fail(
            "AX0640",
            f"a training writes in {folder}, and has kept nothing yet that could be read",
            None,
            help="wait until it ends, or stop it: Ctrl-C (or SIGTERM) keeps what it has done",
        )


def mend_if_free(folder: Path) -> None:
    """Do the rest of a save that was not finished, unless the one who writes is at it; SpecError if nobody can."""
    for _ in range(PATIENCE):
        if not interrupted(folder):
            return
        try:
            with reserved(folder):
                return
        except SpecError as error:
            if error.diagnostics[0].code != "AX0640":
                raise
        time.sleep(0.1)
    _fail_busy(folder)


def in_use(folder: Path) -> bool:
    """Whether another process writes in a folder now."""
    path = folder / LOCK
    if path.is_symlink() or not path.is_file():
        return False
    try:
        number = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        held = _take(number)
        return held is False or (held is None and _lives(_said(number)))
    except OSError:
        return False
    finally:
        os.close(number)
