"""The stored tables of the parser are those of the grammar, and are not needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lark import Tree

from archonnx.grammar.source import Source, Span
from archonnx.grammar.text import parser_tables as tables
from archonnx.grammar.text.indentation import Layout
from archonnx.grammar.text.trees import TreeBuilder

TEXT = "fn f(x: [B]) -> [B]:\n    return x |> g\n"


def parse_with(parser: object, layout: Layout) -> Tree[object]:
    layout.begin(Span(Source("t", TEXT), 0, len(TEXT)))
    tree: Tree[object] = parser.parse(TEXT, start="file")  # type: ignore[attr-defined]
    return tree


def test_the_stored_tables_are_up_to_date() -> None:
    assert tables.TABLES.read_text(encoding="utf-8") == tables.tables_text(), (
        "run `python -m archonnx.grammar.text.parser_tables`"
    )


@pytest.mark.parametrize("change", ["lark", "grammar", "cut", "none"])
def test_tables_that_do_not_fit_are_not_used(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tables.TABLES.read_text(encoding="utf-8")
    stored = json.loads(text)
    if change != "none":
        stored[change] = "other"
    path = tmp_path / "archonnx.tables"
    path.write_text(text[:1000] if change == "cut" else json.dumps(stored), encoding="utf-8")
    monkeypatch.setattr(tables, "TABLES", path)
    built = []
    build = tables.build_parser
    monkeypatch.setattr(tables, "build_parser", lambda *arguments: built.append(1) or build(*arguments))
    layout = Layout()
    parser = tables.make_parser(None, layout)
    assert bool(built) == (change != "none")
    assert parse_with(parser, layout).data == "file"
    assert list(tmp_path.iterdir()) == [path]


def test_the_builder_has_a_function_for_every_rule() -> None:
    layout = Layout()
    parser = tables.make_parser(None, layout)
    names = {str(rule.alias or rule.origin.name) for rule in parser.rules if not rule.origin.name.startswith("_")}
    inlined = {rule.origin.name for rule in parser.rules if rule.options.expand1}
    assert {name for name in names - inlined if not hasattr(TreeBuilder, name)} == set()
