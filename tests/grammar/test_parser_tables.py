"""The stored tables of the parser are those of the grammar, and are not needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archonnx.grammar.source import Source, Span
from archonnx.grammar.text import parser_tables as tables
from archonnx.grammar.text.indentation import NEWLINE, Layout
from archonnx.grammar.text.machine import Machine
from archonnx.grammar.text.trees import TreeBuilder

TEXT = "fn f(x: [B]) -> [B]:\n    return x |> g\n"


class Names:
    """Tells the name of a rule."""

    def __getattr__(self, name: str) -> object:
        return lambda parts: name


def test_the_stored_tables_are_up_to_date() -> None:
    assert tables.TABLES.read_text(encoding="utf-8") == tables.tables_text(), (
        "run `python -m archonnx.grammar.text.parser_tables`"
    )


@pytest.mark.parametrize("change", ["tables", "grammar", "cut", "none"])
def test_tables_that_do_not_fit_are_not_used(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tables.TABLES.read_text(encoding="utf-8")
    stored = json.loads(text)
    if change == "tables":
        del stored["tables"]
    elif change != "none":
        stored[change] = "other"
    path = tmp_path / "archonnx.tables"
    path.write_text(text[:1000] if change == "cut" else json.dumps(stored), encoding="utf-8")
    monkeypatch.setattr(tables, "TABLES", path)
    built = []
    work_out = tables.worked_out
    monkeypatch.setattr(tables, "worked_out", lambda grammar: built.append(1) or work_out(grammar))
    layout = Layout()
    machine = Machine(tables.read_tables(), Names(), [NEWLINE])
    assert bool(built) == (change != "none")
    layout.begin(Span(Source("t", TEXT), 0, len(TEXT)))
    assert machine.parse(TEXT, 0, len(TEXT), "file", layout.process, {}) == "file"
    assert list(tmp_path.iterdir()) == [path]


def test_no_terminal_is_a_special_case_of_another() -> None:
    """What one pattern of all tokens stands on: the match alone settles which token it is."""
    grammar = tables.GRAMMAR.read_text(encoding="utf-8")
    special = grammar.replace('ARROW: "->"', 'ARROW: "->"\nSPECIAL: "special"').replace("line: ", "line: SPECIAL | ", 1)
    assert special.count("SPECIAL") == 2
    with pytest.raises(ValueError, match="special cases of other terminals: NAME"):
        tables.worked_out(special)


def test_the_builder_has_a_function_for_every_rule() -> None:
    calls = {rule["call"] for rule in tables.read_tables()["rules"]} - {""}
    assert len(calls) > 60
    assert {call for call in calls if not hasattr(TreeBuilder, call)} == set()
