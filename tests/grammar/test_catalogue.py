"""The catalogue is complete, its examples show what they say, and its page is up to date."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.diagnostics.catalogue import FAMILIES, Code, catalogue, explain, reference
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_tree
from archonnx.grammar.text.dsl import parse
from tests.support.golden import GOLDEN, read_cases

ROOT = Path(__file__).parents[2]
FOLDERS = ("grammar", "compiler", "runtime", "archonnx", "specs")
SYNTAX = [entry for entry in catalogue().values() if entry.code.startswith("AX01")]


def test_every_code_in_use_is_in_the_catalogue_and_every_entry_is_whole() -> None:
    used = {
        code
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if not path.name.startswith("codes_")
        for code in re.findall(r"\bAX\d{4}\b", path.read_text(encoding="utf-8"))
    }
    assert used <= set(catalogue()), f"not in the catalogue: {sorted(used - set(catalogue()))}"
    slugs = Counter(entry.slug for entry in catalogue().values())
    assert [slug for slug, count in slugs.items() if count > 1] == []
    for entry in catalogue().values():
        assert re.fullmatch(r"AX\d{4}", entry.code) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.slug)
        assert entry.summary and entry.meaning and entry.fix and entry.severity in ("error", "warning")


def test_families_keep_to_their_digits_and_no_code_is_taken_twice() -> None:
    modules = [ROOT / "grammar/diagnostics" / f"codes_{family}.py" for family in FAMILIES]
    assert sorted(modules) == sorted((ROOT / "grammar/diagnostics").glob("codes_*.py"))
    codes = [
        code for path in modules for code in re.findall(r'^        "(AX\d{4})",\s+"', path.read_text("utf-8"), re.M)
    ]
    assert sorted(codes) == sorted(catalogue())
    for digits, path in enumerate(modules):
        found = re.findall(r'^        "(AX\d{4})"', path.read_text("utf-8"), re.M)
        assert {code[:4] for code in found} <= {f"AX0{digits}"}


@pytest.mark.parametrize("entry", catalogue().values(), ids=lambda entry: entry.slug)
def test_an_example_of_a_syntax_code_gives_that_code_and_others_parse(entry: Code) -> None:
    if entry not in SYNTAX:
        parse(Source("example.arch", entry.example))
    elif entry.example:
        with pytest.raises(SpecError) as caught:
            read_tree(Source(f"example.{entry.language}", entry.example))
        assert [diagnostic.code for diagnostic in caught.value.diagnostics] == [entry.code]


def test_every_syntax_code_has_a_golden_case() -> None:
    shown = {
        code
        for path in (GOLDEN / "diagnostics").glob("syntax_*/*.md")
        for case in read_cases(path)
        for code in re.findall(r"AX\d{4}", case.expected)
    }
    without_example = {entry.code for entry in SYNTAX if not entry.example}
    assert {entry.code for entry in SYNTAX} - shown == without_example == {"AX0116"}


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert page == reference(), "run `python -m archonnx.grammar.diagnostics.catalogue docs/diagnostics.md`"


def test_explain() -> None:
    page = explain("ax0109")
    assert page is not None and page.startswith("AX0109 unclosed-bracket (error)\n") and "    fn f(x" in page
    assert explain("AX9999") is None
