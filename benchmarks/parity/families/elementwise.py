"""Functions of one and two numbers, where they are defined, near the edges of that, and at extremes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..analytic import Array, absolute, clip, erf, expm1, real, sigmoid, softplus, tanh
from ..setting import Setting, between, choose, family, normal, number, single

INF, NAN = math.inf, math.nan


@dataclass(frozen=True, slots=True)
class Function:
    """A function of one number.

    Attributes:
        text: how a spec calls it.
        f: what it is.
        domain: from where to where it is tried.
        ends: its values at -inf and inf.
        slopes: whether there is a gradient to compare.
        smooth: whether it has second derivatives in the domain.
    """

    text: str
    f: Callable[[Any], Any]
    domain: tuple[float, float] = (-20.0, 20.0)
    ends: tuple[float, float] = (NAN, NAN)
    slopes: bool = True
    smooth: bool = True


def _sinc(x: Any) -> Any:
    u = math.pi * x
    series = 1 + 0 * u
    for n in range(8, 0, -1):  # the slope of the quotient cancels near 0
        series = 1 - u * u / (2 * n * (2 * n + 1)) * series
    return np.where(np.abs(real(u)) < 1, series, np.sin(u) / np.where(real(u) == 0, 1, u))


def _cbrt(x: Any) -> Any:
    return np.sign(real(x)) * np.exp(np.log(absolute(x)) / 3)


FUNCTIONS = (
    Function("abs($x)", absolute, ends=(INF, INF), smooth=False),
    Function("exp($x)", np.exp, ends=(0.0, INF)),
    Function("expm1($x)", expm1, ends=(-1.0, INF)),
    Function("log($x)", np.log, (1e-6, 50.0), (NAN, INF)),
    Function("log1p($x)", np.log1p, (-0.99, 50.0), (NAN, INF)),
    Function("sqrt($x)", np.sqrt, (1e-6, 50.0), (NAN, INF)),
    Function("sin($x)", np.sin),
    Function("cos($x)", np.cos),
    Function("tan($x)", np.tan, (-1.5, 1.5)),
    Function("asin($x)", np.arcsin, (-0.999, 0.999)),
    Function("acos($x)", np.arccos, (-0.999, 0.999)),
    Function("atan($x)", np.arctan, ends=(-math.pi / 2, math.pi / 2)),
    Function("sinh($x)", np.sinh, (-9.0, 9.0), (-INF, INF)),
    Function("cosh($x)", np.cosh, (-9.0, 9.0), (INF, INF)),
    Function("tanh($x)", tanh, ends=(-1.0, 1.0)),
    Function("asinh($x)", np.arcsinh, ends=(-INF, INF)),
    Function("acosh($x)", np.arccosh, (1.001, 50.0), (NAN, INF)),
    Function("atanh($x)", np.arctanh, (-0.999, 0.999)),
    Function("erf($x)", erf, (-4.0, 4.0), (-1.0, 1.0)),
    Function("floor($x)", lambda x: np.floor(real(x)), ends=(-INF, INF), slopes=False),
    Function("ceil($x)", lambda x: np.ceil(real(x)), ends=(-INF, INF), slopes=False),
    Function("round($x)", lambda x: np.round(real(x)), ends=(-INF, INF), slopes=False),
    Function("sign($x)", lambda x: np.sign(real(x)), ends=(-1.0, 1.0), slopes=False),
    Function("trunc($x)", lambda x: np.trunc(real(x)), ends=(-INF, INF), slopes=False),
    Function("square($x)", lambda x: x * x, ends=(INF, INF)),
    Function("reciprocal($x)", lambda x: 1 / x, (0.01, 50.0), (0.0, 0.0)),
    Function("rsqrt($x)", lambda x: 1 / np.sqrt(x), (0.01, 50.0), (NAN, 0.0)),
    Function("safe_sqrt($x)", np.sqrt, (1e-6, 50.0), smooth=False),
    Function("cbrt($x)", _cbrt, (0.01, 50.0), (-INF, INF)),
    Function("cbrt(-$x)", lambda x: -_cbrt(x), (0.01, 50.0), (INF, -INF)),
    Function("exp2($x)", lambda x: np.exp(x * math.log(2)), ends=(0.0, INF)),
    Function("log2($x)", lambda x: np.log(x) / math.log(2), (1e-6, 50.0), (NAN, INF)),
    Function("log10($x)", lambda x: np.log(x) / math.log(10), (1e-6, 50.0), (NAN, INF)),
    Function("logit($x)", lambda x: np.log(x) - np.log1p(-x), (0.05, 0.95)),
    Function("degrees($x)", lambda x: x * (180 / math.pi), ends=(-INF, INF)),
    Function("radians($x)", lambda x: x * (math.pi / 180), ends=(-INF, INF)),
    Function("sinc($x)", _sinc, (-3.0, 3.0)),
    Function("nan_to_num($x)", lambda x: x + 0, smooth=False),
    Function("$x ** 3", lambda x: x * x * x, ends=(-INF, INF)),
    Function("$x ** 2.5", lambda x: np.exp(2.5 * np.log(x)), (0.01, 20.0)),
    Function("$x ** -1", lambda x: 1 / x, (0.01, 20.0), (0.0, 0.0)),
    Function("2.5 ** $x", lambda x: np.exp(x * math.log(2.5)), ends=(0.0, INF)),
)


@family("functions of one number", seeds=12 * len(FUNCTIONS), sample=len(FUNCTIONS), units=64)
def one(rng: np.random.Generator, seed: int) -> Setting:
    """Numbers of the domain, some of them close to its middle."""
    function = FUNCTIONS[seed % len(FUNCTIONS)]
    low, high = function.domain
    x = between(rng, low, high, 20)
    if low < 0 < high:
        x = single(x * 10 ** rng.uniform(-3, 0))
    smooth = function.smooth and function.slopes and float(np.abs(x).min()) > 1e-4
    wrt = ("x",) if function.slopes else ()
    return Setting(function.text, {"x": x}, lambda v: function.f(v["x"]), wrt, elementwise=True, second=smooth)


def _setting(text: str, inputs: dict[str, Array], oracle: Callable[[Any], Any], wrt: tuple[str, ...]) -> Setting:
    return Setting(text, inputs, oracle, wrt=wrt, elementwise=True)


WITH_LIMITS = tuple(f for f in FUNCTIONS if not all(map(math.isnan, f.ends)))


@family("functions at infinity", seeds=len(WITH_LIMITS), sample=len(WITH_LIMITS))
def at_infinity(rng: np.random.Generator, seed: int) -> Setting:
    """Limits, where there are any, and NaN for NaN."""
    function = WITH_LIMITS[seed]
    x = np.array([-INF, INF, NAN])
    return Setting(function.text, {"x": x}, None, wrt=(), given={"value": np.array([*function.ends, NAN])})


def _logaddexp(a: Any, b: Any) -> Any:
    return np.where(real(a) > real(b), a + softplus(b - a), b + softplus(a - b))


def _atan2(y: Any, x: Any) -> Any:
    z = x + 0 * y
    turn = np.where(real(z) < 0, np.where(real(y) < 0, -math.pi, math.pi), 0.0)
    return np.arctan(y / x) + turn


def _fmod(x: Any, y: Any) -> Any:
    return x - y * np.trunc(real(x) / real(y))


BOTH = ("x", "y")
TWO: tuple[tuple[str, Callable[[Any, Any], Any], tuple[str, ...]], ...] = (
    ("$x + $y", lambda x, y: x + y, BOTH),
    ("$x - $y", lambda x, y: x - y, BOTH),
    ("$x * $y", lambda x, y: x * y, BOTH),
    ("$x / $y", lambda x, y: x / y, BOTH),
    ("$x % $y", lambda x, y: x - y * np.floor(real(x) / real(y)), BOTH),
    ("abs($x) ** $y", lambda x, y: np.exp(y * np.log(absolute(x))), BOTH),
    ("max($x, $y)", lambda x, y: np.where(real(x) > real(y), x + 0 * y, y + 0 * x), BOTH),
    ("min($x, $y)", lambda x, y: np.where(real(x) < real(y), x + 0 * y, y + 0 * x), BOTH),
    ("hypot($x, $y)", lambda x, y: np.sqrt(x * x + y * y), BOTH),
    ("atan2($x, $y)", _atan2, BOTH),
    ("logaddexp($x, $y)", _logaddexp, BOTH),
    ("fmod($x, $y)", _fmod, BOTH),
    ("fmod_pair($x, $y)", _fmod, BOTH),
    ("copysign($x, $y)", lambda x, y: np.where(real(y) < 0, -absolute(x), absolute(x)) + 0 * y, ("x",)),
    ("lerp($x, $y, 0.3)", lambda x, y: x + 0.3 * (y - x), BOTH),
    ("gap($x, $y)", lambda x, y: x - y, BOTH),
    ("multiply($x, $y)", lambda x, y: x * y, BOTH),
    ("hypot_pair($x, $y)", lambda x, y: np.sqrt(x * x + y * y), BOTH),
    ("atan2_pair($x, $y)", _atan2, BOTH),
    ("logaddexp_pair($x, $y)", _logaddexp, BOTH),
    ("weighted($x, $y)", lambda x, y: x * y, BOTH),
    ("xlogy($x, abs($y))", lambda x, y: x * np.log(absolute(y)), BOTH),
    ("where($x > $y, $x, 2 * $y)", lambda x, y: np.where(real(x) > real(y), x + 0 * y, 2 * y + 0 * x), BOTH),
    ("isclose($x, $y)", lambda x, y: np.isclose(x, y, rtol=1e-5, atol=1e-8), ()),
    ("allclose($x, $y, rtol=0.5, atol=3)", lambda x, y: np.allclose(x, y, rtol=0.5, atol=3), ()),
    ("logical_xor($x > 0, $y > 0)", lambda x, y: (x > 0) != (y > 0), ()),
    ("$x > $y and $x > 0 or not ($y < 1)", lambda x, y: ((x > y) & (x > 0)) | ~(y < 1), ()),
)


@family("functions of two numbers", seeds=12 * len(TWO), sample=len(TWO))
def two(rng: np.random.Generator, seed: int) -> Setting:
    """Numbers of like and of unlike size."""
    text, f, wrt = TWO[seed % len(TWO)]
    scales = 10 ** rng.uniform(-1, 1, 2)
    x, y = (normal(rng, 18, scale=scale) for scale in scales)
    return _setting(text, {"x": x, "y": y}, lambda v: f(v["x"], v["y"]), wrt)


TINY, HUGE = 2.0**-100, 2.0**100
PAIRS: tuple[tuple[str, list[float], list[float], list[float]], ...] = (
    ("hypot($x, $y)", [0, 3 * HUGE, 3 * TINY, INF], [0, 4 * HUGE, 4 * TINY, 1], [0, 5 * HUGE, 5 * TINY, INF]),
    ("atan2($x, $y)", [0.0, -0.0, 0.0, -0.0, 1, -1, INF, INF, -INF, 1], [1, 1, -1, -1, 0, 0, INF, -INF, 1, INF],
     [0, -0.0, math.pi, -math.pi, math.pi / 2, -math.pi / 2, math.pi / 4, 3 * math.pi / 4, -math.pi / 2, 0]),
    ("logaddexp($x, $y)", [INF, -INF, -INF, INF, 1000, 3], [INF, -INF, 3, -INF, 1000, -HUGE],
     [INF, -INF, 3, INF, 1000 + math.log(2), 3]),
    ("copysign($x, $y)", [1, -2, INF, 0.0], [-0.0, 0.0, -1, -1], [-1, 2, -INF, -0.0]),
    ("fmod($x, $y)", [7, -7, 7, -7, 1], [3, 3, -3, -3, INF], [1, -1, 1, -1, 1]),
    ("gap($x, $y)", [INF, -INF, INF], [INF, -INF, -INF], [0, 0, INF]),
    ("nan_to_num($x, posinf=9) + 0 * $y", [NAN, INF, -INF, 2], [1, 1, 1, 1], [0, 9, -3.4028234e38, 2]),
    ("max($x, $y)", [1, INF, -INF, 2], [2, 1, 1, 2], [2, INF, 1, 2]),
    ("$x ** $y", [0, 0, 2, 1, INF], [0, 2, 10, INF, 0.5], [1, 0, 1024, 1, INF]),
    ("safe_sqrt($x) * $y", [0, 2.0**-120, 9], [1, 1, 1], [0, 2.0**-60, 3]),
)  # fmt: skip


@family("functions of two numbers at extremes", seeds=len(PAIRS), sample=len(PAIRS))
def pair(rng: np.random.Generator, seed: int) -> Setting:
    """Zeros with signs, infinities and numbers whose squares leave the range."""
    text, x, y, want = PAIRS[seed]
    return Setting(text, {"x": single(x), "y": single(y)}, None, wrt=(), given={"value": np.asarray(want, float)})


TESTS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("isnan($x)", np.isnan),
    ("isinf($x)", np.isinf),
    ("isfinite($x)", np.isfinite),
    ("signbit($x)", np.signbit),
    ("isclose($x, $x)", lambda x: np.isclose(x, x)),
)


@family("tests of numbers", seeds=len(TESTS), sample=len(TESTS))
def tests(rng: np.random.Generator, seed: int) -> Setting:
    """Which numbers are finite, negative and so on."""
    text, f = TESTS[seed]
    x = single([0.0, -0.0, 1.5, -1.5, INF, -INF, NAN, 3e38])
    return Setting(text, {"x": x}, lambda v: f(v["x"]), wrt=())


@family("clip", seeds=40, sample=4)
def clipped(rng: np.random.Generator, seed: int) -> Setting:
    """Held between two numbers, as floats and as integers."""
    low, high = sorted((number(rng, -2, 2), number(rng, -2, 2)))
    name = choose(rng, "clip", "clamp")
    if seed % 3 == 0:
        k = rng.integers(-9, 9, (3, 4))
        return Setting(f"{name}($x, -4, 5)", {"x": k}, lambda v: np.clip(v["x"], -4, 5), wrt=())
    x = normal(rng, 20, scale=2)
    return _setting(f"{name}($x, {low}, {high})", {"x": x}, lambda v: clip(v["x"], low, high), ("x",))


@family("compositions", seeds=150, sample=8)
def composed(rng: np.random.Generator, seed: int) -> Setting:
    """A random chain of smooth functions, with gradients of first and second order."""
    smooth: list[tuple[str, Callable[[Any], Any]]] = [
        ("sin({})", np.sin), ("tanh({})", tanh), ("sigmoid({})", sigmoid), ("softplus({})", softplus),
        ("square({})", lambda u: u * u), ("exp(-square({}))", lambda u: np.exp(-u * u)), ("atan({})", np.arctan),
        ("rsqrt(1 + square({}))", lambda u: 1 / np.sqrt(1 + u * u)), ("erf({})", erf), ("log1p(square({}))",
                                                                                  lambda u: np.log1p(u * u)),
    ]  # fmt: skip
    chain = [smooth[int(i)] for i in rng.integers(0, len(smooth), int(rng.integers(2, 6)))]
    text, a, b = "$x", number(rng, 0.5, 2), number(rng, -1, 1)
    for part, _ in chain:
        text = part.format(text)

    def f(u: Any) -> Any:
        y = u
        for _, g in chain:
            y = g(y)
        return y * (a * u + b)

    return Setting(f"{text} * ({a} * $x + {b})", {"x": normal(rng, 12)}, lambda v: f(v["x"]), elementwise=True,
                   second=True, normwise=True)  # fmt: skip
