"""The library's metrics, vectors, log-probabilities, attention and other fns: values by NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from archonnx.compiler.ir.types import Array
from tests.support.elaborated import codes, expression, loss_and_gradients, model, numbers, program
from tests.support.oracles.activations import log_softmax, sigmoid

X = numbers(5, 4, low=-4, high=4)
T = numbers(5, 4, seed=1)
LABEL = np.array([0, 3, 1, 1, 2])
INPUTS = "x: [B, 4]; t: [B, 4]; k: i64[B]"


@pytest.mark.parametrize(("call", "expected"), [
    ("accuracy(x, k)", (X.argmax(-1) == LABEL).mean()),
    ("binary_accuracy(x, t)", ((X > 0) == (T > 0.5)).mean()),
    ("top_k_accuracy(x, k, 1)", (X.argmax(-1) == LABEL).mean()),
    ("top_k_accuracy(x, k, k=2)", metrics.top_k_accuracy_score(LABEL, X, k=2, labels=range(4))),
    ("top_k_accuracy(x, k, k=3)", metrics.top_k_accuracy_score(LABEL, X, k=3, labels=range(4))),
    ("normalise(x)", X / np.linalg.norm(X, axis=-1, keepdims=True)),
    ("distance(x, t)", np.linalg.norm(X - T, axis=-1)),
    ("pairwise_distances(x, t)", metrics.pairwise_distances(X, T)),
    ("pairwise_distances(x, t, squared=true)", metrics.pairwise_distances(X, T, metric="sqeuclidean")),
    ("cosine_similarity(x, t)", np.diag(metrics.pairwise.cosine_similarity(X, T))),
    ("masked_mean(x, t > 0)", X[T > 0].mean()),
    ("masked_mean(x, t > 100)", 0.0),
    ("standardise(x)", (X - X.mean(0)) / X.std(0)),
    ("flatten(x)", X),
    ("normal_log_prob(x)", (-0.5 * X**2 - 0.5 * np.log(2 * np.pi)).sum(-1)),
    ("normal_log_prob(x, 1, std=2)", (-0.5 * ((X - 1) / 2) ** 2 - np.log(2) - 0.5 * np.log(2 * np.pi)).sum(-1)),
    ("reduced(x, mean)", X.mean()),
    ("bernoulli_log_prob(f32(t > 0), sigmoid(x))", np.where(T > 0, np.log(sigmoid(X)), np.log(1 - sigmoid(X)))),
    ("categorical_log_prob(k, softmax(x))", log_softmax(X)[range(5), LABEL]),
    ("straight_through(round(x), x)", np.round(X)),
])  # fmt: skip
def test_metrics_and_others(call: str, expected: Any) -> None:
    np.testing.assert_allclose(expression(call, INPUTS, x=X, t=T, k=LABEL), expected, rtol=2e-5, atol=1e-5)


def test_a_column_without_spread_standardises_to_zero() -> None:
    np.testing.assert_array_equal(expression("standardise(x)", x=np.full((3, 4), 2.0, np.float32)), np.zeros((3, 4)))


def test_straight_through_has_the_gradient_of_the_soft_value() -> None:
    body = "param w: [5, 4] = 0\nloss objective = sum(straight_through(step(w), tanh(w)) * x)"
    of = program(model(body, "x: [5, 4]"))
    gradient = loss_and_gradients(of, "objective", {"w": X, "x": T})["w"]
    np.testing.assert_allclose(gradient, T * (1 - np.tanh(X) ** 2), rtol=1e-4, atol=1e-6)


# ---------------------------------------------------------------- attention


def attend(q: Array, k: Array, v: Array, mask: Any = True) -> Array:
    scores = np.where(mask, q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1]), -1e30)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


def test_attention() -> None:
    inputs = "q: [B, t, 3]; k: [B, u, 3]; v: [B, u, 2]; m: bool[B, t, u]"
    q, k, v = numbers(2, 4, 3), numbers(2, 5, 3, seed=1), numbers(2, 5, 2, seed=2)
    mask = numbers(2, 4, 5, seed=3) > -1
    mask[..., 0] = True
    before_it = np.arange(4)[:, None] >= np.arange(5)
    for call, seen in (("", True), (", mask=m", mask), (", causal=true", before_it), (", m, true", mask & before_it)):
        actual = expression(f"attend(q, k, v{call})", inputs, q=q, k=k, v=v, m=mask)
        np.testing.assert_allclose(actual, attend(q, k, v, seen), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("call", "code"), [
    ("accuracy(k, k)", "AX0303"),
    ("leaky_relu(x, x)", "AX0306"),
])  # fmt: skip
def test_misuse_is_told_at_the_users_call(call: str, code: str) -> None:
    assert codes(model(f"output y = {call}", INPUTS)) == [code]
