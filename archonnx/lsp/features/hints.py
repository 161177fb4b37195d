"""The types of tensors beside their names, and behind the stages of a pipe that stand on lines of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lsprotocol import types

from archonnx.grammar import ast
from archonnx.lsp.checking import Seen
from archonnx.lsp.document import Document
from archonnx.lsp.names import Occurrence

_NEXT_STAGE = re.compile(r"\s*\|>")


def hints(document: Document, start: int, end: int) -> list[types.InlayHint]:
    """The hints between two offsets, in the order of the text."""
    found = sorted({one for one in _shapes(document, start, end) if start <= one[0] <= end})
    return [
        types.InlayHint(
            document.lines.position(at),
            label,
            types.InlayHintKind.Type,
            tooltip=origin or None,
            padding_left=label[:1] != ":",
        )
        for at, label, origin in found
    ]


Hint = tuple[int, str, str]
"""Where it stands, its text, and the origin of the tensor."""


def _shapes(document: Document, start: int, end: int) -> Iterator[Hint]:
    """The hints for the names between two offsets."""
    for one in document.names.all:
        if start <= one.start <= end:
            yield from _of_stage(document, one) if one.mention.role == "call" else _of_name(document, one)


def _of_name(document: Document, one: Occurrence) -> Iterator[Hint]:
    """The type of a name where it is bound, and no type is written."""
    kind, tree = one.mention.kind, one.piece.tree
    if not one.binds:
        return
    if kind == "variable" and isinstance(tree, ast.Assign | ast.For):
        yield from _hint(document.seen(one.start, one.end), one.end, ": ")
    elif kind in ("loss", "metric") or (isinstance(tree, ast.Output) and tree.type is None):
        yield from _hint(document.values_of(one), one.end, ": ")


def _of_stage(document: Document, one: Occurrence) -> Iterator[Hint]:
    """The type that comes out of the last stage on a line, where a pipe has several lines."""
    text, line = document.text, document.lines.position(one.start).line
    line_start, line_end = document.lines.starts[line], document.lines.line_end(line)
    rest = text[one.end : line_end]
    among = text[line_start : one.start].strip() == "|>" or _NEXT_STAGE.match(text, line_end) is not None
    if among and "|>" not in rest:
        yield from _hint(document.given(one), one.end + len(rest.partition("#")[0].rstrip()), "")


def _hint(seen: tuple[Seen, ...], at: int, before: str) -> Iterator[Hint]:
    """The hint of a tensor that has one type wherever it is computed."""
    if len(seen) == 1 and seen[0].shape:
        yield at, f"{before}{seen[0].shape}", seen[0].origin
