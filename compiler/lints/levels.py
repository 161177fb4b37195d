"""What is done about a lint: ``allow`` says nothing, ``warn`` tells, ``deny`` makes it an error.

A comment ``# allow AX0802``, with a reason behind it or none, holds for the statement that begins on its line or below
it; above all declarations of a file it holds for the file. What the command line says is overruled by both. What this
module does not do: find anything (the rules do).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from archonnx.grammar.diagnostics import Diagnostic, Label, fail
from archonnx.grammar.record import Record, replace
from archonnx.grammar.source import Source, Span

Level = Literal["allow", "warn", "deny"]
ALL = "all"
LEVELS: Mapping[str, Level] = {"allow": "allow", "warn": "warn", "deny": "deny"}
_COMMENT = re.compile(r"#\s*(allow|warn|deny)\s+(AX\d{4}(?:\s*,\s*AX\d{4})*)\b")


class Levels(Record):
    """What the command line says: codes, or ``all``."""

    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()

    def of(self, code: str) -> Level:
        """The level of a code; one that is named comes before ``all``."""
        for named in (code, ALL):
            if named in self.deny:
                return "deny"
            if named in self.allow:
                return "allow"
        return "warn"


def check_codes(levels: Levels, known: Collection[str]) -> None:
    """SpecError if the command line names what is no lint."""
    for code in (*levels.deny, *levels.allow):
        if code not in known and code != ALL:
            lints = ", ".join(sorted(known))
            fail("AX0800", f"`{code}` is not the code of a warning", None, help=f"they are {lints}")


class _Comments:
    """The levels that the comments of a file give."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.file: dict[str, Level] = {}
        self.lines: dict[int, dict[str, Level]] = {}
        self.named: list[tuple[str, Span]] = []
        waiting: dict[str, Level] = {}
        begun = False
        for number, line in enumerate(source.text.split("\n"), 1):  # as the source counts them
            bare = line.strip()
            found = dict(self._of(number, line))
            if bare.startswith("#"):
                waiting |= found
                continue
            if not bare:
                if not begun:
                    self.file |= waiting
                    waiting = {}
                continue
            begun = True
            self.lines[number] = waiting | found
            waiting = {}

    def _of(self, number: int, line: str) -> Iterator[tuple[str, Level]]:
        for match in _COMMENT.finditer(line):
            start = self.source.line_starts[number - 1]
            for code in re.finditer(r"AX\d{4}", match[2]):
                at = start + match.start(2) + code.start()
                self.named.append((code[0], Span(self.source, at, at + len(code[0]))))
                yield code[0], LEVELS[match[1]]

    def level(self, diagnostic: Diagnostic) -> Level | None:
        """What is said of it; None where nothing is."""
        if diagnostic.span is None:
            return None
        line, _ = self.source.line_column(diagnostic.span.start)
        return self.lines.get(line, {}).get(diagnostic.code) or self.file.get(diagnostic.code)


def judged(
    found: list[Diagnostic], levels: Levels, sources: Collection[Source], known: Collection[str]
) -> list[Diagnostic]:
    """What is to be told of the findings of rules, as warnings or errors; and comments that name no lint.

    Args:
        found: by the rules.
        levels: of the command line.
        sources: the files whose comments count, as far as no finding leads to them.
        known: the codes of all rules.
    """
    comments: Mapping[Source, _Comments] = {
        source: _Comments(source) for source in {*sources, *(d.span.source for d in found if d.span is not None)}
    }
    told = []
    for diagnostic in found:
        span = diagnostic.span
        said = comments[span.source].level(diagnostic) if span is not None else None
        level = said or levels.of(diagnostic.code)
        if level != "allow":
            told.append(replace(diagnostic, severity="error") if level == "deny" else diagnostic)
    wrong = [(code, span) for of in comments.values() for code, span in of.named if code not in known]
    return told + [
        Diagnostic(
            "AX0800",
            f"`{code}` is not the code of a warning",
            (Label(span, "no rule has it", primary=True),),
            (),
            f"they are {', '.join(sorted(known))}",
            "warning",
        )
        for code, span in wrong
    ]
