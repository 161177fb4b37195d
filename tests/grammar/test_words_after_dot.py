"""Columns called like words of this language or of another: the form that the message shows is read."""

from __future__ import annotations

import pytest

from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.foreign import section
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse_expression
from archonnx.grammar.text.words import RESERVED, is_name


@pytest.mark.parametrize("owner", ["data", "pets.inner", "data[0]"])
@pytest.mark.parametrize("word", sorted({*RESERVED, *section("syntax")}))
def test_a_column_may_have_any_name_in_brackets(word: str, owner: str) -> None:
    text = f"stack([{owner}.weight, {owner}.{word}], axis=1)"
    if is_name(word):
        parse_expression(Source("t", text))
        return
    with pytest.raises(SpecError) as caught:
        parse_expression(Source("t", text))
    (found,) = caught.value.diagnostics
    form = f'{owner if owner != "data[0]" else ""}["{word}"]'
    assert (found.code, found.help) == (
        "AX0112" if word in RESERVED else "AX0111",
        f"a column of this name is written `{form}`",
    )
    assert found.span is not None and found.span.text == word
    parse_expression(Source("t", text.replace(f"{owner}.{word}", f'{owner}["{word}"]')))
