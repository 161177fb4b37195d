"""Edits for mistakes of people who know other tools, found by where a diagnostic points: a rule for each kind.

A rule looks at the nodes around the place and proposes; whatever is proposed is tried (``trial``) before anybody reads
it. What this module does not do: hold a rule (those beside it do), or know the names of other tools
(``grammar.foreign`` does).
"""

from __future__ import annotations

from collections.abc import Sequence

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, Suggestion
from archonnx.grammar.record import replace

from . import (
    arguments,
    calls,
    declared,
    examples,
    forms,
    given,
    gradients,
    loops,
    misread,
    names,
    options,
    programs,
    ranks,
    settings,
    shapes,
    sizes,
    sources,
    tables,
    warned,
)
from .sight import LATE, RULES, Advice, Sight, path_to

__all__ = [
    "arguments",
    "calls",
    "declared",
    "examples",
    "forms",
    "given",
    "gradients",
    "loops",
    "misread",
    "names",
    "options",
    "programs",
    "proposed",
    "ranks",
    "settings",
    "shapes",
    "sizes",
    "sources",
    "tables",
    "warned",
]

MANY = 40
"""Diagnostics for which edits are proposed at most."""
READ = 250_000
"""Characters that are read for them at most, of all: a rule reads the whole file, which takes 3 us a character."""


def proposed(diagnostics: Sequence[Diagnostic], file: ast.File) -> list[Diagnostic]:
    """The diagnostics with what the rules propose before their own suggestions."""
    many = min(MANY, READ // max(1, len(file.span.source.text)))
    return [_with_proposals(d, file) for d in diagnostics[:many]] + list(diagnostics[many:])


def _with_proposals(diagnostic: Diagnostic, file: ast.File) -> Diagnostic:
    span = diagnostic.span
    if span is None or span.source is not file.span.source:
        return diagnostic
    sight = Sight(diagnostic, file, tuple(path_to(file, span)), span)
    found = [one for codes, rule in RULES if diagnostic.code in codes for one in rule(sight)]
    late = [one for codes, rule in LATE if diagnostic.code in codes for one in rule(sight)]
    own = diagnostic.help
    if isinstance(own, Suggestion) and any(isinstance(one, Advice) for one in found):
        own = None
    edits = [one for one in found if isinstance(one, Suggestion)]
    if isinstance(own, Suggestion):
        edits = [own, *edits] if diagnostic.code == "AX0202" else [*edits, own]
    edits += [one for one in late if isinstance(one, Suggestion)]
    words = next((one for one in (*found, *late, own) if one is not None and not isinstance(one, Suggestion)), None)
    if not edits:
        return replace(diagnostic, help=words)
    words = next((edit.otherwise for edit in edits if edit.otherwise is not None), words)
    return replace(diagnostic, help=edits[0].or_else(words, *edits[1:]))
