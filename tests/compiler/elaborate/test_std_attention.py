"""Attention, positions and Transformers of the library: what is true of them at any weights, and what they refuse.

Their values and gradients are compared with NumPy's at random settings by the families of the parity suite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import ModelProgram
from benchmarks.parity.families import attention as heads
from benchmarks.parity.families import transformers as layers
from benchmarks.parity.families.attention import multi_head, near
from tests.support.elaborated import (
    expression,
    findings,
    initial,
    loss_and_gradients,
    model,
    numbers,
    output,
    outputs,
    program,
)

X = numbers(2, 5, 8)


def close(actual: Array, expected: Array) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def influence(of: ModelProgram, **inputs: Any) -> Array:
    """For each place of the output [1, t, n] of a spec, whether each place of ``x`` has an influence on it: [t, u]."""
    slopes = output(of, **inputs)
    return np.abs(slopes).sum(-1) > 0


def places(call: str, inputs: str, t: int) -> ModelProgram:
    """A model that outputs the slope of each place of the output in ``x``: [t, u, d]."""
    body = f"y = {call}\noutput slopes = stack([grad(sum(sin(y[0, i])), x)[0] for i in range({t})])"
    return program(model(body, inputs))


# ---------------------------------------------------------------- values

M = numbers(2, 3, 8, seed=1)
SCORES = {
    "dot_scores(x, m)": 0,
    "scaled_scores(x, m)": 1,
    "cosine_scores(x, m, 3)": 2,
    "BilinearScores()(x, m)": 3,
    "AdditiveScores(4)(x, m)": 4,
}


@pytest.mark.parametrize("call", SCORES)
def test_scores(call: str) -> None:
    of = program(model(f"output y = {call}", "x: [B, T, 8]; m: [B, U, 8]"))
    values = {path.rpartition(".")[2]: value for path, value in initial(of).items()}
    close(output(of, x=X, m=M), heads.scores_of({"q": X, "k": M, **values}, SCORES[call], 3.0))
    score = call.replace("(x, m, 3)", "(scale=3)").removesuffix("(x, m)")
    of = program(model(f"output y = attention_weights(x, m, score={score})", "x: [B, T, 8]; m: [B, U, 8]"))
    values = {path.rpartition(".")[2]: value for path, value in initial(of).items()}
    expected = heads.scores_of({"q": X, "k": M, **values}, SCORES[call], 3.0)
    close(output(of, x=X, m=M), heads.weights(expected))


BEFORE = np.tril(np.ones((5, 5), bool))
LAYERS = {
    "FeedForward(3)(x)": lambda v: layers.feed_forward(v, "", X),
    "GatedFeedForward(3, activation=relu)(x)": lambda v: layers.gated(v, "", X, lambda h: np.maximum(h, 0)),
    "TransformerEncoderLayer(2, 5)(x)": lambda v: layers.encoder_layer(v, "", X, 2, False),
    "TransformerDecoderLayer(2, 5, norm=pre)(x, m)": lambda v: layers.decoder_layer(v, "", X, M, 2, True),
}


@pytest.mark.parametrize("call", LAYERS)
def test_layers(call: str) -> None:
    module, _, given = call.rpartition("(")
    of = program(model(f"net = {module}\noutput y = net({given}", "x: [B, T, 8]; m: [B, U, 8]"))
    values = {path.removeprefix("net."): value.astype(np.float64) for path, value in initial(of).items()}
    inputs = {"x": X, "m": M}
    close(output(of, **{name: inputs[name] for name in of.infer.inputs if name in inputs}), LAYERS[call](values))


# ---------------------------------------------------------------- what may be seen


@pytest.mark.parametrize(
    "call",
    [
        "MultiHeadAttention(2, causal=true)(x)",
        "MultiHeadAttention(4, causal=true, kv_heads=2, rotate=rotary)(x)",
        "TransformerEncoderLayer(2, norm=pre, causal=true)(x)",
        "TransformerEncoder(2, 2, causal=true)(x)",
        "TransformerDecoder(2, 2)(x, ones([1, 3, 4]))",
        "LlamaLayer(2)(x)",
    ],
)
def test_causal_layers_see_what_comes_before_and_nothing_else(call: str) -> None:
    seen = influence(places(call, "x: [1, 5, 8]", 5), x=numbers(1, 5, 8))
    np.testing.assert_array_equal(seen, np.tril(np.ones((5, 5), bool)))


def test_a_temporal_net_sees_as_far_back_as_its_docstring_says() -> None:
    t = 20
    body = f"""net = TemporalConvNet(3, depth=2, kernel=2)
