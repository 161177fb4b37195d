"""What stands at a path, asked before it is opened: a pipe would be waited for, and a device never ends.

What this module does not do: look inside (loaders do).
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

Kind = Literal["file", "folder", "nothing", "other"]
LONGEST_SHOWN = 120
_WHAT = (
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)
_WHY = {
    errno.ELOOP: "is a link that leads to itself",
    errno.ENAMETOOLONG: "is too long for the name of a file",
    errno.EACCES: "lies in a folder that may not be read",
}


def kind_at(path: Path) -> tuple[Kind, str]:
    """What stands at a path, and if it is neither a file nor a folder, what it is in words: ``is a pipe``."""
    try:
        mode = path.stat().st_mode
    except (ValueError, UnicodeError):
        return "other", "is not the name of a file: it has characters that names cannot have"
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return "nothing", "is not there"
        return "other", _WHY.get(error.errno or 0, f"cannot be looked at: {error.strerror}")
    if stat.S_ISREG(mode):
        return "file", "is a file"
    if stat.S_ISDIR(mode):
        return "folder", "is a folder"
    return "other", next((what for asks, what in _WHAT if asks(mode)), "is something else")


def is_there(path: Path, wanted: Literal["file", "folder"], span: Span | None = None, shown: str | None = None) -> bool:
    """Whether a file (or a folder) stands there; SpecError if something else does.

    Args:
        path: where.
        wanted: what is needed.
        span: the place of the spec that asked for it.
        shown: what messages call it; the path unless given.
    """
    kind, what = kind_at(path)
    if kind not in (wanted, "nothing"):
        name = short(shown if shown is not None else str(path))
        fail("AX0601", f"`{name}` {what}" + (f", not a {wanted}" if what.startswith("is a") else ""), span)
    return kind == wanted


def resolved(path: Path) -> Path:
    """A path without links; SpecError if what stands there is neither a file nor a folder."""
    kind, what = kind_at(path)
    if kind == "other":
        fail("AX0601", f"`{short(str(path))}` {what}, not a file or a folder", None)
    return path.resolve()


def short(name: str) -> str:
    """A name as messages show it: one of thousands of characters is cut."""
    return name if len(name) <= LONGEST_SHOWN else f"{name[: LONGEST_SHOWN // 2]}...{name[-LONGEST_SHOWN // 4 :]}"


@contextmanager
def reading(path: Path, span: Span | None = None) -> Iterator[None]:
    """SpecError with the reason of the system if a file cannot be read."""
    try:
        yield
    except OSError as error:
        fail("AX0601", f"cannot read {short(path.name)}: {error.strerror or error}", span)
