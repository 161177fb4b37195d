"""Golden pages: the whole message for every kind of mistake that the compiler finds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archonnx.compiler
from archonnx.compiler.interpret import interpret
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import Report, SpecError, render_report
from archonnx.grammar.source import Source
from tests.support.feeding import feed_fields
from tests.support.golden import GOLDEN, Case, Golden, golden_cases

PATTERN = "diagnostics/spec_*/*.md"
FAMILIES = re.compile(r'"(AX0[2347]\d\d)"')


def use(case: Case, folder: Path) -> None:
    """Elaborate a spec, saved under its own name, and feed its programs.

    ``overrides`` (one ``key value`` a line) are those of a command line.
    """
    path = folder / next(iter(case.sources))
    path.write_text(case.source, "utf-8")
    of = elaborate(parse_spec(Source(path.name, case.source), path=path))
    for program in of.programs:
        report = Report()
        overrides = dict(line.split() for line in case.sources.get("overrides", "").splitlines())
        program.settings.changed(overrides, report)
        report.finish()
        if program.source is not None and program.source.graph is not None:
            feed_fields(of, program, interpret(program.source.graph, {"seed": 0}))


@golden_cases(PATTERN)
def test_message(case: Case, golden: Golden, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        use(case, tmp_path)
    codes = [finding.code for finding in caught.value.diagnostics]
    if case.title.startswith("AX"):
        assert codes == [case.title.split()[0]], "one finding, of the code in the title"
    golden(case, render_report(caught.value.report))


def test_every_code_of_the_compiler_has_a_page() -> None:
    used = {
        code
        for path in Path(archonnx.compiler.__path__[0]).rglob("*.py")
        for code in FAMILIES.findall(path.read_text("utf-8"))
    }
    pages = "".join(path.read_text("utf-8") for path in GOLDEN.glob(PATTERN))
    shown = set(re.findall(r"^## (AX\d{4}) ", pages, re.MULTILINE))
    assert sorted(used - shown) == []
