"""Densities, entropies and divergences beside their formulas, with SciPy's gamma function; continuous draws beside
SciPy's distribution functions.

What this module does not do: draws of whole numbers, which are with the initialisers in ``draws``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import special, stats

from archonnx.compiler.ir.types import DType

from ..analytic import Array, logsumexp, real
from ..judging import FAR
from ..setting import Direct, Outcome, Setting, between, choose, family, normal, number, single
from .draws import drawn

Values = Mapping[str, Any]
Case = tuple[str, dict[str, Array], Callable[[Values], Any]]


def lgamma(x: Any) -> Any:
    """The logarithm of the gamma function; of complex numbers with a tiny imaginary part by its derivative."""
    return special.gammaln(real(x)) + 1j * special.digamma(real(x)) * np.imag(x)


def digamma(x: Any) -> Any:
    return special.digamma(real(x)) + 1j * special.polygamma(1, real(x)) * np.imag(x)


def _log_beta(a: Any, b: Any) -> Any:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _size(x: Any) -> Any:
    return np.where(real(x) < 0, -x, x)


def _plain(f: Callable[[Values], Any]) -> Callable[[Values], Any]:
    """An oracle whose result is real for real inputs."""

    def oracle(v: Values) -> Any:
        value = np.asarray(f(v))
        return value if any(np.iscomplexobj(one) for one in v.values()) else value.real

    return oracle


def _setting(case: Case, **options: Any) -> Setting:
    call, inputs, f = case
    wrt = tuple(name for name, value in inputs.items() if name not in ("k", "s"))
    return Setting(call, inputs, _plain(f), wrt, **options)


@family("gamma functions", seeds=30, sample=2, units=64, double=True)
def gamma_functions(rng: np.random.Generator, seed: int) -> Setting:
    """Near the zeros at 1 and 2, near 0, where the series meet, and far out."""
    x = single(choose(rng, between(rng, 0.3, 12, 40), np.exp(between(rng, -9, 9, 40)), 1 + normal(rng, 40, scale=1e-3),
                      2 + normal(rng, 40, scale=1e-3)))  # fmt: skip
    y = between(rng, 0.1, 20, 40)
    cases: list[Case] = [
        ("lgamma($x)", {"x": x}, lambda v: lgamma(v["x"])),
        ("digamma($x)", {"x": x}, lambda v: digamma(v["x"])),
        ("log_beta($x, $y)", {"x": between(rng, 0.1, 20, 40), "y": y}, lambda v: _log_beta(v["x"], v["y"])),
        ("horner($x, [0.5, -1, 2.0])", {"x": y}, lambda v: 0.5 - v["x"] + 2 * v["x"] ** 2),
        ("above_zero($x)", {"x": x}, lambda v: v["x"]),
    ]
    case = cases[seed % len(cases)]
    return _setting(case, elementwise=True, normwise=case[0].startswith(("digamma", "log_beta")))


def _lower(rng: np.random.Generator, d: int) -> Array:
    return single(np.tril(rng.normal(size=(d, d)), -1) + np.diag(rng.uniform(0.5, 2, d)))


def _forward(L: Any, b: Any) -> Any:
    """x with L x = b along the last axis."""
    return np.moveaxis(np.linalg.solve(np.tril(L), np.moveaxis(b, -1, 0).reshape(L.shape[-1], -1)), 0, -1).reshape(
        b.shape
    )


def _log_det(L: Any) -> Any:
    return np.log(np.diagonal(L)).sum()


def _normals(v: Values) -> Any:
    z = _forward(v["L"], v["x"] - v["m"])
    return -0.5 * (z * z).sum(-1) - _log_det(v["L"]) - len(v["m"]) / 2 * math.log(2 * math.pi)


DENSITIES = 12


@family("densities", seeds=5 * DENSITIES, sample=5, units=48)
def densities(rng: np.random.Generator, seed: int) -> Setting:
    """Log-probabilities of draws and slopes to draws and parameters."""
    n, d = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    x, m = normal(rng, n), normal(rng, n)
    a, b, r = (between(rng, 0.2, 6, n) for _ in range(3))
    y, p = between(rng, 0.1, 5, n), between(rng, 0.05, 0.95, n)
    shares = single(rng.dirichlet(np.ones(3), n).clip(0.05))
    most = int(rng.integers(3, 9))
    k = rng.integers(0, most + 1, n)
    cases: list[Case] = [
        ("multivariate_normal_log_prob($x, $m, $L)", {"x": normal(rng, n, d), "m": normal(rng, d), "L": _lower(rng, d)},
         _normals),
        ("solve_lower($L, $x)", {"L": _lower(rng, d), "x": normal(rng, n, d)}, lambda v: _forward(v["L"], v["x"])),
        ("laplace_log_prob($x, $m, $a)", {"x": x, "m": m, "a": a},
         lambda v: -_size(v["x"] - v["m"]) / v["a"] - np.log(2 * v["a"])),
        ("exponential_log_prob($y, $r)", {"y": y, "r": r}, lambda v: np.log(v["r"]) - v["r"] * v["y"]),
        ("gamma_log_prob($y, $a, $r)", {"y": y, "a": a, "r": r}, lambda v: v["a"] * np.log(v["r"])
         + (v["a"] - 1) * np.log(v["y"]) - v["r"] * v["y"] - lgamma(v["a"])),
        ("beta_log_prob($p, $a, $b)", {"p": p, "a": a, "b": b}, lambda v: (v["a"] - 1) * np.log(v["p"])
         + (v["b"] - 1) * np.log(1 - v["p"]) - _log_beta(v["a"], v["b"])),
        ("dirichlet_log_prob($s, $a)", {"s": shares, "a": between(rng, 0.2, 6, n, 3)},
         lambda v: ((v["a"] - 1) * np.log(v["s"]) - lgamma(v["a"])).sum(-1) + lgamma(v["a"].sum(-1))),
        ("poisson_log_prob($k, $r)", {"k": k, "r": r}, lambda v: k * np.log(v["r"]) - v["r"] - special.gammaln(k + 1)),
        (f"binomial_log_prob($k, {most}, $p)", {"k": k, "p": p},
         lambda v: np.log(special.binom(most, k)) + k * np.log(v["p"]) + (most - k) * np.log(1 - v["p"])),
        ("mixture_log_prob(softmax($x), $m)", {"x": x, "m": m},
         lambda v: logsumexp(v["x"] - logsumexp(v["x"]) + v["m"])),
        ("normal_log_prob($x, $m, $a)", {"x": x, "m": m, "a": a}, lambda v: (-0.5 * ((v["x"] - v["m"]) / v["a"]) ** 2
         - np.log(v["a"]) - 0.5 * math.log(2 * math.pi)).sum(-1)),
        ("within($y > 1, $y)", {"y": y}, lambda v: np.where(real(v["y"]) > 1, v["y"], -np.inf)),
    ]  # fmt: skip
    case = cases[seed % DENSITIES]
    return _setting(case, normwise=not case[0].startswith("within"))


def _xlogy(x: Any, y: Any) -> Any:
    return x * np.log(y)


def _dirichlet_entropy(a: Any) -> Any:
    t = a.sum(-1)
    return (lgamma(a) - (a - 1) * digamma(a)).sum(-1) - lgamma(t) + (t - a.shape[-1]) * digamma(t)


def _kl_dirichlet(a: Any, b: Any) -> Any:
    t = a.sum(-1)
    each = lgamma(b) - lgamma(a) + (a - b) * (digamma(a) - digamma(t)[..., None])
    return lgamma(t) - lgamma(b.sum(-1)) + each.sum(-1)


def _kl_normals(v: Values) -> Any:
    A = np.linalg.solve(np.tril(v["M"]), np.tril(v["L"]))
    z = _forward(v["M"], v["n"] - v["m"])
    return 0.5 * ((A * A).sum() + (z * z).sum() - len(v["m"])) + _log_det(v["M"]) - _log_det(v["L"])


ENTROPIES = 9


@family("entropies", seeds=3 * ENTROPIES, sample=2, units=64)
def entropies(rng: np.random.Generator, seed: int) -> Setting:
    """Those in closed form."""
    n, d = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    a, b, r = (between(rng, 0.2, 6, n) for _ in range(3))
    p, three = between(rng, 0.05, 0.95, n), between(rng, 0.2, 6, n, 3)
    spread = 0.5 * math.log(2 * math.pi) + 0.5
    cases: list[Case] = [
        ("normal_entropy($a)", {"a": a}, lambda v: np.log(v["a"]) + spread),
        ("multivariate_normal_entropy($L)", {"L": _lower(rng, d)}, lambda v: _log_det(v["L"]) + d * spread),
        ("laplace_entropy($a)", {"a": a}, lambda v: 1 + np.log(2 * v["a"])),
        ("exponential_entropy($a)", {"a": a}, lambda v: 1 - np.log(v["a"])),
        ("gamma_entropy($a, $r)", {"a": a, "r": r}, lambda v: v["a"] - np.log(v["r"]) + lgamma(v["a"])
         + (1 - v["a"]) * digamma(v["a"])),
        ("beta_entropy($a, $b)", {"a": a, "b": b}, lambda v: _dirichlet_entropy(np.stack([v["a"], v["b"]], -1))),
        ("dirichlet_entropy($a)", {"a": three}, lambda v: _dirichlet_entropy(v["a"])),
        ("bernoulli_entropy($p)", {"p": p}, lambda v: -_xlogy(v["p"], v["p"]) - _xlogy(1 - v["p"], 1 - v["p"])),
        ("categorical_entropy($p)", {"p": p}, lambda v: -_xlogy(v["p"], v["p"]).sum(-1)),
    ]  # fmt: skip
    return _setting(cases[seed % ENTROPIES], normwise=True)


DIVERGENCES = 8


@family("divergences", seeds=4 * DIVERGENCES, sample=2, units=64)
def divergences(rng: np.random.Generator, seed: int) -> Setting:
    """Kullback and Leibler's, in closed form, summed over the examples."""
    n, d = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    x, m = normal(rng, n), normal(rng, n)
    a, b, c, e = (between(rng, 0.2, 6, n) for _ in range(4))
    p, q = between(rng, 0.05, 0.95, n), between(rng, 0.05, 0.95, n)
    four = {"a": a, "b": b, "c": c, "e": e}
    cases: list[Case] = [
        ("kl_multivariate_normal($m, $L, $n, $M", {"m": normal(rng, d), "L": _lower(rng, d), "n": normal(rng, d),
                                                  "M": _lower(rng, d)}, _kl_normals),
        ("kl_laplace($x, $a, $m, $b", {"x": x, "a": a, "m": m, "b": b}, lambda v: (v["a"] * np.exp(
            -_size(v["x"] - v["m"]) / v["a"]) + _size(v["x"] - v["m"])) / v["b"] - np.log(v["a"] / v["b"]) - 1),
        ("kl_exponential($a, $b", {"a": a, "b": b}, lambda v: v["b"] / v["a"] - 1 - np.log(v["b"] / v["a"])),
        ("kl_gamma($a, $b, $c, $e", four, lambda v: (v["a"] - v["c"]) * digamma(v["a"]) - lgamma(v["a"])
         + lgamma(v["c"]) + v["c"] * np.log(v["b"] / v["e"]) + v["a"] * (v["e"] / v["b"] - 1)),
        ("kl_beta($a, $b, $c, $e", four, lambda v: _kl_dirichlet(np.stack([v["a"], v["b"]], -1),
                                                                np.stack([v["c"], v["e"]], -1))),
        ("kl_dirichlet($a, $b", {"a": between(rng, 0.2, 6, n, 3), "b": between(rng, 0.2, 6, n, 3)},
         lambda v: _kl_dirichlet(v["a"], v["b"])),
        ("kl_bernoulli($p, $q", {"p": p, "q": q}, lambda v: _xlogy(v["p"], v["p"] / v["q"])
         + _xlogy(1 - v["p"], (1 - v["p"]) / (1 - v["q"]))),
        ("kl_poisson($a, $b", {"a": a, "b": b}, lambda v: _xlogy(v["a"], v["a"] / v["b"]) - v["a"] + v["b"]),
    ]  # fmt: skip
    call, inputs, f = cases[seed % DIVERGENCES]
    return _setting((f"{call}, reduce=sum)", inputs, lambda v: np.sum(f(v))), normwise=True)


