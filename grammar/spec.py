"""Specs as files, in either spelling, told apart by the name of the file. What their names mean is the compiler's."""

from __future__ import annotations

import stat
from pathlib import Path

from . import ast
from .diagnostics import did_you_mean, fail
from .source import Source, Span
from .text.characters import refuse_controls
from .text.parser import MAX_CHARACTERS, parse

SUFFIXES = (".arch", ".yaml", ".yml")

MAX_BYTES = 4 * MAX_CHARACTERS
"""Of a file with a spec: no character takes more than four."""


def is_yaml(name: str) -> bool:
    """Whether a file of this name holds the YAML spelling."""
    return name.lower().endswith((".yaml", ".yml"))


DATA = (".csv", ".tsv", ".npz", ".npy", ".parquet", ".xlsx")
"""Endings of files that no spec has."""


def read_file(path: Path, name: str | None = None, *, said: str | None = None, span: Span | None = None) -> Source:
    """The text of a file.

    Args:
        path: the file.
        name: the name of the source in messages; the path unless given.
        said: how somebody asked for it, for the message that it cannot be read; the path unless given.
        span: where it was asked for, if a spec did.

    Its kind and its size are asked before it is opened: a pipe without a writer would wait for ever.

    Raises:
        SpecError: there is no such file, it is not an ordinary one, it is too large, or it is not UTF-8.
    """
    if span is None and path.suffix.lower() in DATA:
        fail(
            "AX0601",
            f"{said or shown_path(path)} is data, and not a spec",
            None,
            help="a spec names its own data, which `archonnx check SPEC --data` opens",
        )
    try:
        reason = _unfit(path)
        text = path.read_text("utf-8-sig") if reason is None else ""
    except OSError as error:
        reason = error.strerror or str(error)
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8 text, by the byte {_place_of(error)}"
    except (ValueError, RuntimeError) as error:  # a NUL in the name; links in a circle
        reason = str(error)
    if reason is not None:
        near = near_file(path) if span is None else None
        fail("AX0601", f"cannot read {said or shown_path(path)}: {reason}", span, help=near)
    return Source(name or str(path), text)


def _place_of(error: UnicodeDecodeError) -> str:
    """``0xE9 at line 3, column 9``: the first byte that is none of UTF-8, the column in bytes."""
    before = error.object[: error.start]
    line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
    return f"0x{error.object[error.start]:02X} at line {line}, column {column}"


def _unfit(path: Path) -> str | None:
    """Why a file is not opened; None where nothing is against it."""
    state = path.stat()
    kinds = (
        (stat.S_ISDIR, "it is a folder"),
        (stat.S_ISFIFO, "it is a pipe"),
        (stat.S_ISSOCK, "it is a socket"),
        (stat.S_ISCHR, "it is a device"),
        (stat.S_ISBLK, "it is a device"),
    )
    for is_kind, what in kinds:
        if is_kind(state.st_mode):
            return f"{what}, and a spec is a file"
    if state.st_size > MAX_BYTES:
        return f"it has {state.st_size:,} bytes, and a spec has at most {MAX_CHARACTERS:,} characters"
    return None


def shown_path(path: object) -> str:
    """A path in a message: one line, and not longer than can be read."""
    text = str(path)
    text = text if len(text) <= 200 else f"{text[:100]}...{text[-60:]}"
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def read_tree(source: Source) -> ast.File:
    """The tree of a spec.

    Raises:
        SpecError: The syntax is wrong.
    """
    if is_yaml(source.name):
        refuse_controls(source)
        from .yaml import parse_yaml

        return parse_yaml(source)
    return parse(source)


MANY = 1_000
"""Names of files that are compared with one that is not there."""


def near_file(path: Path) -> str | None:
    """A file of nearly this name in the same folder, where there is none of this name, as a help."""
    try:
        if path.exists() or not path.parent.is_dir():
            return None
        names = [one.name for one, _ in zip(path.parent.iterdir(), range(MANY), strict=False)]
    except (OSError, ValueError):
        return None
    ends = {Path(name).stem: name for name in sorted(names) if name.endswith(path.suffix)}
    near = did_you_mean(path.stem, ends)  # their ends, which are alike, do not count
    return None if near is None else f"did you mean `{shown_path(path.with_name(ends[near.replacement]))}`?"
