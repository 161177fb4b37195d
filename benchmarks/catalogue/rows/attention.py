"""Attention: every kind of score, heads, masks and memories, beside NumPy in float64."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from benchmarks.parity.families.attention import known, multi_head, near, rotated, scores_of, weights

from ..facts import Measured, Row
from ..training import trainer_of

ROW = Row("3.5", "Attention", "001, attention mechanisms; 002 7.2; 003 10.1; 004 13", ("translation",))
RNG = np.random.default_rng(0)
X, MEMORY = RNG.normal(size=(2, 5, 8)), RNG.normal(size=(2, 7, 8))
LENGTHS = np.array([3, 7])
SEEN = np.array(RNG.random((2, 5, 7)) < 0.5) | (np.arange(7) == 0)
BOTH = (SEEN & known(LENGTHS, 7)[:, None])[:, None]
"""What the mask and the lengths allow, for each head."""
INPUTS = "    input x: [B, T, 8]\n    input m: [B, U, 8]\n    input n: i64[B]\n    input seen: bool[B, T, U]\n"


def outputs(body: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """The outputs of a model over x, a memory m, its lengths n and a mask; and its parameters, below `a`."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    trainer = trainer_of(f"model Fact():\n{INPUTS}{lines}", batch_size=2)
    given = {"x": X.astype(np.float32), "m": MEMORY.astype(np.float32), "n": LENGTHS, "seen": SEEN}
    parameters: dict[str, Array] = {
        path.removeprefix("a."): np.asarray(p, np.float64) for path, p in trainer.parameters.items()
    }
    return trainer.predict(given), parameters


def _gap(actual: Array, expected: Any) -> Measured:
    gap = float(np.abs(actual - expected).max())
    return Measured(f"{gap:.0e}", gap < 1e-5)


SCORES = {
    "dot": "dot_scores",
    "scaled": "scaled_scores",
    "cosine": "cosine_scores(scale=3)",
    "multiplicative": "BilinearScores()",
    "additive": "AdditiveScores(6)",
}


def _scored(i: int, score: str) -> Measured:
    text = (
        f"a = {score}\noutput y = attend(x, m, m, score=a)" if i > 2 else f"output y = attend(x, m, m, score={score})"
    )
    found, parameters = outputs(text)
    taken = weights(scores_of({"q": X, "k": MEMORY, **parameters}, i, 3.0))
    return _gap(found["y"], taken @ MEMORY)


for i, (name, score) in enumerate(SCORES.items()):
    ROW.fact(f"attention with the {name} score equals NumPy's to 1e-5")(partial(_scored, i, score))

HEADS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "of itself": ("MultiHeadAttention(4)", "x", {}),
    "causal": ("MultiHeadAttention(4, causal=true)", "x", {"seen": np.tril(np.ones((5, 5), bool))}),
    "to a memory (cross-attention)": ("MultiHeadAttention(4)", "x, memory=m", {"memory": MEMORY}),
    "to a memory with padding and a mask": (
        "MultiHeadAttention(4)",
        "x, memory=m, lengths=n, mask=seen",
        {"memory": MEMORY, "seen": BOTH},
    ),
    "with queries in groups and rotary positions": (
        "MultiHeadAttention(4, kv_heads=2, rotate=rotary)",
        "x",
        {"kv_heads": 2, "turn": rotated},
    ),
    "with ALiBi": ("MultiHeadAttention(4)", "x, added=alibi(4, T, T)", {"added": near(4, 5, 5)}),
}


def _heads(module: str, call: str, options: Mapping[str, Any]) -> Measured:
    found, parameters = outputs(f"a = {module}\noutput y = a({call})")
    return _gap(found["y"], multi_head(parameters, "", X, 4, **options))


for name, (module, call, options) in HEADS.items():
    ROW.fact(f"multi-head attention {name} equals NumPy's to 1e-5")(partial(_heads, module, call, options))


@ROW.fact("the weights of attention are an output: each query's sum to 1, and are 0 where it may not look")
def weights_are_an_output() -> Measured:
    """The largest difference of a sum from 1."""
    body = "a = MultiHeadAttention(4)\ny = a(x, memory=m)\noutput map = a.weights(x, memory=m, lengths=n, mask=seen)"
    found, _ = outputs(body)
    right = bool((np.greater(found["map"], 0) == BOTH).all())
    gap = float(np.abs(found["map"].sum(-1) - 1).max())
    return Measured(f"{gap:.0e}", right and gap < 1e-5)


@ROW.fact("scaled scores keep their variance as the width grows, and dot products do not: ratios of width 256 to 4")
def scaled() -> Measured:
    """Normal queries and keys; dot products have the variance of the width."""
    variances = []
    for d in (4, 256):
        q, k = np.random.default_rng(1).normal(size=(2, 512, d)).astype(np.float32)
        text = f"model S():\n    input q: [512, {d}]\n    input k: [512, {d}]\n"
        trainer = trainer_of(f"{text}    output dot = dot_scores(q, k)\n    output scaled = scaled_scores(q, k)\n")
        found = trainer.predict({"q": q, "k": k})
        variances.append([float(found[name].var()) for name in ("scaled", "dot")])
    ratios = [b / a for a, b in zip(*variances, strict=True)]
    return Measured(f"{ratios[0]:.2f} and {ratios[1]:.0f}", 0.7 < ratios[0] < 1.4 and 45 < ratios[1] < 90)
