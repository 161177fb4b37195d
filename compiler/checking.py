"""All that is found in a spec, with fixes that were tried: what is wrong, and what was probably not meant.

What this module does not do: find anything (the rules in ``lints`` do), or judge an edit (``helps.trial`` does).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from archonnx.grammar.bounded import bounded
from archonnx.grammar.budget import BUILDING, Budget
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source

from .helps.proposals import proposed
from .helps.trial import tried
from .lints.data_rules import DataSight
from .lints.finding import findings
from .lints.levels import Levels
from .models import specs_of_models
from .pipeline import elaborate, elaborate_untried, float_type, parse_source, parse_spec
from .program import ModelProgram


def examined(
    source: Source, path: Path | None, arguments: Mapping[str, Any], levels: Levels, dtype: str | None = None
) -> list[Diagnostic]:
    """What is found in a text: errors, or if there are none the warnings of its models."""
    try:
        spec = replace(parse_spec(source, path=path), arguments=arguments)
        spec = spec if dtype is None else replace(spec, float_type=float_type(dtype))
        models = [elaborate(one, simplify=False) for one in specs_of_models(spec)]
    except SpecError as error:
        return error.diagnostics
    report = Report()
    for model in models:
        for finding in warnings(model, levels):
            report.add_at_place(finding)
    return report.diagnostics


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
        told = proposed(findings(model, levels, data), spec.file)
        return tried(spec.source, Report(told), found_with).diagnostics
