"""Generation with the library: tokens part by part equal all at once, draws have their probabilities, beams find the best.

Entries run in NumPy and, exported, in plain onnxruntime.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from tests.support.elaborated import codes, findings, initial, model, numbers, outputs, program
from tests.support.entries import entry, entry_value

# ---------------------------------------------------------------- part by part

STEPS = {
    "attention": ("MultiHeadAttention(2, causal=true)", ""),
    "grouped queries that turn": (
        "MultiHeadAttention(4, causal=true, kv_heads=2, rotate=rotary(base=50.0, pairs=neighbours))",
        "",
    ),
    "one head of keys, another score": ("MultiHeadAttention(4, true, 1, score=cosine_scores(scale=3))", ""),
    "a layer of an encoder": ("TransformerEncoderLayer(2, causal=true)", ""),
    "an encoder": ("TransformerEncoder(2, 4, norm=pre, causal=true, kv_heads=2, rotate=rotary)", ""),
    "a decoder": ("TransformerDecoder(2, 2, norm=pre)", "m, "),
    "a layer of a decoder": ("TransformerDecoderLayer(2)", "m, "),
    "a Llama layer": ("LlamaLayer(4, kv_heads=2)", ""),
}
PARTS = """
net = {net}
output whole = net(x{after})
entry by_parts(x: [B, T, 8], m: [B, U, 3], first: dim) -> (start: [B, first, 8], y: [B, T, 8]):
    assert T >= first
    start, cache = net.step(x[:, :first], {memory}net.cache(B, T), 0)
    loop i in range(first, T), y = pad(start, [[0, 0], [0, T - first], [0, 0]]), cache = cache:
        part, cache = net.step(x[:, i:i + 1], {memory}cache, i)
        y = put(y, i, part, axis=1)
    return start, y
"""


@pytest.mark.parametrize("name", STEPS)
def test_a_sequence_part_by_part_is_as_it_is_at_once(name: str) -> None:
    net, memory = STEPS[name]
    after = ", m" if memory else ""
    of = program(model(PARTS.format(net=net, memory=memory, after=after), "x: [B, T, 8]; m: [B, U, 3]"))
    x, m = numbers(2, 6, 8), numbers(2, 4, 3, seed=1)
    whole = outputs(of, None, x=x, m=m)["whole"]
    for first in (1, 4):
        found = entry(of, "by_parts", x=x, m=m, first=first)
        np.testing.assert_allclose(found["y"], whole, rtol=1e-5, atol=1e-5)


def test_positions_part_by_part() -> None:
    body = """
net = MultiHeadAttention(4, causal=true)
place = LearnedPositions(7)
output whole = net(place(x), added=alibi(4, 6, 6))
entry by_parts(x: [B, 6, 8]) -> [B, 6, 8]:
    cache = net.cache(B, 6)
    parts = []
    for i, part in enumerate(split(x, 3, axis=1)):
        y, cache = net.step(place.step(part, 2 * i), cache, 2 * i, alibi(4, 2, 6, start=2 * i))
        parts = parts + [y]
    return concat(parts, axis=1)
