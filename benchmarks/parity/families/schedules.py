"""Schedules at every step up to twice their length, with ordinary and with degenerate arguments."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import open_graph

from ..analytic import Array
from ..judging import FAR, SINGLE, compare
from ..running import FLOATS, OPTIONS
from ..setting import Direct, Outcome, choose, family, number

Rate = Callable[[float], float]


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


def _restarts(start: float, period: float, growth: float, end: float) -> Rate:
    def rate(t: float) -> float:
        since, length = t - 1, period
        while since >= length:
            since, length = since - length, length * growth
        return _cosine(start, end, since / length)

    return rate


def _linear(peak: float, warmup: int, total: int) -> Rate:
    """Rises, falls, holds at 0; with nothing to rise over it starts at the peak."""

    def rate(t: float) -> float:
        if t < warmup:
            return peak * t / warmup
        if t >= total:
            return 0.0 if total > warmup or t > total else peak
        return peak * (total - t) / (total - warmup)

    return rate


def _warm(peak: float, warmup: int, total: int) -> Rate:
    def rate(t: float) -> float:
        if t < warmup:
            return peak * t / warmup
        return _cosine(peak, 0.0, min((t - warmup) / (total - warmup), 1.0)) if total > warmup else peak * (t <= total)

    return rate


def _one_cycle(peak: float, total: int, rising: float, start: float, end: float) -> Rate:
    def rate(t: float) -> float:
        u = min((t - 1) / (total - 1), 1.0)
        if u < rising:
            return peak * _cosine(start, 1.0, u / rising)
        return peak * _cosine(1.0, end, (u - rising) / (1 - rising))

    return rate


KINDS = 11


def _case(rng: np.random.Generator, kind: int) -> tuple[str, Rate, int]:
    """A call, its rate for t = 1, 2, ..., and how many steps it is about."""
    start, end, factor = number(rng, 1e-3, 2), number(rng, 0, 0.5), number(rng, 0.1, 0.99)
    total, every = int(rng.integers(2, 60)), int(rng.integers(1, 12))
    warmup, power = int(rng.integers(1, total)), number(rng, 0.5, 3)
    rising, low = number(rng, 0.05, 0.95), number(rng, 0.001, 0.2)
    growth = choose(rng, 1.0, 2.0, 1.5, 3.0)
    first, second = sorted(int(i) for i in rng.choice(np.arange(1, 80), 2, replace=False))
    cases: list[tuple[str, Rate, int]] = [
        (f"step_decay({start}, {every}, {factor})", lambda t: start * factor ** ((t - 1) // every), 60),
        (f"exponential_decay({start}, {factor}, every={every})", lambda t: start * factor ** ((t - 1) / every), 60),
        (f"inverse_time_decay({start}, {factor}, every={every})", lambda t: start / (1 + factor * (t - 1) / every), 60),
        (f"polynomial_decay({start}, {total}, {end}, {power})",
         lambda t: end + (start - end) * max(1 - (t - 1) / total, 0) ** power, total),
        (f"cosine_decay({start}, {total}, {end})", lambda t: _cosine(start, end, min((t - 1) / total, 1)), total),
        (f"cosine_restarts({start}, {total}, {growth}, {end})", _restarts(start, total, growth, end), 2 * total),
        (f"piecewise_constant([{first}, {second}], [{start}, {end}, {low}])",
         lambda t: start if t <= first else end if t <= second else low, 80),
        (f"warmup({warmup}, cosine_decay({start}, {total}))",
         lambda t: min(t / warmup, 1) * _cosine(start, 0, min((t - 1) / total, 1)), total),
        (f"warmup_linear({start}, {warmup}, {total})", _linear(start, warmup, total), total),
        (f"warmup_cosine({start}, {warmup}, {total})", _warm(start, warmup, total), total),
        (f"one_cycle({start}, {total}, {rising}, {low}, {low / 1000})",
         _one_cycle(start, total, rising, low, low / 1000), total),
        (f"noam({16 * every}, {warmup}, {start})",
         lambda t: start * (16 * every) ** -0.5 * min(t**-0.5, t * warmup**-1.5), total),
    ]  # fmt: skip
    return cases[kind]


def rates(call: str, steps: Array, dtype: DType) -> Array:
    """What a schedule gives at these steps; SpecError if it is refused."""
    text = f"model M():\n    input t: i64[]\n    output rate = float({call}(t))\n"
    program = elaborate(parse_spec(Source("schedule.arch", text)), float_type=dtype)
    session = open_graph(program.infer, {}, OPTIONS)
    feeds = [{"t": np.array(int(t))} for t in steps]
    return np.array([session.handle.run(None, feed if program.infer.inputs else {})[0] for feed in feeds])


@family("schedules", seeds=12 * 12, sample=12, units=64)
def schedule(rng: np.random.Generator, seed: int) -> Direct:
    """Each schedule with random arguments."""
    call, rate, length = _case(rng, seed % (KINDS + 1))
    steps = np.arange(1, 2 * length + 2)
    want = np.array([rate(float(t)) for t in steps])
    # a rate of 0 at the end of a cosine is one of 1 + cos(pi): rounding counts by the largest rate
    scale = np.abs(want) + np.abs(want).max()

    def check() -> list[Outcome]:
        found = []
        for dtype in FLOATS:
            got = rates(call, steps, dtype)
            found.append(_jumps(f"rate {dtype}", got, want, scale, rate, steps, dtype))
        return found

    return Direct(call, check)


def _jumps(what: str, got: Array, want: Array, scale: Array, rate: Rate, steps: Array, dtype: DType) -> Outcome:
    """Compared, but for steps within rounding of a jump, where the rate of either side is right."""
    at = 8 * (SINGLE if dtype is DType.f32 else 2.0**-53)
    before, after = (np.array([rate(float(t) * (1 + sign * at)) for t in steps]) for sign in (-1, 1))
    jump = np.abs(before - after) > 1e-3 * np.abs(want).max()
    near = jump & (np.minimum(abs(got - before), abs(got - after)) <= 64 * SINGLE * scale)
    return compare(what, np.where(near, want, got), want, scale, dtype=dtype)


DEGENERATE: tuple[tuple[str, int, Rate], ...] = (
    ("one_cycle(1.0, 1)", 1, lambda t: 4e-6 if t > 1 else math.nan),
    ("one_cycle(1.0, 2)", 2, _one_cycle(1.0, 2, 0.3, 0.04, 4e-6)),
    ("warmup_cosine(1.0, 4, 4)", 4, lambda t: t / 4 if t < 4 else math.nan),
    ("warmup_linear(1.0, 4, 4)", 4, lambda t: t / 4 if t < 4 else math.nan),
    ("warmup_cosine(1.0, 4, 9)", 9, _warm(1.0, 4, 9)),
    ("warmup_linear(1.0, 4, 9)", 9, _linear(1.0, 4, 9)),
    ("warmup_cosine(1.0, 0, 9)", 9, _warm(1.0, 0, 9)),
    ("warmup_linear(1.0, 0, 9)", 9, _linear(1.0, 0, 9)),
    ("warmup(0, 0.5)", 3, lambda t: 0.5),
    ("cosine_decay(1.0, 1)", 1, lambda t: 1.0 if t == 1 else 0.0),
    ("polynomial_decay(1.0, 1)", 1, lambda t: 1.0 if t == 1 else 0.0),
    ("polynomial_decay(1.0, 3, power=0.0)", 3, lambda t: 1.0),
    ("cosine_restarts(1.0, 1)", 3, lambda t: 1.0),
    ("one_cycle(1.0, 10, rising=0.0)", 10, _one_cycle(1.0, 10, 0.0, 0.04, 4e-6)),
    ("one_cycle(1.0, 10, rising=1.0)", 10, lambda t: _cosine(0.04, 1.0, min((t - 1) / 9, 1)) if t < 10 else math.nan),
    ("step_decay(1.0, 1, 0.0)", 3, lambda t: 1.0 if t == 1 else 0.0),
    ("exponential_decay(1.0, 0.0)", 3, lambda t: 1.0 if t == 1 else 0.0),
    ("noam(1, 1)", 3, lambda t: t**-0.5),
    ("piecewise_constant([], [0.3])", 3, lambda t: 0.3),
)
"""Arguments at the end of what makes sense: a rate is a finite number, or the call is refused; NaN here says that any
number between 0 and the peak is right."""


@family("degenerate schedules", seeds=len(DEGENERATE), sample=len(DEGENERATE), units=64)
def degenerate(rng: np.random.Generator, seed: int) -> Direct:
    """Nothing to rise over, nothing to fall over, one step in all."""
    call, total, rate = DEGENERATE[seed]

    def check() -> list[Outcome]:
        steps = np.arange(1, 2 * total + 3)
        want = np.array([rate(float(t)) for t in steps])
        try:
            got = rates(call, steps, DType.f32)
        except SpecError:
            return [Outcome("refused", 0.0)]
        free = np.isnan(want) & (got >= 0) & (got <= 1)
        want = np.where(np.isnan(want), np.where(free, got, FAR), want)
        return [compare("rate f32", got, want.astype(np.float64), np.abs(want) + 1)]

    return Direct(call, check)
