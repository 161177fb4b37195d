"""The library's initialisers and distributions, by their moments and bounds, and by the fans they read off a shape."""

from __future__ import annotations

import math

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from tests.support.elaborated import codes, expression, initial, model, output, program
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
