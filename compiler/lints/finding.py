"""All rules at once: what was probably not meant in a model."""

from __future__ import annotations

from archonnx.compiler.program import ModelProgram
from archonnx.grammar.diagnostics import Diagnostic, Report
from archonnx.grammar.source import Source

from . import (  # noqa: F401 - importing a rule registers it
    affine_twice,
    asked_in_use,
    loss_of_probabilities,
    over_examples,
    picked_examples,
    trains_nothing,
    untrained,
    unused,
)
from .levels import Levels, judged
from .rules import RULES, Sight

UNLEVELLED = Levels()


def findings(model: ModelProgram, levels: Levels = UNLEVELLED) -> list[Diagnostic]:
    """Warnings, and errors where a level says so, in the order of their places."""
    sight, report = Sight(model), Report()
    for code in sorted(RULES):
        for diagnostic in RULES[code](sight):
            report.add_at_place(diagnostic)
    own: list[Source] = [model.spec.source]
    found = [d for d in report.diagnostics if d.span is None or not d.span.source.library]
    found.sort(key=lambda d: (d.span is None, d.span.start if d.span is not None else 0))
    return judged(found, levels, own, codes())


def codes() -> tuple[str, ...]:
    """The codes of all rules."""
    return tuple(sorted(RULES))
