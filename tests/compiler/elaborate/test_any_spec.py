"""Whatever stands in a spec: a diagnostic, soon; never a traceback, a long wait or a full memory."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archonnx.compiler.elaborate.files.library import SPECS
from benchmarks.corpus import DEEP
from tests.support.elaborated import codes, findings, model

ROOT = Path(__file__).parents[2]
LIBRARY = "".join(path.read_text("utf-8") for path in sorted((SPECS / "std").glob("*.arch")))
USER = """
model M():
    input x: [B, 2, 8, 8]
    target k: i64[B]
    y = x |> Conv(3, padding=same) |> relu |> MaxPool(2) |> flatten |> Dropout(0.3) |> LayerNorm |> MLP([4, 3])
    output p = softmax(y)
    loss l = cross_entropy(y, k) + l2(self)
    metric a = accuracy(y, k)
train:
    minimize l with adamw(lr=warmup_cosine(1e-3, 10, 100))
"""
TEXTS = [
    LIBRARY + USER,
    *(path.read_text("utf-8") for path in sorted((SPECS / "zoo").rglob("*.arch")) if path.stem not in DEEP),
    *(path.read_text("utf-8") for path in sorted((ROOT / "data/examples").glob("*.arch"))),
]
TOKEN = re.compile(r'[^\W\d]\w*|\d+\.?\d*(?:e-?\d+)?|"[^"\n]*"|\*\*|//|\|>|->|[=!<>]=|\.\.\.|[^\s\w]|\n[ ]*|[ ]+')
TOKENS = [TOKEN.findall(text) for text in TEXTS]


def kind(token: str) -> str:
    """Tokens of one kind stand for each other without a syntax error, mostly."""
    return "name" if token[0].isalpha() else "number" if token[0].isdigit() else token[0]


ALL = [token for tokens in TOKENS for token in tokens if token.strip()]
ALL += ["none", "true", "0", "1.5", "training", "self"]
ALIKE: dict[str, list[str]] = {}
for one in ALL:
    ALIKE.setdefault(kind(one), []).append(one)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A spec with one to three tokens replaced, dropped or put in."""
    tokens = list(draw(st.sampled_from(TOKENS)))
    places = [i for i, token in enumerate(tokens) if token.strip()]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(places))
        how = draw(st.sampled_from(["alike", "alike", "alike", "any", "drop", "insert"]))
        if how == "alike":
            tokens[at] = draw(st.sampled_from(ALIKE.get(kind(tokens[at]), ALL)))
        elif how == "any":
            tokens[at] = draw(st.sampled_from(ALL))
        elif how == "drop":
            tokens[at] = " "
        else:
            tokens[at] += " " + draw(st.sampled_from(ALL))
    return "".join(tokens)


@pytest.mark.filterwarnings("ignore:The recursion limit")  # elaboration raises it
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_mutated_specs_give_diagnostics(text: str) -> None:
    findings(text)


ITSELF = "fn f(x: [B, 4]) -> [B, 4]:\n    return f(f(x))\n"
EACH_OTHER = "fn f(x: [B, 4]) -> [B, 4]:\n    return g(x)\nfn g(x: [B, 4]) -> [B, 4]:\n    return f(x)\n"
INSIDE_ITSELF = "block R()(x: [B, 4]) -> [B, 4]:\n    return R()(x)\n"
DEFAULT = "fn f(x: [B, 4], y = f(x)) -> [B, 4]:\n    return y\n"
BOMBS = {
    "a range without end": (model("for i in range(10 ** 12):\n    x = x + 1\noutput y = x"), "AX0215"),
    "a long list": (model("a = [0] * 10 ** 9\noutput y = x"), "AX0215"),
    "a tower of powers": (model("output y = x * 2 ** 10 ** 10 ** 10"), "AX0311"),
    "a fn that calls itself": (model("output y = f(x)", before=ITSELF), "AX0216"),
    "fns that call each other": (model("output y = f(x)", before=EACH_OTHER), "AX0216"),
    "a block inside itself": (model("output y = R()(x)", before=INSIDE_ITSELF), "AX0216"),
    "a default that calls its fn": (model("output y = f(x)", before=DEFAULT), "AX0216"),
    "a number too large": (model("output y = x * 99999999999999999999999999"), None),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_time(name: str) -> None:
    text, code = BOMBS[name]
    start = time.process_time()
    found = codes(text)
    assert time.process_time() - start < 10
    assert len(found) == 1 and (code is None or found == [code])


def test_large_tensors_are_refused_before_anything_makes_them() -> None:
    start = time.process_time()
    assert codes(model("a = zeros([10 ** 9, 10 ** 9])\noutput y = x + sum(a)")) == ["AX0327"]
    assert codes(model("param w: [10 ** 9, 10 ** 9] ~ normal(0, 1)\noutput y = x + sum(w)")) == ["AX0327"]
    assert codes(model("a = zeros([10 ** 4, 10 ** 5])\noutput y = x + sum(a)")) == []
    assert time.process_time() - start < 5


def test_deep_and_long_specs() -> None:
    deep = model("output y = " + "(" * 25 + "x" + " + 1)" * 25)
    wide = model("output y = x" + " + 1" * 40)
    long = model("\n".join(f"x{i} = x + {i}" for i in range(1000)) + "\noutput y = x999")
    assert codes(deep) == codes(wide) == codes(long) == []
