"""Samples beside samples: kernels, discrepancies and distances, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..analytic import Array
from ..setting import Setting, family, normal

CASES = 6


def _kernel(x: Any, y: Any, width: float) -> Any:
    return np.exp(-((x[:, None] - y[None]) ** 2).sum(axis=2) / (2 * width**2))


def _mmd(x: Any, y: Any, width: float) -> Any:
    """Pair by pair, without those of a point with itself."""
    own, other = ([k[i, j] for i in range(len(k)) for j in range(len(k)) if i != j]
                  for k in (_kernel(x, x, width), _kernel(y, y, width)))  # fmt: skip
    return np.mean(own) + np.mean(other) - 2 * np.mean(_kernel(x, y, width))


def _covariance(x: Any) -> Any:
    apart = x - x.mean(axis=0)
    return apart.T @ apart / (len(x) - 1)


def _frechet(x: Array, y: Array) -> Array:
    """By the eigenvalues of C D, whose square roots are those of the root."""
    C, D = _covariance(x), _covariance(y)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(C @ D).real, 0))
    gap = x.mean(axis=0) - y.mean(axis=0)
    return np.asarray(gap @ gap + np.trace(C) + np.trace(D) - 2 * roots.sum())


def _modes(x: Array, centres: Array, radius: float, share: float) -> tuple[int, float]:
    inside = np.linalg.norm(x[:, None] - centres, axis=2) < radius
    return int((inside.mean(axis=0) >= share).sum()), float(inside.any(axis=1).mean())


@family("samples", seeds=10 * CASES, sample=CASES, units=200)
def samples(rng: np.random.Generator, seed: int) -> Setting:
    """Two samples of different sizes, with more points than columns, so that covariances have an inverse."""
    d = int(rng.integers(1, 5))
    x, y = normal(rng, int(rng.integers(8, 20)), d), normal(rng, int(rng.integers(8, 20)), d)
    width = float(np.round(rng.uniform(0.5, 2), 2))
    both = {"x": x, "y": y}
    cases: list[tuple[str, Callable[[Any], Any], tuple[str, ...]]] = [
        (f"gaussian_kernel($x, $y, {width})", lambda v: _kernel(v["x"], v["y"], width), ("x", "y")),
        (f"mmd($x, $y, {width})", lambda v: _mmd(v["x"], v["y"], width), ("x", "y")),
        ("covariance($x)", lambda v: _covariance(v["x"]), ("x",)),
        ("frechet($x, $y)", lambda v: _frechet(v["x"], v["y"]), ()),
        ("modes_covered($x, $y, 1.0, 0.2).modes", lambda v: _modes(v["x"], v["y"], 1.0, 0.2)[0], ()),
        ("modes_covered($x, $y, 1.0, 0.2).near", lambda v: _modes(v["x"], v["y"], 1.0, 0.2)[1], ()),
    ]
    call, f, wrt = cases[seed % CASES]
    used = {name: array for name, array in both.items() if f"${name}" in call}
    return Setting(call, used, lambda v: np.asarray(f(v)), wrt, normwise=True)
