"""Reading goes on after a mistake in syntax: what is found behind it is what would be found if it were mended."""

from __future__ import annotations

import pytest

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse
from archonnx.grammar.text.words import FORMS, TOP_LEVEL

MODEL = """\
model Net():
    input x: [B, 4]
    target y: [B, 1]
    param w: [4, 1] ~ normal()
    p = x @ w
    output q = p
    loss l = mse(p, y)
    metric m = mae(p, y)

train:
    minimize l with sgd(lr=0.1)
"""


def found(text: str) -> tuple[list[Diagnostic], object]:
    with pytest.raises(SpecError) as caught:
        parse(Source("net.arch", text))
    return caught.value.diagnostics, caught.value.recovered


def places(diagnostics: list[Diagnostic]) -> list[tuple[int, str]]:
    return [(d.span.source.line_column(d.span.start)[0], d.span.text) for d in diagnostics if d.span is not None]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("model", "modle"), ("model", "network"), ("input", "inputs"), ("input", "imput"), ("target", "targets"),
        ("param", "parameter"), ("output", "ouput"), ("loss", "los"), ("loss", "losses"), ("metric", "metrics"),
        ("minimize", "minimise"), ("minimize", "minimze"),
    ],
)  # fmt: skip
def test_a_misspelt_word_is_read_as_what_is_meant(right: str, wrong: str) -> None:
    """The tree is that of the right text, at the places of the wrong one."""
    diagnostics, recovered = found(MODEL.replace(f"{right} ", f"{wrong} ", 1))
    assert [d.code for d in diagnostics] == ["AX0111"] and diagnostics[0].help == f"did you mean `{right}`?"
    assert recovered == parse(Source("net.arch", MODEL))


def test_all_misspelt_words_of_a_file_are_told_at_once() -> None:
    text = MODEL
    for right, wrong in (("input", "inputs"), ("target", "targets"), ("loss", "los"), ("minimize", "minimise")):
        text = text.replace(f"{right} ", f"{wrong} ", 1)
    diagnostics, recovered = found(text)
    assert places(diagnostics) == [(2, "inputs"), (3, "targets"), (7, "los"), (11, "minimise")]
    assert isinstance(recovered, ast.File) and recovered == parse(Source("net.arch", MODEL))


def test_a_line_is_left_out_and_the_next_is_read() -> None:
    text = MODEL.replace("p = x @ w", "p = x @@ w").replace("mae(p, y)", "mae(p y)")
    diagnostics, recovered = found(text)
    assert [line for line, _ in places(diagnostics)] == [5, 8] and recovered is None


@pytest.mark.parametrize(
    "text",
    [
        "fn f(x: [B]) -> [B]:\n    y = g(x,\n          2 3,\n          4)\n    return y\n",  # inside of brackets
        "fn f(x: [B]) -> [B]:\n    for i on range(3):\n        x = x + 1\n    return x\n",  # a header
        "fn f(x: [B]) -> [B]:\n    y = x x\n        |> relu\n    return y\n",  # it goes on below
    ],
)
def test_a_mistake_on_which_others_hang_is_told_alone(text: str) -> None:
    diagnostics, _ = found(f"{text}\nmodel M():\n    input x [B]\n")
    assert len(diagnostics) == 2


def test_reading_ends_after_many_mistakes() -> None:
    text = "model M():\n" + "    x = y y\n" * 2000
    assert len(found(text)[0]) == 20


def test_words_of_the_top_are_for_the_top() -> None:
    assert set(TOP_LEVEL) <= set(FORMS)
    (only,), _ = found("inputs x: [B]\n")
    assert only.code == "AX0123"
