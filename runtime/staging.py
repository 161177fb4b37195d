"""Files of a folder that are to change together: written beside, then moved to their places one by one.

    .saving/           the new files, at the paths that they are to have
    .saving/.moves     which they are, and what is to go; written last: from then on they count as written

Whatever ends the process, the next one that reserves the folder either drops what was begun or does the rest
(``mend``). The folder itself stays where it is, and so does everything in it that is not named.

What this module does not do: keep others from writing at the same time (``reserving`` does).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from archonnx.grammar.diagnostics import fail

from . import disk
from .files import PART, write_atomically

SAVING, MOVES = ".saving", ".moves"


@contextmanager
def staged(folder: Path, last: str, gone: Iterable[str] = ()) -> Iterator[Path]:
    """A folder to be filled with new files of ``folder``, which take their places at the end; else nothing changes.

    Args:
        folder: reserved.
        last: the file that is moved last, since it says what the others are.
        gone: paths of files that are to be removed then, if no new ones take their places.
    """
    part = folder / SAVING
    mend(folder)
    disk.make_folder(part)
    try:
        yield part
        new = sorted(_files(part), key=lambda name: (name == last, name))
        for below in {(part / name).parent for name in new}:
            disk.sync_folder(below)
        moves = {"new": new, "gone": [name for name in gone if name not in new]}
        write_atomically(part / MOVES, json.dumps(moves).encode())
    except BaseException:
        if not (part / MOVES).exists():
            _drop(part)
        raise
    _move(folder)


def interrupted(folder: Path) -> bool:
    """Whether a save of the folder was written, and not all of it is where it is to be."""
    return not (folder / SAVING).is_symlink() and (folder / SAVING / MOVES).is_file()


def mend(folder: Path) -> None:
    """Do the rest of what was begun in a folder, or drop it where too little was written; OSError if that fails.

    Raises:
        SpecError: what is to be moved is no path inside the folder.
    """
    if interrupted(folder):
        _move(folder)
    else:
        _drop(folder / SAVING)
    for path in folder.glob(f".*{PART}"):
        if path.is_file() and not path.is_symlink():
            disk.remove(path)


def _move(folder: Path) -> None:
    part = folder / SAVING
    moves = _read(part / MOVES)
    for name in moves["new"]:
        source, target = _inside(part, name), _inside(folder, name)
        if not os.path.lexists(source):
            continue  # it is in its place
        if target.parent != folder:
            _make_below(folder, target.parent)
        disk.rename(source, target)
    for name in moves["gone"]:
        target = _inside(folder, name)
        if target.is_file():
            disk.remove(target)
            _remove_empty(folder, target.parent)
    disk.sync_folder(folder)
    _drop(part)


def _read(path: Path) -> dict[str, list[str]]:
    try:
        moves: Any = json.loads(path.read_text("utf-8"))
        return {key: [str(name) for name in moves[key]] for key in ("new", "gone")}
    except (ValueError, KeyError, TypeError, RecursionError):
        fail("AX0611", f"{path} is damaged", None, help=f"remove {path.parent}: what was there before is in its place")


def _inside(folder: Path, name: str) -> Path:
    """A path below a folder; SpecError if the name leads out of it, by itself or by a link."""
    pure = PurePosixPath(name)
    path = folder / pure
    between = [folder.joinpath(*pure.parts[:count]) for count in range(1, len(pure.parts))]
    out = pure.is_absolute() or ".." in pure.parts or any(sign in name for sign in "\\:\0")
    if out or not pure.parts or any(one.is_symlink() for one in between):
        fail("AX0611", f"{folder} is damaged: `{name}` is not a path inside it", None)
    return path


def _files(folder: Path) -> Iterator[str]:
    """The paths of all files below a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _make_below(folder: Path, below: Path) -> None:
    """Make the folders between two."""
    for path in reversed([below, *below.parents]):
        if path.is_relative_to(folder) and path != folder and not path.is_dir():
            disk.make_folder(path)


def _remove_empty(folder: Path, below: Path) -> None:
    """Remove folders between two in which nothing is left."""
    while below != folder and not any(below.iterdir()):
        disk.remove_folder(below)
        below = below.parent


def _drop(part: Path) -> None:
    """Remove what was begun, all of it, without following a link."""
    if part.is_symlink() or not part.is_dir():
        return
    for path in part.iterdir():
        if path.is_dir() and not path.is_symlink():
            _drop(path)
        else:
            disk.remove(path)
    disk.remove_folder(part)
