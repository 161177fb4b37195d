"""Losses in NumPy: for each a call in the language without its closing bracket, and its values before ``reduce``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .activations import log_softmax, sigmoid, softmax, softplus

Array = np.ndarray[Any, Any]
ROWS, COLUMNS = 5, 4
FIELDS = "x: [5, 4]; t: [5, 4]; u: [5, 4]; k: i64[5]"
"""What the calls are of: ``x`` stands for what is learned."""


def _numbers(seed: int, low: float = -2.0, high: float = 2.0) -> Array:
    return np.random.default_rng(seed).uniform(low, high, (ROWS, COLUMNS))


X, T, U = _numbers(0, -3, 3), _numbers(1), _numbers(2)
K = np.array([0, 3, 1, 1, 2])
BITS = (U > 0).astype(float)
SIGNS = 2 * BITS - 1
P, Q = softmax(T), softmax(U)
WEIGHT = np.array([0.5, 1.0, 2.0, 4.0])
HOT = np.eye(COLUMNS)[K]


@dataclass(frozen=True)
class Loss:
    """A loss of ``x`` and what its other arguments are.

    Attributes:
        values: of each example or element, from ``x``.
        t, u: the fields ``t`` and ``u``; ``T`` and ``U`` unless given.
        mean: divides the sum for ``reduce=mean``; the number of values unless given.
    """

    values: Callable[[Array], Array]
    t: Array | None = None
    u: Array | None = None
    mean: float | None = None

    def fields(self) -> dict[str, Array]:
        """The arguments but ``x``."""
        return {"t": T if self.t is None else self.t, "u": U if self.u is None else self.u, "k": K}


def _huber(d: Array, delta: float) -> Array:
    return np.where(abs(d) <= delta, d**2 / 2, delta * (abs(d) - delta / 2))


def _picked(x: Array) -> Array:
    return x[range(ROWS), K]


def _length(x: Array) -> Array:
    return np.asarray(np.sqrt((x**2).sum(-1)))


def _unit(x: Array) -> Array:
    return np.asarray(x / _length(x)[..., None])


def _cosine(a: Array, b: Array) -> Array:
    return np.asarray((_unit(a) * _unit(b)).sum(-1))


def _excess(x: Array, margin: float) -> Array:
    """Hinges of all classes but the label's."""
    hinges = np.maximum(0, margin + x - _picked(x)[:, None])
    return np.asarray(hinges * (1 - HOT))


def _info_nce(a: Array, b: Array, temperature: float) -> Array:
    return -np.diag(log_softmax(_unit(a) @ _unit(b).T / temperature))


def _nt_xent(a: Array, b: Array, temperature: float) -> Array:
    z, values = _unit(np.concatenate([a, b])), []
    for i in range(2 * ROWS):
        exps = [np.exp(z[i] @ z[j] / temperature) for j in range(2 * ROWS)]
        values.append(-np.log(exps[(i + ROWS) % (2 * ROWS)] / (sum(exps) - exps[i])))
    return np.array(values)


def _dice(p: Array, t: Array, eps: float) -> Array:
    return np.asarray(1 - (2 * (p * t).sum(1) + eps) / (p.sum(1) + t.sum(1) + eps))


def _focal(x: Array, gamma: float) -> Array:
    q = np.where(BITS == 1, sigmoid(x), 1 - sigmoid(x))
    return -((1 - q) ** gamma) * np.log(q)


def _kl_normal(mean: Array, std: Array, mean2: Array | float, std2: Array | float) -> Array:
    return np.asarray((np.log(std2 / std) + (std**2 + (mean - mean2) ** 2) / (2 * std2**2) - 0.5).sum(-1))


_SMOOTH = 0.9 * HOT + 0.1 / COLUMNS

