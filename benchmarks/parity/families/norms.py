"""Normalisation: random numbers, constant rows, tiny variances, large offsets; and attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..analytic import Array
from ..setting import Setting, between, choose, family, normal, number, single

Values = Mapping[str, Any]
KINDS = 9


def _normal(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    d = x - x.mean(axes, keepdims=True)
    return d / np.sqrt((d * d).mean(axes, keepdims=True) + eps)


def _channels(v: Any, rank: int) -> Any:
    return v.reshape(-1, *[1] * (rank - 2))


def _kinds(rng: np.random.Generator, x: Array) -> tuple[tuple[str, str, dict[str, Array], Any, tuple[str, ...]], ...]:
    """Call, module, parameters, oracle, for what there are gradients."""
    c, rank, eps = x.shape[1], x.ndim, choose(rng, 1e-5, 1e-3, 1e-6)
    groups = choose(rng, *(g for g in range(1, c + 1) if c % g == 0))
    over = tuple(range(2, rank))
    scale, shift, last = between(rng, 0.5, 2, c), normal(rng, c), x.shape[-1]
    affine = {"scale": scale, "shift": shift}

    def shaped(v: Values, n: Any) -> Any:
        return n * _channels(v["scale"], rank) + _channels(v["shift"], rank)

    def grouped(v: Values) -> Any:
        split = v["x"].reshape(len(x), groups, -1)
        return shaped(v, _normal(split, (2,), eps).reshape(x.shape))

    def running(v: Values) -> Any:
        centred = v["x"] - _channels(v["running_mean"], rank)
        return shaped(v, centred / np.sqrt(_channels(v["running_variance"], rank) + eps))

    ends = {"scale": between(rng, 0.5, 2, last), "shift": normal(rng, last)}
    root = np.sqrt
    return (
        (f"batch_norm($x, $scale, $shift, eps={eps})", "", affine,
         lambda v: shaped(v, _normal(v["x"], (0, *over), eps)), ("x", "scale", "shift")),
        ("$m($x)", f"BatchNorm(eps={eps})", affine | {"running_mean": normal(rng, c),
         "running_variance": between(rng, 0.1, 3, c)}, running, ("x", "scale", "shift")),
        ("$m($x)", f"GroupNorm({groups}, eps={eps})", affine, grouped, ("x", "scale", "shift")),
        ("$m($x)", f"InstanceNorm(eps={eps}, affine=true)", affine, lambda v: shaped(v, _normal(v["x"], over, eps)),
         ("x", "scale", "shift")),
        ("$m($x)", f"ChannelNorm(eps={eps})", affine, lambda v: shaped(v, _normal(v["x"], (1,), eps)),
         ("x", "scale", "shift")),
        ("$m($x)", f"LayerNorm(eps={eps})", ends, lambda v: _normal(v["x"], (-1,), eps) * v["scale"] + v["shift"],
         ("x", "scale", "shift")),
        ("$m($x)", f"RMSNorm(eps={eps})", {"scale": ends["scale"]}, lambda v: v["x"] / root(
            (v["x"] * v["x"]).mean(-1, keepdims=True) + eps) * v["scale"], ("x", "scale")),
        (f"normalised($x, [0, {rank - 1}], eps={eps})", "", {}, lambda v: _normal(v["x"], (0, rank - 1), eps), ("x",)),
        ("moments($x, [0]).variance", "", {}, lambda v: ((v["x"] - v["x"].mean(0)) ** 2).mean(0)[None], ("x",)),
    )  # fmt: skip


def _setting(rng: np.random.Generator, seed: int, x: Array, second: bool) -> Setting:
    call, module, parameters, f, wrt = _kinds(rng, x)[seed % KINDS]
    if module:
        return Setting(call, {"x": x}, f, wrt, module, parameters, normwise=True, second=second)
    return Setting(call, {"x": x, **parameters}, f, wrt, normwise=True, second=second)


@family("norms", seeds=20 * KINDS, sample=KINDS, double=True, units=64)
def norm(rng: np.random.Generator, seed: int) -> Setting:
    """Each normalisation of images and lines."""
    # of two numbers a norm is -1 and 1, and its slope a difference of equals
    shape = tuple(int(n) for n in rng.integers(3, 5, int(rng.integers(3, 5))))
    return _setting(rng, seed, normal(rng, *shape, scale=number(rng, 0.3, 3)), second=seed < 9 * KINDS)


@family("norms of hard inputs", seeds=8 * KINDS, sample=KINDS)
def hard(rng: np.random.Generator, seed: int) -> Setting:
    """Constant rows, variances far below eps, offsets of a thousand deviations, numbers of 1e4."""
    shape = (2, 3, 4)
    x = normal(rng, *shape)
    x = (
        single(np.full(shape, 3.0)),
        single(1e-4 * x),
        single(x + 1000),
        single(1e4 * x),
    )[(seed // KINDS) % 4]
    return _setting(rng, seed, x, second=False)
