"""The library's initialisers and distributions, by their moments and bounds, and by the fans they read off a shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from archonnx.compiler.ir.types import Array
from tests.support.elaborated import codes, expression, initial, model, numbers, output, outputs, program
from tests.support.oracles.initialisers import INITIALISERS, SHAPE

COUNT = math.prod(SHAPE)
TOLERANCE = 4 / np.sqrt(COUNT)
"""Four standard errors of a mean of unit variance (a few more of a variance)."""


def sample(init: str, shape: str = ", ".join(map(str, SHAPE))) -> Array:
    """Initial values of a parameter."""
    of = program(model(f"param w: [{shape}] ~ {init}\noutput y = sum(x) + sum(w)", "x: [B]"))
    return initial(of)["w"].astype(np.float64)


@pytest.mark.parametrize("init", INITIALISERS)
def test_moments(init: str) -> None:
    values, expected = sample(init), INITIALISERS[init]
    deviation = np.sqrt(expected.variance)
    assert abs(values.mean() - expected.mean) < TOLERANCE * deviation
    assert abs(values.var() / expected.variance - 1) < 3 * TOLERANCE
    if expected.bound is not None:
        assert 0.99 * expected.bound < abs(values).max() <= expected.bound * (1 + 1e-6)


@pytest.mark.parametrize(("init", "beyond"), [("normal(0, 1)", 0.0), ("truncated_normal(0, 1)", 0.0455002638963584)])
def test_normal_draws_are_normal(init: str, beyond: float) -> None:
    """The largest distance to the distribution function (Kolmogorov and Smirnov), at the 0.1 % level."""
    values = np.sort(sample(init).ravel())
    normal = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in values])
    expected = (normal - beyond / 2) / (1 - beyond)
    assert abs(expected - np.arange(COUNT) / COUNT).max() < 1.95 / np.sqrt(COUNT)


@pytest.mark.parametrize(("init", "expected"), [
    ("zeros", np.zeros((3, 3))),
    ("ones", np.ones((3, 3))),
    ("constant(0.5)", np.full((3, 3), 0.5)),
    ("identity", np.eye(3)),
    ("identity(gain=0.5)", 0.5 * np.eye(3)),
])  # fmt: skip
def test_constants(init: str, expected: Array) -> None:
    np.testing.assert_array_equal(sample(init, "3, 3"), expected)


def test_an_identity_may_have_more_rows_or_columns() -> None:
    np.testing.assert_array_equal(sample("identity", "3, 5"), np.eye(3, 5))
    np.testing.assert_array_equal(sample("identity", "5, 3"), np.eye(5, 3))
    assert codes(model("param w: [2, 2, 2] ~ identity()\noutput y = sum(x) + sum(w)", "x: [B]")) == ["AX0319"]


@pytest.mark.parametrize(("shape", "fan_in", "fan_out"), [
    ("[5]", 5, 5),
    ("[3, 7]", 3, 7),
    ("[8, 4, 3]", 12, 24),
    ("[8, 4, 3, 5]", 60, 120),
    ("[8, 4, 3, 5, 2]", 120, 240),
])  # fmt: skip
def test_fans(shape: str, fan_in: int, fan_out: int) -> None:
    one = np.ones(1, np.float32)
    assert expression(f"x * fan_in({shape})", "x: [B]", x=one) == fan_in
    assert expression(f"x * fan_out({shape})", "x: [B]", x=one) == fan_out


def test_kernels_of_convolutions_are_scaled_by_their_fans() -> None:
    of = program(model("output y = x |> Conv(64, kernel=3, init=he_normal)", "x: [B, 32, 8, 8]"))
    assert abs(initial(of)["conv.W"].var() / (2 / (32 * 9)) - 1) < 0.05


def draws(text: str, kind: str = "") -> Array:
    """Many draws of a distribution."""
    return output(
        program(model(f"z: {kind}[B, 300] ~ {text}\noutput y = f32(z) + 0 * x", "x: [B, 300]")),
        x=np.zeros((200, 300), np.float32),
    ).astype(np.float64)


def test_bernoulli() -> None:
    for text in ("bernoulli(0.3)", "bernoulli(sigmoid(x + log(0.3 / 0.7)))"):
        values = draws(text, "bool")
        assert set(np.unique(values)) == {0, 1} and abs(values.mean() - 0.3) < TOLERANCE


def test_randint() -> None:
    values = draws("randint(-2, 3)", "i64")
    shares = [np.mean(values == k) for k in range(-2, 3)]
    assert set(np.unique(values)) == set(range(-2, 3)) and max(abs(np.array(shares) - 0.2)) < TOLERANCE


def test_categorical() -> None:
    values = draws("categorical(tensor([0.1, 0.0, 0.6, 0.3]))", "i64")
    shares = [np.mean(values == k) for k in range(4)]
    np.testing.assert_allclose(shares, [0.1, 0, 0.6, 0.3], atol=TOLERANCE)


def test_parameters_of_draws_may_be_tensors() -> None:
    values = draws("normal(x + 3, exp(x) * 0.5)")
    assert abs(values.mean() - 3) < TOLERANCE and abs(values.var() / 0.25 - 1) < 3 * TOLERANCE


# ---------------------------------------------------------------- distributions with parameters that are tensors


def smallest_distance(values: Array, cdf: Callable[[Array], Array]) -> float:
    """Kolmogorov and Smirnov's, times sqrt(n): 1.95 is exceeded by chance once in 1,000."""
    return float(stats.kstest(values, cdf).statistic) * math.sqrt(values.size)


