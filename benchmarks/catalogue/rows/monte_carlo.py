"""Means over draws: Monte Carlo, importance sampling, Markov chains; beside sums, eigenvectors and closed forms."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy import stats

from archonnx.runtime.training.trainer import Trainer
from benchmarks.parity.analytic import Array

from ..facts import Measured, Row
from ..sampling import differences, started

ROW = Row(
    "5.8",
    "Monte Carlo, importance sampling, Markov chains: Metropolis, Gibbs, Langevin",
    "003 13.2 to 13.4",
    ("monte_carlo", "markov_chain", "samplers"),
)
RNG = np.random.default_rng(0)
P = RNG.dirichlet(np.ones(6)).astype(np.float32)
F = np.array([1, 0.2, 5, 2, 0.1, 3], np.float32)
Q = np.full(6, 1 / 6, np.float32)
EXACT = float(P @ F)
CHAIN = (0.5 * np.eye(5) + 0.5 * RNG.dirichlet(np.ones(5), 5)).astype(np.float32)
SIZES = (100, 400, 1600, 6400, 25600)


@cache
def of(name: str) -> Trainer:
    """A spec of this row, made once."""
    return started(name)


def slope(entry: str, exact: float, **inputs: Any) -> tuple[float, Array]:
    """The slope of log error over log n, and the root of the mean squared error of 200 estimates for each n."""
    errors = []
    for n in SIZES:
        found = [float(of("monte_carlo").call(entry, n=n, seed=i, **inputs)[_last(entry)]) for i in range(200)]
        errors.append(np.sqrt(np.mean((np.array(found) - exact) ** 2)))
    return float(np.polyfit(np.log(SIZES), np.log(errors), 1)[0]), np.array(errors)


def _last(entry: str) -> str:
    return "estimate" if entry == "importance" else entry


@ROW.fact(
    "the error of a mean over n draws falls as 1 / sqrt(n): slopes of log error over log n, from 100 to 25,600, are "
    "-0.5 to 0.04: a sum, the same by importance, and pi; and the error is the deviation over sqrt(n), to 10%",
    slow=True,
)
def falls() -> Measured:
    """200 estimates of each size."""
    plain, errors = slope("estimate", EXACT, p=P, f=F)
    weighted, _ = slope("importance", EXACT, p=P, f=F, q=Q)
    circle, _ = slope("quarter_circle", np.pi)
    deviation = np.sqrt(P @ (F - EXACT) ** 2)
    ratio = float(np.mean(errors * np.sqrt(SIZES)) / deviation)
    holds = max(abs(one + 0.5) for one in (plain, weighted, circle)) < 0.04 and abs(ratio - 1) < 0.1
    return Measured(f"{plain:.3f}, {weighted:.3f}, {circle:.3f}; {ratio:.2f} of the deviation", holds)


@ROW.fact(
    "estimates by importance are not biased: the mean of 100,000 draws from elsewhere is within 4 standard errors"
)
def unbiased() -> Measured:
    """From even draws, and from draws that prefer what is rare."""
    errors = []
    for q in (Q, (P[::-1] / P.sum()).copy()):
        terms = of("monte_carlo").call("importance", p=P, f=F, q=q, n=100_000, seed=1)["terms"].astype(float)
        errors.append(abs(terms.mean() - EXACT) / (terms.std() / np.sqrt(terms.size)))
    return Measured(", ".join(f"{error:.1f}" for error in errors) + " standard errors", max(errors) < 4)


@ROW.fact("of the best proposal q* = p |f| / Z every single draw is the answer: the variance is 0, below 1e-12 of s^2")
def optimal() -> Measured:
    """1,000 draws; beside the variances of draws from p and of even ones."""
    best = of("monte_carlo").predict({"p": P, "f": F})["optimal"]
    found = {}
    for name, q in (("q*", best), ("p", P), ("even", Q)):
        terms = of("monte_carlo").call("importance", p=P, f=F, q=q, n=1000, seed=1)["terms"].astype(float)
        found[name] = float(terms.var()) / EXACT**2
    return Measured(", ".join(f"{name} {value:.1g}" for name, value in found.items()), found["q*"] < 1e-12)


@ROW.fact("P(x > 4) = 3.17e-5 of a normal, by 10,000 draws: to 3% by draws from N(4, 1); counting is off by over 30%")
def rare() -> Measured:
    """The root of the mean squared relative error of 100 estimates."""
    exact = stats.norm.sf(4)
    found = {}
    for entry in ("tail", "tail_from_there"):
        got = np.array([float(of("monte_carlo").call(entry, above=4, n=10_000, seed=i)[entry]) for i in range(100)])
        found[entry] = float(np.sqrt(np.mean((got / exact - 1) ** 2)))
    shown = f"{found['tail_from_there']:.1%}; counting {found['tail']:.0%}"
    return Measured(shown, found["tail_from_there"] < 0.03 and found["tail"] > 0.3)


def _stationary(kernel: Array) -> tuple[Array, float]:
    """The left eigenvector of the eigenvalue 1, and the size of the next eigenvalue."""
    values, vectors = np.linalg.eig(kernel.T.astype(float))
    order = np.argsort(-np.abs(values))
    p = np.real(vectors[:, order[0]])
    return p / p.sum(), float(np.abs(values[order[1]]))


@ROW.fact(
    "q T^t comes to the eigenvector of the eigenvalue 1, to 1e-6, from any q; its distance falls as the second "
    "eigenvalue to the power t: the slope agrees to 2%"
)
def stationary() -> Measured:
    """Five states, from each of them; the slope between steps 5 and 12."""
    p, second = _stationary(CHAIN)
    paths = [of("markov_chain").call("distribution", T=CHAIN, q=q, steps=60) for q in np.eye(5, dtype=np.float32)]
    end = max(float(np.abs(found["last"] - p).max()) for found in paths)
    away = np.sum([np.abs(found["path"][4:12] - p).sum(1) for found in paths], axis=0)
    rate = float(np.exp(np.polyfit(np.arange(8), np.log(away), 1)[0]))
    return Measured(f"{end:.0e}; {rate:.3f} and {second:.3f}", end < 1e-6 and abs(rate / second - 1) < 0.02)


@ROW.fact(
    "in a chain that goes round in a rhythm q T^t goes round for ever, and comes to the eigenvector if it may also stay"
)
def rhythm() -> Measured:
    """Three states in a circle, after 300 and 301 steps."""
    circle = np.roll(np.eye(3, dtype=np.float32), 1, axis=1)
    q = np.array([1, 0, 0], np.float32)

    def after(kernel: Array) -> Array:
        return np.array([of("markov_chain").call("distribution", T=kernel, q=q, steps=n)["last"] for n in (300, 301)])

    rigid, lazy = after(circle), after(0.5 * circle + 0.5 * np.eye(3, dtype=np.float32))
    apart, off = float(np.abs(rigid[0] - rigid[1]).max()), float(np.abs(lazy - 1 / 3).max())
    return Measured(f"apart by {apart:.0f}; {off:.0e}", apart == 1 and off < 1e-6)


def _surprise(found: Array, p: Array) -> float:
    """Chi-square of how often states were found, in its deviations above its mean."""
    counts = np.bincount(found, minlength=len(p))
    expected = found.size * p
    return float((((counts - expected) ** 2 / expected).sum() - (len(p) - 1)) / np.sqrt(2 * (len(p) - 1)))


@ROW.fact(
    "where 20,000 walkers are after 40 steps is distributed as the eigenvector says: chi-square within 4 deviations"
)
def walkers() -> Measured:
    """From state 0; of the chain, and of Metropolis' walk to the p of six states."""
    start = np.zeros(20_000, np.int64)
    found = of("markov_chain").call("walk", T=CHAIN, start=start, steps=40, seed=2)["walk"]
    metropolis = of("markov_chain").call("metropolis_walk", p=P, start=start, steps=100, seed=2)["metropolis_walk"]
    off = [_surprise(found, _stationary(CHAIN)[0]), _surprise(metropolis, P.astype(float) / P.sum())]
    return Measured(f"{off[0]:.1f} and {off[1]:.1f} deviations", max(off) < 4)


