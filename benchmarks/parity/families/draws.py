"""Draws: distributions, initialisers and augmentation, which promise a distribution, bounds, or a set of results.

A moment of n draws is compared in units of its own deviation, of which six is allowed: seeds are fixed, so that a
suite that passed once passes again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.program import SEED, STEP
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import open_graph
from tests.support.oracles.initialisers import INITIALISERS, SHAPE, Moments

from ..analytic import Array
from ..judging import FAR
from ..running import FLOATS, OPTIONS
from ..setting import Direct, Outcome, Setting, between, family, normal, number, single

Values = Mapping[str, Any]


def drawn(lines: str, seed: int, dtype: DType, feeds: Mapping[str, Array] | None = None) -> dict[str, Array]:
    """The outputs of a model, for a seed."""
    program = elaborate(parse_spec(Source("draws.arch", f"model M():\n{lines}")), float_type=dtype)
    return _evaluated(program.infer, seed, dtype, feeds or {})


def _evaluated(graph: Any, seed: int, dtype: DType, feeds: Mapping[str, Array]) -> dict[str, Array]:
    session = open_graph(graph, {}, OPTIONS)
    given: dict[str, Any] = {SEED: np.array(seed), STEP: np.array(0), **feeds}
    wanted = {one.name: given[one.name] for one in session.handle.get_inputs()}
    wanted = {n: v.astype(FLOATS[dtype]) if v.dtype.kind == "f" else v for n, v in wanted.items()}
    names = [one.name for one in session.handle.get_outputs()]
    return dict(zip(names, session.handle.run(names, wanted), strict=True))


def deviations(name: str, draws: Array, of: Moments, kurtosis: float = 9.0) -> list[Outcome]:
    """Mean, variance and bounds of draws; an outcome is 1 where a moment is six deviations off."""
    draws = draws.astype(np.float64).reshape(-1)
    n = draws.size
    mean = abs(draws.mean() - of.mean) / (6 * math.sqrt(of.variance / n) + 1e-6 * abs(of.mean) + 1e-12)
    variance = abs(draws.var() - of.variance) / (6 * of.variance * math.sqrt(kurtosis / n) + 1e-12)
    found = [Outcome(f"mean {name}", mean, f"{draws.mean():.5g} for {of.mean:.5g}"),
             Outcome(f"variance {name}", variance, f"{draws.var():.5g} for {of.variance:.5g}")]  # fmt: skip
    if of.bound is not None:
        top = float(np.abs(draws).max())
        found.append(Outcome(f"bound {name}", FAR if top > of.bound * (1 + 1e-6) else 0.0, f"{top} of {of.bound}"))
    if not np.isfinite(draws).all():
        found.append(Outcome(f"finite {name}", FAR, "a draw is not finite"))
    return found


CALLS = tuple(INITIALISERS)


@family("initialisers", seeds=2 * len(CALLS), sample=6, units=1)
def initialiser(rng: np.random.Generator, seed: int) -> Direct:
    """60,000 draws of each initialiser and distribution."""
    call = CALLS[seed % len(CALLS)]

    def check() -> list[Outcome]:
        found = []
        for dtype in (DType.f32, DType.f64) if seed < len(CALLS) else (DType.f32,):
            lines = f"    param w: {list(SHAPE)} ~ {call}\n    output y = w\n"
            program = elaborate(parse_spec(Source("draws.arch", f"model M():\n{lines}")), float_type=dtype)
            draws = _evaluated(program.parameters["w"].initial, seed, dtype, {})["value"]
            found += deviations(str(dtype), draws, INITIALISERS[call], 12.0 if "sparse" in call else 9.0)
        return found

    return Direct(call, check)


@dataclass(frozen=True, slots=True)
class Sampler:
    """A distribution of integers or choices, as a share of each result."""

    call: str
    shares: tuple[float, ...]
    kind: str = "i64"


def _samplers(rng: np.random.Generator) -> list[Sampler]:
    p = number(rng, 0.05, 0.95)
    low, count = int(rng.integers(-5, 5)), int(rng.integers(1, 7))
    weights = rng.dirichlet(np.ones(4))
    weights = weights.round(3)
    weights[-1] = 1 - weights[:-1].sum()
    shares = tuple(float(w) for w in weights)
    rate = number(rng, 0.1, 12)
    return [
        Sampler(f"bernoulli({p})", (1 - p, p), "bool"),
        Sampler(f"bernoulli(constant([50000], {p}))", (1 - p, p), "bool"),
        Sampler(f"randint({low}, {low + count})", (1 / count,) * count),
        Sampler(f"categorical(tensor({list(shares)}))", shares),
        Sampler(f"poisson({rate})", tuple(float(w) for w in stats.poisson(rate).pmf(range(60)))),
        Sampler(f"binomial({count}, {p})", tuple(float(w) for w in stats.binom(count, p).pmf(range(count + 1)))),
    ]


@family("draws of whole numbers", seeds=60, sample=6, units=1)
def whole(rng: np.random.Generator, seed: int) -> Direct:
    """How often each result comes up in 50,000 draws."""
    sampler = _samplers(rng)[seed % 6]

    def check() -> list[Outcome]:
        lines = f"    input z: [1]\n    k: {sampler.kind}[50000] ~ {sampler.call}\n    output y = i64(k)\n"
        draws = drawn(lines, seed, DType.f32, {"z": np.zeros(1)})["y"]
        low = int(sampler.call.split("(")[1].split(",")[0]) if "randint" in sampler.call else 0
        counts = np.bincount(draws - low, minlength=len(sampler.shares)) / draws.size
        if len(counts) > len(sampler.shares):
            return [Outcome("range", FAR, f"{draws.max()} was drawn")]
        worst = max(abs(c - s) / (6 * math.sqrt(s * (1 - s) / draws.size) + 3 / draws.size)
                    for c, s in zip(counts, sampler.shares, strict=True))  # fmt: skip
        return [Outcome("shares", float(worst), f"{counts} for {sampler.shares}")]

    return Direct(sampler.call, check)


LOG_PROBABILITIES = 6


@family("log-probabilities", seeds=60, sample=LOG_PROBABILITIES)
def log_probability(rng: np.random.Generator, seed: int) -> Setting:
    """Densities and probabilities of draws."""
    mean, std, c = number(rng, -1, 1), number(rng, 0.2, 3), int(rng.integers(2, 6))
    x, k = normal(rng, 3, 4), rng.integers(0, c, 5)
    p = single(rng.dirichlet(np.ones(c), 5))
    bits, q = single(rng.integers(0, 2, 6)), between(rng, 0.01, 0.99, 6)

    def density(v: Values) -> Any:
        z = (v["x"] - mean) / std
        return (-z * z / 2 - math.log(std) - math.log(2 * math.pi) / 2).sum(-1)

    cases: list[tuple[str, dict[str, Array], Callable[[Values], Any], tuple[str, ...]]] = [
        (f"normal_log_prob($x, {mean}, {std})", {"x": x}, density, ("x",)),
        ("bernoulli_log_prob($b, $q)", {"b": bits, "q": q}, lambda v: np.log(np.where(bits > 0.5, v["q"], 1 - v["q"])),
         ("q",)),
        ("categorical_log_prob($k, $p)", {"k": k, "p": p},
         lambda v: np.log(np.take_along_axis(v["p"], k[:, None], 1)[:, 0]), ("p",)),
        ("straight_through(floor($x), $x * 2)", {"x": x}, lambda v: np.floor(v["x"].real) + 2j * np.imag(v["x"])
         if np.iscomplexobj(v["x"]) else np.floor(v["x"]), ("x",)),
        ("of_class($p, $k)", {"k": k, "p": p}, lambda v: np.take_along_axis(v["p"], k[:, None], 1)[:, 0], ("p",)),
        ("beta_symmetric([1], 1.0) * 0 + sum($x)", {"x": x}, lambda v: v["x"].sum().reshape(1), ("x",)),
    ]  # fmt: skip
    call, inputs, f, wrt = cases[seed % LOG_PROBABILITIES]
    return Setting(call, inputs, lambda v: np.asarray(f(v)), wrt, normwise=True)


# ---------------------------------------------------------------- initial values that are exact


@family("exact initial values", seeds=30, sample=4, units=64)
def exact(rng: np.random.Generator, seed: int) -> Setting:
    """Identities, fans, orthogonal matrices and spectral radii, whatever is drawn."""
    n, m = int(rng.integers(2, 6)), int(rng.integers(2, 6))
    gain, radius = number(rng, 0.5, 2), number(rng, 0.3, 1.5)
    few = min(n, m)
    if seed % 5 == 4 and seed % 2:
        gram = "transpose($m) @ $m" if n > m else "$m @ transpose($m)"
        return Setting(f"{gram} + $z", {"z": np.zeros(1)}, lambda v: gain**2 * np.eye(few) + v["z"], (),
                       f"orthogonal([{n}, {m}], {gain})", normwise=True, units=200)  # fmt: skip
    z = {"z": np.zeros(1)}
    cases: list[tuple[str, Any]] = [
        (f"identity([{n}, {m}], {gain}) + $z", gain * np.eye(n, m)),
        (f"float(max(abs(glorot_unshared([9, {n}, {m}]))) <= {math.sqrt(6 / (n + m)) * (1 + 1e-6)}) + $z", np.ones(1)),
        (f"float(fan_in([{n}, {m}, 3, 3])) + $z", np.array([m * 9.0])),
        (f"float(fan_out([{n}, {m}, 3])) + $z", np.array([n * 3.0])),
        (f"spectral_radius(sparse([{n}, {n}], 1.0, spectral_radius={radius})) + $z", np.array([radius])),
    ]
    call, want = cases[seed % len(cases)]
    return Setting(call, z, lambda v: np.asarray(want + v["z"]), wrt=(), normwise=True)


# ---------------------------------------------------------------- augmentation


def shift_of(image: Array, down: int, right: int) -> Array:
    """An image moved, with zeros where nothing comes in."""
    moved = np.zeros_like(image)
    h, w = image.shape[-2:]
    for i in range(h):
        for j in range(w):
            if 0 <= i + down < h and 0 <= j + right < w:
                moved[..., i, j] = image[..., i + down, j + right]
    return moved


@family("augmentation", seeds=24, sample=3, units=1)
def augmentation(rng: np.random.Generator, seed: int) -> Direct:
    """Every image that comes out is one of those that may: shifted by so much, one of its crops."""
    most, n = int(rng.integers(1, 3)), int(rng.integers(2, 5))
    x = normal(rng, 64, 2, 5, 5)
    kind = seed % 3
    call = (f"shifted(x, {most})", f"moved(5, {n}, floor(x[:, 0, 0, 0]))", f"near(5, floor(x[:, 0, 0, 0]), {n})")[kind]

    def check() -> list[Outcome]:
        lines = f"    input x: [64, 2, 5, 5]\n    output y = float({call})\n" if kind == 2 else (
            f"    input x: [64, 2, 5, 5]\n    output y = {call}\n")  # fmt: skip
        y = drawn(lines, seed, DType.f32, {"x": x})["y"]
        if kind == 0:
            may = [shift_of(x, i, j) for i in range(-most, most + 1) for j in range(-most, most + 1)]
            fits = np.array([[np.allclose(y[b], one[b], atol=1e-6) for one in may] for b in range(64)])
            all_seen = fits.any(0).mean()
            return [Outcome("one of the shifts", 0.0 if fits.any(1).all() else FAR),
                    Outcome("shifts that occur", 0.0 if all_seen > 0.6 else FAR, f"{all_seen:.0%}")]  # fmt: skip
        at = np.floor(x[:, 0, 0, 0])[:, None]
        if kind == 1:
            want = ((at + np.arange(n))[:, :, None] == np.arange(5)).astype(float)
        else:
            offset = np.arange(5)[None] - at + n // 2
            want = ((offset >= 0) & (offset < n)).astype(float)
        return [Outcome("places", 0.0 if np.array_equal(y, want) else FAR)]

    return Direct(call, check)
