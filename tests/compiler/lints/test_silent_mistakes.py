"""Mistakes that train without an error and learn something else, each beside what is meant and is not told."""

from __future__ import annotations

import pytest

from archonnx.compiler.lints.data_rules import DataSight
from archonnx.compiler.lints.finding import findings
from archonnx.compiler.lints.out_of_reach import out_of_reach
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.program import ModelProgram
from archonnx.grammar.source import Source


def model(fields: str, body: str, train: str = "") -> ModelProgram:
    text = "model M():\n" + "".join(f"    {line}\n" for line in [*fields.split("; "), *body.split("\n")])
    return elaborate(parse_spec(Source("self.arch", text + (f"\ntrain:\n    {train}\n" if train else ""))))


def told(code: str, fields: str, body: str, train: str = "") -> list[str]:
    return [finding.code for finding in findings(model(fields, body, train)) if finding.code == code]


TAGGED = "input w: i64[B, T]; input lengths: i64[B]; target tag: i64[B, T]"
TAGS = """x = w |> Embedding(9, 8)
z = {} |> Dense(3)
output p = softmax(z)
loss l = masked_mean(cross_entropy(z, tag, reduce=none), length_mask(lengths, T))"""
LAST = """z = {} |> Dense(3)
output p = softmax(z)
loss l = cross_entropy(z, y) + 0.0 * mean(float(lengths))"""


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("Bidirectional(GRU(4), GRU(4))(x).hs", ["AX0849"]),
        ("TransformerEncoder(1, heads=2)(x)", ["AX0849"]),
        ("Bidirectional(GRU(4), GRU(4))(x, lengths=lengths).hs", []),
        ("TransformerEncoder(1, heads=2, causal=true)(x)", []),
        ("GRU(4)(x).hs", []),  # a layer of one direction sees the padding behind it alone
    ],
)
def test_layers_are_told_the_lengths_that_are_known(layer: str, expected: list[str]) -> None:
    assert told("AX0849", TAGGED, TAGS.format(layer)) == expected


def test_the_last_state_is_not_that_of_the_padding() -> None:
    fields = "input x: [B, T, 8]; input lengths: i64[B]; target y: i64[B]"
    assert told("AX0849", fields, LAST.format("GRU(4)(x).h")) == ["AX0849"]
    assert told("AX0849", fields, LAST.format("GRU(4)(x, lengths=lengths).h")) == []


SAID = """e = Embedding(9, 8)
before = pad(w[:, :-1], [[0, 0], [1, 0]])
seen = where(hidden, 0, w)
z = {} |> Dense(9)
output q = source |> Dense(2)
loss l = cross_entropy({}) + 0.0 * mean(float(seen + before))"""


@pytest.mark.parametrize(
    ("scores", "asked", "expected"),
    [
        ("GRU(8)(e(w)).hs", "z, w", ["AX0850"]),
        ("TransformerEncoder(1, heads=2, causal=true)(e(w))", "z, w", ["AX0850"]),
        ("GRU(8)(e(before)).hs", "z, w", []),
        ("GRU(8)(e(w)).hs", "z[:, :-1], w[:, 1:]", []),
        ("TransformerEncoder(1, heads=2)(e(seen))", "z, w", []),  # what is to be said is hidden
        ("GRU(8)(broadcast(GRU(8)(e(w)).h[:, none], [B, T, 8])).hs", "z, w", []),  # by way of a code
    ],
)
def test_what_is_to_be_said_is_not_given_at_its_step(scores: str, asked: str, expected: list[str]) -> None:
    fields = "input source: [B, 3]; target w: i64[B, T]; target hidden: bool[B, T]"
    assert told("AX0850", fields, SAID.format(scores, asked)) == expected