@ROW.fact("Metropolis' T has p T = p and p_i T_ij = p_j T_ji, to 1e-7")
def balance() -> Measured:
    """Six states."""
    kernel = of("markov_chain").call("metropolis_kernel", p=P)["metropolis_kernel"].astype(float)
    flow = P[:, None] * kernel
    gap = max(np.abs(P @ kernel - P).max(), np.abs(flow - flow.T).max(), np.abs(kernel.sum(1) - 1).max())
    return Measured(f"{gap:.0e}", bool(gap < 1e-7))


def _banana_second(x: Array) -> Array:
    """The distribution function of x_2, by sums over x_1: P(x_2 < x) = E P(x_2 < x given x_1)."""
    first = np.linspace(-6, 6, 4001)
    weights = stats.norm.pdf(first)
    return np.asarray(stats.norm.cdf(x[:, None], first**2, 0.5) @ weights / weights.sum())


@ROW.fact(
    "Metropolis and adjusted Langevin draw a curved density: both coordinates of 2,000 chains have its distribution "
    "functions, by Kolmogorov and Smirnov at the 0.1% level; Langevin's steps of that size alone run away",
    slow=True,
)
def curved() -> Measured:
    """After 600 steps from the origin; of x_1, which is normal, and of x_2, by an integral over the first."""
    start, found = np.zeros((2000, 2), np.float32), {}
    for entry, options in (("metropolis", {"size": 0.7}), ("adjusted_langevin", {"rate": 0.1})):
        end = of("samplers").call(entry, x=start, steps=600, seed=1, **options)["end"].astype(float)
        by_second = stats.kstest(end[:, 1], _banana_second).statistic
        found[entry] = max(stats.kstest(end[:, 0], stats.norm.cdf).statistic, by_second)
    away = of("samplers").call("langevin", x=start, rate=0.1, steps=600, seed=1)["langevin"]
    lost, level = float(np.mean(~np.isfinite(away).all(axis=1))), 1.95 / np.sqrt(2000)
    shown = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    return Measured(f"{shown}, level {level:.3f}; {lost:.0%} lost", max(found.values()) < level and lost > 0.5)


