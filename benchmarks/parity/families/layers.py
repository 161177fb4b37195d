"""Dense layers, embeddings and the penalties and constraints on their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..analytic import absolute, length, maximum, real, relu
from ..setting import Setting, choose, family, normal, number

Values = Mapping[str, Any]
KINDS = 4


@family("dense layers", seeds=20 * KINDS, sample=KINDS)
def dense(rng: np.random.Generator, seed: int) -> Setting:
    """Dense of any leading axes, with a bias and without, MLP, Embedding."""
    n, units, hidden = (int(i) for i in rng.integers(1, 6, 3))
    leading = choose(rng, (), (3,), (2, 3))
    x, W, b = normal(rng, *leading, n), normal(rng, n, units), normal(rng, units)
    kind = seed % KINDS
    if kind == 0:
        return Setting("$m($x)", {"x": x}, lambda v: v["x"] @ v["W"] + v["b"], ("x", "W", "b"), f"Dense({units})",
                       {"W": W, "b": b}, normwise=True)  # fmt: skip
    if kind == 1:
        return Setting("$m($x)", {"x": x}, lambda v: v["x"] @ v["W"], ("x", "W"), f"Dense({units}, bias=false)",
                       {"W": W}, normwise=True)  # fmt: skip
    if kind == 2:
        parameters = {"dense.0.W": normal(rng, n, hidden), "dense.0.b": normal(rng, hidden),
                      "dense.1.W": normal(rng, hidden, units), "dense.1.b": b}  # fmt: skip
        return Setting(
            "$m($x)",
            {"x": x},
            lambda v: relu(v["x"] @ v["dense.0.W"] + v["dense.0.b"]) @ v["dense.1.W"] + v["dense.1.b"],
            ("x",),
            f"MLP([{hidden}, {units}])",
            parameters,
            normwise=True,
        )
    count = int(rng.integers(1, 7))
    ids = rng.integers(0, count, leading or (4,))
    return Setting("$m($k)", {"k": ids}, lambda v: v["W"][ids], ("W",), f"Embedding({count}, {units})",
                   {"W": normal(rng, count, units)}, normwise=True)  # fmt: skip


def _power(h: Any, p: float) -> Any:
    size = absolute(h)
    return np.where(real(size) > 0, np.exp(p * np.log(np.where(real(size) > 0, size, 1))), 0 * real(size))


PENALTIES = 8


@family("penalties", seeds=15 * PENALTIES, sample=PENALTIES)
def penalty(rng: np.random.Generator, seed: int) -> Setting:
    """Regularisers of tensors."""
    n, m = int(rng.integers(2, 6)), int(rng.integers(1, 6))
    x, a, share = normal(rng, n, m), number(rng, 0.01, 3), number(rng, 0.1, 0.9)
    few = min(n, m)

    def gram(W: Any) -> Any:
        return W.T @ W if m <= n else W @ W.T

    def bounded(W: Any) -> Any:
        return W * (a / maximum(length(W, 0, keep=True), a))

    def expit(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    def divergence(p: float, q: Any) -> Any:
        return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))

    cases: list[tuple[str, Callable[[Any], Any], bool]] = [
        (f"l2($x, {a})", lambda x: a * (x * x).sum(), True),
        (f"l1($x, {a})", lambda x: a * absolute(x).sum(), False),
        (f"elastic_net($x, {a}, {share})",
         lambda x: a * (share * absolute(x) + (1 - share) * x * x / 2).sum(), False),
        (f"activity($x, {a})", lambda x: a * (x * x).mean(0).sum(), True),
        (f"activity($x, {a}, power=3)", lambda x: a * _power(x, 3).mean(0).sum(), False),
        (f"kl_sparsity(sigmoid($x), {share}, {a})", lambda x: a * divergence(share, expit(x).mean(0)).sum(), True),
        (f"orthogonality($x, {a})", lambda x: a * ((gram(x) - np.eye(few)) ** 2).sum(), True),
        (f"max_norm($x, {a})", bounded, False),
    ]  # fmt: skip
    call, f, smooth = cases[seed % PENALTIES]
    return Setting(call, {"x": x}, lambda v: np.asarray(f(v["x"])), normwise=True, second=smooth)


@family("penalties of modules", seeds=20, sample=2)
def of_modules(rng: np.random.Generator, seed: int) -> Setting:
    """All parameters of a module, weights and biases, with their gradients."""
    W, b, a = normal(rng, 3, 2), normal(rng, 2), number(rng, 0.1, 2)
    name = choose(rng, "l1", "l2")

    def total(v: Values) -> Any:
        if name == "l2":
            return np.asarray(a * ((v["W"] ** 2).sum() + (v["b"] ** 2).sum() + 0 * v["x"].sum()))
        return np.asarray(a * (absolute(v["W"]).sum() + absolute(v["b"]).sum() + 0 * v["x"].sum()))

    return Setting(f"0 * sum($m($x)) + {name}($m, {a})", {"x": normal(rng, 3)}, total, ("W", "b"), "Dense(2)",
                   {"W": W, "b": b}, normwise=True)  # fmt: skip
