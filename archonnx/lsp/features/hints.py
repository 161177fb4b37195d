"""The types of tensors beside their names, and behind the stages of a pipe that stand on lines of their own."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from archonnx.grammar import ast
from archonnx.lsp.document import Document


def hints(document: Document, start: int, end: int) -> list[types.InlayHint]:
    """The hints between two offsets, in the order of the text."""
    found = sorted({one for one in _shapes(document) if start <= one[0] <= end})
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


def _shapes(document: Document) -> Iterator[tuple[int, str, str]]:
    """Offset, text and origin of every hint."""
    for one in document.names.all:
        if one.binds and one.mention.kind == "variable" and isinstance(one.piece.tree, ast.Assign | ast.For):
            seen = document.seen(one.start, one.end)
            if len(seen) == 1 and seen[0].shape:
                yield one.end, f": {seen[0].shape}", seen[0].origin
        elif one.binds and one.mention.kind in ("output", "loss", "metric") and _untyped(one.piece.tree):
            seen = document.values_of(one)
            if len(seen) == 1 and seen[0].shape:
                yield one.end, f": {seen[0].shape}", seen[0].origin
        elif one.mention.role == "call":
            line_end = document.lines.line_end(document.lines.position(one.start).line)
            rest = document.text[line_end:].lstrip(" \t\r\n")
            line_start = document.text.rfind("\n", 0, one.start) + 1
            if document.text[line_start : one.start].strip() == "|>" or rest.startswith("|>"):
                seen = document.given(one)
                stops = document.text[one.end : line_end]
                if len(seen) == 1 and seen[0].shape and "|>" not in stops:
                    yield one.end + len(stops.partition("#")[0].rstrip()), seen[0].shape, seen[0].origin


def _untyped(tree: object) -> bool:
    return not isinstance(tree, ast.Output) or tree.type is None
