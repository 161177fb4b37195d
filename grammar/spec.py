"""Specs as files, in either spelling, told apart by the name of the file. What their names mean is the compiler's."""

from __future__ import annotations

from pathlib import Path

from . import ast
from .diagnostics import fail
from .source import Source, Span
from .text.parser import parse

SUFFIXES = (".arch", ".yaml", ".yml")


def is_yaml(name: str) -> bool:
    """Whether a file of this name holds the YAML spelling."""
    return name.lower().endswith((".yaml", ".yml"))


def read_file(path: Path, name: str | None = None, *, said: str | None = None, span: Span | None = None) -> Source:
    """The text of a file.

    Args:
        path: the file.
        name: the name of the source in messages; the path unless given.
        said: how somebody asked for it, for the message that it cannot be read; the path unless given.
        span: where it was asked for, if a spec did.

    Raises:
        SpecError: there is no such file, or it is not UTF-8.
    """
    try:
        return Source(name or str(path), path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        fail("AX0601", f"cannot read {said or path}: {reason}", span)


def read_tree(source: Source) -> ast.File:
    """The tree of a spec.

    Raises:
        SpecError: The syntax is wrong.
    """
    if is_yaml(source.name):
        from .yaml import parse_yaml

        return parse_yaml(source)
    return parse(source)
