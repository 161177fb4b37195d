"""Diagnostics as plain data. Rendering is in ``render``, the list of codes in ``catalogue``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self

from archonnx.grammar.record import Record
from archonnx.grammar.source import Span


class Label(Record):
    """A text at a span. The primary label is the narrowest place at which the mistake can be seen."""

    span: Span
    text: str = ""
    primary: bool = False


class Diagnostic(Record):
    """One finding. The headline stands alone; labels show the places, notes the context, help the way out."""

    code: str
    headline: str
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    severity: str = "error"

    def __repr__(self) -> str:
        place = f" at {self.span}" if self.span is not None else ""
        headline = self.headline if len(self.headline) <= 120 else f"{self.headline[:117]}..."
        return f"<{self.severity} {self.code}{place}: {headline}>"

    @property
    def span(self) -> Span | None:
        """The primary span (the first one where none is marked)."""
        primary = [label.span for label in self.labels if label.primary]
        return primary[0] if primary else (self.labels[0].span if self.labels else None)


@dataclass(slots=True, repr=False)
class Report:
    """What a stage found. A stage appends all its findings and calls ``finish`` once, at its end."""

    diagnostics: list[Diagnostic] = field(default_factory=list)

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a finding, once."""
        if diagnostic not in self.diagnostics:
            self.diagnostics.append(diagnostic)

    def add_at_place(self, diagnostic: Diagnostic) -> None:
        """Keep a finding, once for each place: met again there, at the next turn of a loop or when a block is applied
        twice, the same kind of mistake says nothing new."""
        if not any(known.code == diagnostic.code and known.span == diagnostic.span for known in self.diagnostics):
            self.diagnostics.append(diagnostic)

    def error(
        self,
        code: str,
        headline: str,
        span: Span | None,
        text: str = "",
        *,
        notes: Iterable[str] = (),
        help: str | None = None,
        others: Iterable[Label] = (),
    ) -> None:
        """Add an error with one primary label, and perhaps others."""
        self.add(make_error(code, headline, span, text, notes=notes, help=help, others=others))

    @property
    def failed(self) -> bool:
        """Whether there is an error among the findings."""
        return any(d.severity == "error" for d in self.diagnostics)

    def __repr__(self) -> str:
        codes = ", ".join(d.code for d in self.diagnostics[:8]) + ("..." if len(self.diagnostics) > 8 else "")
        return f"<Report of {len(self.diagnostics)}: {codes}>" if self.diagnostics else "<Report of nothing>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.diagnostics,)

    def collecting(self, add: Callable[[Diagnostic], None] | None = None) -> Collecting:
        """``with report.collecting():`` ends at the first ``SpecError`` inside, whose findings are kept here.

        Args:
            add: keeps a finding; ``self.add`` if left out.
        """
        return Collecting(add or self.add)

    def finish(self) -> None:
        """Raise ``SpecError`` if there is an error."""
        if self.failed:
            raise SpecError(self)


class SpecError(Exception):
    """The spec, the settings or the data are wrong: what was found is in ``report``. Never a bug of archonnx."""

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """The findings."""
        return self.report.diagnostics

    def __str__(self) -> str:
        from .render import render_report

        return render_report(self.report)


class Collecting:
    """What ``Report.collecting`` gives: ``error`` is the ``SpecError`` that ended the ``with``, or None."""

    __slots__ = ("_add", "error")

    def __init__(self, add: Callable[[Diagnostic], None]) -> None:
        self._add = add
        self.error: SpecError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, SpecError):
            return False
        self.error = error
        for diagnostic in tuple(error.diagnostics):  # they may be those of the same report
            self._add(diagnostic)
        return True


def make_error(
    code: str,
    headline: str,
    span: Span | None,
    text: str = "",
    *,
    notes: Iterable[str] = (),
    help: str | None = None,
    others: Iterable[Label] = (),
) -> Diagnostic:
    """An error with one primary label (none where there is no text to point at), and perhaps others."""
    primary = (Label(span, text, primary=True),) if span is not None else ()
    return Diagnostic(code, headline, (*primary, *others), tuple(notes), help)


def fail(
    code: str,
    headline: str,
    span: Span | None,
    text: str = "",
    *,
    notes: Iterable[str] = (),
    help: str | None = None,
    others: Iterable[Label] = (),
) -> NoReturn:
    """Raise a ``SpecError`` with a single error."""
    raise SpecError(Report([make_error(code, headline, span, text, notes=notes, help=help, others=others)]))


class Suggestion(str):
    """A help text that is an edit, too: ``word``, where the diagnostic points, becomes ``replacement``.

    Whoever can check the file with the edit applied does, and drops the suggestion if the file is no better for it.
    """

    __slots__ = ("at", "replacement", "word")
    word: str
    replacement: str
    at: Span | None

    @staticmethod
    def of(text: str, word: str, replacement: str, at: Span | None = None) -> Suggestion:
        """A help text with its edit; ``at`` is its place where that is not where the diagnostic points."""
        suggestion = Suggestion(text)
        suggestion.word, suggestion.replacement, suggestion.at = word, replacement, at
        return suggestion

    def __reduce__(self) -> tuple[Any, ...]:
        return Suggestion.of, (str(self), self.word, self.replacement, self.at)

    def place(self, span: Span) -> Span | None:
        """What the edit replaces: its own place, or the word in what a diagnostic points at, if it is there."""
        if self.at is not None:
            return self.at
        match = re.search(rf"(?<!\w){re.escape(self.word)}(?!\w)", span.text)
        return Span(span.source, span.start + match.start(), span.start + match.end()) if match else None


def did_you_mean(word: str, known: Iterable[str]) -> Suggestion | None:
    """Help text naming the closest known word, or None."""
    from difflib import get_close_matches  # here, since most specs are right

    found = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return Suggestion.of(f"did you mean `{found[0]}`?", word, found[0]) if found else None
