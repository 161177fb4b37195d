"""Losses: random arguments, certain and impossible predictions, and labels at and beyond the first and last class."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..analytic import (
    Array,
    absolute,
    expm1,
    largest,
    length,
    log_softmax,
    maximum,
    real,
    relu,
    softmax,
    softplus,
)
from ..analytic import take as picked
from ..setting import Setting, between, choose, family, normal, number, single

INF, NAN = math.inf, math.nan
Values = Mapping[str, Any]
Case = tuple[str, dict[str, Array], Callable[[Values], Any], bool]
"""A call without its closing bracket, its inputs, its values before ``reduce``, and whether it is smooth."""


def _huber(d: Any, delta: float) -> Any:
    size = absolute(d)
    return np.where(real(size) <= delta, d * d / 2, delta * (size - delta / 2))


def _log_cosh(d: Any) -> Any:
    """For small d by its series: log(cosh(d)) cancels there."""
    size = absolute(d)
    far = size + softplus(-2 * size) - math.log(2)
    square = d * d
    near = square / 2 * (1 - square / 6 * (1 - square * 4 / 15))
    return np.where(np.abs(real(d)) < 1e-2, near, far)


def _pseudo_huber(d: Any, delta: float) -> Any:
    u = d / delta
    return delta**2 * u * u / (np.sqrt(1 + u * u) + 1)


def _shape(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(2, 6, int(rng.integers(1, 3))))


REGRESSION = 9


@family("losses of numbers", seeds=30 * REGRESSION, sample=2 * REGRESSION)
def regression(rng: np.random.Generator, seed: int) -> Setting:
    """Predictions close to and far from their targets."""
    shape, a = _shape(rng), number(rng, 0.1, 3)
    x = normal(rng, *shape)
    t = single(x + 10 ** rng.uniform(-4, 2) * rng.normal(size=shape))
    q, full = number(rng, 0.05, 0.95), choose(rng, "true", "false")
    v = between(rng, 0.01, 4, *shape)
    cases: list[Case] = [
        ("mse($x, $t", {}, lambda v: (v["x"] - v["t"]) ** 2, True),
        ("mae($x, $t", {}, lambda v: absolute(v["x"] - v["t"]), False),
        (f"huber($x, $t, {a}", {}, lambda v: _huber(v["x"] - v["t"], a), False),
        (f"smooth_l1($x, $t, beta={a}", {}, lambda v: _huber(v["x"] - v["t"], a) / a, False),
        (f"pseudo_huber($x, $t, {a}", {}, lambda v: _pseudo_huber(v["x"] - v["t"], a), float(np.abs(x - t).max()) < 3),
        ("log_cosh($x, $t", {}, lambda v: _log_cosh(v["x"] - v["t"]), False),
        (f"quantile_loss($x, $t, {q}", {}, lambda v: (lambda d: np.where(real(d) > 0, q * d, (q - 1) * d))(
            v["t"] - v["x"]), False),
        (f"gaussian_nll($x, $t, $v, full={full}", {"v": v}, lambda v: 0.5 * (np.log(v["v"]) + (v["t"] - v["x"]) ** 2
            / v["v"]) + (0.5 * math.log(2 * math.pi) if full == "true" else 0), True),
        ("poisson_nll($x, $t", {}, lambda v: np.exp(v["x"]) - v["t"] * v["x"], True),
    ]  # fmt: skip
    return _reduced(rng, cases[seed % REGRESSION], {"x": x, "t": t})


def _reduced(rng: np.random.Generator, case: Case, inputs: dict[str, Array], wrt: tuple[str, ...] = ("x",)) -> Setting:
    """One of the three ways to reduce."""
    call, more, values, smooth = case
    how = choose(rng, "mean", "sum", "none")
    ways: dict[str, Callable[[Any], Any]] = {"mean": np.mean, "sum": np.sum, "none": lambda y: y}
    reduce = ways[how]
    text = f"{call}, reduce={how})" if how != "mean" else f"{call})"
    taken = {name: value for name, value in {**inputs, **more}.items() if f"${name}" in text}
    return Setting(text, taken, lambda v: np.asarray(reduce(values(v))), wrt, normwise=True, second=smooth)


def _bce(p: Any, t: Any) -> Any:
    return -t * np.log(maximum(p, 1e-7)) - (1 - t) * np.log(maximum(1 - p, 1e-7))


def _focal(x: Any, t: Any, gamma: float, alpha: float | None) -> Any:
    side = x * (2 * t - 1)
    losses = np.exp(-gamma * softplus(side)) * softplus(-side)
    return losses if alpha is None else (alpha * t + (1 - alpha) * (1 - t)) * losses


BINARY = 8


@family("losses of two classes", seeds=25 * BINARY, sample=2 * BINARY, units=40)
def binary(rng: np.random.Generator, seed: int) -> Setting:
    """Logits from timid to certain, targets 0, 1 and between."""
    shape = _shape(rng)
    x = normal(rng, *shape, scale=10 ** rng.uniform(-2, 1.5))
    bits = single(rng.integers(0, 2, shape))
    soft, w, margin = between(rng, 0, 1, *shape), number(rng, 0.2, 5), number(rng, 0.1, 2)
    gamma, alpha = choose(rng, number(rng, 0.05, 0.95), number(rng, 1, 4)), choose(rng, None, number(rng, 0.1, 0.9))
    of_alpha = "" if alpha is None else f", alpha={alpha}"
    p = between(rng, 1e-3, 1 - 1e-3, *shape)
    sides = 2 * bits - 1
    cases: list[Case] = [
        ("bce($x, $t", {"x": p, "t": soft}, lambda v: _bce(v["x"], v["t"]), True),
        ("bce_logits($x, $t", {"t": soft}, lambda v: softplus(v["x"]) - v["t"] * v["x"], True),
        (
            f"bce_logits($x, $t, {w}",
            {},
            lambda v: w * v["t"] * softplus(-v["x"]) + (1 - v["t"]) * softplus(v["x"]),
            True,
        ),
        (f"focal($x, $t, {gamma}{of_alpha}", {}, lambda v: _focal(v["x"], v["t"], gamma, alpha), True),
        ("focal($x, $t", {}, lambda v: _focal(v["x"], v["t"], 2, None), True),
        (f"hinge($x, $t, margin={margin}", {"t": sides}, lambda v: relu(margin - v["t"] * v["x"]), False),
        (f"squared_hinge($x, $t, margin={margin}", {"t": sides}, lambda v: relu(margin - v["t"] * v["x"]) ** 2, False),
        ("focal($x, $t, 0.0", {}, lambda v: softplus(-v["x"] * (2 * v["t"] - 1)), True),
    ]
    call, more, values, smooth = cases[seed % BINARY]
    large = float(np.abs(x).max()) > 20 or "x" in more  # second derivatives by differences are as good as rounding
    return _reduced(rng, (call, more, values, smooth and not large), {"x": x, "t": bits})


def _dice(p: Any, t: Any, eps: float) -> Any:
    a, b = p.reshape(len(p), -1), t.reshape(len(t), -1)
    return 1 - (2 * (a * b).sum(1) + eps) / (a.sum(1) + b.sum(1) + eps)


def _excess(x: Any, k: Array, margin: float) -> Any:
    hot = np.eye(x.shape[-1])[k]
    return relu(margin + x - picked(x, k)[..., None]) * (1 - hot)


def _class_focal(x: Any, k: Array, gamma: float) -> Any:
    losses = -picked(log_softmax(x), k)
    return np.exp(gamma * np.log(maximum(-expm1(-losses), 1e-12))) * losses


CLASSES = 14


@family("losses of classes", seeds=25 * CLASSES, sample=2 * CLASSES, units=40)
def classes(rng: np.random.Generator, seed: int) -> Setting:
    """Every label once at least, logits from timid to certain, weights, smoothing."""
    n, c = int(rng.integers(2, 6)), int(rng.integers(2, 6))
    leading = (n,) if rng.integers(2) else (2, n)
    x = normal(rng, *leading, c, scale=10 ** rng.uniform(-2, 1.5))
    k = rng.integers(0, c, leading)
    k.reshape(-1)[:2] = 0, c - 1
    t = single(softmax(rng.normal(size=(*leading, c))))
    p = single(softmax(rng.normal(size=(*leading, c))))
    q, s = between(rng, 0.2, 4, c), number(rng, 0.02, 0.5)
    gamma, margin = number(rng, 0.05, 3), number(rng, 0.1, 2)
    hot = np.eye(c)[k]
    soft = (1 - s) * hot + s / c
    weigh = choose(rng, "mean", "sum", "none")

    def weighted(losses: Any, weights: Any) -> Any:
        return losses.sum() / weights.sum() if weigh == "mean" else losses.sum() if weigh == "sum" else losses

    cases: list[Case] = [
        ("cross_entropy($x, $k", {}, lambda v: -picked(log_softmax(v["x"]), k), True),
        (f"cross_entropy($x, $k, smoothing={s}", {}, lambda v: -(soft * log_softmax(v["x"])).sum(-1), True),
        ("soft_cross_entropy($x, $t", {}, lambda v: -(v["t"] * log_softmax(v["x"])).sum(-1), True),
        (f"soft_cross_entropy($x, smooth_labels($t, {s})", {},
         lambda v: -(((1 - s) * v["t"] + s / c) * log_softmax(v["x"])).sum(-1), True),
        ("cce($p, $t", {}, lambda v: -(v["t"] * np.log(maximum(v["p"], 1e-7))).sum(-1), True),
        ("nll(log_softmax($x), $k", {}, lambda v: -picked(log_softmax(v["x"]), k), True),
        ("nll($x, $k", {}, lambda v: -picked(v["x"], k), False),
        (f"multiclass_focal($x, $k, {gamma}", {}, lambda v: _class_focal(v["x"], k, gamma),
         float(np.abs(x).max()) < 3),
        (f"multiclass_hinge($x, $k, {margin}", {}, lambda v: largest(_excess(v["x"], k, margin), -1), False),
        (f"multiclass_hinge($x, $k, {margin}, all", {}, lambda v: _excess(v["x"], k, margin).sum(-1), False),
        ("dice($p, $t, eps=0.5", {}, lambda v: _dice(v["p"], v["t"], 0.5), True),
        ("kl($p, log($t)", {}, lambda v: (v["p"] * (np.log(v["p"]) - np.log(v["t"]))).sum(-1), True),
    ]  # fmt: skip
    which = seed % CLASSES
    if which >= len(cases):
        smooth = s if which % 2 else 0.0
        target = soft if smooth else hot
        text = f"cross_entropy($x, $k, {smooth}, $q, {weigh})"
        inputs = {"x": x, "k": k, "q": q}
        return Setting(
            text,
            inputs,
            lambda v: weighted(-(v["q"] * target * log_softmax(v["x"])).sum(-1), v["q"][k]),
            normwise=True,
            second=float(np.abs(x).max()) < 5,
        )
    call, more, values, is_smooth = cases[which]
    inputs = {"x": x, "k": k, "t": t, "p": p}
    of = "p" if "$p" in call else "x"
    return _reduced(rng, (call, more, values, is_smooth and float(np.abs(x).max()) < 5), inputs, (of,))


def _normalise(x: Any) -> Any:
    return x / maximum(length(x, keep=True), 1e-6)


def _cosine(a: Any, b: Any) -> Any:
    return (_normalise(a) * _normalise(b)).sum(-1)


def _info_nce(a: Any, b: Any, temperature: float) -> Any:
    return -np.diag(log_softmax(_normalise(a) @ _normalise(b).T / temperature))


def _nt_xent(a: Any, b: Any, temperature: float) -> Any:
    z = _normalise(np.concatenate([a, b]))
    n = len(z)
    logits = np.where(np.eye(n) == 1, -1e30, z @ z.T / temperature)
    return -picked(log_softmax(logits), (np.arange(n) + n // 2) % n)


EMBEDDINGS = 8


@family("losses of vectors", seeds=20 * EMBEDDINGS, sample=EMBEDDINGS, units=32, double=True)
def vectors(rng: np.random.Generator, seed: int) -> Setting:
    """Distances, angles and normal distributions."""
    n, d = int(rng.integers(2, 5)), int(rng.integers(2, 6))
    x, t, u = (normal(rng, n, d) for _ in range(3))
    a, s = number(rng, 0.2, 3), between(rng, 0.2, 3, n, d)
    bits = single(rng.integers(0, 2, n))
    temperature = number(rng, 0.1, 2)
    squared = seed % 16 < 8

    def near(v: Values) -> Any:
        return length(v["x"] - v["t"])

    def far(v: Values) -> Any:
        return length(v["x"] - v["u"])

    cases: list[Case] = [
        (f"triplet($x, $t, $u, {a}, squared={str(squared).lower()}", {}, lambda v: relu(
            near(v) ** 2 - far(v) ** 2 + a if squared else near(v) - far(v) + a), False),
        (f"contrastive($x, $t, $bits, {a}", {}, lambda v: 0.5 * (bits * near(v) ** 2 + (1 - bits) * relu(
            a - near(v)) ** 2), False),
        (f"cosine_embedding($x, $t, 2 * $bits - 1, margin={a / 4}", {}, lambda v: np.where(
            bits > 0, 1 - _cosine(v["x"], v["t"]), relu(_cosine(v["x"], v["t"]) - a / 4)), False),
        (f"info_nce($x, $t, {temperature}", {}, lambda v: _info_nce(v["x"], v["t"], temperature), True),
        (f"nt_xent($x, $t, {temperature}", {}, lambda v: _nt_xent(v["x"], v["t"], temperature), True),
        ("kl_normal($x, $s", {}, lambda v: (0.5 * (v["s"] ** 2 + v["x"] ** 2 - 1) - np.log(v["s"])).sum(-1), True),
        (f"kl_normal($x, $s, $t, {a}", {}, lambda v: (0.5 * ((v["s"] / a) ** 2 + ((v["x"] - v["t"]) / a) ** 2 - 1)
            - np.log(v["s"] / a)).sum(-1), True),
        ("mse(normalise($x), normalise($t)", {}, lambda v: (_normalise(v["x"]) - _normalise(v["t"])) ** 2, True),
    ]  # fmt: skip
    return _reduced(rng, cases[seed % EMBEDDINGS], {"x": x, "t": t, "u": u, "s": s, "bits": bits})


@dataclass(frozen=True, slots=True)
class Edge:
    """A loss where something is certain, impossible, infinite or no class; slopes are of the sum."""

    text: str
    inputs: Mapping[str, Any]
    value: Any
    slope: Any = None


LOG = math.log
EDGES = (
    Edge("nll($x, $k, none)", {"x": [[0.0, -INF], [-INF, 0.0]], "k": [0, 1]}, [0.0, 0.0], [[-1.0, 0], [0, -1]]),
    Edge("nll($x, $k, none)", {"x": [[0.0, -INF, -INF]], "k": [1]}, [INF], [[0.0, -1, 0]]),
    Edge("nll($x, $k)", {"x": [[-1.0, -INF], [-2.0, -INF]], "k": [0, 0]}, 1.5, [[-0.5, 0], [-0.5, 0]]),
    Edge("cross_entropy($x, $k, 0.0, $q, none)", {"x": [[0.0, -INF, 0.0]], "k": [0], "q": [2.0, 1, 1]}, [2 * LOG(2)],
         [[-1.0, 0, 1.0]]),
    Edge("cross_entropy($x, $k, reduce=none)", {"x": [[0.0, -INF, 0.0]], "k": [2]}, [LOG(2)], [[0.5, 0, -0.5]]),
    Edge("cross_entropy($x, $k, reduce=none)", {"x": [[1e4, -1e4], [1e4, -1e4]], "k": [0, 1]}, [0.0, 2e4],
         [[0.0, 0], [1, -1]]),
    Edge("cross_entropy($x, $k, 0.1, reduce=none)", {"x": [[1e4, -1e4]], "k": [0]}, [1000.0], [[0.05, -0.05]]),
    Edge("soft_cross_entropy($x, $t, none)", {"x": [[0.0, -INF, 0.0]], "t": [[1.0, 0, 0]]}, [LOG(2)],
         [[-0.5, 0, 0.5]]),
    Edge("soft_cross_entropy($x, $t, none)", {"x": [[3e38, -3e38]], "t": [[1.0, 0]]}, [0.0], [[0.0, 0]]),
    Edge("bce_logits($x, $t, reduce=none)", {"x": [1e4, -1e4, 1e4, -1e4], "t": [1.0, 1, 0, 0]}, [0.0, 1e4, 1e4, 0],
         [0.0, -1, 1, 0]),
    Edge("bce_logits($x, $t, 3.0, none)", {"x": [1e4, -1e4, 1e4, -1e4], "t": [1.0, 1, 0, 0]}, [0.0, 3e4, 1e4, 0],
         [0.0, -3, 1, 0]),
    Edge("bce($x, $t, reduce=none)", {"x": [0.0, 1.0], "t": [0.0, 1.0]}, [0.0, 0.0]),
    Edge("bce($x, $t, reduce=none)", {"x": [0.0, 1.0], "t": [1.0, 0.0]}, [-LOG(1e-7), -LOG(1e-7)], [0.0, 0.0]),
    Edge("bce($x, $t, eps=0.0, reduce=none)", {"x": [0.0, 1.0], "t": [0.0, 1.0]}, [0.0, 0.0]),
    Edge("bce($x, $t, eps=0.0, reduce=none)", {"x": [0.0, 1.0], "t": [1.0, 0.0]}, [INF, INF]),
    Edge("cce($x, $t, reduce=none)", {"x": [[1.0, 0, 0]], "t": [[1.0, 0, 0]]}, [0.0], [[-1.0, 0, 0]]),
    Edge("cce($x, $t, eps=0.0, reduce=none)", {"x": [[1.0, 0, 0]], "t": [[1.0, 0, 0]]}, [0.0]),
    Edge("kl($x, $t, reduce=none)", {"x": [[1.0, 0.0]], "t": [[-1.0, -3.0]]}, [1.0]),
    Edge("kl($x, $t, reduce=none)", {"x": [[1.0, 0.0]], "t": [[0.0, -INF]]}, [0.0]),
    Edge("kl($x, $t, reduce=none)", {"x": [[0.5, 0.5]], "t": [[0.0, -INF]]}, [INF]),
    *(Edge(f"focal($x, $t, {gamma}, reduce=none)", {"x": [18.0, 40, 100, 1e4, -18, -100], "t": [1.0, 1, 1, 1, 0, 0]},
           None) for gamma in (0.1, 0.25, 0.5, 0.9, 1.0, 2.0, 5.0)),
    *(Edge(f"focal($x, $t, {gamma}, reduce=none)", {"x": [1e4, -1e4], "t": [0.0, 1.0]}, [1e4, 1e4], [1.0, -1.0])
      for gamma in (0.25, 0.5, 2.0)),
    *(Edge(f"multiclass_focal($x, $k, {gamma}, reduce=none)", {"x": [[0.0, 1e4]], "k": [0]}, [1e4],
           [[-1.0, 1]]) for gamma in (1.5, 2.0)),
    Edge("hinge($x, $t, reduce=none)", {"x": [1e30, -1e30], "t": [1.0, 1]}, [0.0, 1e30], [0.0, -1]),
    Edge("mse($x, $t, none)", {"x": [1e18, 0], "t": [0.0, 0]}, [1e36, 0], [2e18, 0]),
    Edge("mae($x, $t, none)", {"x": [1.0, 1, -INF], "t": [1.0, 3, 0]}, [0.0, 2, INF], [0.0, -1, -1]),
    Edge("huber($x, $t, reduce=none)", {"x": [0.0, 1e30, -INF, INF], "t": [0.0, 0, 0, 0]}, [0.0, 1e30, INF, INF],
         [0.0, 1, -1, 1]),
    Edge("smooth_l1($x, $t, beta=0.0, reduce=none)", {"x": [0.0, 2, -3], "t": [0.0, 0, 0]}, [0.0, 2, 3], [0.0, 1, -1]),
    Edge("pseudo_huber($x, $t, reduce=none)", {"x": [1e-4, 1e4, 0], "t": [0.0, 0, 0]},
         [1e-8 / (1 + math.sqrt(1 + 1e-8)), 1e8 / (1 + math.sqrt(1 + 1e8)), 0]),
    Edge("log_cosh($x, $t, none)", {"x": [0.0, 1e-3, 1e4, -1e30, INF], "t": [0.0, 0, 0, 0, 0]},
         [0.0, math.log1p(math.sinh(1e-3) ** 2) / 2, 1e4 - LOG(2), 1e30, INF], [0.0, math.tanh(1e-3), 1, -1, 1]),
    Edge("quantile_loss($x, $t, 0.9, none)", {"x": [0.0, -INF, INF], "t": [1.0, 0, 0]}, [0.9, INF, INF],
         [-0.9, -0.9, 0.1]),
    Edge("gaussian_nll($x, $t, $q, reduce=none)", {"x": [1.0], "t": [1.0], "q": [0.0]}, [0.5 * LOG(1e-6)], [0.0]),
    Edge("poisson_nll($x, $t, none)", {"x": [-INF, -1000], "t": [0.0, 0]}, [0.0, 0], [0.0, 0]),
    Edge("triplet($x, $t, $x, reduce=none)", {"x": [[1.0, 2.0]], "t": [[1.0, 2.0]]}, [1.0], [[0.0, 0]]),
    Edge("contrastive($x, $t, $q, reduce=none)", {"x": [[1.0, 2.0]], "t": [[1.0, 2.0]], "q": [0.0]}, [0.5], [[0.0, 0]]),
    Edge("cosine_embedding($x, $t, $q, reduce=none)", {"x": [[0.0, 0.0]], "t": [[1.0, 2.0]], "q": [1.0]}, [1.0]),
    Edge("dice($x, $t, eps=1.0)", {"x": [[0.0, 0.0]], "t": [[0.0, 0.0]]}, 0.0),
    Edge("kl_normal($x, $s, reduce=none)", {"x": [[0.0, 0.0]], "s": [[1.0, 1.0]]}, [0.0], [[0.0, 0]]),
)  # fmt: skip


@family("losses at extremes", seeds=len(EDGES), sample=len(EDGES))
def edge(rng: np.random.Generator, seed: int) -> Setting:
    """Certain, impossible and infinite predictions."""
    one = EDGES[seed]
    inputs = {name: np.asarray(v, int if name == "k" else float) for name, v in one.inputs.items()}
    if one.value is None:
        gamma = float(one.text.split(", ")[2])
        return Setting(one.text, inputs, lambda v: _focal(v["x"], v["t"], gamma, None), elementwise=True)
    given = {"value": np.asarray(one.value, float)}
    if one.slope is None:
        return Setting(one.text, inputs, None, wrt=(), given=given)
    return Setting(one.text, inputs, None, given=given | {"slope x": np.asarray(one.slope, float)})


LABELLED = (
    "cross_entropy($x, $k, reduce=none)",
    "cross_entropy($x, $k, smoothing=0.1, reduce=none)",
    "cross_entropy($x, $k, 0.0, $q, none)",
    "cross_entropy($x, $k, 0.1, $q, none)",
    "nll($x, $k, none)",
    "multiclass_focal($x, $k, reduce=none)",
    "multiclass_hinge($x, $k, reduce=none)",
    "categorical_log_prob($k, softmax($x))",
    "accuracy($x, $k)",
    "top_k_accuracy($x, $k, k=2)",
)
OUTSIDE = (-1, 3, -100)


@family("labels that are no class", seeds=len(LABELLED) * len(OUTSIDE), sample=len(LABELLED) * len(OUTSIDE))
def outside(rng: np.random.Generator, seed: int) -> Setting:
    """A label below 0 or beyond the last class gives NaN, in losses and metrics; the others stay as they are."""
    text, label = LABELLED[seed // len(OUTSIDE)], OUTSIDE[seed % len(OUTSIDE)]
    x, k, q = normal(rng, 3, 3), np.array([0, label, 2]), single([1.0, 2, 3])
    inputs = {"x": x, "k": k} | ({"q": q} if "$q" in text else {})
    if "accuracy" in text:
        return Setting(text, inputs, None, wrt=(), given={"value": np.asarray(NAN)})
    inside = {**inputs, "k": np.array([0, 1, 2])}
    losses = _labelled(text)(inside)
    return Setting(text, inputs, None, wrt=(), given={"value": np.where(k == label, NAN, losses)})


def _labelled(text: str) -> Callable[[Values], Any]:
    def losses(v: Values) -> Any:
        x, k, c = v["x"], v["k"], 3
        s = 0.1 if "0.1" in text else 0.0
        target = (1 - s) * np.eye(c)[k] + s / c
        if text.startswith("cross_entropy"):
            return -(v.get("q", 1.0) * target * log_softmax(x)).sum(-1)
        if text.startswith("nll"):
            return -picked(x, k)
        if text.startswith("multiclass_focal"):
            losses = -picked(log_softmax(x), k)
            return (1 - np.exp(-losses)) ** 2 * losses
        if text.startswith("multiclass_hinge"):
            return _excess(x, k, 1.0).max(-1)
        return np.log(picked(softmax(x), k))

    return losses


METRICS = 5


@family("metrics", seeds=60, sample=5)
def metric(rng: np.random.Generator, seed: int) -> Setting:
    """Shares of examples, and means of some of them."""
    n, c = int(rng.integers(1, 9)), int(rng.integers(2, 7))
    x, k, best = normal(rng, n, c), rng.integers(0, c, n), int(rng.integers(1, c + 1))
    t, mask = single(rng.integers(0, 2, n)), rng.integers(0, 2, n) > 0
    own = np.take_along_axis(x, k[:, None], 1)
    cases: list[tuple[str, dict[str, Array], Callable[[Values], Any]]] = [
        ("accuracy($x, $k)", {"x": x, "k": k}, lambda v: np.mean(v["x"].argmax(-1) == k)),
        ("binary_accuracy($x, $t)", {"x": x[:, 0], "t": t}, lambda v: np.mean((v["x"] > 0) == (t > 0.5))),
        (f"top_k_accuracy($x, $k, k={best})", {"x": x, "k": k}, lambda v: np.mean((v["x"] > own).sum(-1) < best)),
        ("active_units($x, 0.3)", {"x": x}, lambda v: np.sum(v["x"].var(axis=0) > 0.3)),
        ("masked_mean($x, $mask)", {"x": x[:, 0], "mask": mask},
         lambda v: (v["x"] * mask).sum() / max(mask.sum(), 1)),
    ]  # fmt: skip
    text, inputs, f = cases[seed % METRICS]
    slopes = ("x",) if "masked" in text else ()
    return Setting(text, inputs, lambda v: np.asarray(f(v)), wrt=slopes, normwise=True)