@ROW.fact("Langevin's steps of size a end with the variance 1 / (1 - a / 2) for a standard normal, to 3%")
def step_size() -> Measured:
    """20,000 chains from 0, until 20 has passed."""
    bowl = started("samplers", log_p="gaussian")
    start, found = np.zeros((20_000, 2), np.float32), {}
    for rate in (0.5, 0.1):
        end = bowl.call("langevin", x=start, rate=rate, steps=int(20 / rate), seed=1)["langevin"].astype(float)
        found[rate] = float(end.var()) * (1 - rate / 2)
    shown = ", ".join(f"a = {rate}: {ratio:.3f} of it" for rate, ratio in found.items())
    return Measured(shown, max(abs(ratio - 1) for ratio in found.values()) < 0.03)


@ROW.fact(
    "Gibbs sampling of two normals of correlation 0.8: covariance to 0.02; a sweep keeps 0.64 of what was, to 0.02"
)
def gibbs() -> Measured:
    """40,000 chains from the origin."""
    start = np.zeros((40_000, 2), np.float32)
    path = of("samplers").call("gibbs", x=start, correlation=0.8, sweeps=30, seed=1)["path"].astype(float)
    covariance = np.cov(path[-1].T)
    kept = float(np.corrcoef(path[-2, :, 1], path[-1, :, 1])[0, 1])
    off = float(np.abs(covariance - [[1, 0.8], [0.8, 1]]).max())
    return Measured(f"off by {off:.3f}; {kept:.3f}", off < 0.02 and abs(kept - 0.64) < 0.02)


@ROW.fact("nine sampling entries run in plain onnxruntime, with the seed as an input, as they are called, to the bit")
def exported() -> Measured:
    """A few draws of each."""
    x, start = np.zeros((3, 2), np.float32), np.zeros(4, np.int64)
    wrong = differences(of("monte_carlo"), [
        ("estimate", {"p": P, "f": F, "n": 7}), ("importance", {"p": P, "f": F, "q": Q, "n": 7}),
        ("quarter_circle", {"n": 50}), ("tail_from_there", {"above": 2, "n": 7}),
    ])  # fmt: skip
    wrong += differences(of("markov_chain"), [
        ("walk", {"T": CHAIN, "start": start, "steps": 5}), ("metropolis_walk", {"p": P, "start": start, "steps": 5}),
    ])  # fmt: skip
    wrong += differences(of("samplers"), [
        ("metropolis", {"x": x, "size": 0.5, "steps": 5}), ("langevin", {"x": x, "rate": 0.1, "steps": 5}),
        ("gibbs", {"x": x, "correlation": 0.5, "sweeps": 3}),
    ])  # fmt: skip
    return Measured("9 of 9" if not wrong else f"not {', '.join(wrong)}", not wrong)
