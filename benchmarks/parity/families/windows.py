"""Convolutions and pools: random kernels, strides, dilations, paddings, groups and ends, beside plain loops."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..analytic import absolute, largest, real
from ..setting import Setting, choose, family, normal, number

Values = Mapping[str, Any]
Pairs = list[tuple[int, int]]


def sizes(n: Sequence[int], k: Sequence[int], s: Sequence[int], d: Sequence[int], pads: Pairs) -> list[int]:
    """Places of a window along each axis."""
    return [(n[i] + sum(pads[i]) - d[i] * (k[i] - 1) - 1) // s[i] + 1 for i in range(len(n))]


def windows(x: Any, k: Sequence[int], s: Sequence[int], d: Sequence[int], out: Sequence[int]) -> Iterator[Any]:
    """What each window sees of a padded [B, c, ...]: [B, c, prod(k)], place by place."""
    for place in itertools.product(*map(range, out)):
        axes = [[p * step + j * gap for j in range(size)] for p, step, gap, size in zip(place, s, d, k, strict=True)]
        view = x[(slice(None), slice(None), *np.ix_(*axes))]
        yield view.reshape(*x.shape[:2], -1)


def convolved(x: Any, w: Any, s: Sequence[int], d: Sequence[int], pads: Pairs, groups: int = 1) -> Any:
    """A cross-correlation, place by place."""
    k = w.shape[2:]
    out = sizes(x.shape[2:], k, s, d, pads)
    padded = np.pad(x, [(0, 0), (0, 0), *pads])
    weights = w.reshape(groups, w.shape[0] // groups, w.shape[1], -1)
    found = []
    for view in windows(padded, k, s, d, out):
        parts = view.reshape(len(x), groups, -1, view.shape[-1])
        found.append(np.einsum("bgck,gfck->bgf", parts, weights).reshape(len(x), -1))
    return np.stack(found, -1).reshape(len(x), w.shape[0], *out)


def transposed(
    x: Any, w: Any, s: Sequence[int], d: Sequence[int], pads: Pairs, more: Sequence[int], groups: int
) -> Any:
    """Each element adds its kernel to the result, from which the pads are cut."""
    k, n = w.shape[2:], x.shape[2:]
    full = [(n[i] - 1) * s[i] + d[i] * (k[i] - 1) + 1 + more[i] for i in range(len(n))]
    filters = w.shape[1]
    y = np.zeros((len(x), groups * filters, *full), np.result_type(x, w))
    weights = w.reshape(groups, -1, filters, *k)
    for place in itertools.product(*map(range, n)):
        one = x[(slice(None), slice(None), *place)].reshape(len(x), groups, -1)
        added = np.einsum("bgc,gcf...->bgf...", one, weights).reshape(len(x), groups * filters, *k)
        at = tuple(slice(p * t, p * t + e * (size - 1) + 1, e) for p, t, e, size in zip(place, s, d, k, strict=True))
        y[(slice(None), slice(None), *at)] += added
    cut = tuple(slice(a, full[i] - b) for i, (a, b) in enumerate(pads))
    return y[(slice(None), slice(None), *cut)]


def _listed(values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else str(list(values))


def _pads(rng: np.random.Generator, k: list[int], d: list[int], words: Sequence[str]) -> tuple[str, Pairs]:
    """A padding as a spec writes it, and its pairs."""
    word = choose(rng, *words, "number", "pairs")
    spans = [gap * (size - 1) for size, gap in zip(k, d, strict=True)]
    if word == "number":
        p = int(rng.integers(0, min(k)))
        return str(p), [(p, p)] * len(k)
    if word == "pairs":
        pairs = [(int(a), int(b)) for a, b in rng.integers(0, min(k), (len(k), 2))]
        return str([list(pair) for pair in pairs]), pairs
    ends: dict[str, Pairs] = {
        "valid": [(0, 0)] * len(k),
        "same": [(s // 2, s - s // 2) for s in spans],
        "circular": [(s // 2, s - s // 2) for s in spans],
        "full": [(s, s) for s in spans],
        "causal": [(s, 0) for s in spans],
    }
    return word, ends[word]


def _geometry(rng: np.random.Generator, most: int = 3) -> tuple[list[int], list[int], list[int], list[int]]:
    """Sizes, kernels, strides and dilations of one to three axes."""
    axes = int(rng.choice([1, 1, 2, 2, 2, 3][: 6 if most == 3 else 5]))
    k = [int(i) for i in rng.integers(1, 4, axes)]
    d = [int(i) for i in rng.integers(1, 3, axes)]
    s = [int(i) for i in rng.integers(1, 4, axes)]
    n = [gap * (size - 1) + 1 + int(rng.integers(0, 4)) for size, gap in zip(k, d, strict=True)]
    return n, k, s, d


def _bias(y: Any, b: Any) -> Any:
    return y + b.reshape(-1, *[1] * (y.ndim - 2))


@family("convolutions", seeds=240, sample=8)
def convolution(rng: np.random.Generator, seed: int) -> Setting:
    """Conv and DepthwiseConv, with gradients of input, weights and bias."""
    n, k, s, d = _geometry(rng)
    groups = int(rng.integers(1, 4))
    word, pads = _pads(rng, k, d, ("valid", "same", "full", "causal", "circular"))
    c, filters = groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    common = f"kernel={_listed(k)}, stride={_listed(s)}, padding={word}, dilation={_listed(d)}"
    module = f"Conv({filters}, {common}, groups={groups})"
    x = normal(rng, 2, c, *n)

    def f(v: Values) -> Any:
        padded = np.pad(v["x"], [(0, 0), (0, 0), *pads], mode="wrap" if word == "circular" else "constant")
        return _bias(convolved(padded, v["W"], s, d, [(0, 0)] * len(k), groups), v["b"])

    parameters = {"W": normal(rng, filters, c // groups, *k), "b": normal(rng, filters)}
    return Setting("$m($x)", {"x": x}, f, ("x", "W", "b"), module, parameters, normwise=True)


@family("depthwise and separable convolutions", seeds=60, sample=4)
def separable(rng: np.random.Generator, seed: int) -> Setting:
    """Channels by themselves, and then mixed."""
    n, k, s, d = _geometry(rng, 2)
    c, multiplier, filters = (int(i) for i in rng.integers(1, 4, 3))
    word, pads = _pads(rng, k, d, ("valid", "same", "full", "causal"))
    common = f"kernel={_listed(k)}, stride={_listed(s)}, padding={word}, dilation={_listed(d)}, multiplier={multiplier}"
    x, each = normal(rng, 2, c, *n), normal(rng, multiplier * c, 1, *k)
    if seed % 2:
        parameters = {"conv.W": each, "conv.b": normal(rng, multiplier * c)}
        return Setting("$m($x)", {"x": x}, lambda v: _bias(convolved(v["x"], v["conv.W"], s, d, pads, c), v["conv.b"]),
                       ("x",), f"DepthwiseConv({common})", parameters, normwise=True)  # fmt: skip
    mixed = normal(rng, filters, multiplier * c, *[1] * len(k))
    ones = [1] * len(k)

    def f(v: Values) -> Any:
        y = convolved(v["x"], v["depthwise.conv.W"], s, d, pads, c)
        return _bias(convolved(y, v["pointwise.W"], ones, ones, [(0, 0)] * len(k)), v["pointwise.b"])

    parameters = {"depthwise.conv.W": each, "pointwise.W": mixed, "pointwise.b": normal(rng, filters)}
    return Setting("$m($x)", {"x": x}, f, ("x",), f"SeparableConv({filters}, {common})", parameters, normwise=True)


@family("transposed convolutions", seeds=150, sample=6)
def transposition(rng: np.random.Generator, seed: int) -> Setting:
    """ConvTranspose, which is the gradient of a convolution."""
    n, k, s, d = _geometry(rng, 2)
    groups = int(rng.integers(1, 3))
    c, filters = groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    extents = [gap * (size - 1) + 1 for size, gap in zip(k, d, strict=True)]
    more = [int(rng.integers(0, step)) for step in s]
    word, pads = choose(rng, ("valid", [(0, 0)] * len(k)), ("same", []), ("1", [(1, 1)] * len(k)))
    if word == "same":
        spans = [max(e - step, 0) for e, step in zip(extents, s, strict=True)]
        pads, more = [(p // 2, p - p // 2) for p in spans], [max(t - e, 0) for e, t in zip(extents, s, strict=True)]
    out = [(a - 1) * t + e + m - sum(p) for a, t, e, m, p in zip(n, s, extents, more, pads, strict=True)]
    if min(out) < 1:
        word, pads = "valid", [(0, 0)] * len(k)
    given = "" if word == "same" else f"output_padding={_listed(more)}, "
    module = (f"ConvTranspose({filters}, kernel={_listed(k)}, stride={_listed(s)}, padding={word}, {given}"
              f"dilation={_listed(d)}, groups={groups})")  # fmt: skip
    parameters = {"W": normal(rng, c, filters // groups, *k), "b": normal(rng, filters)}
    return Setting("$m($x)", {"x": normal(rng, 2, c, *n)},
                   lambda v: _bias(transposed(v["x"], v["W"], s, d, pads, more, groups), v["b"]),
                   ("x", "W", "b"), module, parameters, normwise=True)  # fmt: skip


@family("unshared convolutions", seeds=50, sample=3)
def unshared(rng: np.random.Generator, seed: int) -> Setting:
    """LocallyConnected: a matrix of its own at each place."""
    n, k, s, d = _geometry(rng, 2)
    word, pads = _pads(rng, k, d, ("valid", "same", "full", "causal"))
    c, filters = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    out = sizes(n, k, s, d, pads)
    module = (f"LocallyConnected({filters}, kernel={_listed(k)}, stride={_listed(s)}, padding={word}, "
              f"dilation={_listed(d)})")  # fmt: skip

    def f(v: Values) -> Any:
        padded = np.pad(v["x"], [(0, 0), (0, 0), *pads])
        seen = [view.reshape(2, -1) @ v["W"][i] for i, view in enumerate(windows(padded, k, s, d, out))]
        return np.stack(seen, -1).reshape(2, filters, *out) + v["b"]

    parameters = {"W": normal(rng, math.prod(out), c * math.prod(k), filters), "b": normal(rng, filters, *out)}
    return Setting("$m($x)", {"x": normal(rng, 2, c, *n)}, f, ("x", "W", "b"), module, parameters, normwise=True)


@family("windows", seeds=60, sample=4)
def unfolding(rng: np.random.Generator, seed: int) -> Setting:
    """unfold, cut and wrap, of which layers are made."""
    n, k, s, d = _geometry(rng, 2)
    x = normal(rng, 2, 2, *n)
    pairs = [(int(a), int(b)) for a, b in rng.integers(0, 2, (len(k), 2))]
    written = str([list(pair) for pair in pairs])
    out = sizes(n, k, s, d, pairs)

    def f(v: Values) -> Any:
        padded = np.pad(v["x"], [(0, 0), (0, 0), *pairs])
        return np.stack(list(windows(padded, k, s, d, out)), -1).reshape(2, 2, -1, *out)

    if seed % 3 == 0:
        return Setting(f"unfold($x, {k}, {s}, {d}, {written})", {"x": x}, f)
    if seed % 3 == 1:
        return Setting(f"wrap($x, {written})", {"x": x},
                       lambda v: np.pad(v["x"], [(0, 0), (0, 0), *pairs], mode="wrap"))  # fmt: skip
    return Setting(f"cut($x, 0, 0, {(n[0] + 1) // 2}, 2)", {"x": x}, lambda v: v["x"][:, :, ::2])


# ---------------------------------------------------------------- pools


def ended(n: Sequence[int], k: Sequence[int], s: Sequence[int], d: Sequence[int], pads: Pairs) -> Pairs:
    """Pads with which no element is left over: one more window, if it begins on an element or the padding before."""
    found = []
    for i in range(len(n)):
        span = n[i] + sum(pads[i]) - d[i] * (k[i] - 1) - 1
        count = -(-span // s[i]) + 1
        if (count - 1) * s[i] >= n[i] + pads[i][0]:
            count -= 1
        more = max((count - 1) * s[i] + d[i] * (k[i] - 1) + 1 - n[i] - sum(pads[i]), 0)
        found.append((pads[i][0], pads[i][1] + more))
    return found


def pooled(x: Any, k: Sequence[int], s: Sequence[int], d: Sequence[int], pads: Pairs, how: str, p: float = 2) -> Any:
    """The largest, the mean of the elements, the mean with the padding, or the Lp norm of each window."""
    out = sizes(x.shape[2:], k, s, d, pads)
    fill = -math.inf if how == "max" else 0.0
    padded = np.pad(x, [(0, 0), (0, 0), *pads], constant_values=fill)
    inside = np.pad(np.ones(x.shape), [(0, 0), (0, 0), *pads])
    found = []
    for view, count in zip(windows(padded, k, s, d, out), windows(inside, k, s, d, out), strict=True):
        if how == "max":
            top = real(view).argmax(-1)[..., None]
            found.append(np.take_along_axis(view, top, -1)[..., 0])
        elif how == "mean":
            found.append(view.sum(-1) / count.sum(-1))
        elif how == "padded":
            found.append(view.mean(-1))
        else:
            size = absolute(view)
            powers = np.where(real(size) > 0, np.exp(p * np.log(np.where(real(size) > 0, size, 1))), 0)
            total = powers.sum(-1)
            found.append(np.where(real(total) > 0, np.exp(np.log(np.where(real(total) > 0, total, 1)) / p), 0 * total))
    return np.stack(found, -1).reshape(*x.shape[:2], *out)


@family("pools", seeds=300, sample=12)
def pool(rng: np.random.Generator, seed: int) -> Setting:
    """MaxPool, AveragePool and LpPool, with `ceil`; the first kernel is no smaller than its padding."""
    n, k, s, d = _geometry(rng, 2)
    kind = ("max", "mean", "padded", "lp")[seed % 4]
    d = d if kind == "max" else [1] * len(k)
    word, pads = _pads(rng, k, d, ("valid", "same"))
    n = [max(size, gap * (kernel - 1) + 1) + 1 for size, kernel, gap in zip(n, k, d, strict=True)]
    ceil = kind in ("max", "mean") and bool(rng.integers(2))
    x = normal(rng, 2, 2, *n)
    ends = ended(n, k, s, d, pads) if ceil else pads
    at = f"{_listed(k)}, stride={_listed(s)}, padding={word}"
    more = ", ceil=true" if ceil else ""
    p = choose(rng, 1.0, 2.0, number(rng, 1.1, 4))
    text = {
        "max": f"MaxPool({at}, dilation={_listed(d)}{more})($x)",
        "mean": f"AveragePool({at}{more})($x)",
        "padded": f"AveragePool({at}, count_include_pad=true)($x)",
        "lp": f"LpPool({p}, {at})($x)",
    }[kind]
    return Setting(text, {"x": x}, lambda v: pooled(v["x"], k, s, d, ends, kind, p), normwise=True)


CEILS = tuple(
    (k, s, p, n) for k in (1, 2, 3, 4) for s in (1, 2, 3, 5) for p in (0, 1) for n in (4, 5, 6, 7, 8) if p <= k // 2
)


@family("ceil of pools", seeds=len(CEILS), sample=16)
def ceiled(rng: np.random.Generator, seed: int) -> Setting:
    """Every small window, stride, padding and length with `ceil=true`."""
    k, s, p, n = CEILS[(seed * 37) % len(CEILS)]  # 37 divides no count of them, so a sample is spread
    kind = choose(rng, "max", "mean")
    ends = ended([n], [k], [s], [1], [(p, p)])
    text = f"{'MaxPool' if kind == 'max' else 'AveragePool'}({k}, stride={s}, padding={p}, ceil=true)($x)"
    return Setting(text, {"x": normal(rng, 1, 1, n)}, lambda v: pooled(v["x"], [k], [s], [1], ends, kind))


def _adaptive(x: Any, size: Sequence[int]) -> Any:
    for axis, m in enumerate(size):
        n = x.shape[axis + 2]
        rows = [np.arange(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
        x = np.stack([np.take(x, row, axis + 2).mean(axis + 2) for row in rows], axis + 2)
    return x


@family("pools of whole images", seeds=80, sample=4)
def overall(rng: np.random.Generator, seed: int) -> Setting:
    """Pools over everything, into so many parts, and backwards."""
    axes = int(rng.integers(1, 3))
    n = [int(i) for i in rng.integers(2, 6, axes)]
    x = normal(rng, 2, 3, *n)
    size = [int(i) for i in rng.integers(1, 6, axes)]
    over = tuple(range(2, 2 + axes))
    kind = seed % 5
    if kind == 0:
        return Setting("GlobalAveragePool()($x)", {"x": x}, lambda v: v["x"].mean(over), normwise=True)
    if kind == 1:
        return Setting("GlobalMaxPool()($x)", {"x": x}, lambda v: largest(v["x"].reshape(2, 3, -1), -1))
    if kind == 2:
        return Setting(f"AdaptiveAveragePool({_listed(size)})($x)", {"x": x}, lambda v: _adaptive(v["x"], size),
                       normwise=True)  # fmt: skip
    u = normal(rng, 2, 3, 4)
    if kind == 3:
        line = normal(rng, 2, 3, 8)
        spots = line.reshape(2, 3, 4, 2)
        first = spots.argmax(-1)[..., None] == np.arange(2)
        return Setting("max_unpool($u, $x)", {"u": u, "x": line},
                       lambda v: (v["u"][..., None] * first).reshape(2, 3, 8), ("u",))  # fmt: skip
    return Setting("average_unpool($u, 3)", {"u": u}, lambda v: np.repeat(v["u"], 3, -1), ("u",))
