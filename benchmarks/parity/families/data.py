"""Transformations of columns: what is learned of rows that have a value, and what is made of it; parts of dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from ..analytic import Array, absolute
from ..setting import Setting, choose, family, normal, number, single

KINDS = 17


@family("transformations of columns", seeds=10 * KINDS, sample=2 * KINDS, units=32)
def transformation(rng: np.random.Generator, seed: int) -> Setting:
    """Of matrices with missing values; the slope is compared where there are none."""
    n, c = int(rng.integers(3, 12)), int(rng.integers(1, 4))
    x = normal(rng, n, c)
    whole = seed % 2 == 0
    if not whole:
        x[rng.integers(0, n, c), np.arange(c)] = np.nan
    kind = seed // 2 % KINDS
    k, q = int(rng.integers(2, 5)), number(rng, 0.05, 0.95)
    low = number(rng, 0.05, 0.45)
    quantile = np.nanquantile
    edges = sorted({number(rng, -2, 2) for _ in range(k)})
    points = 2 * k + 1
    group = rng.integers(0, k, n)

    def middle(x: Any) -> Any:
        return (x - quantile(x, 0.5, 0)) / (quantile(x, 0.75, 0) - quantile(x, low, 0))

    def deviation(x: Any) -> Any:
        d = x - np.nanmean(x, 0)
        return np.sqrt(np.nanmean(d * d, 0))

    def filled(x: Any, by: Callable[..., Any]) -> Array:
        return np.asarray(np.where(np.isnan(x), by(x, axis=0), x))

    def grouped(x: Any) -> Array:
        held = [x[(group == i) & ~np.isnan(x[:, 0]), 0] for i in range(k)]
        return np.stack([one.mean() if len(one) else np.nanmean(x[:, 0]) for one in held])

    def uniform(x: Any) -> Array:
        return np.stack([_share(x[:, j], quantile(x[:, j], np.linspace(0, 1, points))) for j in range(c)], axis=1)

    cases: list[tuple[str, Callable[[Any], Any], bool]] = [
        ("nanmean($x)", lambda x: np.nanmean(x, 0), True),
        ("nanvar($x)", lambda x: deviation(x) ** 2, True),
        ("[nanmin($x), nanmax($x)][0]", lambda x: np.nanmin(x, 0), False),
        ("nanmax($x)", lambda x: np.nanmax(x, 0), False),
        (f"quantiles($x, [{low}, {q}])", lambda x: quantile(x, [low, q], 0), False),
        (f"nanquantile($x, {q})", lambda x: quantile(x, q, 0), False),
        ("nanmedian($x)", lambda x: np.nanmedian(x, 0), False),
        ("standardise($x)", lambda x: (x - np.nanmean(x, 0)) / deviation(x), True),
        (f"min_max($x, {-k}, {q})",
         lambda x: -k + (x - np.nanmin(x, 0)) / (np.nanmax(x, 0) - np.nanmin(x, 0)) * (q + k), False),
        ("max_abs($x)", lambda x: x / np.nanmax(absolute(x), 0), False),
        (f"robust($x, {low})", middle, False),
        (f"quantile_transform($x, {points})", uniform, False),
        (choose(rng, "impute($x)", "impute($x, mean)"), lambda x: filled(x, np.nanmean), False),
        (f"buckets(where(isnan($x), 0, $x), {edges})",
         lambda x: np.searchsorted(single(edges), np.nan_to_num(x), "right"), False),
        (f"quantile_buckets($x, {k})",
         lambda x: (x[:, None] >= quantile(x, np.arange(1, k) / k, 0)).sum(1), False),
        (f"width_buckets($x, {k})", lambda x: (x[:, None] >= _steps(x, k)).sum(1), False),
        (f"group_mean($x[:, 0], $group, {k})", grouped, True),
    ]  # fmt: skip
    call, f, smooth = cases[kind]
    slopes = ("x",) if smooth and whole else ()
    inputs = {"x": x} | ({"group": group} if "$group" in call else {})
    return Setting(call, inputs, lambda v: np.asarray(f(v["x"])), slopes, normwise=True)


def _steps(x: Any, k: int) -> Array:
    """Edges of intervals of equal width, away from the numbers that lie on them."""
    low, high = np.nanmin(x, 0), np.nanmax(x, 0)
    return np.stack([low + (high - low) * i / k for i in range(1, k)])


def _share(x: Any, cuts: Array) -> Array:
    """The share of a distribution with these quantiles that is below."""
    return np.asarray(np.where(np.isnan(x), x, np.interp(x, cuts, np.linspace(0, 1, len(cuts)))))


PARTS: tuple[tuple[str, Callable[[datetime], float]], ...] = (
    ("year", lambda t: t.year),
    ("month", lambda t: t.month),
    ("day", lambda t: t.day),
    ("day_of_year", lambda t: t.timetuple().tm_yday),
    ("weekday", lambda t: t.weekday()),
    ("hour", lambda t: t.hour),
    ("minute", lambda t: t.minute),
    ("second", lambda t: t.second),
    ("civil", lambda t: t.day),
    ("cyclic", lambda t: np.sin(t.hour * np.pi / 12)),
)


@family("dates", seeds=10 * len(PARTS), sample=len(PARTS))
def dates(rng: np.random.Generator, seed: int) -> Setting:
    """Parts of dates of the years 1 to 9999, which Python has."""
    name, f = PARTS[seed % len(PARTS)]
    first, last = -62_135_596_800, 253_402_300_799
    seconds = rng.integers(first, last, 20)
    text = {"civil": "civil($t).day", "cyclic": "cyclic(hour($t), 24)[:, 0]"}.get(name, f"{name}($t)")
    moments = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(s)) for s in seconds]
    return Setting(text, {"t": seconds}, lambda v: np.array([f(t) for t in moments]), (), normwise=True)
