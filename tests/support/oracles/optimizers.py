"""Optimizers and schedules in NumPy: for each a call in the language, and the step by hand in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
State = dict[str, Any]
Rule = Callable[[int, Array, Array, State, bool], Array]
"""The next value of a parameter, from the step t = 1, 2, ..., its value and gradient, the state, which it changes, and
whether weight decay applies to it."""
Schedule = Callable[[float], float]


def trajectory(rule: Rule, start: Mapping[str, Any], slopes: Callable[[State], State], steps: int) -> Iterator[State]:
    """Parameters after each step; ``b`` alone has no weight decay."""
    p: State = {name: np.asarray(value, np.float64) for name, value in start.items()}
    states: dict[str, State] = {name: {} for name in p}
    for t in range(1, steps + 1):
        g = slopes(p)
        p = {name: rule(t, p[name], np.asarray(g[name]), states[name], name != "b") for name in p}
        yield p


def _divisor(v: Array, eps: float, in_root: bool) -> Array:
    return np.asarray(np.sqrt(v + eps) if in_root else np.sqrt(v) + eps)


def sgd(
    lr: float, momentum: float = 0.0, nesterov: bool = False, dampening: float = 0.0, weight_decay: float = 0.0
) -> Rule:
    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        g = g + weight_decay * decay * p
        v = state["v"] = momentum * state.get("v", 0.0) + (1 - dampening) * g
        return np.asarray(p - lr * (g + momentum * v if nesterov else v))

    return rule


def adagrad(lr: float, eps: float = 1e-10, start: float = 0.0, in_root: bool = False) -> Rule:
    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        total = state["G"] = state.get("G", start) + g**2
        return np.asarray(p - lr * g / _divisor(total, eps, in_root))

    return rule


def rmsprop(
    lr: float, rho: float = 0.9, eps: float = 1e-8, momentum: float = 0.0, centred: bool = False, in_root: bool = False
) -> Rule:
    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        square = state["G"] = rho * state.get("G", 0.0) + (1 - rho) * g**2
        mean = state["m"] = rho * state.get("m", 0.0) + (1 - rho) * g
        move = g / _divisor(square - mean**2 if centred else square, eps, in_root)
        v = state["v"] = momentum * state.get("v", 0.0) + move
        return np.asarray(p - lr * v)

    return rule


def adadelta(lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6) -> Rule:
    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        square = state["G"] = rho * state.get("G", 0.0) + (1 - rho) * g**2
        move = np.sqrt((state.get("D", 0.0) + eps) / (square + eps)) * g
        state["D"] = rho * state.get("D", 0.0) + (1 - rho) * move**2
        return np.asarray(p - lr * move)

    return rule


def _share(beta: float, t: int) -> float:
    """1 - beta^t, with all its digits."""
    return -math.expm1(t * math.log(beta)) if beta else 1.0


def _moments(g: Array, state: State, beta1: float, beta2: float) -> tuple[Array, Array]:
    state["m"] = beta1 * state.get("m", 0.0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0.0) + (1 - beta2) * g**2
    return state["m"], state["v"]


def adam(
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    *,
    amsgrad: bool = False,
    in_root: bool = False,
    weight_decay: float = 0.0,
    rate: Schedule = lambda t: 1.0,
) -> Rule:
    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        m, v = _moments(g, state, beta1, beta2)
        v = state["peak"] = np.maximum(state.get("peak", 0.0), v) if amsgrad else v
        move = m / _share(beta1, t) / _divisor(v / _share(beta2, t), eps, in_root)
        return np.asarray(p - lr * rate(t) * (move + weight_decay * decay * p))

    return rule


def nadam(lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Rule:
    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        m, v = _moments(g, state, beta1, beta2)
        ahead = beta1 * m / _share(beta1, t + 1) + (1 - beta1) * g / _share(beta1, t)
        return np.asarray(p - lr * ahead / (np.sqrt(v / _share(beta2, t)) + eps))

    return rule


def radam(lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Rule:
    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        m, v = _moments(g, state, beta1, beta2)
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / _share(beta2, t)
        mean = m / _share(beta1, t)
        if length <= 5:
            return np.asarray(p - lr * mean)
        factor = math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length))
        return np.asarray(p - lr * factor * mean / (np.sqrt(v / _share(beta2, t)) + eps))

    return rule


def adamax(lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Rule:
    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        m, _ = _moments(g, state, beta1, beta2)
        state["u"] = np.maximum(beta2 * state.get("u", 0.0), abs(g) + eps)
        return np.asarray(p - lr * m / (1 - beta1**t) / state["u"])

    return rule


def lion(lr: float, beta1: float = 0.9, beta2: float = 0.99, weight_decay: float = 0.0) -> Rule:
    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        m = state.get("m", 0.0)
        state["m"] = beta2 * m + (1 - beta2) * g
        return np.asarray(p - lr * (np.sign(beta1 * m + (1 - beta1) * g) + weight_decay * decay * p))

    return rule


def warmup_cosine(peak: float, warmup: int, total: int) -> Schedule:
    def rate(t: float) -> float:
        if t < warmup:
            return peak * t / warmup
        return peak * 0.5 * (1 + math.cos(math.pi * min((t - warmup) / (total - warmup), 1)))

    return rate


OPTIMIZERS: dict[str, Rule] = {
    "sgd(lr=0.1)": sgd(0.1),
    "sgd": sgd(0.01),
    "sgd(0.1, momentum=0.9)": sgd(0.1, 0.9),
    "sgd(lr=0.1, momentum=0.9, nesterov=true)": sgd(0.1, 0.9, True),
    "sgd(0.1, 0.9, dampening=0.5, weight_decay=0.2)": sgd(0.1, 0.9, False, 0.5, 0.2),
    "sgd(0.1, weight_decay=0.2)": sgd(0.1, weight_decay=0.2),
    "adagrad(0.1)": adagrad(0.1),
    "adagrad(lr=0.1, eps=0.1, start=0.5)": adagrad(0.1, 0.1, 0.5),
    "adagrad(lr=0.1, eps=0.1, eps_in_root=true)": adagrad(0.1, 0.1, in_root=True),
    "rmsprop": rmsprop(1e-3),
    "rmsprop(0.05, 0.8, eps=0.1)": rmsprop(0.05, 0.8, 0.1),
    "rmsprop(0.05, eps=0.1, eps_in_root=true)": rmsprop(0.05, eps=0.1, in_root=True),
    "rmsprop(0.01, momentum=0.9)": rmsprop(0.01, momentum=0.9),
    "rmsprop(0.01, eps=1e-3, centred=true)": rmsprop(0.01, eps=1e-3, centred=True),
    "rmsprop(0.01, 0.95, 1e-3, 0.5, true, true)": rmsprop(0.01, 0.95, 1e-3, 0.5, True, True),
    "adadelta": adadelta(),
    "adadelta(0.5, rho=0.95, eps=1e-3)": adadelta(0.5, 0.95, 1e-3),
    "adam": adam(1e-3),
    "adam(lr=0.05)": adam(0.05),
    "adam(0.05, 0.8, 0.95, eps=0.1)": adam(0.05, 0.8, 0.95, 0.1),
    "adam(0.05, eps=0.1, eps_in_root=true)": adam(0.05, eps=0.1, in_root=True),
    "adam(0.2, 0.5, 0.5, amsgrad=true)": adam(0.2, 0.5, 0.5, amsgrad=True),
    "adamw(lr=0.05, weight_decay=0.5)": adam(0.05, weight_decay=0.5),
    "adam(lr=warmup_cosine(0.1, 2, 5))": adam(1.0, rate=warmup_cosine(0.1, 2, 5)),
    "adamw(lr=warmup_cosine(0.1, warmup=2, total=5), weight_decay=0.5)": adam(
        1.0, weight_decay=0.5, rate=warmup_cosine(0.1, 2, 5)
    ),
    "nadam(0.05)": nadam(0.05),
    "nadam(0.05, 0.8, 0.9, eps=0.1)": nadam(0.05, 0.8, 0.9, 0.1),
    "radam(0.05)": radam(0.05),
    "radam(0.05, 0.8, beta2=0.9)": radam(0.05, 0.8, 0.9),
    "adamax(0.05)": adamax(0.05),
    "adamax(0.05, 0.5, 0.6, eps=0.1)": adamax(0.05, 0.5, 0.6, 0.1),
    "lion(0.01)": lion(0.01),
    "lion(0.05, 0.5, 0.6, weight_decay=0.3)": lion(0.05, 0.5, 0.6, 0.3),
}


def _steps(t: float, every: float = 1.0) -> float:
    return (t - 1) / every


def _cosine(done: float, end: float = 0.0) -> float:
    return end + (1 - end) * (1 + math.cos(math.pi * done)) / 2


def _restarts(t: float, period: float, growth: float, end: float) -> float:
    since = t - 1
    while since >= period:
        since, period = since - period, period * growth
    return _cosine(since / period, end)


def _one_cycle(t: float, total: float, rising: float, start: float, end: float) -> float:
    done = min((t - 1) / (total - 1), 1)
    if done < rising:
        return _cosine(1 - done / rising, start)
    return _cosine((done - rising) / (1 - rising), end)


SCHEDULES: dict[str, Schedule] = {
    "0.3": lambda t: 0.3,
    "step_decay(0.5, every=3)": lambda t: 0.5 * 0.1 ** math.floor(_steps(t, 3)),
    "step_decay(0.5, 2, factor=0.5)": lambda t: 0.5 ** (1 + math.floor(_steps(t, 2))),
    "exponential_decay(2, 0.9)": lambda t: 2 * 0.9 ** _steps(t),
    "exponential_decay(2, 0.5, every=4)": lambda t: 2 * 0.5 ** _steps(t, 4),
    "inverse_time_decay(1, 0.5)": lambda t: 1 / (1 + 0.5 * _steps(t)),
    "inverse_time_decay(1, 0.5, every=10)": lambda t: 1 / (1 + 0.5 * _steps(t, 10)),
    "polynomial_decay(1, 6)": lambda t: max(1 - _steps(t, 6), 0),
    "polynomial_decay(1, 6, end=0.1, power=2)": lambda t: 0.1 + 0.9 * max(1 - _steps(t, 6), 0) ** 2,
    "cosine_decay(1, 8)": lambda t: _cosine(min(_steps(t, 8), 1)),
    "cosine_decay(1, 8, end=0.2)": lambda t: _cosine(min(_steps(t, 8), 1), 0.2),
    "cosine_restarts(1, 4)": lambda t: _restarts(t, 4, 1, 0),
    "cosine_restarts(1, 2, growth=2, end=0.1)": lambda t: _restarts(t, 2, 2, 0.1),
    "cosine_restarts(1, 2, growth=1.5)": lambda t: _restarts(t, 2, 1.5, 0),
    "piecewise_constant([2, 5], [1, 0.5, 0.1])": lambda t: 1 if t <= 2 else 0.5 if t <= 5 else 0.1,
    "warmup(4, 0.5)": lambda t: 0.5 * min(t / 4, 1),
    "warmup(4, cosine_decay(1, 8))": lambda t: min(t / 4, 1) * _cosine(min(_steps(t, 8), 1)),
    "warmup_linear(1, 3, 9)": lambda t: t / 3 if t < 3 else max((9 - t) / 6, 0),
    "warmup_cosine(1, 3, 12)": warmup_cosine(1, 3, 12),
    "one_cycle(1, 11)": lambda t: _one_cycle(t, 11, 0.3, 0.04, 4e-6),
    "one_cycle(1, 11, rising=0.5, start=0.1, end=0.01)": lambda t: _one_cycle(t, 11, 0.5, 0.1, 0.01),
    "noam(64, 5)": lambda t: 64**-0.5 * min(t**-0.5, t * 5**-1.5),
    "noam(512, warmup=3, scale=2)": lambda t: 2 * 512**-0.5 * min(t**-0.5, t * 3**-1.5),
}
"""Rates for t = 1, 2, ..."""
