"""Transfer functions in NumPy: calls of ``x`` in the language, and what they give."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(x, 0))


def softmax(x: Array, axis: int = -1) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


def log_softmax(x: Array) -> Array:
    return np.asarray(x - np.log(np.exp(x).sum(-1, keepdims=True)))


def elu(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))


def _glu(x: Array, gate: Callable[[Array], Array]) -> Array:
    half = x.shape[-1] // 2
    return np.asarray(x[..., :half] * gate(x[..., half:]))


_erf = np.vectorize(math.erf)

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear(x)": lambda x: x,
    "relu(x)": lambda x: np.maximum(x, 0),
    "relu6(x)": lambda x: np.clip(x, 0, 6),
    "sigmoid(x)": sigmoid,
    "log_sigmoid(x)": lambda x: np.log(sigmoid(x)),
    "hard_sigmoid(x)": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_sigmoid(x, 0.2, offset=0.4)": lambda x: np.clip(0.2 * x + 0.4, 0, 1),
    "tanh(x)": np.tanh,
    "hard_tanh(x)": lambda x: np.clip(x, -1, 1),
    "tanhshrink(x)": lambda x: x - np.tanh(x),
    "soft_shrink(x)": lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0),
    "soft_shrink(x, 1.5)": lambda x: np.sign(x) * np.maximum(abs(x) - 1.5, 0),
    "hard_shrink(x)": lambda x: x * (abs(x) > 0.5),
    "hard_shrink(x, threshold=1)": lambda x: x * (abs(x) > 1),
    "arctan(x)": np.arctan,
    "softsign(x)": lambda x: x / (1 + abs(x)),
    "softplus(x)": softplus,
    "gelu(x)": lambda x: x * 0.5 * (1 + _erf(x / math.sqrt(2))),
    "gelu(x, approximate=true)": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "softmax(x)": softmax,
    "softmax(x, axis=0)": lambda x: softmax(x, 0),
    "softmax(x, temperature=2.5)": lambda x: softmax(x / 2.5),
    "softmin(x)": lambda x: softmax(-x),
    "softmin(x, axis=0)": lambda x: softmax(-x, 0),
    "log_softmax(x)": log_softmax,
    "log_softmax(x, temperature=0.5)": lambda x: log_softmax(2 * x),
    "leaky_relu(x)": lambda x: np.where(x > 0, x, 0.01 * x),
    "leaky_relu(x, 0.2)": lambda x: np.where(x > 0, x, 0.2 * x),
    "prelu(x, tensor([0.1, 0.5, 1, 3]))": lambda x: np.where(x > 0, x, np.array([0.1, 0.5, 1, 3]) * x),
    "elu(x)": elu,
    "elu(x, alpha=2)": lambda x: elu(x, 2),
    "celu(x)": elu,
    "celu(x, 2)": lambda x: np.where(x > 0, x, 2 * (np.exp(np.minimum(x, 0) / 2) - 1)),
    "selu(x)": lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
    "silu(x)": lambda x: x * sigmoid(x),
    "swish(x)": lambda x: x * sigmoid(x),
    "swish(x, 1.5)": lambda x: x * sigmoid(1.5 * x),
    "hard_swish(x)": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "mish(x)": lambda x: x * np.tanh(softplus(x)),
    "step(x)": lambda x: (x > 0).astype(float),
    "glu(x)": lambda x: _glu(x, sigmoid),
    "glu(x, gate=tanh)": lambda x: _glu(x, np.tanh),
    "swiglu(x)": lambda x: _glu(x, lambda b: b * sigmoid(b)),
    "maxout(x)": lambda x: x.reshape(*x.shape[:-1], -1, 2).max(-1),
    "maxout(x, pieces=4)": lambda x: x.max(-1, keepdims=True),
}
"""Of a matrix ``x`` of four columns."""
FLAT = {"step(x)"}
"""Their gradient is zero wherever it exists."""
