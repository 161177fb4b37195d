"""Functions for oracles in NumPy: of float64, and of complex numbers with a tiny imaginary part.

An oracle states a value; its gradient follows by a complex step, f'(x) = Im f(x + ih) / h, which has no cancellation
and so no error but rounding (Squire and Trapp 1998). For that a function with a kink decides by the real part alone,
and nothing takes an absolute value of a complex number. What this module does not do: know of specs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

Array = np.ndarray[Any, Any]
STEP = 1e-30


def real(x: Any) -> Array:
    """The part that decides."""
    return np.asarray(np.real(x))


def absolute(x: Any) -> Array:
    return np.asarray(np.where(real(x) < 0, -x, np.where(real(x) == 0, 0 * x, x)))


def maximum(a: Any, b: Any) -> Array:
    """The larger by the real part; the mean where they tie, so that they share the gradient."""
    return np.asarray(np.where(real(a) > real(b), a, np.where(real(a) == real(b), (a + b) / 2, b)))


def minimum(a: Any, b: Any) -> Array:
    """The smaller by the real part; the mean where they tie."""
    return -maximum(-np.asarray(a), -np.asarray(b))


def relu(x: Any) -> Array:
    """x above 0, else 0: the slope at 0 is 0."""
    return np.where(real(x) > 0, x, 0 * real(x))


def clip(x: Any, low: float, high: float) -> Array:
    return minimum(maximum(x, low), high)


def largest(x: Any, axis: int) -> Array:
    """The largest along an axis; elements that tie share."""
    top = real(x).max(axis, keepdims=True)
    hit = (real(x) == top).astype(float)
    return np.asarray((x * (hit / hit.sum(axis, keepdims=True))).sum(axis))


def expm1(x: Any) -> Array:
    """e^x - 1; of complex numbers by sums that do not cancel."""
    if not np.iscomplexobj(x):
        return np.asarray(np.expm1(x))
    return np.asarray(np.expm1(x.real) + 1j * np.exp(x.real) * x.imag)


def sigmoid(x: Any) -> Array:
    """1 / (1 + e^-x), from e^-|x|, which does not overflow."""
    e = np.exp(-np.where(real(x) < 0, -x, x))
    return np.asarray(np.where(real(x) < 0, e / (1 + e), 1 / (1 + e)))


def softplus(x: Any) -> Array:
    """log(1 + e^x), without overflow."""
    size = np.where(real(x) < 0, -x, x)
    return np.asarray(np.where(real(x) < 0, 0 * x, x) + np.log1p(np.exp(-size)))


def tanh(x: Any) -> Array:
    """tanh; of complex numbers from the real one, since NumPy's overflows in its parts."""
    if not np.iscomplexobj(x):
        return np.asarray(np.tanh(x))
    e = np.exp(-np.abs(x.real))
    slope = (2 * e / (1 + e * e)) ** 2
    return np.asarray(np.tanh(x.real) + 1j * slope * x.imag)


def erf(x: Any) -> Array:
    return np.asarray(special.erf(x))


def logsumexp(x: Any, axis: int = -1, keep: bool = False) -> Array:
    """log(sum(e^x)) along an axis; -inf takes no part."""
    top = real(x).max(axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.log(np.exp(x - top).sum(axis, keepdims=True)) + top
    return np.asarray(total if keep else total.squeeze(axis))


def log_softmax(x: Any, axis: int = -1) -> Array:
    return np.asarray(x - logsumexp(x, axis, keep=True))


def softmax(x: Any, axis: int = -1) -> Array:
    return np.asarray(np.exp(log_softmax(x, axis)))


def safe_sqrt(x: Any) -> Array:
    """sqrt, whose slope at 0 is 0."""
    return np.where(real(x) > 0, np.sqrt(np.where(real(x) > 0, x, 1)), 0 * real(x))


def length(x: Any, axis: int = -1, keep: bool = False) -> Array:
    """The Euclidean norm along an axis."""
    return safe_sqrt((x * x).sum(axis, keepdims=keep))


def take(x: Any, labels: Array) -> Array:
    """x[..., label]."""
    return np.asarray(np.take_along_axis(x, labels[..., None], -1)[..., 0])
