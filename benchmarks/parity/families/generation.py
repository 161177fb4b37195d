"""Generation: chains of tokens that are continued, searched with beams, and drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise, product
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import DType

from ..analytic import Array
from ..judging import FAR
from ..setting import Direct, Outcome, Setting, family, normal
from .draws import drawn

Values = Mapping[str, Any]
DRAWS = 20_000


def _logs(table: Array) -> Any:
    return table - np.log(np.exp(table).sum(-1, keepdims=True))


def _greedily(table: Array, prompt: Array, new: int, end: int) -> Array:
    """Continuations by a Markov chain, with the end in place of what comes after it."""
    rows = []
    for start in prompt.tolist():
        row = list(start)
        for _ in range(new):
            token = int(table[row[-1]].argmax())
            row.append(end if end in row[len(start) :] else token)
        rows.append(row)
    return np.array(rows, np.float64)


def _best(table: Array, token: int, new: int, width: int) -> tuple[Array, Array]:
    """The most probable continuations by a Markov chain, of all."""
    logs, v = _logs(table), len(table)
    found = []
    for tokens in product(range(v), repeat=new):
        path = [token, *tokens]
        found.append((sum(logs[a, b] for a, b in pairwise(path)), tokens))
    best = sorted(found, reverse=True)[:width]
    return np.array([score for score, _ in best]), np.array([tokens for _, tokens in best], np.float64)


@family("generation", seeds=60, sample=5, units=64)
def generation(rng: np.random.Generator, seed: int) -> Setting | Direct:
    """Greedy decoding, beams that are wide enough, and shares of tokens that are drawn."""
    v, new = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    table = normal(rng, v, v)
    prompt = rng.integers(0, v, (int(rng.integers(1, 4)), int(rng.integers(1, 4))))
    width, end = v ** max(new - 1, 1), int(rng.integers(0, v))
    chain = {"t": table, "p": prompt}
    if seed % 5 == 0:
        return Setting("float(greedy($t))", {"t": table}, lambda w: w["t"].argmax(-1).astype(float), ())
    if seed % 5 == 1:
        call = f"float(continued(markov(table=$t), $p, {new}, [$p], end={end}))"
        return Setting(call, chain, lambda w: _greedily(w["t"], prompt, new, end), ())
    if seed % 5 == 2:
        return Setting(f"beam_search(markov(table=$t), $p, {new}, [$p], {width}).scores", chain,
                       lambda w: np.array([_best(w["t"], k, new, width)[0] for k in prompt[:, -1]]), (),
                       normwise=True)  # fmt: skip
    if seed % 5 == 3:
        return Setting(f"float(beam_search(markov(table=$t), $p, {new}, [$p], {width}).tokens[:, 0, -{new}:])", chain,
                       lambda w: np.array([_best(w["t"], k, new, 1)[1][0] for k in prompt[:, -1]]), ())  # fmt: skip
    return _shares(rng, seed)


def _shares(rng: np.random.Generator, seed: int) -> Direct:
    """How often each token is drawn, and that no other is."""
    logits = normal(rng, 6).round(2)
    temperature, top_k = round(float(rng.uniform(0.4, 2)), 2), int(rng.integers(1, 7))
    call = f"sampled(broadcast(logits, [{DRAWS}, 6]), {temperature}, {top_k})"
    order = np.argsort(-logits, kind="stable")[:top_k]
    shares = np.zeros(6)
    shares[order] = np.exp((logits[order] - logits.max()) / temperature)
    shares /= shares.sum()

    def check() -> list[Outcome]:
        lines = f"    input logits: [6]\n    output y = {call}\n"
        counts = np.bincount(drawn(lines, seed, DType.f32, {"logits": logits})["y"], minlength=6) / DRAWS
        outside = counts[shares == 0].sum()
        worst = max(abs(c - s) / (6 * math.sqrt(s * (1 - s) / DRAWS) + 1e-9)
                    for c, s in zip(counts, shares, strict=True))  # fmt: skip
        return [Outcome("shares", FAR if outside else float(worst), f"{counts} for {shares}")]

    return Direct(call, check, units=1)