# ---------------------------------------------------------------- continuous draws

DRAWS = 20_000


@family("continuous draws", seeds=40, sample=3, units=1)
def continuous(rng: np.random.Generator, seed: int) -> Direct:
    """The largest distance of 20,000 draws to the distribution function, which exceeds 2.2 / sqrt(n) once in 8,000."""
    a, b, s, m = number(rng, 0.2, 4), number(rng, 0.2, 4), number(rng, 0.3, 3), number(rng, -2, 2)
    cases: list[tuple[str, Any]] = [
        (f"laplace({m}, {s})", stats.laplace(m, s).cdf),
        (f"exponential({a})", stats.expon(scale=1 / a).cdf),
        (f"gamma({a}, {b})", stats.gamma(a, scale=1 / b).cdf),
        (f"log_gamma({a})", stats.loggamma(a).cdf),
        (f"beta({a + 0.4:.3g}, {b + 0.4:.3g})", stats.beta(float(f"{a + 0.4:.3g}"), float(f"{b + 0.4:.3g}")).cdf),
        (f"mixture(tensor([0.25, 0.75]), [normal({m}, {s}), normal({m + 2:.3g}, 0.5)])",
         lambda v: 0.25 * stats.norm(m, s).cdf(v) + 0.75 * stats.norm(float(f"{m + 2:.3g}"), 0.5).cdf(v)),
        (f"dirichlet(tensor([{a + 1:.3g}, {b + 1:.3g}]))", stats.beta(
            float(f"{a + 1:.3g}"), float(f"{b + 1:.3g}")).cdf),
        (f"multivariate_normal(tensor([{m}, 0.0]), tensor([[{s}, 0.0], [1.0, 1.0]]))", stats.norm(m, s).cdf),
    ]  # fmt: skip
    call, distribution = cases[seed % len(cases)]
    vector = ", 2" if call.startswith(("dirichlet", "multivariate")) else ""

    def check() -> list[Outcome]:
        lines = f"    input z: [1]\n    x: [{DRAWS}{vector}] ~ {call}\n    output y = x + 0 * z[0]\n"
        draws = drawn(lines, seed, DType.f32, {"z": np.zeros(1)})["y"].astype(np.float64)
        first = draws[:, 0] if vector else draws
        distance = stats.kstest(first, distribution).statistic * math.sqrt(DRAWS) / 2.2
        return [Outcome("distribution", float(distance) if np.isfinite(draws).all() else FAR)]

    return Direct(call, check)