"""
    of, x = program(model(body, "x: [B, 6, 8]")), numbers(2, 6, 8)
    np.testing.assert_allclose(entry_value(of, "by_parts", x=x), outputs(of, None, x=x)["whole"], atol=1e-5)


# ---------------------------------------------------------------- the next token

ROWS = 4000
DRAW = program(
    model(
        "output y = x\nentry draw(logits: [B, v], temperature: f32[], top_k: dim, top_p: f32[]) -> i64[B]:\n"
        "    return sampled(logits, temperature, top_k, top_p)",
        "x: [B, 4]",
    )
)


def draws(logits: Array, temperature: float, top_k: int, top_p: float, seed: int = 1) -> Array:
    given = {"logits": logits, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    return entry_value(DRAW, "draw", None, seed=seed, **given)


def probabilities(logits: Array, temperature: float, top_k: int, top_p: float) -> Array:
    """Of one row: those that are left, by hand."""
    order = sorted(range(len(logits)), key=lambda i: (-logits[i], i))[:top_k]
    p = np.zeros(len(logits))
    p[order] = np.exp((logits[order] - logits.max()) / temperature)
    p /= p.sum()
    total, kept = 0.0, []
    for token in order:
        if total >= top_p:
            break
        kept.append(token)
        total += p[token]
    left = np.isin(np.arange(len(p)), kept)
    return np.where(left, p, 0) / p[left].sum()


LOGITS = np.array([0.3, 2.0, -1.0, 1.2, 2.0, 0.1], np.float32)
CHOICES = [(1.0, 6, 1.0), (0.5, 6, 1.0), (2.0, 6, 1.0), (1.0, 3, 1.0), (1.0, 1, 1.0), (1.0, 6, 0.8), (1.5, 4, 0.6)]


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), CHOICES)
def test_tokens_are_drawn_with_their_probabilities(temperature: float, top_k: int, top_p: float) -> None:
    drawn = draws(np.tile(LOGITS, (ROWS, 1)), temperature, top_k, top_p)
    expected = probabilities(LOGITS, temperature, top_k, top_p)
    counts = np.bincount(drawn, minlength=6)
    assert counts[expected == 0].sum() == 0
    deviations = np.sqrt(expected * (1 - expected) / ROWS)
    np.testing.assert_array_less(np.abs(counts / ROWS - expected), 4 * deviations + 1e-9)


def test_no_token_outside_the_set_is_drawn() -> None:
    """For logits of any size, with equal ones among them, at many draws: rounding leads to none."""
    rng = np.random.default_rng(0)
    for scale in (0.1, 1.0, 30.0):
        logits = np.round(rng.normal(0, scale, (300, 50)), 1).astype(np.float32)
        for top_k, top_p in ((1, 1.0), (7, 1.0), (50, 0.5), (50, 0.9), (10, 0.7)):
            drawn = draws(logits, 1.0, top_k, top_p, seed=int(10 * scale))
            for row, token in enumerate(drawn):
                p = probabilities(logits[row].astype(np.float64), 1.0, top_k, top_p + 1e-5)
                assert p[token] > 0, (scale, top_k, top_p, row)


@pytest.mark.parametrize("temperature", [0.0, -1.0, 1e-30])
def test_without_warmth_the_best_is_taken(temperature: float) -> None:
    logits = np.round(numbers(200, 5), 1) if temperature <= 0 else numbers(200, 5)  # with equal ones, or without
    for top_k, top_p in ((5, 1.0), (5, 0.0), (2, 0.9)):
        np.testing.assert_array_equal(draws(logits, temperature, top_k, top_p), logits.argmax(1))


def test_static_choices_equal_those_that_come_when_it_runs() -> None:
    calls = {"sampled(x)": (1.0, 5, 1.0), "sampled(x, 0.7, 3)": (0.7, 3, 1.0), "sampled(x, top_p=0.6)": (1.0, 5, 0.6)}
    x = np.tile(numbers(1, 5), (ROWS, 1))
    for call, (temperature, top_k, top_p) in calls.items():
        drawn = outputs(model(f"output y = {call}", "x: [B, 5]"), None, x=x)["y"]
        expected = probabilities(x[0].astype(np.float64), temperature, top_k, top_p)
        np.testing.assert_allclose(np.bincount(drawn, minlength=5) / ROWS, expected, atol=0.035)
        assert expected[np.unique(drawn)].min() > 0


# ---------------------------------------------------------------- sequences

V = 3
GPT = """
embed = Embedding({v}, 8)
net = TransformerEncoder(1, 2, norm=pre, causal=true, rotate=rotary)
output logits = 4 * net(embed(ids)) @ transpose(embed.W)
fn advance(ids: i64[R, n], at, caches: list) -> (logits: [R, {v}], caches: list):
    h, caches = net.step(embed(ids), caches, at)
    return 4 * h[:, -1] @ transpose(embed.W), caches
