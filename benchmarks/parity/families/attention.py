"""Attention, one head or several, and the positions that it is given: masks, lengths, scores of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..analytic import Array, length, softmax, tanh
from ..setting import Setting, choose, family, normal, number

Values = Mapping[str, Any]


def swapped(x: Any) -> Any:
    """The last two axes the other way round."""
    return np.swapaxes(x, -1, -2)


def weights(scores: Any, seen: Any = True) -> Any:
    """Softmax over what may be seen."""
    return softmax(np.where(seen, scores, -1e30))


def _unit(x: Any) -> Any:
    return x / length(x, keep=True)


# ---------------------------------------------------------------- positions


def angles(n: int, d: int, base: float = 10000.0, start: int = 0) -> Array:
    """Radians by position and pair."""
    return (start + np.arange(n))[:, None] * base ** (-2 * np.arange(d // 2) / d)


def rotated(x: Any, base: float = 10000.0, start: int = 0, neighbours: bool = False) -> Any:
    """Every pair as a complex number would be turned; here by sines and cosines, since x may be complex."""
    d = x.shape[-1]
    pairs = [slice(0, d, 2), slice(1, d, 2)] if neighbours else [slice(0, d // 2), slice(d // 2, d)]
    a, b = (x[..., one] for one in pairs)
    angle = angles(x.shape[-2], d, base, start)
    y = np.empty_like(x)
    y[..., pairs[0]], y[..., pairs[1]] = a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)
    return y


SLOPES = {1: [8], 2: [4, 8], 3: [4, 8, 2], 4: [2, 4, 6, 8], 6: [2, 4, 6, 8, 1, 3]}
"""By the number of heads, the exponents of 1/2."""


def near(heads: int, t: int, u: int) -> Array:
    """What ALiBi adds."""
    slopes = 2.0 ** -np.array(SLOPES[heads])
    return np.asarray(-slopes[:, None, None] * np.abs(np.arange(t)[:, None] - np.arange(u)))


POSITIONS = 6


@family("positions", seeds=15 * POSITIONS, sample=POSITIONS)
def positions(rng: np.random.Generator, seed: int) -> Setting:
    """Sinusoidal, learned, rotary in both pairings, ALiBi."""
    t, d, base = int(rng.integers(1, 7)), 2 * int(rng.integers(1, 5)), number(rng, 10, 20000)
    start, heads = int(rng.integers(0, 9)), choose(rng, *SLOPES)
    x, W = normal(rng, *choose(rng, (), (2,), (2, 3)), t, d), normal(rng, t + 2, d)
    angle = angles(t, d, base)
    wave = np.stack([np.sin(angle), np.cos(angle)], -1).reshape(t, d)
    speed = np.repeat(base ** (-2 * np.arange(d // 2) / d), 2)
    more = (..., None, None, None)
    cases: list[tuple[str, Callable[[Values], Any]]] = [
        (f"$x * sinusoidal({t}, {d}, {base})", lambda v: v["x"] * wave),
        (f"$x * repeat(frequencies({d}, {base}), 2)", lambda v: v["x"] * speed),
        (f"rotary($x, {base}, {start})", lambda v: rotated(v["x"], base, start)),
        (f"rotary($x, {base}, start={start}, pairs=neighbours)", lambda v: rotated(v["x"], base, start, True)),
        (f"$x[..., none, none, none] * alibi({heads}, 3, {t})", lambda v: v["x"][more] * near(heads, 3, t)),
        (f"sum($x) * tensor(alibi_slopes({heads}))", lambda v: v["x"].sum() * 2.0 ** -np.array(SLOPES[heads])),
    ]  # fmt: skip
    if seed % (POSITIONS + 1) == POSITIONS:
        return Setting("$m($x)", {"x": x}, lambda v: v["x"] + v["W"][:t], ("x", "W"), f"LearnedPositions({t + 2})",
                       {"W": W}, normwise=True)  # fmt: skip
    text, f = cases[seed % (POSITIONS + 1)]
    return Setting(text, {"x": x}, f, normwise=True, second="rotary" in text)


# ---------------------------------------------------------------- scores


def scores_of(v: Values, kind: int, scale: float) -> Any:
    """Of the five kinds."""
    q, k = v["q"], v["k"]
    if kind == 0:
        return q @ swapped(k)
    if kind == 1:
        return q @ swapped(k) / np.sqrt(q.shape[-1])
    if kind == 2:
        return scale * (_unit(q) @ swapped(_unit(k)))
    if kind == 3:
        return q @ v["W"] @ swapped(k)
    h = tanh((q @ v["W"])[..., :, None, :] + (k @ v["U"])[..., None, :, :])
    return (h @ v["v"])[..., 0]


SCORES = 5


@family("scores of attention", seeds=20 * SCORES, sample=SCORES, units=32)
def scores(rng: np.random.Generator, seed: int) -> Setting:
    """Dot, scaled, cosine, bilinear, additive."""
    t, u, e, n = (int(i) for i in rng.integers(1, 5, 4))
    kind, scale, d = seed % SCORES, number(rng, 0.5, 4), int(rng.integers(2, 6))
    leading = choose(rng, (), (2,), (2, 2))
    wide = e if kind > 2 else d
    inputs = {"q": normal(rng, *leading, t, d), "k": normal(rng, *leading, u, wide)}
    call = [
        "dot_scores($q, $k)",
        "scaled_scores($q, $k)",
        f"cosine_scores($q, $k, {scale})",
        "$m($q, $k)",
        "$m($q, $k)",
    ]
    if kind < 3:
        return Setting(call[kind], inputs, lambda v: scores_of(v, kind, scale), ("q", "k"), normwise=True, second=True)
    module, parameters = "BilinearScores()", {"W": normal(rng, d, e)}
    if kind == 4:
        module = f"AdditiveScores({n})"
        parameters = {"W": normal(rng, d, n), "U": normal(rng, e, n), "v": normal(rng, n, 1)}
    return Setting(call[kind], inputs, lambda v: scores_of(v, kind, scale), ("q", "k", *parameters), module,
                   parameters, normwise=True)  # fmt: skip


# ---------------------------------------------------------------- attention


@family("attention", seeds=120, sample=6, double=True, units=32)
def attention(rng: np.random.Generator, seed: int) -> Setting:
    """Scaled dot products, causal, masked, with something added or none of it, of one head or several."""
    t, u, d, e = (int(i) for i in rng.integers(1, 5, 4))
    causal = bool(seed % 2)
    u = max(u, t) if causal else u
    leading = choose(rng, (), (2,), (2, 2))
    q, k, v = normal(rng, *leading, t, d), normal(rng, *leading, u, d), normal(rng, *leading, u, e)
    inputs: dict[str, Array] = {"q": q, "k": k, "v": v}
    seen, added = np.tril(np.ones((t, u), bool)) if causal else np.ones((t, u), bool), np.zeros((t, u))
    options = ", causal=true" if causal else ""
    if seed % 3 == 0:
        inputs["mask"] = rng.integers(0, 2, (t, u)) > 0
        inputs["mask"][:, 0] = True
        seen, options = seen & inputs["mask"], f"{options}, mask=$mask"
    if seed % 4 > 1:
        inputs["added"] = added = normal(rng, t, u)
        options += ", added=$added"

    def weigh(given: Values) -> Any:
        return weights(scores_of(given, 1, 1.0) + added, seen)

    if seed % 5 == 4:
        return Setting(f"attention_weights($q, $k{options})", inputs, weigh, ("q", "k"), normwise=True, second=True)
    return Setting(f"attend($q, $k, $v{options})", inputs, lambda given: weigh(given) @ given["v"], ("q", "k", "v"),
                   normwise=True, second=True)  # fmt: skip


def dense(v: Values, path: str, x: Any) -> Any:
    """Dense, with its bias if it has one."""
    y = x @ v[f"{path}.W"]
    return y + v[f"{path}.b"] if f"{path}.b" in v else y


def as_heads(x: Any, heads: int, times: int = 1) -> Any:
    """[B, n, h k] as [B, h, n, k], each head several times."""
    parts = np.moveaxis(x.reshape(*x.shape[:2], heads, -1), 2, 1)
    return np.repeat(parts, times, 1)


def multi_head(
    v: Values, path: str, x: Any, heads: int, memory: Any = None, seen: Any = True, kv_heads: int = 0,
    turn: Callable[[Any], Any] = lambda x: x, added: Any = 0.0,
) -> Any:  # fmt: skip
    """MultiHeadAttention below a path; ``seen`` is broadcast to [B, heads, t, u]."""
    source, shared = x if memory is None else memory, kv_heads or heads
    q = turn(as_heads(dense(v, f"{path}query", x), heads))
    k = turn(as_heads(dense(v, f"{path}key", source), shared, heads // shared))
    values = as_heads(dense(v, f"{path}value", source), shared, heads // shared)
    taken = weights(q @ swapped(k) / np.sqrt(q.shape[-1]) + added, seen) @ values
    return dense(v, f"{path}out", np.moveaxis(taken, 1, 2).reshape(x.shape))


def projections(rng: np.random.Generator, d: int, m: int, narrow: int, bias: bool = True) -> dict[str, Array]:
    """The parameters of MultiHeadAttention: of width d, for a memory of width m."""
    sizes = {"query": (d, d), "key": (m, narrow), "value": (m, narrow), "out": (d, d)}
    found = {f"{name}.W": normal(rng, *size, scale=size[0] ** -0.5) for name, size in sizes.items()}
    return found | {f"{name}.b": normal(rng, size[1]) for name, size in sizes.items() if bias}


def known(lengths: Array, n: int) -> Array:
    """Places before the padding."""
    return np.arange(n) < lengths[:, None]


@family("heads of attention", seeds=120, sample=8, units=32)
def heads(rng: np.random.Generator, seed: int) -> Setting:
    """Several heads, of itself and of a memory: causal, masks of both ranks, lengths, ALiBi, rotary, shared keys."""
    of, size, t, u = (
        int(choose(rng, 1, 2, 4)),
        2 * int(rng.integers(1, 3)),
        int(rng.integers(1, 5)),
        int(rng.integers(1, 5)),
    )
    shared = int(choose(rng, *[n for n in (1, 2, 4) if of % n == 0]))
    d, across, causal = of * size, bool(seed % 2), seed % 4 == 2
    u, m = (u, 3) if across else (t, d)
    x = normal(rng, 2, t, d)
    inputs: dict[str, Array] = {"x": x, "memory": normal(rng, 2, u, m)} if across else {"x": x}
    options, seen = (", memory=$memory" if across else ""), np.ones((2, 1, t, u), bool)
    if causal:
        seen = np.broadcast_to(np.tril(seen[0, 0]), seen.shape)
    if seed % 3 == 0:
        inputs["lengths"] = rng.integers(1, u + 1, 2)
        seen, options = seen & known(inputs["lengths"], u)[:, None, None], f"{options}, lengths=$lengths"
    if seed % 5 < 2:
        shape = (t, u) if seed % 5 else (2, t, u)
        inputs["mask"] = rng.integers(0, 2, shape) > 0
        inputs["mask"][..., 0] = True
        seen = seen & (inputs["mask"] if seed % 5 else inputs["mask"][:, None])
        options += ", mask=$mask"
    added = near(of, t, u) if seed % 4 == 3 else 0.0
    options += f", added=alibi({of}, {t}, {u})" if seed % 4 == 3 else ""
    turned, bias = seed % 6 == 4, seed % 7 > 0
    module = f"MultiHeadAttention({of}, kv_heads={shared}" + (", causal=true" if causal else "")
    module += (", rotate=rotary(base=50.0)" if turned else "") + ("" if bias else ", bias=false") + ")"

    def f(v: Values) -> Any:
        turn = (lambda x: rotated(x, 50.0)) if turned else (lambda x: x)
        return multi_head(v, "", v["x"], of, v["memory"] if across else None, seen, shared, turn, added)

    wrt = ("x", "memory") if across else ("x",)
    return Setting(f"$m($x{options})", inputs, f, (*wrt, "key.W", "out.W"), module,
                   projections(rng, d, m, shared * size, bias), normwise=True)  # fmt: skip


@family("length masks", seeds=20, sample=2)
def length_masks(rng: np.random.Generator, seed: int) -> Setting:
    """Places before the padding."""
    n, lengths = int(rng.integers(1, 6)), rng.integers(0, 7, choose(rng, (3,), (2, 3)))
    return Setting(f"length_mask($k, {n})", {"k": lengths}, lambda v: np.arange(n) < lengths[..., None], ())
