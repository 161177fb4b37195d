"""The findings of a check as an editor shows them: at their places, with related places, and a link to their pages."""

from __future__ import annotations

import posixpath

from lsprotocol import types

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, Label
from archonnx.grammar.diagnostics.catalogue import PAGES
from archonnx.grammar.source import Span
from archonnx.lsp.document import Document
from archonnx.lsp.library import path_of
from archonnx.lsp.positions import Lines

SOURCE = "archonnx"
SEVERITIES = {"error": types.DiagnosticSeverity.Error, "warning": types.DiagnosticSeverity.Warning}
UNUSED = frozenset({"AX0802"})
"""What is found of names that nothing uses, which editors show faded."""


def diagnostics(document: Document) -> list[types.Diagnostic]:
    """What the last check found, as far as it is still there, in the order that it was found."""
    checked = document.checked
    if checked is None:
        return []
    return [found for one in checked.diagnostics if (found := _shown(document, one)) is not None]


def _shown(document: Document, diagnostic: Diagnostic) -> types.Diagnostic | None:
    own = next((label for label in _labels(diagnostic) if _is_own(document, label.span)), None)
    place = document.moves.forth(own.span.start, own.span.end) if own is not None else _import(document, diagnostic)
    if place is None:
        return None
    related = [
        types.DiagnosticRelatedInformation(found, label.text or "here")
        for label in _labels(diagnostic)
        if label is not own and (found := location(document, label.span)) is not None
    ]
    return types.Diagnostic(
        range=document.lines.range(*place),
        message=message(diagnostic, own),
        severity=SEVERITIES[diagnostic.severity],
        code=diagnostic.code,
        code_description=types.CodeDescription((PAGES / f"{diagnostic.code}.md").as_uri()),
        source=SOURCE,
        related_information=related,
        tags=[types.DiagnosticTag.Unnecessary] if diagnostic.code in UNUSED else None,
    )


def _import(document: Document, diagnostic: Diagnostic) -> tuple[int, int]:
    """Where a finding is shown that is in another file: at the import of that file, or at the beginning."""
    names = {label.span.source.name for label in diagnostic.labels}
    for piece in document.pieces:
        if isinstance(piece.tree, ast.Import) and posixpath.normpath(piece.tree.path.value) in names:
            span = piece.tree.path.span
            return piece.base + span.start, piece.base + span.end
    return 0, 0


def _labels(diagnostic: Diagnostic) -> list[Label]:
    """The labels, the primary one first."""
    return sorted(diagnostic.labels, key=lambda label: not label.primary)


def _is_own(document: Document, span: Span) -> bool:
    checked = document.checked
    return checked is not None and not span.source.library and span.source.text is checked.text


def message(diagnostic: Diagnostic, own: Label | None) -> str:
    """The headline with all that is said besides, a line each."""
    lines = [diagnostic.headline]
    if own is not None and own.text:
        lines.append(own.text)
    lines += [f"note: {note}" for note in diagnostic.notes]
    if diagnostic.help is not None:
        lines.append(f"help: {diagnostic.help}")
    return "\n".join(lines)


def location(document: Document, span: Span) -> types.Location | None:
    """Where a span is: in this document as it is now, in the library, or in a file beside this one."""
    if _is_own(document, span):
        moved = document.moves.forth(span.start, span.end)
        return types.Location(document.uri, document.lines.range(*moved)) if moved is not None else None
    path = path_of(span.source)
    if path is None and document.path is not None:
        path = document.path.parent / span.source.name
    if path is None:
        return None
    return types.Location(path.resolve().as_uri(), Lines(span.source.text).range(span.start, span.end))