LOSSES: dict[str, Loss] = {
    "mse(x, t": Loss(lambda x: (x - T) ** 2),
    "mae(x, t": Loss(lambda x: abs(x - T)),
    "huber(x, t": Loss(lambda x: _huber(x - T, 1)),
    "huber(x, t, 0.5": Loss(lambda x: _huber(x - T, 0.5)),
    "smooth_l1(x, t, beta=0.5": Loss(lambda x: _huber(x - T, 0.5) / 0.5),
    "pseudo_huber(x, t, 2": Loss(lambda x: 4 * (np.sqrt(1 + ((x - T) / 2) ** 2) - 1)),
    "log_cosh(x, t": Loss(lambda x: np.log(np.cosh(x - T))),
    "quantile_loss(x, t, 0.9": Loss(lambda x: np.where(x < T, 0.9, 0.1) * abs(T - x)),
    "bce(sigmoid(x), t": Loss(lambda x: -BITS * np.log(sigmoid(x)) - (1 - BITS) * np.log(1 - sigmoid(x)), BITS),
    "bce_logits(x, t": Loss(lambda x: softplus(x) - BITS * x, BITS),
    "bce_logits(x, t, 3": Loss(lambda x: -3 * BITS * np.log(sigmoid(x)) - (1 - BITS) * np.log(1 - sigmoid(x)), BITS),
    "cce(softmax(x), t": Loss(lambda x: -(P * np.log(softmax(x))).sum(-1), P),
    "cross_entropy(x, k": Loss(lambda x: -_picked(log_softmax(x))),
    "cross_entropy(x, k, smoothing=0.1": Loss(lambda x: -(_SMOOTH * log_softmax(x)).sum(-1)),
    "cross_entropy(x, k, weight=tensor([0.5, 1, 2, 4])": Loss(
        lambda x: -WEIGHT[K] * _picked(log_softmax(x)), mean=WEIGHT[K].sum()
    ),
    "cross_entropy(x, k, 0.1, tensor([0.5, 1, 2, 4])": Loss(
        lambda x: -(WEIGHT * _SMOOTH * log_softmax(x)).sum(-1), mean=WEIGHT[K].sum()
    ),
    "soft_cross_entropy(x, t": Loss(lambda x: -(P * log_softmax(x)).sum(-1), P),
    "soft_cross_entropy(x, smooth_labels(t, 0.2)": Loss(lambda x: -((0.8 * P + 0.05) * log_softmax(x)).sum(-1), P),
    "nll(log_softmax(x), k": Loss(lambda x: -_picked(log_softmax(x))),
    "focal(x, t": Loss(lambda x: _focal(x, 2), BITS),
    "focal(x, t, 0.5, alpha=0.25": Loss(lambda x: np.where(BITS == 1, 0.25, 0.75) * _focal(x, 0.5), BITS),
    "multiclass_focal(x, k, 1.5": Loss(lambda x: -((1 - _picked(softmax(x))) ** 1.5) * _picked(log_softmax(x))),
    "hinge(x, t": Loss(lambda x: np.maximum(0, 1 - SIGNS * x), SIGNS),
    "hinge(x, t, margin=0.5": Loss(lambda x: np.maximum(0, 0.5 - SIGNS * x), SIGNS),
    "squared_hinge(x, t": Loss(lambda x: np.maximum(0, 1 - SIGNS * x) ** 2, SIGNS),
    "multiclass_hinge(x, k": Loss(lambda x: _excess(x, 1).max(-1)),
    "multiclass_hinge(x, k, 0.5, over=all": Loss(lambda x: _excess(x, 0.5).sum(-1)),
    "dice(sigmoid(x), t": Loss(lambda x: _dice(sigmoid(x), BITS, 1), BITS),
    "dice(sigmoid(x), t, eps=0.1": Loss(lambda x: _dice(sigmoid(x), BITS, 0.1), BITS),
    "kl(t, log_softmax(x)": Loss(lambda x: (P * (np.log(P) - log_softmax(x))).sum(-1), P),
    "kl(softmax(x), log(t)": Loss(lambda x: (softmax(x) * (log_softmax(x) - np.log(P))).sum(-1), P),
    "kl_normal(x, exp(0.5 * t)": Loss(lambda x: _kl_normal(x, np.exp(T / 2), 0, 1)),
    "kl_normal(t, exp(x), mean2=u, std2=2.0": Loss(lambda x: _kl_normal(T, np.exp(x), U, 2)),
    "kl_normal(x, 0.5, u, exp(t)": Loss(lambda x: _kl_normal(x, np.full_like(x, 0.5), U, np.exp(T))),
    "gaussian_nll(x, t, exp(u)": Loss(lambda x: (U + (T - x) ** 2 / np.exp(U)) / 2),
    "gaussian_nll(t, u, exp(x), full=true": Loss(lambda x: (x + (T - U) ** 2 / np.exp(x) + np.log(2 * np.pi)) / 2),
    "poisson_nll(x, exp(t)": Loss(lambda x: np.exp(x) - np.exp(T) * x),
    "triplet(x, t, u": Loss(lambda x: np.maximum(0, _length(x - T) - _length(x - U) + 1)),
    "triplet(t, x, u, 0.2, squared=true": Loss(
        lambda x: np.maximum(0, _length(T - x) ** 2 - _length(T - U) ** 2 + 0.2)
    ),
    "contrastive(x, u, t[:, 0], 5": Loss(
        lambda x: np.where(BITS[:, 0] == 1, _length(x - U) ** 2, np.maximum(0, 5 - _length(x - U)) ** 2) / 2, BITS
    ),
    "cosine_embedding(x, u, t[:, 0], margin=-0.5": Loss(
        lambda x: np.where(SIGNS[:, 0] > 0, 1 - _cosine(x, U), np.maximum(0, _cosine(x, U) + 0.5)), SIGNS
    ),
    "info_nce(x, t": Loss(lambda x: _info_nce(x, T, 0.1)),
    "info_nce(t, x, temperature=0.5": Loss(lambda x: _info_nce(T, x, 0.5)),
    "nt_xent(x, t": Loss(lambda x: _nt_xent(x, T, 0.5)),
}
