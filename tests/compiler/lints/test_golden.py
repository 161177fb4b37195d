"""What lints say, as people read it: the golden pages of ``diagnostics/lints``."""

from __future__ import annotations

from archonnx.compiler.lints.data_rules import DataSight, Labels
from archonnx.compiler.lints.finding import data_findings, findings
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import Report, render_report
from archonnx.grammar.source import Source
from tests.support.golden import Case, Golden, golden_cases

BOUNDS = {"pixels": (0.0, 16 / 255), "shades": (0.0, 16.0)}
PARTS = {"train": 30, "test": 10}


@golden_cases(
    "diagnostics/lints/graphs.md",
    "diagnostics/lints/given.md",
    "diagnostics/lints/programs.md",
    "diagnostics/lints/trainings.md",
    "diagnostics/lints/readings.md",
)
def test_findings_are_shown(case: Case, golden: Golden) -> None:
    (name,) = case.sources
    model = elaborate(parse_spec(Source(name, case.source)), simplify=False)
    golden(case, render_report(Report(findings(model))))


@golden_cases("diagnostics/lints/data.md")
def test_findings_of_data_are_shown(case: Case, golden: Golden) -> None:
    (name,) = case.sources
    model = elaborate(parse_spec(Source(name, case.source)), simplify=False)
    labels = {"y": Labels(frozenset({0, 1, 2}), frozenset({0, 1}))} if "y" in model.fields else {}
    bounds = {name: of for name, of in BOUNDS.items() if name in model.fields}
    seen = [DataSight(model, program, 150, PARTS, labels, bounds=bounds) for program in model.programs]
    golden(case, render_report(Report(data_findings(seen))))
