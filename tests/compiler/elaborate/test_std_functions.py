"""The library's activations, losses, metrics and other fns: values by NumPy, gradients by central differences."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array, DType
from tests.support.elaborated import codes, expression, loss_and_gradients, model, numbers, output, program

X = numbers(5, 4, low=-4, high=4)
X[0, 0] = 0


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softplus(x: Array) -> Array:
    return np.logaddexp(x, 0)


def elu(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


erf = np.vectorize(math.erf)
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear(x)": lambda x: x,
    "relu(x)": lambda x: np.maximum(x, 0),
    "sigmoid(x)": sigmoid,
    "tanh(x)": np.tanh,
    "softplus(x)": softplus,
    "gelu(x)": lambda x: x * 0.5 * (1 + erf(x / math.sqrt(2))),
    "gelu(x, approximate=true)": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "softmax(x)": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "softmax(x, axis=0)": lambda x: np.exp(x) / np.exp(x).sum(0),
    "log_softmax(x)": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
    "leaky_relu(x)": lambda x: np.where(x > 0, x, 0.01 * x),
    "leaky_relu(x, 0.2)": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu(x)": elu,
    "elu(x, alpha=2)": lambda x: elu(x, 2),
    "selu(x)": lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
    "silu(x)": lambda x: x * sigmoid(x),
    "swish(x)": lambda x: x * sigmoid(x),
    "swish(x, 1.5)": lambda x: x * sigmoid(1.5 * x),
    "step(x)": lambda x: (x > 0).astype(float),
    "hard_tanh(x)": lambda x: np.clip(x, -1, 1),
    "arctan(x)": np.arctan,
}
FLAT = {"step(x)"}
"""Their gradient is zero wherever it exists, and nothing is left to train."""


@pytest.mark.parametrize("call", ACTIVATIONS)
def test_activations(call: str) -> None:
    np.testing.assert_allclose(expression(call, x=X), ACTIVATIONS[call](X.astype(np.float64)), rtol=1e-5, atol=2e-6)


def check_gradient(
    call: str,
    before: str,
    value: Array,
    fields: dict[str, Any] | None = None,
    inputs: str = "u: [1]",
    shape: str | None = None,
) -> None:
    """The gradient of ``sum(weights * call)`` with respect to ``w``, along a random direction, in float64."""
    shape = shape or ", ".join(map(str, value.shape))
    text = model(f"param w: [{shape}] = 0\nr = {call}\nloss objective = sum(r * cos(r)) + 0 * sum(u)", inputs, before)
    of = program(text, float_type=DType.f64)
    fields = {"u": np.zeros(1), **(fields or {})}
    direction = numbers(*value.shape, seed=9).astype(np.float64)
    w = value.astype(np.float64)

    def loss(at: Array) -> float:
        given = {**fields, "w": at}
        return float(interpret(of.evaluate, {name: given[name] for name in of.evaluate.inputs})["objective"])

    slope = (loss(w + 1e-6 * direction) - loss(w - 1e-6 * direction)) / 2e-6
    analytic = float((loss_and_gradients(of, "objective", {**fields, "w": w})["w"] * direction).sum())
    np.testing.assert_allclose(analytic, slope, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("call", [call for call in ACTIVATIONS if call not in FLAT])
def test_gradients_of_activations(call: str) -> None:
    check_gradient(call.replace("(x", "(w"), "", X[1:])


# ---------------------------------------------------------------- losses and metrics

T = numbers(5, 4, seed=1)
LABEL = np.array([0, 3, 1, 1, 2])
BITS = (numbers(5, 4, seed=2) > 0).astype(np.float32)
PROBS = np.exp(T) / np.exp(T).sum(-1, keepdims=True)
LOG_Q = X - np.log(np.exp(X).sum(-1, keepdims=True))
PER_ELEMENT: dict[str, tuple[Array, dict[str, Array]]] = {
    "mse(x, t": ((X - T) ** 2, {"t": T}),
    "mae(x, t": (abs(X - T), {"t": T}),
    "bce_logits(x, t": (softplus(X) - BITS * X, {"t": BITS}),
    "cross_entropy(x, k": (np.log(np.exp(X).sum(-1)) - X[range(5), LABEL], {"k": LABEL}),
    "kl(t, x - logsumexp(x, axis=-1, keep=true)": ((PROBS * (np.log(PROBS) - LOG_Q)).sum(-1), {"t": PROBS}),
}
INPUTS = "x: [B, 4]; t: [B, 4]; k: i64[B]"


@pytest.mark.parametrize("call", PER_ELEMENT)
@pytest.mark.parametrize(("words", "reduce"), [
    (")", np.mean), (", reduce=mean)", np.mean), (", reduce=sum)", np.sum), (", reduce=none)", lambda a: a),
])  # fmt: skip
def test_losses(call: str, words: str, reduce: Callable[[Array], Array]) -> None:
    elements, given = PER_ELEMENT[call]
    actual = expression(call + words, INPUTS, x=X, **{"t": T, "k": LABEL, **given})
    np.testing.assert_allclose(actual, reduce(elements), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("call", PER_ELEMENT)
def test_gradients_of_losses(call: str) -> None:
    fields = {"t": T.astype(np.float64), "k": LABEL, **PER_ELEMENT[call][1]}
    check_gradient(re.sub(r"\bx\b", "w", call) + ")", "", X, fields, "t: [5, 4]; k: i64[5]; u: [1]")


@pytest.mark.parametrize(("call", "expected"), [
    ("accuracy(x, k)", (X.argmax(-1) == LABEL).mean()),
    ("binary_accuracy(x, t)", ((X > 0) == (T > 0.5)).mean()),
    ("l2(x)", (X * X).sum()),
    ("l2(x, 0.1)", 0.1 * (X * X).sum()),
    ("l1(x, weight=0.1)", 0.1 * abs(X).sum()),
    ("masked_mean(x, t > 0)", X[T > 0].mean()),
    ("masked_mean(x, t > 100)", 0.0),
    ("standardise(x)", (X - X.mean(0)) / X.std(0)),
    ("flatten(x)", X),
    ("normal_log_prob(x)", (-0.5 * X**2 - 0.5 * np.log(2 * np.pi)).sum(-1)),
    ("normal_log_prob(x, 1, std=2)", (-0.5 * ((X - 1) / 2) ** 2 - np.log(2) - 0.5 * np.log(2 * np.pi)).sum(-1)),
    ("reduced(x, mean)", X.mean()),
    ("bernoulli_log_prob(f32(t > 0), sigmoid(x))", np.where(T > 0, np.log(sigmoid(X)), np.log(1 - sigmoid(X)))),
    ("categorical_log_prob(k, softmax(x))", LOG_Q[range(5), LABEL]),
    ("straight_through(round(x), x)", np.round(X)),
])  # fmt: skip
def test_metrics_and_others(call: str, expected: Any) -> None:
    np.testing.assert_allclose(expression(call, INPUTS, x=X, t=T, k=LABEL), expected, rtol=2e-5, atol=1e-5)


def test_a_column_without_spread_standardises_to_zero() -> None:
    np.testing.assert_array_equal(expression("standardise(x)", x=np.full((3, 4), 2.0, np.float32)), np.zeros((3, 4)))


def test_losses_stay_finite_at_large_logits() -> None:
    large = np.array([[1e4, -1e4, 0, 0]], np.float32)
    assert expression("cross_entropy(x, k)", INPUTS, x=large, k=np.array([0]), t=large) == 0
    np.testing.assert_allclose(expression("cross_entropy(x, k)", INPUTS, x=large, k=np.array([1]), t=large), 2e4)
    actual = expression("bce_logits(x, t)", INPUTS, x=large, t=BITS[:1] * 0, k=LABEL[:1])
    np.testing.assert_allclose(actual, (1e4 + 2 * np.log(2)) / 4)


def test_straight_through_has_the_gradient_of_the_soft_value() -> None:
    body = "param w: [5, 4] = 0\nloss objective = sum(straight_through(step(w), tanh(w)) * x)"
    of = program(model(body, "x: [5, 4]"))
    gradient = loss_and_gradients(of, "objective", {"w": X, "x": T})["w"]
    np.testing.assert_allclose(gradient, T * (1 - np.tanh(X) ** 2), rtol=1e-4, atol=1e-6)


def test_regularisers_of_modules() -> None:
    of = program(model("net = Dense(2)\ny = net(x)\noutput z = l2(net, 0.5) + l1(net) + 0 * sum(y)"))
    w, b = numbers(4, 2, seed=5), numbers(2, seed=6)
    expected = 0.5 * ((w**2).sum() + (b**2).sum()) + abs(w).sum() + abs(b).sum()
    np.testing.assert_allclose(output(of, {"net.W": w, "net.b": b}, x=X), expected, rtol=1e-5)


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
    ("mse(x, k)", "AX0303"),
    ("mse(x, x, reduce=max)", "AX0208"),
    ("cross_entropy(x, t)", "AX0303"),
    ("cross_entropy(x, x[0])", "AX0303"),
    ("accuracy(k, k)", "AX0303"),
    ("leaky_relu(x, x)", "AX0306"),
])  # fmt: skip
def test_misuse_is_told_at_the_users_call(call: str, code: str) -> None:
    assert codes(model(f"output y = {call}", INPUTS)) == [code]
