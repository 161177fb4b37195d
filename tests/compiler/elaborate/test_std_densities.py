"""The library's log-probabilities, entropies and divergences against SciPy: far into both tails, outside of what can be
drawn, and by numerical integration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate, special, stats

from archonnx.compiler.ir.types import Array, DType
from tests.support.derivatives import check_both_orders
from tests.support.elaborated import codes, expression, model, outputs

POSITIVE = np.concatenate([np.geomspace(1e-6, 200, 60), np.linspace(0.1, 5, 50)])
REAL = np.concatenate([-POSITIVE[::-1], [0.0], POSITIVE])
SHARES = np.concatenate([np.geomspace(1e-6, 0.5, 40), 1 - np.geomspace(1e-6, 0.5, 40)])
COUNTS = np.arange(0, 60)
COVARIANCE = np.array([[2.0, 0.6, -0.4], [0.6, 1.0, 0.3], [-0.4, 0.3, 0.5]])
L = np.linalg.cholesky(COVARIANCE)
VECTORS = np.random.default_rng(0).normal(size=(50, 3)) * 4
SIMPLEX = np.random.default_rng(1).dirichlet([0.5, 1, 2], 50)
MATRIX = "tensor(" + str(L.tolist()) + ")"

LOG_PROBS: dict[str, tuple[Array, Callable[[Array], Array]]] = {
    "sum(normal_log_prob(x[:, none], 0.5, 2.0)[:, none], axis=1)": (REAL, stats.norm(0.5, 2).logpdf),
    "laplace_log_prob(x, 0.5, 2.0)": (REAL, stats.laplace(0.5, 2).logpdf),
    "exponential_log_prob(x, 0.3)": (POSITIVE, stats.expon(scale=1 / 0.3).logpdf),
    "gamma_log_prob(x, 0.4, 2.0)": (POSITIVE, stats.gamma(0.4, scale=0.5).logpdf),
    "gamma_log_prob(x, 7)": (POSITIVE, stats.gamma(7).logpdf),
    "beta_log_prob(x, 0.5, 3.0)": (SHARES, stats.beta(0.5, 3).logpdf),
    "poisson_log_prob(k, 3.5)": (COUNTS, stats.poisson(3.5).logpmf),
    "poisson_log_prob(k, 0.0)": (COUNTS, stats.poisson(0).logpmf),
    "binomial_log_prob(k, 20, 0.3)": (COUNTS, stats.binom(20, 0.3).logpmf),
    "binomial_log_prob(k, 20, 1.0)": (COUNTS[:21], stats.binom(20, 1).logpmf),
    f"multivariate_normal_log_prob(x, tensor([1.0, 0.0, -1.0]), {MATRIX})": (
        VECTORS, stats.multivariate_normal([1, 0, -1], COVARIANCE).logpdf),
    "dirichlet_log_prob(x, tensor([0.5, 1.0, 2.0]))": (
        SIMPLEX, lambda x: stats.dirichlet([0.5, 1, 2]).logpdf(x.T / x.sum(-1))),
    "mixture_log_prob(tensor([0.25, 0.75]), stack([laplace_log_prob(x), laplace_log_prob(x, 3.0)], axis=-1))": (
        REAL, lambda x: np.log(0.25 * stats.laplace.pdf(x) + 0.75 * stats.laplace(3).pdf(x))),
}  # fmt: skip


@pytest.mark.parametrize("call", LOG_PROBS)
def test_log_probabilities_are_those_of_scipy(call: str) -> None:
    points, density = LOG_PROBS[call]
    inputs = "k: i64[n]" if "(k," in call else f"x: {['n', *points.shape[1:]]}".replace("'", "")
    name = inputs[0]
    given = points if name == "k" else points.astype(np.float32)
    expected = density(given if name == "k" else given.astype(np.float64))
    actual = expression(call, inputs, **{name: given})
    known = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(actual), known)
    np.testing.assert_allclose(actual[known], expected[known], rtol=1e-5, atol=2e-5)


OUTSIDE = {
    "exponential_log_prob(x, 2.0)": [-1.0],
    "gamma_log_prob(x, 2.0)": [-1.0, 0.0],
    "beta_log_prob(x, 2.0, 2.0)": [-0.5, 0.0, 1.0, 1.5],
    "dirichlet_log_prob(stack([x, 1 - x], axis=-1), tensor([2.0, 2.0]))": [-0.5, 1.5],
    "poisson_log_prob(i64(x), 2.0)": [-1.0],
    "binomial_log_prob(i64(x), 3, 0.5)": [-1.0, 4.0],
}


@pytest.mark.parametrize("call", OUTSIDE)
def test_what_cannot_be_drawn_is_impossible(call: str) -> None:
    x = np.array(OUTSIDE[call], np.float32)
    assert np.all(expression(call, "x: [n]", x=x) == -np.inf)


def test_an_impossible_draw_has_no_slope_and_spoils_none() -> None:
    """Parameters learn of the draws that can be; a NaN of one that cannot would be in every sum."""
    body = "param a: [] = 2\nlogs = gamma_log_prob(x, a, a)\n"
    body += "loss objective = sum(where(x > 0, logs, 0))\noutput slope = grad(objective, x)\noutput of_a = grad(objective, a)"
    found = outputs(model(body, "x: [n]"), x=np.array([-1, 0, 3], np.float32))
    assert list(found["slope"][:2]) == [0, 0] and np.isfinite(found["of_a"])


def test_gamma_functions_to_rounding() -> None:
    """Also beside the zeros of the former at 1 and 2, where a sum of logarithms would cancel."""
    x = np.concatenate([np.geomspace(1e-20, 1e8, 500), np.linspace(0.1, 12, 500), 1 + np.geomspace(1e-6, 0.1, 20)])
    for float_type, eps in ((DType.f32, 2.0**-24), (DType.f64, 2.0**-53)):
        points = x.astype(float_type.numpy)
        exact = points.astype(np.float64)
        found = outputs(model("output a = lgamma(x)\noutput b = digamma(x)", "x: [n]"), float_type=float_type, x=points)
        for name, expected in (("a", special.gammaln(exact)), ("b", special.digamma(exact))):
            assert np.max(np.abs(found[name] - expected) / np.maximum(np.abs(expected), 1)) < 8 * eps
        if float_type is DType.f32:
            zeros = found["a"][-20:] / special.gammaln(exact[-20:])
            np.testing.assert_allclose(zeros, 1, rtol=16 * eps)


def test_gamma_functions_at_their_ends() -> None:
    x = np.array([0, np.inf, -0.5, -1, -1.5, np.nan], np.float32)
    found = outputs(model("output a = lgamma(x)\noutput b = digamma(x)", "x: [n]"), x=x)
    np.testing.assert_array_equal(found["a"], [np.inf, np.inf, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(found["b"], [-np.inf, np.inf, np.nan, np.nan, np.nan, np.nan])


def test_gamma_functions_have_gradients_of_both_orders() -> None:
    check_both_orders("lgamma(x)", "x: [n]", {"x": np.array([0.3, 0.9, 1.7, 4.2, 7.9, 20.0])})


NORMAL, WIDE = stats.norm(0.3, 0.8), stats.norm(-0.5, 1.7)
DENSITIES = {
    "sum(kl_normal(tensor([0.3]), 0.8, -0.5, 1.7))": (NORMAL, WIDE),
    "kl_multivariate_normal(tensor([0.3]), tensor([[0.8]]), tensor([-0.5]), tensor([[1.7]]))": (NORMAL, WIDE),
    "kl_laplace(tensor([0.3]), 0.8, -0.5, 1.7)": (stats.laplace(0.3, 0.8), stats.laplace(-0.5, 1.7)),
    "kl_exponential(tensor([0.7]), 2.0)": (stats.expon(scale=1 / 0.7), stats.expon(scale=0.5)),
    "kl_gamma(tensor([2.5]), tensor([0.7]), tensor([1.5]), tensor([2.0]))": (
        stats.gamma(2.5, scale=1 / 0.7), stats.gamma(1.5, scale=0.5)),
    "kl_beta(tensor([2.5]), tensor([1.7]), tensor([1.5]), tensor([3.0]))": (stats.beta(2.5, 1.7), stats.beta(1.5, 3)),
}  # fmt: skip


@pytest.mark.parametrize("call", DENSITIES)
def test_divergences_are_their_integrals(call: str) -> None:
    p, q = DENSITIES[call]
    low, high = p.ppf(1e-14), p.ppf(1 - 1e-14)
    expected, _ = integrate.quad(
        lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), low, high, points=[p.median()], limit=200
    )
    np.testing.assert_allclose(expression(f"{call} + 0 * sum(x)", x=np.zeros((1, 4))), expected, rtol=1e-5)


ENTROPIES = {
    "sum(normal_entropy(tensor([0.8])))": NORMAL,
    "sum(laplace_entropy(tensor([0.8])))": stats.laplace(0, 0.8),
    "sum(exponential_entropy(tensor([0.7])))": stats.expon(scale=1 / 0.7),
    "sum(gamma_entropy(tensor([2.5]), 0.7))": stats.gamma(2.5, scale=1 / 0.7),
    "sum(beta_entropy(tensor([2.5]), tensor([1.7])))": stats.beta(2.5, 1.7),
    "dirichlet_entropy(tensor([0.5, 1.0, 2.0]))": stats.dirichlet([0.5, 1, 2]),
    f"multivariate_normal_entropy({MATRIX})": stats.multivariate_normal([0, 0, 0], COVARIANCE),
    "sum(bernoulli_entropy(tensor([0.3])))": stats.bernoulli(0.3),
    "categorical_entropy(tensor([0.2, 0.5, 0.3, 0.0]))": stats.multinomial(1, [0.2, 0.5, 0.3, 0]),
}


@pytest.mark.parametrize("call", ENTROPIES)
def test_entropies_are_those_of_scipy(call: str) -> None:
    actual = expression(f"{call} + 0 * sum(x)", x=np.zeros((1, 4)))
    np.testing.assert_allclose(actual, ENTROPIES[call].entropy(), rtol=1e-5)


def test_divergences_of_counts() -> None:
    k = np.arange(200)
    p, q = stats.poisson(1.3), stats.poisson(2.4)
    actual = expression("kl_poisson(tensor([1.3]), tensor([2.4])) + 0 * sum(x)", x=np.zeros((1, 4)))
    np.testing.assert_allclose(actual, np.sum(p.pmf(k) * (p.logpmf(k) - q.logpmf(k))), rtol=1e-5)
    certain = "kl_bernoulli(tensor([0.0, 1.0, 0.5]), tensor([0.5, 0.5, 0.0]), reduce=none) + 0 * sum(x)"
    np.testing.assert_allclose(expression(certain, x=np.zeros((1, 4))), [np.log(2), np.log(2), np.inf], rtol=1e-5)


def test_the_size_of_a_triangle_must_be_known() -> None:
    assert codes(model("output y = solve_lower(x, b)", "x: [n, n]; b: [n]")) == ["AX0319"]