WEIGHED = """x = w |> Embedding(9, 8)
s = (x |> Dense(1))[:, :, 0]
output p = softmax({})"""


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ("where(w != 0, -inf, s)", ["AX0862"]),
        ("where(length_mask(n, T), -1e9, s)", ["AX0862"]),
        ("where(w == 0, s, -1e9)", ["AX0862"]),
        ("where(w != 0, s, -inf)", []),
        ("where(w == 0, -1e9, s)", []),
        ("where(w != 3, -1e9, s)", []),  # another token than that of the padding
    ],
)
def test_masks_hide_what_is_not_there(scores: str, expected: list[str]) -> None:
    assert told("AX0862", "input w: i64[B, T]; input n: i64[B]", WEIGHED.format(scores)) == expected


REGRESSED = "input x: [B, 8]; target y: [B, 1]"


@pytest.mark.parametrize(
    ("code", "body", "train", "expected"),
    [
        ("AX0851", "s = x |> Dense(1)\nloss l = mean(log(s) + (y / s) ** 2)", "", True),
        ("AX0851", "s = x |> Dense(1) |> exp\nloss l = mean(log(s) + (y / s) ** 2)", "", False),
        ("AX0851", "s = x |> Dense(1)\nloss l = mean(log(1 + s * s) + y)", "", False),
        ("AX0801", "loss l = mse(x |> Dense(1) |> Dropout(0.5), y)", "", True),
        ("AX0801", "loss l = mse(x |> Dropout(0.5) |> Dense(1), y)", "", False),
        ("AX0821", "loss l = mse(x |> Dense(1), y, sum)", "batch_size = 256\n    minimize l with sgd(0.1)", True),
        ("AX0821", "loss l = mse(x |> Dense(1), y)", "batch_size = 256\n    minimize l with sgd(0.1)", False),
        ("AX0821", "loss l = mse(x |> Dense(1), y, sum)", "batch_size = 256\n    minimize l with adam(0.1)", False),
        ("AX0855", "loss l = mse(x |> BatchNorm |> Dense(1), y)", "batch_size = 1\n    minimize l with adam()", True),
        ("AX0855", "loss l = mse(x |> LayerNorm |> Dense(1), y)", "batch_size = 1\n    minimize l with adam()", False),
        ("AX0852", "buffer a: [8] = 0\nloss l = mse(x - a |> Dense(1), y)", "minimize l with adam()", True),
        (
            "AX0852",
            "buffer a: [8] = 0\nupdate a = mean(x, axis=0)\nloss l = mse(x - a |> Dense(1), y)",
            "minimize l with adam()",
            False,
        ),
    ],
)
def test_numbers_that_go_astray(code: str, body: str, train: str, expected: bool) -> None:
    assert bool(told(code, REGRESSED, body, train)) == expected


TWO = "minimize a with adam()\n\ntrain second:\n    {}minimize {} with adam()"


@pytest.mark.parametrize(
    ("start", "loss", "expected"),
    [("", "b", ["AX0853"]), ("start_from = first\n    ", "b", []), ("", "a", [])],
)
def test_a_second_program_goes_on(start: str, loss: str, expected: list[str]) -> None:
    body = "h = x |> Dense(4)\nloss a = mse(h |> Dense(8), x)\nloss b = mse(h |> Dense(1), y)"
    text = "model M():\n    " + "\n    ".join([*REGRESSED.split("; "), *body.split("\n")])
    text += f"\n\ntrain first:\n    {TWO.format(start, loss)}\n"
    codes = [finding.code for finding in findings(elaborate(parse_spec(Source("self.arch", text))))]
    assert [code for code in codes if code == "AX0853"] == expected


@pytest.mark.parametrize(
    ("last", "bounds", "expected"),
    [
        ("sigmoid", (0.0, 346.0), ["AX0854"]),
        ("relu", (-1.5, 2.5), ["AX0854"]),
        ("relu", (0.0, 346.0), []),
        ("tanh", (-1.02, 1.03), []),
        ("softplus", (0.0, 346.0), []),
    ],
)
def test_targets_are_within_reach(last: str, bounds: tuple[float, float], expected: list[str]) -> None:
    made = model(REGRESSED, f"loss l = mse(x |> Dense(1) |> {last}, y)", "minimize l with adam()")
    sight = DataSight(made, made.programs[0], 10, {"train": 10}, bounds={"y": bounds})
    assert [finding.code for finding in out_of_reach(sight)] == expected
