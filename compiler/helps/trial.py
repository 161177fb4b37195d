"""Every help that edits is tried: the file is checked again with it applied, and what does not help is dropped.

A help helps where its diagnostic is gone and nothing new is wrong at its place, or before it in the same declaration;
other mistakes may show up behind it. What this module does not do: make a suggestion, or check a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archonnx.grammar.budget import OverBudget
from archonnx.grammar.diagnostics import Diagnostic, Fix, Report, Suggestion
from archonnx.grammar.diagnostics.fixes import Edit, edited, moved
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.outline import outline

TRIED, FOR_EACH = 18, 7
"""Edits that are tried at most, of all and of one diagnostic: each costs a check."""
CHECKED = 200_000
"""Characters that are checked for it at most, of all: 50,000 with a thousand layers take a quarter of a second."""
SHOWN = 3
"""Fixes of a diagnostic that are shown at most."""
SYNTAX, UNNAMED, UNREAD = "AX01", "AX0129", "AX0101"
"""What is said of the spelling, what of a chain of layers that is read at all, and what of a line that is not."""
OF_CALLS = ("AX0203", "AX0205", "AX03")
"""What is new among the arguments of a call says that another callee is no help."""

MEETING = ("AX0302",)
"""What is said of shapes that do not meet: where the same is said of what the operation gives, nothing is mended."""

Check = Callable[[Source], Sequence[Diagnostic]]
"""All that is found in a text in place of the file."""


def tried(source: Source, report: Report, check: Check) -> Report:
    """The report with fixes: suggestions that were applied and help. Those that would not help are left out.

    Args:
        source: the file that was checked; suggestions for other files are kept as words.
        report: what was found.
        check: checks a text in place of the file, and gives what it finds.
    """
    left = min(TRIED, CHECKED // max(1, len(source.text)))
    kept: list[Diagnostic] = []
    for diagnostic in report.diagnostics:
        suggestion = diagnostic.help
        if isinstance(suggestion, Suggestion):
            fixes = [fix for fix in suggestion.fixes(diagnostic.span) if fix.source is source]
            if fixes:
                fixes = fixes[: min(left, FOR_EACH)]
                left -= len(fixes)
                shown = _best(diagnostic, suggestion.several, fixes, report.diagnostics, check)
                diagnostic = _with_fixes(diagnostic, shown, suggestion.otherwise)
            else:
                diagnostic = replace(diagnostic, help=_words(diagnostic, suggestion, source))
        kept.append(diagnostic)
    return Report(kept)


def _with_fixes(diagnostic: Diagnostic, fixes: tuple[Fix, ...], otherwise: str | None) -> Diagnostic:
    words = "\n".join(dict.fromkeys(fix.text for fix in fixes)) or otherwise
    return replace(diagnostic, help=words, fixes=fixes)


def _words(diagnostic: Diagnostic, suggestion: Suggestion, source: Source) -> str | None:
    """What is said of an edit that has no place in the file: the words are kept where it is another's."""
    span = diagnostic.span
    elsewhere = span is None or span.source is not source
    if span is not None and suggestion.at is None and suggestion.word and suggestion.word not in span.text:
        elsewhere = True  # it was given elsewhere, as an argument of a model is at the command line
    return str(suggestion) if elsewhere else suggestion.otherwise


def _best(
    diagnostic: Diagnostic, several: bool, fixes: Sequence[Fix], before: Sequence[Diagnostic], check: Check
) -> tuple[Fix, ...]:
    """Of the fixes that help those that leave the fewest new findings behind: the first, or all if several are meant.

    Where one is shown, one that leaves none ends the search.
    """
    best: int | None = None
    kept: list[Fix] = []
    for fix in fixes:
        left = _left(diagnostic, fix, before, check)
        if left is None or (best is not None and left > best):
            continue
        kept = [*kept, fix] if left == best else [fix]
        best = left
        if best == 0 and not several:
            break
    return tuple(kept[: SHOWN if several else 1])


def _left(diagnostic: Diagnostic, fix: Fix, before: Sequence[Diagnostic], check: Check) -> int | None:
    """How many findings a fix leaves that nobody had seen; None where it does not help.

    It helps where the error goes away, and no new one comes to the place of the edits or before it.
    """
    text = edited(fix.source, fix.edits)
    try:
        found = check(Source(fix.source.name, text))
    except OverBudget:  # it may help; there is no work left to find out
        return None
    known = {_key(d, fix.edits) for d in before if d is not diagnostic}
    here = _key(diagnostic, fix.edits)
    new = [d for d in found if _key(d, ()) not in known]
    return None if any(_key(d, ()) == here or _spoils(d, diagnostic, fix) for d in new) else len(new)


def _key(diagnostic: Diagnostic, edits: Sequence[Edit]) -> tuple[str, str, int | None]:
    """What a finding is known by: what it says, and where it begins after the edits."""
    span = diagnostic.span
    start = None if span is None else span.start if span.source.library else moved(span.start, edits)
    return diagnostic.code, diagnostic.headline, start


def _spoils(found: Diagnostic, diagnostic: Diagnostic, fix: Fix) -> bool:
    """Whether what is new is of the edits' making: at one of them, or before it in the same declaration."""
    span = found.span
    if span is None:
        return True
    if found.code == diagnostic.code and found.code in MEETING and _line(span) == _line(diagnostic.span):
        return True
    if found.code == UNNAMED and diagnostic.code.startswith(SYNTAX):
        return False
    for edit in fix.edits:
        end = moved(edit.span.end, fix.edits)
        start = end - len(edit.text)
        if found.code == UNREAD and diagnostic.code.startswith(SYNTAX) and _same_line(span, end):
            return True
        if (
            diagnostic.code.startswith(SYNTAX)
            and not found.code.startswith(SYNTAX)
            and span.start < start < end <= span.end
        ):
            continue  # of something around it, which is read at all now
        if span.start <= end and span.end >= start and not (span.start == end and edit.text):
            return True
        if found.code.startswith(OF_CALLS) and end <= span.start < _end_of_call(span.source.text, end):
            return True
        revealed = diagnostic.code.startswith(SYNTAX) and not found.code.startswith(SYNTAX)
        if not revealed and span.end <= start and _declaration(span, end) == _declaration(span, span.start):
            return True
    return False


def _line(span: Span | None) -> int | None:
    """The number of the line of a place in the spec, from 0."""
    return None if span is None or span.source.library else span.source.text.count("\n", 0, span.start)


def _same_line(span: Span, end: int) -> bool:
    """Whether a line that was edited ends at a place behind the edit; in YAML several expressions stand on one."""
    return not span.source.name.endswith((".yaml", ".yml")) and "\n" not in span.source.text[end : span.start]


def _end_of_call(text: str, start: int) -> int:
    """Where the brackets that open at an offset close; the offset where none opens."""
    depth = 0
    for at in range(start, min(len(text), start + 1000)):
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if depth <= 0:
            return at
    return start


def _declaration(span: Span, offset: int) -> int:
    """The number of the declaration at an offset of the source of a span."""
    return sum(item.start <= offset for item in outline(span.source))