y = net(x)
output slopes = stack([grad(sum(y[0, :, i]), x)[0] for i in range({t})])"""
    of = program(model(body, f"x: [1, 2, {t}]"))
    positive = {path: abs(value) + 0.1 for path, value in initial(of).items()}  # so that no relu is shut
    seen = np.abs(output(of, positive, x=abs(numbers(1, 2, t)))).sum(1) > 0
    apart = np.arange(t)[:, None] - np.arange(t)
    np.testing.assert_array_equal(seen, (apart >= 0) & (apart < 1 + 2 * (2 - 1) * (2**2 - 1)))


def test_places_before_the_padding() -> None:
    lengths = np.array([[0, 2], [3, 9]])
    seen = expression("length_mask(n, 3)", "n: i64[2, 2]", n=lengths)
    np.testing.assert_array_equal(seen, np.arange(3) < lengths[..., None])


def test_padding_has_no_influence_and_what_is_left_is_as_without_it() -> None:
    inputs = "x: [1, 5, 8]; n: i64[1]"
    layer = "TransformerEncoderLayer(2)(x, lengths=n)"
    seen = influence(places(layer, inputs, 5), x=X[:1], n=np.array([3]))
    assert seen[:3].tolist() == [[True, True, True, False, False]] * 3
    of = program(model("layer = TransformerEncoderLayer(2)\noutput y = layer(x, lengths=n)", "x: [B, T, 8]; n: i64[B]"))
    whole = output(of, x=X, n=np.array([3, 5]))
    close(whole[0, :3], output(of, x=X[:1, :3], n=np.array([3]))[0])
    close(whole[1], output(of, x=X[1:], n=np.array([5]))[0])


def test_lengths_and_a_mask_both_hold() -> None:
    mask = numbers(2, 5, 5, seed=3) > 0
    mask[..., 0] = True
    lengths = np.array([2, 4])
    body = "a = MultiHeadAttention(2)\ny = a(x)\noutput map = a.weights(x, mask=m, lengths=n)"
    weights = output(model(body, "x: [B, T, 8]; m: bool[B, T, T]; n: i64[B]"), x=X, m=mask, n=lengths)
    seen = mask & (np.arange(5) < lengths[:, None])[:, None]
    np.testing.assert_array_equal(weights > 0, np.broadcast_to(seen[:, None], weights.shape))
    close(weights.sum(-1), np.ones(weights.shape[:3]))


def test_a_query_that_sees_nothing_gets_the_mean_and_no_gradient_through_its_scores() -> None:
    body = """param k: [3, 4] ~ normal(0, 1)