@pytest.mark.parametrize(("text", "of"), [
    ("laplace(x + 1, exp(x) * 2)", stats.laplace(1, 2)),
    ("exponential(exp(x) * 2)", stats.expon(scale=0.5)),
    ("gamma(x + 0.3, 2.0)", stats.gamma(0.3, scale=0.5)),
    ("gamma(4)", stats.gamma(4)),
    ("beta(x + 0.6, 2)", stats.beta(0.6, 2)),
])  # fmt: skip
def test_draws_have_the_distribution_function(text: str, of: Any) -> None:
    values = draws(text).ravel()
    assert smallest_distance(values, of.cdf) < 1.95
    assert abs(values.mean() - of.mean()) < TOLERANCE * of.std()


@pytest.mark.parametrize(("text", "of"), [
    ("poisson(0.2)", stats.poisson(0.2)),
    ("poisson(x + 30)", stats.poisson(30)),
    ("binomial(6, x + 0.3)", stats.binom(6, 0.3)),
])  # fmt: skip
def test_counts_come_as_often_as_they_should(text: str, of: Any) -> None:
    values = draws(text, "i64")
    k = np.arange(int(of.ppf(1 - 1e-9)) + 1)
    np.testing.assert_allclose(np.bincount(values.astype(int).ravel(), minlength=len(k))[: len(k)] / values.size,
                               of.pmf(k), atol=TOLERANCE)  # fmt: skip
    assert abs(values.var() / of.var() - 1) < 3 * TOLERANCE


def test_vectors_have_their_covariance() -> None:
    lower = np.array([[2.0, 0, 0], [0.5, 1, 0], [-1, 0.3, 0.7]])
    body = "z: [B, 3] ~ multivariate_normal(x, L)\noutput y = z"
    values = output(model(body, "x: [B, 3]; L: [3, 3]"), x=np.tile(np.float32([1, 0, -1]), (60_000, 1)),
                    L=lower.astype(np.float32)).astype(np.float64)  # fmt: skip
    np.testing.assert_allclose(np.cov(values.T), lower @ lower.T, atol=0.1)
    np.testing.assert_allclose(values.mean(0), [1, 0, -1], atol=0.05)


def test_shares_sum_to_one_and_have_their_means() -> None:
    alpha = np.array([0.05, 0.5, 3])
    body = "z: [B, 3] ~ dirichlet(tensor([0.05, 0.5, 3.0]))\noutput y = z + 0 * x"
    values = output(model(body, "x: [B, 3]"), x=np.zeros((60_000, 3), np.float32)).astype(np.float64)
    np.testing.assert_allclose(values.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(values.mean(0), alpha / alpha.sum(), atol=TOLERANCE)


def test_a_mixture_draws_its_components_by_weight() -> None:
    values = draws("mixture(tensor([0.25, 0.75]), [normal(-2, 0.5), laplace(x + 3)])").ravel()
    assert (
        smallest_distance(values, lambda v: 0.25 * stats.norm(-2, 0.5).cdf(v) + 0.75 * stats.laplace(3).cdf(v)) < 1.95
    )


def test_a_mixture_has_a_gradient_to_its_components_and_none_to_its_weights() -> None:
    body = "param m: [] = 0\nparam w: [2] = 0\nz: [B, 9] ~ mixture(softmax(w), [normal(m, 1), uniform()])\n"
    of = body + "loss objective = mean(z + x)\noutput slope = grad(objective, {0})"
    share = output(model(of.replace("{0}", "m"), "x: [B, 9]"), x=np.zeros((5000, 9), np.float32))
    assert abs(share - 0.5) < 0.02
    assert codes(model(of.replace("{0}", "w"), "x: [B, 9]")) == ["AX0401"]


@pytest.mark.parametrize("alpha", [0.2, 1.0, 6.0])
def test_the_gradient_of_gamma_draws(alpha: float) -> None:
    """Of the means of g, g^2 and log g, which are alpha, alpha (alpha + 1) and psi(alpha)."""
    names = {"g": 1, "g * g": 2 * alpha + 1, "log_g": special.polygamma(1, alpha)}
    body = "log_g: [n] ~ log_gamma(x)\ng = exp(log_g)\n"
    body += "\n".join(f"output d{i} = grad(sum({text}), x)" for i, text in enumerate(names))
    found = outputs(model(body, "x: [n]"), x=np.full(400_000, alpha, np.float32))
    for slopes, expected in zip(found.values(), names.values(), strict=True):
        error = slopes.std(dtype=np.float64) / np.sqrt(slopes.size)
        assert abs(slopes.mean(dtype=np.float64) - expected) < 3 * error + 0.002 * expected


def test_draws_of_tiny_parameters_are_finite_in_logarithms() -> None:
    values = draws("log_gamma(x + 0.001)").ravel()
    assert np.all(np.isfinite(values)) and smallest_distance(values * 0.001, lambda v: np.exp(np.minimum(v, 0))) < 4


def test_a_list_of_fns_may_hold_partial_calls_where_one_is_declared() -> None:
    before = "fn through(x: [...S], stages: list[fn]) -> [...S]:\n    return stages(x)\n"
    x = numbers(2, 4)
    value = expression("through(x, [leaky_relu(0.5), tanh])", before=before, x=x)
    np.testing.assert_allclose(value, np.tanh(np.where(x > 0, x, 0.5 * x)), rtol=1e-5)
