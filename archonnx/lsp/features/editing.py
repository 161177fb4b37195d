"""Changes of a text: its canonical form, and what findings suggest."""

from __future__ import annotations

from lsprotocol import types

from archonnx.grammar.diagnostics import Diagnostic, Edit, Fix, SpecError
from archonnx.grammar.diagnostics.fixes import overlap
from archonnx.grammar.format import format_file
from archonnx.grammar.source import Source
from archonnx.lsp.document import Document
from archonnx.lsp.positions import in_common

from .diagnostics import diagnostics as shown


def formatting(document: Document) -> list[types.TextEdit]:
    """The edit that gives a text its canonical form; none where it has it, in YAML, or where its syntax is wrong."""
    if document.yaml:
        return []
    try:
        text = format_file(Source(document.name, document.text))
    except SpecError:
        return []
    if text == document.text:
        return []
    start = in_common(document.text, text)
    end = in_common(document.text[start:][::-1], text[start:][::-1])
    place = document.lines.range(start, len(document.text) - end)
    return [types.TextEdit(place, text[start : len(text) - end])]


def code_actions(document: Document, start: int, end: int) -> list[types.CodeAction]:
    """What the findings between two offsets suggest, and for a warning that it be left out on its line."""
    if document.checked is None:
        return []
    actions: list[types.CodeAction] = []
    for diagnostic in document.checked.diagnostics:
        place = _place(document, diagnostic)
        if place is None or place[0] > end or place[1] < start:
            continue
        about = [one for one in shown(document) if one.code == diagnostic.code and _same(document, one, place)][:1]
        for fix in diagnostic.fixes:
            if (edits := _edits(document, fix)) is not None:
                only = len(diagnostic.fixes) == 1
                actions.append(_action(document, _title(fix), edits, about, preferred=only))
        if diagnostic.severity == "warning" and not document.yaml:
            edit = _allowing(document, place[0], diagnostic.code)
            actions.append(_action(document, f"allow {diagnostic.code} here", [edit], about))
    return actions + _all_at_once(document)


def _all_at_once(document: Document) -> list[types.CodeAction]:
    """The first fix of every finding, as one action; those that would change the same text wait for a second time."""
    chosen: list[Edit] = []
    edits: list[types.TextEdit] = []
    for diagnostic in document.checked.diagnostics if document.checked is not None else ():
        for fix in diagnostic.fixes[:1]:
            own = _edits(document, fix)
            if own is not None and not overlap([*chosen, *fix.edits]):
                chosen += fix.edits
                edits += own
    if not edits:
        return []
    changes = types.WorkspaceEdit(changes={document.uri: edits})
    return [types.CodeAction("fix all", kind=types.CodeActionKind.SourceFixAll, edit=changes)]


def _place(document: Document, diagnostic: Diagnostic) -> tuple[int, int] | None:
    span, checked = diagnostic.span, document.checked
    if span is None or checked is None or span.source.text is not checked.text:
        return None
    return document.moves.forth(span.start, span.end)


def _same(document: Document, one: types.Diagnostic, place: tuple[int, int]) -> bool:
    return one.range == document.lines.range(*place)


def _edits(document: Document, fix: Fix) -> list[types.TextEdit] | None:
    """The edits of a fix, which was tried when the spec was checked; None where their places have changed."""
    edits = []
    for edit in fix.edits:
        own = document.checked is not None and edit.span.source.text is document.checked.text
        moved = document.moves.forth(edit.span.start, edit.span.end) if own else None
        if moved is None:
            return None
        edits.append(types.TextEdit(document.lines.range(*moved), edit.text))
    return edits


def _title(fix: Fix) -> str:
    """What a fix does, as a choice: without the question."""
    return fix.text.split("\n", 1)[0].removeprefix("did you mean ").removesuffix("?")


def _allowing(document: Document, offset: int, code: str) -> types.TextEdit:
    """A comment that allows a warning: behind the line, or above it where there is a comment already."""
    line = document.lines.position(offset).line
    start, end = document.lines.starts[line], document.lines.line_end(line)
    text = document.text[start:end]
    if "#" not in text and len(text) < 90:
        return types.TextEdit(document.lines.range(end, end), f"  # allow {code}")
    indent = text[: len(text) - len(text.lstrip())]
    return types.TextEdit(document.lines.range(start, start), f"{indent}# allow {code}\n")


def _action(
    document: Document, title: str, edits: list[types.TextEdit], about: list[types.Diagnostic], preferred: bool = False
) -> types.CodeAction:
    return types.CodeAction(
        title=title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=about,
        is_preferred=preferred,
        edit=types.WorkspaceEdit(changes={document.uri: edits}),
    )
