"""Properties: any text at all parses or gives diagnostics with places inside it, which can be rendered."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.diagnostics.catalogue import catalogue
from archonnx.grammar.diagnostics.render import render
from archonnx.grammar.foreign import section
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse, parse_body, parse_expression, parse_type
from archonnx.grammar.text.words import FORMS, RESERVED

EXAMPLES = sorted((Path(__file__).parents[1] / "data" / "examples").glob("*.arch"))
PIECES = [
    *FORMS,
    *RESERVED,
    *section("syntax"),
    *section("operators"),
    *["(", ")", "[", "]", "{", "}", ",", ":", "=", "==", "<", "->", "~", "|>", ".", "...", "+", "-", "**", "@", "//"],
    *["'", '"', '"""', "#", "$", "?", "é", "模", "²", "\u0301", "\x00", "\r", "\u2028", "\u00a0"],
    *["\n", "\n    ", "\n        ", "\n\t", " ", " ", "x", "f", "1", "2.5e-3", "1e999", '"text"', '"\\q"'],
    *["[B, n]", "():"],
]


def check(text: str) -> None:
    source = Source("any.arch", text)
    for read in (parse, parse_body, parse_expression, parse_type):
        try:
            read(source)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                assert diagnostic.code in catalogue() and diagnostic.headline
                assert any(label.primary for label in diagnostic.labels)
                for label in diagnostic.labels:
                    assert 0 <= label.span.start <= label.span.end <= len(text)
                for style in ("full", "concise", "json"):
                    shown = render(diagnostic, style)
                    assert style == "json" or shown.replace("\n", "").isprintable()


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@example("fn f():\n  x\\")
@example("\\")
@example("fn f(x:")
@example('fn f():\n "\\')
def test_any_pieces_of_the_language(text: str) -> None:
    check(text)


@given(st.text(max_size=60))
def test_any_characters(text: str) -> None:
    check(text)


@pytest.mark.parametrize("path", EXAMPLES[:3], ids=lambda path: path.stem)
@given(data=st.data())
def test_an_example_with_a_part_cut_out_or_put_in(path: Path, data: st.DataObject) -> None:
    text = path.read_text(encoding="utf-8")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 20, len(text))))
    check(text[:start] + data.draw(st.sampled_from(["", *PIECES])) + text[end:])
