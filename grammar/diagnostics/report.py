"""Reports: what a stage has found, and the exception that carries it.

What this module does not do: say how a diagnostic looks (``render`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self, TypedDict, Unpack

from archonnx.grammar.source import Span

from .diagnostic import Diagnostic, Label
from .render import Style, render

MOST = 100
"""Findings that a report keeps."""


@dataclass(slots=True, repr=False)
class Report:
    """What a stage found. A stage appends all its findings and calls ``finish`` once, at its end."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    _known: set[Any] = field(default_factory=set, repr=False, compare=False)
    _places: set[Any] = field(default_factory=set, repr=False, compare=False)
    _indexed: int = field(default=0, repr=False, compare=False)

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a finding, once; none beyond ``MOST``, which nobody would read."""
        self._index()
        if diagnostic not in self._known and len(self.diagnostics) < MOST:
            self.diagnostics.append(diagnostic)

    def _index(self) -> None:
        """Take note of what was found, so that it is known again however much there is."""
        for diagnostic in self.diagnostics[self._indexed :]:
            self._known.add(diagnostic)
            self._places.add((diagnostic.code, diagnostic.span))
        self._indexed = len(self.diagnostics)

    def add_at_place(self, diagnostic: Diagnostic) -> None:
        """Keep one finding of each code for each place.

        A mistake in a loop or in a block that is applied twice is found again and again at the same place."""
        self._index()
        if (diagnostic.code, diagnostic.span) not in self._places and len(self.diagnostics) < MOST:
            self.diagnostics.append(diagnostic)

    def error(
        self,
        code: str,
        headline: str,
        span: Span | None,
        text: str = "",
        **details: Unpack[Details],
    ) -> None:
        """Add an error with one primary label, and perhaps others."""
        self.add(make_error(code, headline, span, text, **details))

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
    """The spec, the settings or the data are wrong: what was found is in ``report``. Never a bug of archonnx.

    ``recovered`` is what was probably meant, if whoever read the text knows it, so that the rest can be checked too.
    """

    def __init__(self, report: Report, recovered: object = None) -> None:
        super().__init__(report)
        self.report = report
        self.recovered = recovered

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """The findings."""
        return self.report.diagnostics

    def __str__(self) -> str:
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


def render_report(report: Report, style: Style = "full", color: bool = False) -> str:
    """All diagnostics of a report: full ones apart by an empty line, the others one a line."""
    separator = "\n\n" if style == "full" else "\n"
    shown = [render(diagnostic, style, color) for diagnostic in report.diagnostics]
    if style == "full" and len(shown) >= MOST:
        shown.append(f"These are the first {MOST} findings; mend them, and check again.")
    return separator.join(shown)


class Details(TypedDict, total=False):
    """What an error may say besides its headline: notes on the context, the way out, and labels at other places."""

    notes: Iterable[str]
    help: str | None
    others: Iterable[Label]


def make_error(code: str, headline: str, span: Span | None, text: str = "", **details: Unpack[Details]) -> Diagnostic:
    """An error with one primary label (none where there is no text to point at), and perhaps others."""
    primary = (Label(span, text, primary=True),) if span is not None else ()
    labels = (*primary, *details.get("others", ()))
    return Diagnostic(code, headline, labels, tuple(details.get("notes", ())), details.get("help"))


def fail(code: str, headline: str, span: Span | None, text: str = "", **details: Unpack[Details]) -> NoReturn:
    """Raise a ``SpecError`` with a single error."""
    raise SpecError(Report([make_error(code, headline, span, text, **details)]))
