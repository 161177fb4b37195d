"""Every code has a page and every page a code; examples show what they say; the page of all codes is up to date."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.diagnostics.catalogue import FAMILIES, PAGES, Page, catalogue, explain, read_page, reference
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_tree
from archonnx.grammar.text.parser import parse
from tests.support.golden import GOLDEN, read_cases

ROOT = Path(__file__).parents[2]
FOLDERS = ("grammar", "compiler", "runtime", "archonnx", "specs")
SYNTAX = [entry for entry in catalogue().values() if entry.code.startswith("AX01")]


USED = {
    code
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    for code in re.findall(r'"(AX\d{4})"', path.read_text(encoding="utf-8"))
}
"""Codes that the sources report."""


def test_every_code_in_use_has_a_page_and_every_page_is_of_a_code_in_use() -> None:
    assert USED - set(catalogue()) == set(), "write grammar/diagnostics/pages/CODE.md"
    assert set(catalogue()) - USED == set(), "nothing reports this code"


def test_pages_are_named_by_their_codes_and_slugs_are_unique() -> None:
    assert {path.name for path in PAGES.iterdir()} == {f"{code}.md" for code in catalogue()}
    for code, entry in catalogue().items():
        assert entry.code == code and code[:4] in FAMILIES
    slugs = Counter(entry.slug for entry in catalogue().values())
    assert [slug for slug, count in slugs.items() if count > 1] == []


def test_a_page_is_read() -> None:
    text = (
        "# AX9999 no-such (warning)\n\na summary\n\n## Meaning\n\nTwo\nlines.\n\nA paragraph.\n\n"
        "## Example\n\n```yaml\na:\n\n  b\n```\n\n## Fix\n\nMend\nit.\n"
    )
    page = Page(
        "AX9999", "no-such", "a summary", "Two lines.\n\nA paragraph.", "Mend it.", "a:\n\n  b\n", "yaml", "warning"
    )
    assert read_page(text) == page
    without = text.replace("## Example\n\n```yaml\na:\n\n  b\n```\n\n", "").replace(" (warning)", "")
    assert read_page(without) == Page("AX9999", "no-such", "a summary", page.meaning, page.fix)


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("# AX9999 no-such\n", "# AX999 no-such\n"),
        ("# AX9999 no-such\n", "# AX9999 No such\n"),
        ("# AX9999 no-such\n", "# AX9999 no-such (note)\n"),
        ("a summary\n", "a summary\non two lines\n"),
        ("## Meaning\n\nTwo\nlines.\n\n", ""),
        ("Two\nlines.", ""),
        ("## Fix", "## The way out"),
        ("```arch", "```python"),
        ("Mend\nit.\n", ""),
    ],
)
def test_a_page_of_another_form_is_refused(part: str, instead: str) -> None:
    text = (
        "# AX9999 no-such\n\na summary\n\n## Meaning\n\nTwo\nlines.\n\n"
        "## Example\n\n```arch\nx\n```\n\n## Fix\n\nMend\nit.\n"
    )
    assert read_page(text).example == "x\n" and part in text
    with pytest.raises(ValueError, match="a page is"):
        read_page(text.replace(part, instead))


@pytest.mark.parametrize("entry", catalogue().values(), ids=lambda entry: entry.slug)
def test_an_example_of_a_syntax_code_gives_that_code_and_others_parse(entry: Page) -> None:
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
    assert {entry.code for entry in SYNTAX} - shown == without_example == {"AX0116", "AX0130", "AX0131"}


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert page == reference(), "run `python -m archonnx.grammar.diagnostics.catalogue docs/diagnostics.md`"


def test_explain() -> None:
    page = explain("ax0109")
    assert page is not None and page.startswith("AX0109 unclosed-bracket (error)\n") and "    fn f(x" in page
    for code in ("AX9999", "", "AX", "../AX0109", "AX0109.md"):
        assert explain(code) is None


def test_explaining_a_code_reads_its_page_alone() -> None:
    program = (
        "from pathlib import Path\n"
        "read, real = [], Path.read_text\n"
        "Path.read_text = lambda self, *a, **k: (read.append(self.name), real(self, *a, **k))[1]\n"
        "from archonnx.grammar.diagnostics.catalogue import explain\n"
        "assert not read and explain('AX0109') and read == ['AX0109.md'], read\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
