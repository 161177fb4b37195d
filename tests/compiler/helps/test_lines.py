"""Lines in the form of another language become the line that is meant: the first fix of each is applied."""

from __future__ import annotations

import pytest

from archonnx.compiler.checking import examined
from archonnx.compiler.lints.levels import Levels
from archonnx.grammar.source import Source
from archonnx.grammar.text.reshaped import LONGEST

HEAD = "model Net(n: int = 4, deep: bool = true):\n    input x: [B, 8]\n"
TAIL = "    output o = x\n"
TRAINED = "model Net():\n    input x: [B, 8]\n    loss l = mean((x |> Dense(1)) ** 2)\n\ntrain:\n"


def mended(text: str) -> str:
    """The text with the first fix of its first finding."""
    first = examined(Source("net.arch", text), None, {}, Levels())[0]
    assert first.fixes, first
    return first.fixes[0].applied()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("input z = f32[B, 3]", "input z: f32[B, 3]"),
        ("input z [B, 3]", "input z: [B, 3]"),
        ("input z: (B, 3, 5)", "input z: [B, 3, 5]"),
        ("input z: B, 3", "input z: [B, 3]"),
        ("input f32[B, 3] z", "input z: f32[B, 3]"),
        ("input z: [B, 3] i64", "input z: i64[B, 3]"),
        ("input z: i64(B)", "input z: i64[B]"),
        ("input z, w: [B, 3]", "input z: [B, 3]\n    input w: [B, 3]"),
        ("target z: i64[B].", "target z: i64[B]"),
        ("loss r: mean(x)", "loss r = mean(x)"),
        ("loss r := mean(x)", "loss r = mean(x)"),
        ("loss mean(x)", "loss objective = mean(x)"),
        ("output x |> relu |> tanh", "output y = x |> relu |> tanh"),
        ("metric mae(x, x)", "metric mae = mae(x, x)"),
        ("output z = x >> relu >> tanh", "output z = x |> relu |> tanh"),
        ("output z = x => relu", "output z = x |> relu"),
        ("output z = x | relu | tanh", "output z = x |> relu |> tanh"),
        ("output z = 3x", "output z = 3 * x"),
        ("m = deep ? n : 2", "m = n if deep else 2"),
        ("output z = x |> Dropout(30%)", "output z = x |> Dropout(0.3)"),
        ("output z = x |> elu(alpha: 0.5)", "output z = x |> elu(alpha=0.5)"),
        ("output z = x[0; 1]", "output z = x[0, 1]"),
        ("width = 1_000", "width = 1000"),
        ("ok = n <> 4", "ok = n != 4"),
        ("ok = n === 4", "ok = n == 4"),
        ("param scale = ones([8])", "param scale: [8] = 1"),
        ("param shift = zeros(8)", "param shift: [8] = 0"),
        ("s = (n < 4 == n > 2)", "s = ((n < 4) == (n > 2))"),
        ("s = n < 4 == deep", "s = (n < 4) == deep"),
        ("s = deep != n > 4", "s = deep != (n > 4)"),
        ("s = 0 < n <= 4", "s = 0 < n and n <= 4"),
        ("half = lambda v: v / 2", "fn half(v):\n        return v / 2"),
    ],
)
def test_a_line(wrong: str, right: str) -> None:
    assert mended(f"{HEAD}    {wrong}\n{TAIL}") == f"{HEAD}    {right}\n{TAIL}"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("for i in 0..n:", "for i in range(0, n):"),
        ("for i in 1..=n:", "for i in range(1, n + 1):"),
        ("for i = 0 to 3:", "for i in range(0, 3):"),
        ("for (int i = 0; i < n; i++) {", "for i in range(0, n):"),
        ("for i in range(n) do", "for i in range(n):"),
        ("if n > 4 then", "if n > 4:"),
    ],
)
def test_a_header(wrong: str, right: str) -> None:
    body = "        x = x + 1\n"
    assert right in mended(f"{HEAD}    {wrong}\n{body}{TAIL}")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("minimize l using sgd(0.1)", "minimize l with sgd(0.1)"),
        ("optimise l with sgd(0.1)", "minimize l with sgd(0.1)"),
        ("minimize(l, sgd(0.1))", "minimize l with sgd(0.1)"),
        ("minimize l sgd(0.1)", "minimize l with sgd(0.1)"),
        ("minimize l", "minimize l with adam()"),
    ],
)
def test_a_program(wrong: str, right: str) -> None:
    assert mended(f"{TRAINED}    {wrong}\n") == f"{TRAINED}    {right}\n"


@pytest.mark.parametrize("header", ["train {", "train wide {"])
def test_braces_go_in_pairs(header: str) -> None:
    text = TRAINED.replace("train:", header) + "    minimize l with sgd(0.1)\n}\n"
    assert mended(text) == TRAINED.replace("train:", f"{header[:-2]}:") + "    minimize l with sgd(0.1)\n"


def test_a_block_says_what_it_gives() -> None:
    text = "block Wide(units: int, x):\n    return x |> Dense(units)\n\nmodel Net():\n    input x: [B, 8]\n"
    assert "block Wide(units: int)(x: [B, n]) -> [B, units]:" in mended(f"{text}    output y = Wide(3)(x)\n")


@pytest.mark.parametrize("line", ['z = "a -> b; 20%"', "z = n % 4", "z = {a: 1, b: 2}", "fn f(v: [B, 2]) -> [B, 2]:"])
def test_right_lines_stay_right(line: str) -> None:
    body = "\n        return v" if line.endswith(":") else ""
    found = examined(Source("net.arch", f"{HEAD}    {line}{body}\n{TAIL}"), None, {}, Levels())
    assert not [one for one in found if one.severity == "error"]


def test_a_long_line_is_not_looked_at() -> None:
    """Patterns may take time by the cube of a line, so that lines of strangers are looked at up to a length."""
    for spaces, helped in ((1, True), (LONGEST, False)):
        wrong = f"{HEAD}    input z{' ' * spaces}[B, 3]\n{TAIL}"
        assert bool(examined(Source("net.arch", wrong), None, {}, Levels())[0].fixes) == helped
