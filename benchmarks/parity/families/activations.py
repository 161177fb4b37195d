"""Transfer functions: at random numbers of every size, and at zeros, infinities, NaN, huge and tiny numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..analytic import (
    Array,
    clip,
    erf,
    expm1,
    largest,
    log_softmax,
    minimum,
    real,
    relu,
    sigmoid,
    softmax,
    softplus,
    tanh,
)
from ..setting import Setting, between, choose, family, normal, number, single

INF, NAN = math.inf, math.nan


@dataclass(frozen=True, slots=True)
class Curve:
    """A function of one number.

    Attributes:
        text: how a spec calls it, with the arguments ``{a}`` and ``{b}``.
        f: what it is, of x, a and b; of complex numbers as well.
        left, right: value and slope in the limit, and so at -inf and inf.
        a, b: the ranges of its arguments.
        smooth: it has second derivatives.
        slopes: it has a gradient; one that is zero everywhere is refused, as no gradient.
    """

    text: str
    f: Callable[[Any, float, float], Any]
    left: Callable[[float, float], tuple[float, float]]
    right: Callable[[float, float], tuple[float, float]]
    a: tuple[float, float] = (0.0, 0.0)
    b: tuple[float, float] = (0.0, 0.0)
    smooth: bool = True
    slopes: bool = True

    @property
    def wrt(self) -> tuple[str, ...]:
        """For what there are gradients."""
        return ("x",) if self.slopes else ()


def ends(value: float, slope: float) -> Callable[[float, float], tuple[float, float]]:
    """A limit that does not depend on the arguments."""
    return lambda a, b: (value, slope)


NONE, ONE = ends(0.0, 0.0), ends(1.0, 0.0)
LINE = ends(INF, 1.0)


def _elu(x: Any, a: float, b: float) -> Array:
    return np.where(real(x) > 0, x, a * expm1(np.where(real(x) > 0, 0, x)))


def _gelu_tanh(x: Any, a: float, b: float) -> Any:
    return x * sigmoid(2 * math.sqrt(2 / math.pi) * x * (1 + 0.044715 * np.minimum(real(x) ** 2, 1e4) * _one(x)))


def _one(x: Any) -> Any:
    """1, with the derivative that x^2 has over its value, where gelu takes it."""
    return np.where(real(x) ** 2 < 1e4, (x * x) / np.where(real(x) == 0, 1, real(x) ** 2), 1)


def gelu(x: Any) -> Any:
    """x Phi(x), by erf; where that is 0 or 1, x is multiplied by it."""
    u = x * math.sqrt(0.5)
    near = np.where(np.abs(real(u)) < 5, u, 5 * np.sign(real(u)))
    tail = np.where(real(u) < 0, 0.0, 1.0)
    return np.where(np.abs(real(u)) < 5, x * 0.5 * (1 + erf(near)), x * tail)


def _tanhshrink(x: Any) -> Any:
    """For small x by its series: x - tanh(x) cancels there."""
    v = x * x
    near = x * v * (1 / 3 - v * (2 / 15 - v * (17 / 315 - v * 62 / 2835)))
    return np.where(np.abs(real(x)) < 0.05, near, x - tanh(x))


def _softsign(x: Any, a: float, b: float) -> Any:
    """Far from 0 as 1 less a small number: a quotient of large complex ones cancels."""
    size, sign = np.where(real(x) < 0, -x, x), np.where(real(x) < 0, -1, 1)
    return np.where(real(size) < 1, x / (1 + size), sign * (1 - 1 / (1 + size)))


def _mish(x: Any, a: float, b: float) -> Any:
    return x * tanh(softplus(x))


S, A = 1.0507009873554805, 1.6732632423543772
CURVES = (
    Curve("linear($x)", lambda x, a, b: x + 0, ends(-INF, 1.0), LINE),
    Curve("relu($x)", lambda x, a, b: relu(x), NONE, LINE, smooth=False),
    Curve("relu6($x)", lambda x, a, b: minimum(relu(x), 6.0), NONE, ends(6.0, 0.0), smooth=False),
    Curve("step($x)", lambda x, a, b: (real(x) > 0) + 0 * real(x), NONE, ONE, smooth=False, slopes=False),
    Curve("sigmoid($x)", lambda x, a, b: sigmoid(x), NONE, ONE),
    Curve("tanh($x)", lambda x, a, b: tanh(x), ends(-1.0, 0.0), ONE),
    Curve("softplus($x)", lambda x, a, b: softplus(x), NONE, LINE),
    Curve("log_sigmoid($x)", lambda x, a, b: -softplus(-x), ends(-INF, 1.0), NONE),
    Curve("hard_sigmoid($x, {a}, {b})", lambda x, a, b: clip(a * x + b, 0.0, 1.0), NONE, ONE, (0.1, 0.6), (0.1, 0.9),
          smooth=False),
    Curve("hard_tanh($x)", lambda x, a, b: clip(x, -1.0, 1.0), ends(-1.0, 0.0), ONE, smooth=False),
    Curve("arctan($x)", lambda x, a, b: np.arctan(x), ends(-math.pi / 2, 0.0), ends(math.pi / 2, 0.0)),
    Curve("softsign($x)", _softsign, ends(-1.0, 0.0), ONE),
    Curve("tanhshrink($x)", lambda x, a, b: _tanhshrink(x), ends(-INF, 1.0), LINE),
    Curve("soft_shrink($x, {a})",
          lambda x, a, b: np.where(real(x) > a, x - a, np.where(real(x) < -a, x + a, 0 * real(x))),
          ends(-INF, 1.0), LINE, (0.1, 2.0), smooth=False),
    Curve("hard_shrink($x, {a})", lambda x, a, b: np.where(np.abs(real(x)) > a, x, 0 * real(x)), ends(-INF, 1.0), LINE,
          (0.1, 2.0), smooth=False),
    Curve("leaky_relu($x, {a})", lambda x, a, b: np.where(real(x) > 0, x, a * x), lambda a, b: (-INF, a), LINE,
          (0.01, 2.0), smooth=False),
    Curve("prelu($x, tensor({a}))", lambda x, a, b: np.where(real(x) > 0, x, a * x), lambda a, b: (-INF, a), LINE,
          (0.01, 2.0), smooth=False),
    Curve("elu($x, {a})", _elu, lambda a, b: (-a, 0.0), LINE, (0.1, 3.0), smooth=False),
    Curve("elu($x)", lambda x, a, b: _elu(x, 1.0, b), ends(-1.0, 0.0), LINE, smooth=False),
    Curve("selu($x)", lambda x, a, b: S * _elu(x, A, b), ends(-S * A, 0.0), ends(INF, S), smooth=False),
    Curve("celu($x, {a})", lambda x, a, b: np.where(real(x) > 0, x, a * expm1(np.where(real(x) > 0, 0, x) / a)),
          lambda a, b: (-a, 0.0), LINE, (0.1, 3.0), smooth=False),
    Curve("silu($x)", lambda x, a, b: x * sigmoid(x), NONE, LINE),
    Curve("swish($x, {a})", lambda x, a, b: x * sigmoid(a * x), NONE, LINE, (0.1, 3.0)),
    Curve("hard_swish($x)", lambda x, a, b: np.where(real(x) >= 3, x, np.where(real(x) <= -3, 0, x * (x / 6 + 0.5))),
          NONE, LINE, smooth=False),
    Curve("mish($x)", _mish, NONE, LINE),
    Curve("gelu($x)", lambda x, a, b: gelu(x), NONE, LINE),
    Curve("gelu($x, approximate=true)", _gelu_tanh, NONE, LINE),
)  # fmt: skip


def _arguments(rng: np.random.Generator, curve: Curve) -> tuple[str, float, float]:
    a, b = number(rng, *curve.a), number(rng, *curve.b)
    return curve.text.format(a=a, b=b), a, b


@family("activations", seeds=15 * len(CURVES), sample=len(CURVES), double=True)
def activation(rng: np.random.Generator, seed: int) -> Setting:
    """A curve at numbers of one size, from 0.01 to 100."""
    curve = CURVES[seed % len(CURVES)]
    text, a, b = _arguments(rng, curve)
    shape = choose(rng, (4, 6), (25,), (2, 3, 4))
    x = normal(rng, *shape, scale=10 ** rng.uniform(-2, 1.3))
    away = np.abs(x) > 1e-3  # second derivatives come from differences, which must not step over the kink at 0
    second = curve.smooth and bool(away.all())
    return Setting(text, {"x": x}, lambda v: curve.f(v["x"], a, b), curve.wrt, elementwise=True, second=second)


FINITE = single([0.0, -0.0, 1e-37, -1e-37, 1e-20, -1e-20, 1e-7, -1e-7, 80.0, -80.0, 300.0, -300.0, 1e6, -1e6, 1e19,
                 -1e19, 3e38, -3e38])  # fmt: skip


@family("activations at extremes", seeds=2 * len(CURVES), sample=len(CURVES))
def extreme(rng: np.random.Generator, seed: int) -> Setting:
    """Zeros, tiny and huge numbers, by the oracle."""
    curve = CURVES[seed % len(CURVES)]
    text, a, b = _arguments(rng, curve)
    return Setting(text, {"x": FINITE}, lambda v: curve.f(v["x"], a, b), curve.wrt, elementwise=True)


@family("activations at infinity", seeds=2 * len(CURVES), sample=len(CURVES))
def infinite(rng: np.random.Generator, seed: int) -> Setting:
    """Values and slopes at the infinities are their limits."""
    curve = CURVES[seed % len(CURVES)]
    text, a, b = _arguments(rng, curve)
    (left, down), (right, up) = curve.left(a, b), curve.right(a, b)
    given = {"value": np.array([left, right])} | ({"slope x": np.array([down, up])} if curve.slopes else {})
    return Setting(text, {"x": np.array([-INF, INF])}, None, curve.wrt, given=given)


@family("activations of NaN", seeds=len(CURVES), sample=len(CURVES))
def unknown(rng: np.random.Generator, seed: int) -> Setting:
    """NaN stays NaN, so that it is seen."""
    text, _, _ = _arguments(rng, CURVES[seed % len(CURVES)])
    return Setting(text, {"x": np.array([NAN])}, None, wrt=(), given={"value": np.array([NAN])})


def _glu(x: Any, gate: Callable[[Any], Any]) -> Any:
    half = x.shape[-1] // 2
    return x[..., :half] * gate(x[..., half:])


def _groups(x: Any, pieces: int) -> Any:
    return largest(x.reshape(*x.shape[:-1], -1, pieces), -1)


@family("activations along an axis", seeds=220, sample=20)
def along(rng: np.random.Generator, seed: int) -> Setting:
    """softmax and its like, gates and maxout."""
    x = normal(rng, 3, 4, scale=10 ** rng.uniform(-1, 2)) + choose(rng, 0.0, 0.0, 1000.0)
    x = single(x)
    axis, t = choose(rng, 0, 1, -1), number(rng, 0.2, 5)
    cases: list[tuple[str, Callable[[Any], Any]]] = [
        (f"softmax($x, axis={axis})", lambda x: softmax(x, axis)),
        (f"softmax($x, temperature={t})", lambda x: softmax(x / t)),
        (f"log_softmax($x, axis={axis})", lambda x: log_softmax(x, axis)),
        (f"log_softmax($x, temperature={t})", lambda x: log_softmax(x / t)),
        (f"softmin($x, axis={axis})", lambda x: softmax(-x, axis)),
        ("glu($x)", lambda x: _glu(x, sigmoid)),
        ("glu($x, gate=tanh)", lambda x: _glu(x, tanh)),
        ("swiglu($x)", lambda x: _glu(x, lambda b: b * sigmoid(b))),
        ("maxout($x)", lambda x: _groups(x, 2)),
        ("maxout($x, pieces=4)", lambda x: _groups(x, 4)),
    ]
    text, f = cases[seed % len(cases)]
    kinks = "maxout" in text
    # a temperature is one more rounding of numbers of the size of x, which an exponential multiplies
    return Setting(text, {"x": x}, lambda v: f(v["x"]), second=not kinks and float(np.abs(x).max()) < 5, normwise=True)


@family("Maxout, PRelu of channels", seeds=40, sample=4)
def learned(rng: np.random.Generator, seed: int) -> Setting:
    """Layers that learn their transfer function."""
    if seed % 2:
        units, pieces, n = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(1, 6))
        parameters = {"dense.W": normal(rng, n, units * pieces), "dense.b": normal(rng, units * pieces)}
        return Setting(
            "$m($x)",
            {"x": normal(rng, 5, n)},
            lambda v: _groups(v["x"] @ v["dense.W"] + v["dense.b"], pieces),
            module=f"Maxout({units}, pieces={pieces})",
            parameters=parameters,
            normwise=True,
        )
    channels = int(rng.integers(1, 5))
    return Setting(
        "$m($x)",
        {"x": normal(rng, 2, channels, 3)},
        lambda v: np.where(real(v["x"]) > 0, v["x"], v["slope"][:, None] * v["x"]),
        module=f"PRelu(units={channels}, axis=1)",
        parameters={"slope": between(rng, -1, 2, channels)},
        wrt=("x", "slope"),
        normwise=True,
    )
