"""docs/language.md is true: its specs compile or are refused as it says, its values and outputs are what is computed,
and it leaves out no word and no code of the language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archonnx.compiler import program
from archonnx.compiler.elaborate.core import static
from archonnx.compiler.elaborate.files import imports
from archonnx.compiler.elaborate.meaning import invocation
from archonnx.compiler.elaborate.training import reading
from archonnx.compiler.ir import builder, dims
from archonnx.grammar import ast, budget
from archonnx.grammar.diagnostics import SpecError, render_report
from archonnx.grammar.diagnostics.catalogue import catalogue
from archonnx.grammar.source import Source
from archonnx.grammar.text import indentation, parser, words
from archonnx.grammar.text.parser import parse
from tests.support.language_docs import KINDS, Example, checked_values, compile_all, examples

PAGE = (Path(__file__).parents[1] / "docs" / "language.md").read_text(encoding="utf-8")
EXAMPLES = examples(PAGE)
SPECS = [example for example in EXAMPLES if example.kind in ("arch", "yaml")]
VALUES = [example for example in EXAMPLES if example.kind == "values"]
CODE = [example for example in EXAMPLES if example.kind == "python"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the saved files of the page."""
    for example in SPECS:
        if "file" in example.options:
            (tmp_path / example.file).write_text(example.body, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("example", SPECS, ids=str)
def test_a_spec_compiles_or_is_refused_as_the_page_says(example: Example, folder: Path) -> None:
    code = example.options.get("error")
    if code is None:
        spec = example.spec(folder)
        if any(isinstance(declaration, ast.Model) for declaration in spec.file.declarations):
            compile_all(spec)
        else:
            assert f'from "{example.file}" import' in PAGE
        if other := example.options.get("same"):
            assert spec.file == parse(Source(other, (folder / other).read_text(encoding="utf-8")))
        return
    with pytest.raises(SpecError) as caught:
        compile_all(example.spec(folder))
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {code}
    if example.shown is not None:
        assert render_report(caught.value.report, style="full", color=False).strip() == example.shown.strip()


@pytest.mark.parametrize("example", VALUES, ids=str)
def test_expressions_have_the_values_that_the_page_gives(example: Example) -> None:
    lines = list(checked_values(example.body))
    assert lines
    assert [(text, expected) for text, expected, _ in lines] == [(text, actual) for text, _, actual in lines]


@pytest.mark.parametrize("example", CODE, ids=str)
def test_python_prints_what_the_page_shows(example: Example, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(example.body, f"language.md:{example.line}", "exec"), {})
    assert capsys.readouterr().out.strip() == (example.shown or "").strip()


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    assert {example.kind for example in EXAMPLES} <= set(KINDS)


@pytest.mark.parametrize(("section", "quote"), [("Grammar", '"'), ("Words", "`")])
def test_every_word_of_the_language_is_in_the_summaries(section: str, quote: str) -> None:
    missing = [word for word in {*words.FORMS, *words.RESERVED} if f"{quote}{word}{quote}" not in part(section)]
    assert missing == []


def part(section: str) -> str:
    """The text of a section of the page."""
    return PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]


def test_limits_are_those_of_the_code() -> None:
    limits = dict(re.findall(r"^\| (.+?) \| ([0-9,]+)", part("Limits"), re.MULTILINE))
    assert {name: int(number.replace(",", "")) for name, number in limits.items() if name != "static ints"} == {
        "characters of a spec": parser.MAX_CHARACTERS,
        "nesting of expressions": parser.MAX_DEPTH,
        "nesting of brackets": indentation.MAX_BRACKETS,
        "nesting of bodies": indentation.MAX_INDENTATION,
        "calls inside calls": invocation.DEPTH,
        "axes of a tensor": builder.MAX_RANK,
        "names and numbers in a size": dims.MAX_SIZE,
        "terms of a size": dims.MAX_TERMS,
        "work of a check, in units of about a microsecond": budget.WORK,
        "bytes of what a check makes": budget.BYTES,
        "items of a `range`": 100_000,
        "imported files": imports.MAX_FILES,
        "items of a list, all levels together": static.ITEMS,
        "statements that train in a program, and programs of a file": reading.MAX_STATEMENTS,
        "elements of a tensor, symbolic dims left out": program.LARGEST,
    }


def test_every_code_of_the_language_is_explained() -> None:
    missing = [code for code in catalogue() if code < "AX0500" and code not in PAGE]
    assert missing == []
