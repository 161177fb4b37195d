"""Suggestions are checked before anybody reads them: the file is compiled again with each of them applied."""

from __future__ import annotations

from collections.abc import Callable

from archonnx.grammar.budget import OverBudget
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, Suggestion
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source, Span

CHECKED = 8
"""Suggestions that are checked at most: each costs a compilation."""


def checked_suggestions(source: Source, report: Report, compile_text: Callable[[Source], object]) -> Report:
    """The report, with suggestions left out that would not help.

    Args:
        source: the file that was compiled; suggestions for other files are kept as they are.
        report: what was found.
        compile_text: compiles a text in place of the file; SpecError if it is wrong.
    """
    budget = CHECKED
    kept: list[Diagnostic] = []
    for diagnostic in report.diagnostics:
        edit = _edit(diagnostic, source)
        if edit is not None and (budget <= 0 or not _helps(diagnostic, edit, report, compile_text)):
            diagnostic = replace(diagnostic, help=None)
        budget -= edit is not None
        kept.append(diagnostic)
    return Report(kept)


def _edit(diagnostic: Diagnostic, source: Source) -> Span | None:
    span, suggestion = diagnostic.span, diagnostic.help
    if not isinstance(suggestion, Suggestion) or span is None:
        return None
    place = suggestion.place(span)
    return place if place is not None and place.source is source else None


def _helps(diagnostic: Diagnostic, edit: Span, report: Report, compile_text: Callable[[Source], object]) -> bool:
    """Whether the error goes away, and no new one comes to the place of the edit. (Others may show up behind it.)"""
    assert isinstance(diagnostic.help, Suggestion)
    old, replacement = edit.source, diagnostic.help.replacement
    text = old.text[: edit.start] + replacement + old.text[edit.end :]
    try:
        compile_text(Source(old.name, text))
    except OverBudget:  # it may help; there is no work left to find out
        return False
    except SpecError as error:
        before = {(d.code, d.headline) for d in report.diagnostics if d is not diagnostic}
        new = [d.span for d in error.diagnostics if (d.code, d.headline) not in before]
        return not any(
            span is None or (span.start <= edit.start and span.end >= edit.start + len(replacement)) for span in new
        )
    return True
