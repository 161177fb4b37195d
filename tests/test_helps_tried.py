"""All helps of the golden pages, tried: a fix makes its finding go away, and words name only what there is."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from archonnx.compiler.elaborate.builtin.table import builtins
from archonnx.compiler.elaborate.files.library import library
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.set_metrics import SET_FUNCTIONS
from archonnx.compiler.settings import TrainSettings
from archonnx.compiler.sources import SOURCES
from archonnx.grammar.diagnostics import Diagnostic, SpecError, Suggestion
from archonnx.grammar.diagnostics.fixes import moved
from archonnx.grammar.source import Source
from archonnx.grammar.text.words import FORMS, RESERVED
from tests.support.golden import GOLDEN, Case, read_cases
from tests.test_helps import NOT_OURS, OF_PROGRAMS

PAGES = [path for kind in ("spec_*", "syntax_*") for path in sorted(GOLDEN.glob(f"diagnostics/{kind}/*.md"))]
WORD = re.compile(r"[^\W\d]\w*")
CODE = re.compile(r"`([^`\n]+)`")


def found(name: str, text: str, folder: Path) -> list[Diagnostic]:
    try:
        elaborate(parse_spec(Source(name, text), path=folder / name))
    except SpecError as error:
        return error.diagnostics
    return []


@cache
def known() -> set[str]:
    """Names that may be called in a help: those of the language and those that stand for any."""
    return {
        *library().names(), *builtins(), *SOURCES, *SET_FUNCTIONS, *TrainSettings.model_fields, *FORMS, *RESERVED,
        *OF_PROGRAMS, *NOT_OURS,
    }  # fmt: skip


def check(case: Case, folder: Path) -> int:
    """Try the helps of a case; how many fixes there were."""
    name = next(iter(case.sources))
    diagnostics, fixes = found(name, case.source, folder), 0
    for diagnostic in diagnostics:
        assert not isinstance(diagnostic.help, Suggestion) or diagnostic.span is None, "it was not tried"
        for fix in diagnostic.fixes:
            fixes += 1
            after = found(name, fix.applied(), folder)
            assert diagnostic.span is not None
            here = diagnostic.code, diagnostic.headline, moved(diagnostic.span.start, fix.edits)
            assert here not in [(d.code, d.headline, d.span and d.span.start) for d in after], fix
        for code in CODE.findall(diagnostic.help or ""):
            called = re.findall(r"(?<![\w.}])([A-Za-z_]\w*)\(", code)
            own = set(WORD.findall(case.source)) | {word for fix in diagnostic.fixes for word in WORD.findall(fix.text)}
            assert not set(called) - known() - own, code
    return fixes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_helps_of_a_page(page: Path, tmp_path: Path) -> None:
    for case in read_cases(page):
        check(case, tmp_path)


def test_there_are_fixes_to_try(tmp_path: Path) -> None:
    page = GOLDEN / "diagnostics" / "spec_names" / "arguments.md"
    assert sum(check(case, tmp_path) for case in read_cases(page)) >= 3
