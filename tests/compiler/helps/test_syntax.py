"""Mistakes in syntax that people bring along: the edit that is shown makes the spec right."""

from __future__ import annotations

import pytest

from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source

HEAD = "model Net(deep: int = 1):\n    input x: [B, 8]\n"


def found(text: str) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        elaborate(parse_spec(Source("net.arch", text)))
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("    output y = x if deep == 1 && true else 2 * x", "and"),
        ("    output y = x ^ 2", "**"),
        ("    output y = x;", "x\n"),
        ("    h := x\n    output y = h", "h = x"),
        ("    h = x\n    h *= 2 + 1  # thrice\n    output y = h", "h = h * (2 + 1)  # thrice"),
        ("    h = x\n    h -= relu(x)\n    output y = h", "h = h - relu(x)"),
        ("    output y = x |> Dense(3, bias=False)", "false"),
        ("    // it is doubled\n    output y = 2 * x", "# it"),
        ("    output y = 2 x", "2 * x"),
        ("    output y = mean(x, axis=1", "axis=1)"),
        ("    output y = mean(x, axis=[1)", "[1])"),
        ("    if deep = 1:\n        x = 2 * x\n    output y = x", "deep == 1"),
        ("    if deep == 1:\n        x = 2 * x\n    else if deep == 2:\n        x = 3 * x\n    output y = x", "elif"),
        ("    if deep == 1\n        x = 2 * x\n    output y = x", "1:"),
        ("    if deep == 1: x = 2 * x\n    output y = x", "1:\n        x"),
        ("    output y = einsum('b d, b d -> b d', x, x)", '"b d, b d -> b d"'),
        ("    let h = 2 * x\n    output y = h", "    h = 2"),
        ("    output y = x × 2", "x * 2"),
        ("    outptu y = 2 * x", "output"),
    ],
)
def test_the_edit_is_right(wrong: str, right: str) -> None:
    text = f"{HEAD}{wrong}\n"
    (mistake,) = found(text)
    assert mistake.help
    (fix,) = mistake.fixes
    assert right in fix.applied()
    elaborate(parse_spec(Source("net.arch", fix.applied())))


def test_the_size_of_a_batch_has_a_name() -> None:
    (mistake,) = found("model Net():\n    input x: [None, 8]\n    output y = x\n")
    assert [fix.applied().count("[B, 8]") for fix in mistake.fixes] == [1]


def test_settings_with_colons() -> None:
    text = f"{HEAD}    loss l = mean(x |> Dense(1))\n\ntrain:\n    epochs: 20\n    minimize l with adam()\n"
    (mistake,) = found(text)
    assert mistake.fixes[0].applied() == text.replace("epochs:", "epochs =")


def test_what_stands_behind_a_misspelt_word_is_checked_too() -> None:
    text = "model Net():\n    inputs x: [B, 8]\n    output y = x |> Dense(3) |> reluu\n"
    word, name = found(text)
    assert (word.code, name.code) == ("AX0111", "AX0201")
    assert name.fixes[0].applied() == text.replace("reluu", "relu")
    assert word.fixes[0].applied() == text.replace("inputs", "input")


def test_a_guess_is_no_fix_while_the_rest_is_unread() -> None:
    """A name is tried in the file as it was meant: what does not compile there is not shown."""
    (word, name) = found("model Net():\n    inputs x: [B, 8]\n    output y = x + meen\n")
    assert word.fixes and not name.fixes


def test_a_word_without_a_counterpart_is_told_of_in_words() -> None:
    (mistake,) = found(f"{HEAD}    output y = sum(map(lambda v: v, x))\n")
    assert not mistake.fixes and mistake.help == "give the function a name with `fn`"


SPEC = 'model: Net\ninputs: {x: "[B, 4]"}\ntargets: {y: "i64[B]"}\nlayers:\n  - Dense: 16\n  - relu\n  - {Dense: 3, as: z}\n'


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("  - relu", "   - relu"),
        ('targets: {y: "i64[B]"}', "targets: {y: i64[B]}"),
        ("  - Dense: 16", "  - Dense:16"),
        ("  - relu", "  - activation: relu"),
        ("  - {Dense: 3, as: z}", "  - {Dense: 3, name: z}"),
    ],
)
def test_yaml(right: str, wrong: str) -> None:
    text = f"{SPEC}outputs:\n  p: softmax(z)\n"
    with pytest.raises(SpecError) as caught:
        elaborate(parse_spec(Source("net.yaml", text.replace(right, wrong))))
    (mistake,) = caught.value.diagnostics
    assert mistake.fixes
    for fix in mistake.fixes:
        elaborate(parse_spec(Source("net.yaml", fix.applied())))


TRAIN = 'losses: {l: "cross_entropy(z, y)"}\ntrain:\n  split: SHARES\n  steps: [{minimize: l, with: adam()}]\n'


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("[0.7, 0.1, 0.2]", "{train: 0.7, valid: 0.1, test: 0.2}"),
        ("[0.8, 0.2]", "{train: 0.8, test: 0.2}"),
    ],
)
def test_shares_in_yaml(wrong: str, right: str) -> None:
    with pytest.raises(SpecError) as caught:
        elaborate(parse_spec(Source("net.yaml", SPEC + TRAIN.replace("SHARES", wrong))))
    (mistake,) = caught.value.diagnostics
    assert mistake.fixes[0].applied() == SPEC + TRAIN.replace("SHARES", right)
