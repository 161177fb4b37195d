"""The edits of warnings are tried like those of errors: the warning is gone, and nothing else is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from archonnx.compiler.checking import warnings
from archonnx.compiler.lints.levels import Levels
from archonnx.compiler.lints.rules import RULES, Sight, warning
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import Diagnostic, Suggestion
from archonnx.grammar.source import Source, Span

TEXT = "model Net():\n    input x: [B, 8]\n    output y = x |> Dense(4)\n"


@pytest.mark.parametrize(("instead", "helps"), [("Dense(5)", True), ("Dense(6)", False), ("Dnse(5)", False)])
def test_an_edit_is_shown_if_the_warning_is_gone(monkeypatch: pytest.MonkeyPatch, instead: str, helps: bool) -> None:
    def even(sight: Sight) -> Iterator[Diagnostic]:
        """A rule against layers with an even number of units."""
        text = sight.model.spec.source.text
        start, end = text.index("Dense"), text.index(")", text.index("Dense")) + 1
        if int(text[end - 2]) % 2 == 0:
            place = Span(sight.model.spec.source, start, end)
            yield warning("AX0899", "even", place, help=Suggestion.of("make it odd", "", instead, place))

    monkeypatch.setitem(RULES, "AX0899", even)
    found = next(d for d in warnings(elaborate(parse_spec(Source("n.arch", TEXT))), Levels()) if d.code == "AX0899")
    assert (found.help, len(found.fixes)) == (("make it odd", 1) if helps else (None, 0))