param v: [3, 2] ~ normal(0, 1)
y = attend(x, k, v, mask=m)
output result = y
loss l = sum(y * y)"""
    of = program(model(body, "x: [1, 4]; m: bool[1, 3]"))
    given = {**initial(of), "x": numbers(1, 4), "m": np.zeros((1, 3), bool)}
    close(output(of, x=given["x"], m=given["m"])[0], given["v"].mean(0))
    assert not loss_and_gradients(of, "l", given)["k"].any()


# ---------------------------------------------------------------- positions


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_without_positions_a_permutation_of_the_sequence_permutes_the_result(norm: str) -> None:
    of = program(model(f"output y = x |> TransformerEncoder(2, 2, norm={norm})", "x: [B, T, 8]"))
    order = np.array([3, 0, 4, 1, 2])
    close(output(of, x=X[:, order]), output(of, x=X)[:, order])
    of = program(model("output y = x |> LearnedPositions(5) |> TransformerEncoder(1, 2)", "x: [B, T, 8]"))
    assert np.abs(output(of, x=X[:, order]) - output(of, x=X)[:, order]).max() > 0.01


@pytest.mark.parametrize("pairs", ["halves", "neighbours"])
def test_rotary_scores_depend_on_the_distance_alone_and_lengths_stay(pairs: str) -> None:
    call = f"dot_scores(rotary(q, start=s, pairs={pairs}), rotary(k, start=s, pairs={pairs}))"
    q, k = numbers(4, 6), numbers(4, 6, seed=1)
    at = [expression(call, "q: [4, 6]; k: [4, 6]; s: i64[]", q=q, k=k, s=np.array(start)) for start in (0, 17)]
    close(at[0], at[1])
    turned = expression(f"rotary(q, pairs={pairs})", "q: [4, 6]", q=q)
    close(np.linalg.norm(turned, axis=-1), np.linalg.norm(q, axis=-1))
    assert np.abs(turned - q).max() > 0.1
    back = expression(f"rotary(rotary(q, pairs={pairs}), pairs={pairs}, turn=-1.0)", "q: [4, 6]", q=q)
    close(back, q)


def test_sinusoidal_positions_turn_by_a_fixed_matrix_from_each_to_the_next() -> None:
    table = expression("sinusoidal(9, 6)", "x: [1]", x=np.zeros(1, np.float32))
    following = np.linalg.lstsq(table[:-1].astype(np.float64), table[1:], rcond=None)[0]
    assert np.abs(table[:-1] @ following - table[1:]).max() < 1e-4
    close((table**2).sum(-1), np.full(9, 3))


def test_alibi_of_six_heads_takes_every_other_slope_of_eight() -> None:
    zero = np.zeros(1, np.float32)
    close(expression("alibi(6, 3, 4)", "x: [1]", x=zero), near(6, 3, 4))
    close(expression("tensor(alibi_slopes(6))", "x: [1]", x=zero), -near(6, 1, 2)[:, 0, 1])
    close(expression("frequencies(6, 100.0)", "x: [1]", x=zero), 100.0 ** -(np.arange(3) / 3))


# ---------------------------------------------------------------- heads


def test_one_head_of_keys_is_as_many_with_the_same_weights() -> None:
    few = program(model("a = MultiHeadAttention(4, kv_heads=2)\noutput y = a(x)", "x: [B, T, 8]"))
    many = program(model("a = MultiHeadAttention(4)\noutput y = a(x)", "x: [B, T, 8]"))
    given = initial(few)
    copied = dict(given)
    for name in ("key", "value"):
        for kind in ("W", "b"):
            parts = np.split(given[f"a.{name}.{kind}"], 2, -1)
            copied[f"a.{name}.{kind}"] = np.concatenate([parts[0], parts[0], parts[1], parts[1]], -1)
    close(output(few, given, x=X), output(many, copied, x=X))


def test_cross_attention_takes_a_memory_of_another_width_and_length() -> None:
    of = program(model("a = MultiHeadAttention(2)\noutput y = a(x, memory=m)", "x: [B, T, 8]; m: [B, U, 3]"))
    memory = numbers(2, 7, 3, seed=1)
    values = {path.removeprefix("a."): value.astype(np.float64) for path, value in initial(of).items()}
    close(output(of, x=X, m=memory), multi_head(values, "", X, 2, memory))


def test_weights_of_attention_are_an_output() -> None:
    of = program(model("a = MultiHeadAttention(2, causal=true)\ny = a(x)\noutput map = a.weights(x)", "x: [B, T, 8]"))
    weights = output(of, x=X)
    assert weights.shape == (2, 2, 5, 5)
    np.testing.assert_array_equal(weights > 0, np.broadcast_to(np.tril(np.ones((5, 5), bool)), weights.shape))


def test_dropout_is_for_training_and_does_nothing_in_use() -> None:
    for call in ("MultiHeadAttention(2, dropout=0.5)", "TransformerEncoderLayer(2, dropout=0.5)"):
        text = "net = {}\noutput y = net(x)\nloss l = mean(net(x))"
        of, bare = (
            program(model(text.format(one), "x: [B, T, 8]")) for one in (call, call.replace(", dropout=0.5", ""))
        )
        close(output(of, x=X), output(bare, x=X))
        used = [gradient_graph(one, "l").inputs for one in (of, bare)]
        assert "seed" in used[0] and "seed" not in used[1]


# ---------------------------------------------------------------- experts


def test_experts_that_are_not_chosen_get_no_gradient() -> None:
    body = "m = MixtureOfExperts(4, 3, top=1)\ny = m(x).y\nloss l = sum(y * y)\noutput result = y"
    of = program(model(body, "x: [1, 8]"))
    given = initial(of)
    slopes = loss_and_gradients(of, "l", {**given, "x": X[0, :1]})
    touched = [i for i in range(4) if slopes["m.W"][i].any() or slopes["m.V"][i].any() or slopes["m.c"][i].any()]
    assert touched == [int((X[0, :1] @ given["m.router"]).argmax())]


def test_the_balance_is_one_for_even_use_and_the_number_of_experts_for_one_alone() -> None:
    of = program(model("m = MixtureOfExperts(4, 3, top=1)\noutput b = m(x).balance", "x: [B, 4]"))
    router = {"m.router": 50 * np.eye(4, dtype=np.float32)}
    close(output(of, router, x=np.eye(4, dtype=np.float32)), np.array(1.0))
    close(output(of, router, x=np.eye(4, dtype=np.float32)[[1, 1, 1]]), np.array(4.0))


def test_each_expert_starts_as_a_net_alone_would() -> None:
    of = program(model("m = MixtureOfExperts(3, 50, init=he_normal)\noutput y = m(x).y", "x: [B, 40]"))
    W = initial(of)["m.W"]
    assert W.shape == (3, 40, 50) and abs(W.std() / np.sqrt(2 / 40) - 1) < 0.05
    assert not np.array_equal(W[0], W[1])


# ---------------------------------------------------------------- vision


def test_a_vision_transformer_sees_patches_and_where_they_are() -> None:
    of = program(model("output y = image |> VisionTransformer(8, 1, 2, patch=2)", "image: [B, 3, 4, 6]"))
    image = numbers(1, 3, 4, 6)
    exchanged = image.copy()
    exchanged[..., :2, :2], exchanged[..., :2, 2:4] = image[..., :2, 2:4], image[..., :2, :2]
    difference = np.abs(output(of, x=image, image=image) - output(of, image=exchanged)).max()
    unplaced = {"vision_transformer.learned_positions.W": np.zeros((7, 8), np.float32)}
    close(output(of, unplaced, image=image), output(of, unplaced, image=exchanged))
    assert difference > 1e-4


# ---------------------------------------------------------------- mistakes

REFUSED = [
    ("MultiHeadAttention(3)(x)", "AX0319", "a width of 8 is not a multiple of 3 heads"),
    ("MultiHeadAttention(4, kv_heads=3)(x)", "AX0319", "4 heads of queries do not share 3 heads of keys and values evenly"),
    ("MultiHeadAttention(2)(x, mask=m)", "AX0319", "the last axis of a mask counts keys: it has 4 places for 5 keys"),
    ("MultiHeadAttention(2)(x, mask=m[:, :1, :4], memory=x[:, :4])[:, 0, 0, 0]", "AX0318", ""),
    ("attend(x[0], x[0], x[0], mask=m[0, 0] )", "AX0319", "a mask says for each query which keys it sees: it has at least 2 axes"),
    ("MultiHeadAttention(2)(x, mask=m[:, :, 0])", "AX0319", "a mask of two axes is [queries, keys], [5, 5]; of the keys of B examples it is `m[:, none]`"),
    ("MultiHeadAttention(2)(x, mask=m[:, :, 0], lengths=sum(i64(m[:, :, 0]), axis=1))", "AX0319", "a mask of two axes is [queries, keys], [5, 5]; of the keys of B examples it is `m[:, none]`"),
    ("TransformerEncoder(1, 2)(x, mask=m[:, :, 0])", "AX0319", "a mask of two axes is [queries, keys], [5, 5]; of the keys of B examples it is `m[:, none]`"),
    ("attend(x, x, x, mask=m[:, :, 0])", "AX0319", "a mask of two axes is [queries, keys], [5, 5]; of the keys of B examples it is `m[:, none]`"),
    ("attend(x, x[:, :4], x[:, :4], mask=m[:, :3])", "AX0319", "the axis before the last of a mask counts queries: it has 3 places for 5"),
    ("x |> LearnedPositions(4)", "AX0319", "a sequence of 5 is longer than the 4 positions that are learned"),
    ("sinusoidal(5, 3)", "AX0319", "positions are pairs of a sine and a cosine, and a width of 3 is odd"),
    ("rotary(x[..., :7])", "AX0319", "numbers are turned in pairs, and a width of 7 is odd"),
    ("MixtureOfExperts(2, 4, top=3)(x).y", "AX0319", "3 of 2 experts cannot be chosen"),
    ("x[:, none] |> VisionTransformer(8, 1, 2, patch=2)", "AX0319", "images of 5 rows are not made of patches of 2"),
    ("Embedding(9, 8)(x)", "AX0303", "i64"),
    ("MultiHeadAttention(0)(x)", "AX0319", "attention has at least 1 head, not 0"),
    ("MultiHeadAttention(-2)(x)", "AX0319", "attention has at least 1 head, not -2"),
    ("MultiHeadAttention(2, kv_heads=0)(x)", "AX0319", "keys and values have at least 1 head, not 0"),
    ("MultiHeadAttention(2)(x, memory=x[0])", "AX0319", "a memory has 3 axes, of examples, places and numbers, and this has 2"),
    ("MultiHeadAttention(2)(x, mask=i64(m))", "AX0303", "`mask` is bool, and this is i64"),
    ("TransformerEncoder(0, 2)(x)", "AX0319", "there is at least 1 layer, not 0"),
    ("TransformerDecoder(0, 2)(x, x)", "AX0319", "there is at least 1 layer, not 0"),
    ("MixtureOfExperts(4, 4, top=0)(x).y", "AX0319", "at least 1 expert is chosen, not 0"),
    ("x[:, none, :4] |> VisionTransformer(8, 1, 2, patch=0)", "AX0319", "a patch has at least 1 row and column, not 0"),
    ("sinusoidal(5, 0)", "AX0319", "a width of 0 has none"),
    ("sinusoidal(5, 4, base=0.0)", "AX0319", "frequencies are powers of a number above 0, not of 0.0"),
    ("alibi(0, 2, 3)", "AX0319", "there is at least 1 head, not 0"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "code", "words"), REFUSED)
def test_mistakes_are_told_in_words_of_attention(call: str, code: str, words: str) -> None:
    found = findings(model(f"output y = {call}", "x: [B, 5, 8]; m: bool[B, 5, 4]"))
    assert [one.code for one in found] == [code]
    assert words in found[0].headline


def test_what_each_example_may_see_is_a_mask_for_all_queries() -> None:
    """As the message about a mask of two axes says, and also where no size is known."""
    found = findings(model("output y = MultiHeadAttention(2)(x, mask=m)", "x: [B, T, 8]; m: bool[B, T]"))
    assert [one.code for one in found] == ["AX0319"] and "[T, T]; of the keys of B examples" in found[0].headline
    body = "a = MultiHeadAttention(2)\noutput y = a(x, mask=m[:, none])\noutput z = a(x, lengths=sum(i64(m), axis=1))"
    of = program(model(body, "x: [B, T, 8]; m: bool[B, T]"))
    made = outputs(of, x=numbers(2, 3, 8), m=np.arange(3) < np.array([[1], [3]]))
    close(made["y"], made["z"])


def test_a_mask_of_symbolic_sizes_that_may_not_fit_is_refused() -> None:
    found = findings(model("output y = MultiHeadAttention(2)(x, mask=m)", "x: [B, T, 8]; m: bool[B, T, U]"))
    assert [one.code for one in found] == ["AX0305"] and "U and T" in found[0].headline
