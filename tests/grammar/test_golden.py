"""Golden pages: the syntax trees of sources, and the messages for wrong ones."""

from __future__ import annotations

import pytest

from archonnx.grammar.diagnostics import SpecError, render_report
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_tree
from archonnx.grammar.text.parser import parse
from tests.support.dump import dump
from tests.support.golden import Case, Golden, golden_cases


@golden_cases("syntax/*.md")
def test_tree(case: Case, golden: Golden) -> None:
    tree = parse(Source(f"{case.path.stem}.arch", case.source))
    golden(case, "\n".join(dump(declaration) for declaration in tree.declarations))


@golden_cases("diagnostics/syntax_*/*.md")
def test_message(case: Case, golden: Golden) -> None:
    with pytest.raises(SpecError) as caught:
        read_tree(Source(next(iter(case.sources)), case.source))
    golden(case, render_report(caught.value.report))
