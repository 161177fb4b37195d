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
    assert told("AX0849", fields, LAST.format("GRU(4)(x).hs[:, -1]")) == ["AX0849"]
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
        ("AX0851", "m, v = unstack(x |> Dense(2), axis=1)\nloss l = mean(log(v) + (y[:, 0] - m) ** 2 / v)", "", True),
        ("AX0801", "loss l = mse(x |> Dense(1) |> Dropout(0.5), y)", "", True),
        ("AX0810", "f = Dense(1)\nloss l = mse(f(x), y) - 0.1 * l2(f)", "minimize l with adam()", True),
        ("AX0810", "f = Dense(1)\nloss l = mse(f(x), y) + 0.1 * l2(f)", "minimize l with adam()", False),
        ("AX0802", "z: [B, 1] ~ normal(0, 1)\nloss l = mse(x |> Dense(1), y)", "", True),
        ("AX0802", "z: [B, 1] ~ normal(0, 1)\nloss l = mse(z + (x |> Dense(1)), y)", "", False),
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


POLICY = """z = state |> Dense(8) |> tanh |> Dense(2)
v = (state |> Dense(1))[:, 0]
q = MLP([4, 2])
slow = copy(q)
lp = take_along_axis(log_softmax(z), action[:, none], axis=1)[:, 0]
output p = softmax(z)
output values = q(state) * v[:, none]
loss l = {}"""
ACTED = "input state: [B, 4]; target action: i64[B]; target reward: [B]; target after: [B, 4]"


@pytest.mark.parametrize(
    ("code", "loss", "expected"),
    [
        ("AX0856", "-mean(lp * (reward - v)) + mse(v, reward)", True),
        ("AX0856", "-mean(lp * stop_gradient(reward - v)) + mse(v, reward)", False),
        ("AX0856", "-mean(lp * reward) + mse(v, reward)", False),
        ("AX0856", "mse(v, reward + 0.9 * max(q(after), axis=1))", True),
        ("AX0856", "mse(v, stop_gradient(reward + 0.9 * max(q(after), axis=1)))", False),
        ("AX0856", "mse(v, reward + 0.9 * max(slow(after), axis=1))", False),
        ("AX0810", "mean(lp * reward)", True),
        ("AX0810", "-mean(lp * reward)", False),
        ("AX0810", "mean(0.5 * (1 + v - v ** 2 - exp(v)))", True),
        ("AX0810", "mean(0.5 * (exp(v) + v ** 2 - 1 - v))", False),
        ("AX0836", "-mean(exp(lp - lp) * reward)", True),
        ("AX0836", "-mean(exp(lp - stop_gradient(lp)) * reward)", False),
    ],
)
def test_what_is_rewarded_and_what_is_foretold(code: str, loss: str, expected: bool) -> None:
    assert bool(told(code, ACTED, POLICY.format(loss), "minimize l with adam()")) == expected


@pytest.mark.parametrize(
    ("code", "fields", "body", "expected"),
    [
        ("AX0857", "input x: [B, T, 8]; input n: i64[B]", "output y = mean(x * {}, axis=1)", True),
        ("AX0857", "input x: [B, T, 8]; input n: i64[B]", "output y = mean(x * {}, axis=2)", False),
        ("AX0857", "input x: [B, T, 8]; input n: i64[B]", "output y = sum(x * {}, axis=1)", False),
    ],
)
def test_what_is_padding_is_not_counted(code: str, fields: str, body: str, expected: bool) -> None:
    mask = "float(length_mask(n, T))[:, :, none]"
    assert bool(told(code, fields, body.format(mask))) == expected


def test_classes_are_one_axis_to_output_and_loss() -> None:
    fields, body = (
        "input x: [B, N, 8]; target y: i64[B, N]",
        "z = x |> Dense(3)\noutput p = {}\nloss l = cross_entropy(z, y)",
    )
    assert told("AX0860", fields, body.format("softmax(z, axis=1)")) == ["AX0860"]
    assert told("AX0860", fields, body.format("softmax(z, axis=2)")) == []


def test_a_threshold_of_logits_is_0() -> None:
    body = (
        "z = (x |> Dense(1))[:, 0]\noutput p = sigmoid(z)\nloss l = bce_logits(z, y[:, 0])\nmetric m = mean(float({}))"
    )
    assert told("AX0801", REGRESSED, body.format("(z > 0.5) == (y[:, 0] > 0.5)")) == ["AX0801"]
    assert told("AX0801", REGRESSED, body.format("(p > 0.5) == (y[:, 0] > 0.5)")) == []


def test_a_triplet_has_the_positive_before_the_negative() -> None:
    fields = "input a: [B, 8]; input p: [B, 8]; input n: [B, 8]"
    assert told("AX0835", fields, "f = Dense(4)\nloss l = triplet(f(a), f(n), f(p))") == ["AX0835"]
    assert told("AX0835", fields, "f = Dense(4)\nloss l = triplet(f(a), f(p), f(n))") == []


ADVERSARIES = """g = MLP([8, 8])
d = MLP([8, 1])
z: [B, 8] ~ normal(0, 1)
fake = g(z)
output made = fake
loss a = mean(bce_logits(d({}), 0)) + mean(bce_logits(d(x), 1))
loss b = {}"""


@pytest.mark.parametrize(
    ("fake", "other", "over", "expected"),
    [
        ("fake", "mean(bce_logits(d(fake), 1))", "", True),
        ("stop_gradient(fake)", "-mean(bce_logits(d(fake), 0))", "", True),
        ("fake", "mean(bce_logits(d(fake), 1))", " over d", False),  # then AX0844 says what the other changes
        ("fake", "mean(bce_logits(d(z), 1))", "", False),
    ],
)
def test_opponents_say_who_trains_what(fake: str, other: str, over: str, expected: bool) -> None:
    train = f"minimize a{over} with adam()\n    minimize b{over and ' over g'} with adam()"
    assert bool(told("AX0844", "input x: [B, 8]", ADVERSARIES.format(fake, other), train)) == expected


def test_scores_without_axes_have_none_to_run_over() -> None:
    assert (
        told("AX0860", "input x: [8]; target y: []", "z = sum(x)\noutput p = sigmoid(z)\nloss l = bce_logits(z, y)")
        == []
    )
