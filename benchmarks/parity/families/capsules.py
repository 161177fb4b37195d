"""Capsules: squashing, routing and the margin loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..analytic import relu, softmax
from ..setting import Setting, between, family, normal

Values = Mapping[str, Any]
CASES = 4


def _squash(s: Any) -> Any:
    squares = (s * s).sum(-1, keepdims=True)
    return squares / (1 + squares) * s / np.sqrt(squares + 1e-9)


@family("capsules", seeds=15 * CASES, sample=2 * CASES, units=32)
def capsules(rng: np.random.Generator, seed: int) -> Setting:
    """Each declaration, with 1 to 3 rounds of routing and any `reduce`."""
    B, i, d, size, rounds = (int(k) for k in rng.integers(1, 4, 5))
    count = int(rng.integers(2, 5))
    u, W = normal(rng, B, i, d), normal(rng, i, count, d, size)

    def routed(v: Values) -> Any:
        votes = np.einsum("bid,iodk->biok", v["u"], v["W"])
        b = 0 * votes[..., 0]
        for _ in range(rounds):
            result = _squash(np.einsum("bio,biok->bok", softmax(b, 2), votes))
            b = b + np.einsum("biok,bok->bio", votes, result)
        return result

    if seed % CASES == 0:
        return Setting("squash($x)", {"x": u}, lambda v: _squash(v["x"]), normwise=True, second=True)
    if seed % CASES == 1:
        return Setting("$m($u)", {"u": u}, routed, ("u", "W"), f"Capsules({count}, {size}, rounds={rounds})",
                       {"W": W}, normwise=True)  # fmt: skip
    length, label = between(rng, 0, 1, B, count), rng.integers(0, count, B)
    there = np.eye(count)[label]

    def losses(v: Values) -> Any:
        return (there * relu(0.9 - v["x"]) ** 2 + 0.5 * (1 - there) * relu(v["x"] - 0.1) ** 2).sum(-1)

    if seed % CASES == 2:
        return Setting("margin_loss($x, $k, reduce=none)", {"x": length, "k": label}, losses, normwise=True)
    return Setting("margin_loss($x, $k)", {"x": length, "k": label}, lambda v: losses(v).mean(), normwise=True)
