"""Errors that are bugs of archonnx. What is wrong in a spec is a diagnostic, never one of these."""

from __future__ import annotations

from archonnx.grammar.source import Span

HOW_TO_REPORT = (
    "This is a bug in archonnx, not in your spec. Please report it: "
    "open an issue with the spec, the command and this message."
)


class InternalError(Exception):
    """The compiler broke one of its own promises.

    ``details`` is what to add to a report: the failing node, what a checker said. ``span`` is the place of the spec
    that was being compiled, where one is known.
    """

    def __init__(self, what: str, *, details: str = "", span: Span | None = None) -> None:
        super().__init__(what)
        self.what, self.details, self.span = what, details, span

    def __str__(self) -> str:
        place = f" (while compiling {self.span})" if self.span is not None else ""
        return "\n".join(filter(None, (f"internal error: {self.what}{place}", self.details, HOW_TO_REPORT)))
