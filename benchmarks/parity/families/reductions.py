"""Reductions, running ones, and sums so long that the order of adding matters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..analytic import Array, absolute, largest, logsumexp, real, safe_sqrt
from ..setting import Setting, choose, family, normal, number, single

Axis = int | tuple[int, ...] | None


def _axes(rng: np.random.Generator, rank: int) -> tuple[str, Axis]:
    """An axis as a spec and as NumPy write it."""
    count = int(rng.integers(0, rank + 1))
    if count == 0:
        return "none", None
    axes = tuple(int(a) for a in rng.choice(rank, count, replace=False))
    axes = tuple(a - rank if rng.integers(2) else a for a in axes)
    return (str(axes[0]), axes[0]) if count == 1 else (str(list(axes)), axes)


def _largest(x: Any, axis: Axis, keep: bool) -> Array:
    """The largest over several axes, moved to the end as one."""
    rank = np.ndim(x)
    axes = tuple(range(rank)) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = tuple(a % rank for a in axes)
    rest = [a for a in range(rank) if a not in axes]
    moved = np.transpose(x, [*rest, *axes]).reshape([x.shape[a] for a in rest] + [-1])
    y = largest(moved, -1)
    return y.reshape([1 if a in axes else x.shape[a] for a in range(rank)]) if keep else y


def _lse(x: Any, axis: Axis, keep: bool) -> Array:
    top = real(x).max(axis, keepdims=True)
    y = np.log(np.exp(x - top).sum(axis, keepdims=True)) + top
    return np.asarray(y if keep else y.sum(axis) if axis is not None else y.sum())


def _var(x: Any, axis: Axis, keep: bool, ddof: int = 0) -> Array:
    d = x - x.mean(axis, keepdims=True)
    count = x.size / d.sum(axis, keepdims=True).size
    return np.asarray((d * d).sum(axis, keepdims=keep) / (count - ddof))


def _norm(x: Any, order: float, axis: Axis, keep: bool) -> Array:
    if order == math.inf:
        return _largest(absolute(x), axis, keep)
    if order == -math.inf:
        return -_largest(-absolute(x), axis, keep)
    if order == 2:
        return safe_sqrt((x * x).sum(axis, keepdims=keep))
    return np.asarray((np.exp(order * np.log(absolute(x)))).sum(axis, keepdims=keep) ** (1 / order))


KINDS = 17


@family("reductions", seeds=20 * KINDS, sample=2 * KINDS)
def reduction(rng: np.random.Generator, seed: int) -> Setting:
    """Over one axis, several or all, kept or not."""
    rank = int(rng.integers(1, 4))
    shape = tuple(int(n) for n in rng.integers(2, 5, rank))
    x = normal(rng, *shape)
    text, axis = _axes(rng, rank)
    keep = bool(rng.integers(2))
    at = f"axis={text}, keep={str(keep).lower()}"
    order = choose(rng, 1.0, 2.0, 3.0, number(rng, 1.2, 5))
    cases: list[tuple[str, Callable[[Any], Any], bool, bool]] = [
        (f"sum($x, {at})", lambda x: x.sum(axis, keepdims=keep), True, True),
        (f"mean($x, {at})", lambda x: x.mean(axis, keepdims=keep), True, True),
        (f"prod($x, {at})", lambda x: x.prod(axis, keepdims=keep), True, True),
        (f"max($x, {at})", lambda x: _largest(x, axis, keep), True, False),
        (f"min($x, {at})", lambda x: -_largest(-x, axis, keep), True, False),
        (f"logsumexp($x, {at})", lambda x: _lse(x, axis, keep), True, True),
        (f"any($x > 1, {at})", lambda x: np.any(x > 1, axis, keepdims=keep), False, False),
        (f"all($x > -1, {at})", lambda x: np.all(x > -1, axis, keepdims=keep), False, False),
        (f"count_nonzero(floor($x), {at})", lambda x: np.asarray(np.count_nonzero(np.floor(x), axis, keepdims=keep)),
         False, False),
        (f"var($x, {at})", lambda x: _var(x, axis, keep), True, True),
        (f"var($x, {at}, ddof=1)", lambda x: _var(x, axis, keep, 1), True, True),
        (f"std($x, {at})", lambda x: safe_sqrt(_var(x, axis, keep)), True, min(shape) > 2),
        (f"norm($x, {order}, {at})", lambda x: _norm(x, order, axis, keep), True, order == 2),
        (f"norm($x, inf, {at})", lambda x: _norm(x, math.inf, axis, keep), True, False),
        (f"norm($x, -inf, {at})", lambda x: _norm(x, -math.inf, axis, keep), True, False),
        (f"argmax($x, axis={shape.index(max(shape))})", lambda x: x.argmax(shape.index(max(shape))), False, False),
        (f"argmin($x, axis={shape.index(max(shape))})", lambda x: x.argmin(shape.index(max(shape))), False, False),
    ]  # fmt: skip
    call, f, slopes, smooth = cases[seed % KINDS]
    return Setting(call, {"x": x}, lambda v: np.asarray(f(v["x"])), ("x",) if slopes else (), normwise=True,
                   second=smooth)  # fmt: skip


def _running(x: Any, axis: int, exclusive: bool, reverse: bool, f: Callable[[Any, Any], Any], unit: float) -> Array:
    lines = list(np.moveaxis(x, axis, 0))
    lines = lines[::-1] if reverse else lines
    total, found = unit + 0 * lines[0], []
    for line in lines:
        after = f(total, line)
        found.append(total if exclusive else after)
        total = after
    return np.moveaxis(np.stack(found[::-1] if reverse else found), 0, axis)


RUNNING = 8


@family("running reductions", seeds=20 * RUNNING, sample=RUNNING)
def running(rng: np.random.Generator, seed: int) -> Setting:
    """Sums, products and extremes of all elements up to each; middle elements; places in an order."""
    shape = tuple(int(n) for n in rng.integers(1, 6, int(rng.integers(1, 3))))
    axis = int(rng.integers(-len(shape), len(shape)))
    exclusive, reverse = bool(rng.integers(2)), bool(rng.integers(2))
    at = f"axis={axis}, exclusive={str(exclusive).lower()}, reverse={str(reverse).lower()}"
    back = f"axis={axis}, reverse={str(reverse).lower()}"
    x = normal(rng, *shape)
    zeros = single(np.where(rng.integers(0, 3, shape) == 0, 0, x))
    points = single(np.sort(rng.normal(size=6)))
    side = choose(rng, "left", "right")

    def larger(a: Any, b: Any) -> Any:
        return np.where(real(a) > real(b), a, b)

    cases: list[tuple[str, Callable[[Any], Any], bool, bool]] = [
        (f"cumsum($x, {at})", lambda x: _running(x, axis, exclusive, reverse, lambda a, b: a + b, 0), True, False),
        (f"cumprod($x, {at})", lambda x: _running(x, axis, exclusive, reverse, lambda a, b: a * b, 1), True, True),
        (f"cummax($x, {back})", lambda x: _running(x, axis, False, reverse, larger, -math.inf), True, False),
        (f"cummin($x, {back})", lambda x: -_running(-x, axis, False, reverse, larger, -math.inf), True, False),
        (f"running($x, multiply, 1, {axis})", lambda x: _running(x, axis, False, False, lambda a, b: a * b, 1), True,
         True),
        (f"median($x, {axis})", lambda x: np.median(x, axis), False, False),
        (f"delayed($x, 1, 0, {axis % len(shape)})",
         lambda x: _running(x, axis, True, False, lambda a, b: b, 0), True, False),
        (f"searchsorted($points, $x, {side})", lambda x: np.searchsorted(points, x, side), False, False),
    ]  # fmt: skip
    call, f, slopes, smooth = cases[seed % RUNNING]
    inputs = {"x": zeros if "prod" in call else x} | ({"points": points} if "$points" in call else {})
    return Setting(call, inputs, lambda v: np.asarray(f(v["x"])), ("x",) if slopes else (), normwise=True,
                   second=smooth)  # fmt: skip


LONG: tuple[tuple[str, tuple[int, ...], Callable[[Any], Any]], ...] = (
    ("sum($x, axis=0)", (1_000_000,), lambda x: x.sum(0)),
    ("mean($x, axis=0)", (1_000_000,), lambda x: x.mean(0)),
    ("mean($x, axis=0)", (200_000, 2), lambda x: x.mean(0)),
    ("sum($x, axis=0)", (100_000, 3), lambda x: x.sum(0)),
    ("sum($x, axis=-1)", (2, 300_000), lambda x: x.sum(-1)),
    ("mean($x * $x)", (16, 3, 100, 100), lambda x: (x * x).mean()),
    ("sum($x)", (1000, 1000), lambda x: x.sum()),
    ("mean($x, axis=[0, 2])", (400, 2, 400), lambda x: x.mean((0, 2))),
    ("norm($x)", (500_000,), lambda x: np.sqrt((x * x).sum())),
    ("var($x)", (500_000,), lambda x: x.var()),
    ("logsumexp($x)", (300_000,), lambda x: logsumexp(x)),
    ("mse($x, 0 * $x)", (400_000,), lambda x: (x * x).mean()),
    ("mean($x @ tensor([[1.0], [1.0]]), axis=0)", (300_000, 2), lambda x: x.sum(1, keepdims=True).mean(0)),
)
"""Positive numbers, so that nothing cancels and an error is that of adding alone."""


@family("long sums", seeds=2 * len(LONG), sample=3, units=300)
def long(rng: np.random.Generator, seed: int) -> Setting:
    """Up to a million numbers of one sign, whose sum pairwise adding rounds a few times, one after the other thousands.

    The units are those of two passes of a thousand numbers each. Only the value is compared.
    """
    text, shape, f = LONG[seed % len(LONG)]
    x = single(rng.uniform(0.5, 1.5, shape))
    return Setting(text, {"x": x}, lambda v: np.asarray(f(v["x"])), wrt=())


@family("long sums of gradients", seeds=6, sample=1, units=300)
def long_gradient(rng: np.random.Generator, seed: int) -> Setting:
    """The gradient of what is broadcast over many rows is a sum over them: of a bias, of a weight."""
    rows = 1_000_000 if seed == 0 else int(rng.integers(50_000, 200_000))
    x = single(rng.uniform(0.5, 1.5, (rows, 1)))
    given = {"value": np.asarray((x + 2.0).mean()), "slope b": np.ones(1)}
    if seed % 2:
        given = {"value": np.asarray((x * 2.0).mean()), "slope b": np.asarray([x.mean()])}
    text = "mean($x * $b)" if seed % 2 else "mean($x + $b)"
    return Setting(text, {"x": x, "b": np.array([2.0])}, None, wrt=("b",), given=given)
