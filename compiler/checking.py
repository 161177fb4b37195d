"""What was probably not meant in a model that compiles, with fixes that were tried.

What this module does not do: find anything (the rules in ``lints`` do), or judge an edit (``helps.trial`` does).
"""

from __future__ import annotations

from collections.abc import Collection

from archonnx.grammar.bounded import bounded
from archonnx.grammar.budget import BUILDING, Budget
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source

from .helps.trial import tried
from .lints.data_rules import DataSight
from .lints.finding import findings
from .lints.levels import Levels
from .pipeline import elaborate_untried, parse_source
from .program import ModelProgram


def warnings(model: ModelProgram, levels: Levels, data: Collection[DataSight] = ()) -> list[Diagnostic]:
    """What the lints find in a model, and in its data where that is open.

    An edit that one suggests is tried: what it is about is gone, and nothing new.
    """
    spec = model.spec

    def found_with(source: Source) -> list[Diagnostic]:
        try:
            return findings(elaborate_untried(replace(spec, source=source, file=parse_source(source))), levels)
        except SpecError as error:
            return error.diagnostics

    with bounded(Budget(times=BUILDING)):
        return tried(spec.source, Report(findings(model, levels, data)), found_with).diagnostics