entry greedily(prompt: i64[B, P], new: dim) -> i64[B, P + new]:
    return continued(advance, prompt, new, net.cache(B, P + new))
entry ended(prompt: i64[B, P], new: dim) -> i64[B, P + new]:
    return continued(advance, prompt, new, net.cache(B, P + new), end=0, padding=-1)
entry beams(prompt: i64[B, P], new: dim) -> (tokens: i64[B, {width}, P + new], scores: [B, {width}]):
    return beam_search(advance, prompt, new, net.cache(B, P + new), {width}{end})
"""


@cache
def gpt(v: int = V, width: int = 1, end: str = "") -> Any:
    return program(model(GPT.format(v=v, width=width, end=end), "ids: i64[B, T]"))


def weights(of: Any) -> dict[str, Array]:
    """Of a size at which the nets write other tokens after other prompts."""
    values = initial(of).items()
    return {path: np.random.default_rng(2).normal(0, 0.6, a.shape) if a.ndim > 1 else a for path, a in values}


def log_probabilities(of: Any, ids: Array) -> Array:
    """Of the next token at every place, by the whole model."""
    logits = outputs(of, weights(of), ids=ids)["logits"].astype(np.float64)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


PROMPTS = np.array([[2, 0], [4, 1], [3, 3]])


def by_hand(of: Any, prompt: Array, new: int, end: int | None = None, padding: int = 0) -> Array:
    """Greedy decoding with the whole model at every token."""
    rows = []
    for row in prompt:
        ids = row[None]
        written = list(row)
        for _ in range(new):
            token = int(log_probabilities(of, ids)[0, -1].argmax())
            over = end is not None and end in written[len(row) :]
            written.append(padding if over else token)
            ids = np.concatenate([ids, [[token]]], 1)
        rows.append(written)
    return np.array(rows)


@pytest.mark.parametrize("new", [0, 1, 6])
def test_greedy_decoding_equals_that_of_the_whole_model(new: int) -> None:
    of = gpt(5)
    np.testing.assert_array_equal(
        entry_value(of, "greedily", weights(of), prompt=PROMPTS, new=new), by_hand(of, PROMPTS, new)
    )
    np.testing.assert_array_equal(
        entry_value(of, "greedily", weights(of), prompt=PROMPTS[:1, :1], new=new), by_hand(of, PROMPTS[:1, :1], new)
    )


def test_after_the_end_there_is_padding_row_by_row() -> None:
    of = gpt(5)
    prompt = np.random.default_rng(0).integers(0, 5, (12, 2))
    expected = by_hand(of, prompt, 6, end=0, padding=-1)
    lengths = set((expected != -1).sum(1).tolist())
    assert len(lengths) > 2, lengths
    np.testing.assert_array_equal(entry_value(of, "ended", weights(of), prompt=prompt, new=6), expected)


def enumerated(of: Any, prompt: Array, new: int, end: int | None) -> list[tuple[float, tuple[int, ...]]]:
    """All continuations of a prompt with their log-probabilities, best first; after the end there is 0."""
    found: dict[tuple[int, ...], float] = {}
    every = np.array(list(product(range(V), repeat=new)))
    ids = np.concatenate([np.tile(prompt, (len(every), 1)), every], 1)
    steps = log_probabilities(of, ids)[:, len(prompt) - 1 : -1]
    for tokens, step in zip(every.tolist(), steps, strict=True):
        length = tokens.index(end) + 1 if end in tokens else new
        score = sum(step[i, token] for i, token in enumerate(tokens[:length]))
        found[(*tokens[:length], *[0] * (new - length))] = score
    return sorted(((score, tokens) for tokens, score in found.items()), reverse=True)


@pytest.mark.parametrize("end", [None, 1])
@pytest.mark.parametrize(("width", "exact"), [(V**3, V**3), (V**2, 1)])
def test_beams_that_are_wide_enough_find_the_best_of_all(width: int, exact: int, end: int | None) -> None:
    of = gpt(width=width, end="" if end is None else f", end={end}, padding=0")
    prompt = np.array([[2, 0, 1], [0, 2, 2]])
    found = entry(of, "beams", weights(of), prompt=prompt, new=3)
    np.testing.assert_array_equal(found["tokens"][:, :, :3], np.repeat(prompt[:, None], width, 1))
    for row in range(2):
        best = enumerated(of, prompt[row], 3, end)[:exact]
        np.testing.assert_allclose(found["scores"][row, : len(best)], [score for score, _ in best], atol=1e-4)
        assert [tuple(tokens) for tokens in found["tokens"][row, : len(best), 3:].tolist()] == [t for _, t in best]
        rest = found["scores"][row, len(best) :]
        assert exact == 1 or (rest < -1e29).all()  # there are no others


def test_one_beam_is_greedy() -> None:
    found = entry(gpt(5), "beams", weights(gpt(5)), prompt=PROMPTS, new=5)
    np.testing.assert_array_equal(found["tokens"][:, 0], by_hand(gpt(5), PROMPTS, 5))


def test_scores_are_those_of_the_tokens() -> None:
    of = gpt(width=4)
    found = entry(of, "beams", weights(of), prompt=PROMPTS[:2] % V, new=4)
    assert (np.diff(found["scores"]) <= 0).all()
    for row in range(2):
        assert len({tuple(t) for t in found["tokens"][row].tolist()}) == 4
        p = log_probabilities(of, found["tokens"][row])
        chosen = np.take_along_axis(p[:, 1:-1], found["tokens"][row][:, 2:, None], -1)[..., 0]
        np.testing.assert_allclose(found["scores"][row], chosen.sum(1), atol=1e-4)


# ---------------------------------------------------------------- mistakes


def test_a_net_that_sees_what_comes_cannot_be_stepped() -> None:
    body = (
        "net = MultiHeadAttention(2)\noutput y = net(x)\nentry e(x: [B, T, 8]) -> [B, T, 8]:\n"
        "    y, cache = net.step(x, net.cache(B, T), 0)\n    return y"
    )
    (found,) = findings(model(body, "x: [B, T, 8]"))
    assert found.code == "AX0319" and "causal=true" in found.headline


def test_a_cache_of_another_form_is_refused() -> None:
    body = "net = MultiHeadAttention(2, causal=true)\noutput y = net(x)\nentry e(x: [B, T, 8]) -> [B, T, 8]:\n"
    wrong = "    y, cache = net.step(x, [zeros([B, 2, T, 5])] * 2, 0)\n    return y"
    assert codes(model(body + wrong, "x: [B, T, 8]"))


def test_a_width_of_none_is_refused() -> None:
    assert codes(model(GPT.format(v=3, width=0, end=""), "ids: i64[B, T]")) == ["AX0319"]


def test_initial_parameters_are_those_that_they_were() -> None:
    """Names of parameters stay as trained runs have them, with methods beside them."""
    of = program(model("output y = x |> TransformerEncoder(1, 2, norm=pre)", "x: [B, T, 8]"))
    assert "transformer_encoder.layer_norm.scale" in initial(of)


def test_the_functions_of_one_step() -> None:
    """`greedy` takes the first of equals; `markov` reads the row of the last token."""
    text = model(
        "best = greedy(table[:2])\nlogits, caches = markov(ids, 0, [], table)\noutput a = best\noutput b = logits",
        "ids: i64[R, n]; table: [3, 3]",
    )
    table = np.array([[1.0, 2, 2], [5, 0, 1], [3, 4, 6]], np.float32)
    found = outputs(text, ids=np.array([[0, 1], [1, 2]]), table=table)
    np.testing.assert_array_equal(found["a"], [1, 0])
    np.testing.assert_array_equal(found["b"], table[[1, 2]])
