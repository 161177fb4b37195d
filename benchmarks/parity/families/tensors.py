"""Parts, copies and products of tensors, einsum and einops, distances, resizing of images without weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..analytic import Array, length
from ..setting import Setting, choose, family, normal, number, single

Values = Mapping[str, Any]
Case = tuple[str, dict[str, Array], Callable[[Values], Any], tuple[str, ...]]
"""A call, its inputs, what it is, and for what there are gradients."""


def _diagonal(v: Any) -> Any:
    return v[..., :, None] * np.eye(v.shape[-1])


def _kron(a: Any, b: Any) -> Any:
    return (a[:, None, :, None] * b[None, :, None, :]).reshape(a.shape[0] * b.shape[0], -1)


def _cross(a: Any, b: Any) -> Any:
    return np.stack([a[..., (i + 1) % 3] * b[..., (i + 2) % 3] - a[..., (i + 2) % 3] * b[..., (i + 1) % 3]
                     for i in range(3)], -1)  # fmt: skip


def _scattered(x: Any, k: Array, u: Any) -> Any:
    y = x + 0 * u.sum()
    y[k] = 0
    np.add.at(y, k, u)
    return y


def _vectors(rng: np.random.Generator) -> list[Case]:
    n, m, d = (int(k) for k in rng.integers(2, 5, 3))
    x, y, A, B = normal(rng, n, d), normal(rng, n, d), normal(rng, n, n), normal(rng, m, d)
    k, shift, axis = int(rng.integers(-2, 3)), int(rng.integers(-3, 4)), int(rng.integers(-2, 2))
    p, q = normal(rng, m, 3), normal(rng, m, 3)
    places = rng.permutation(n)[: max(1, n - 1)]
    updates = normal(rng, len(places), d)
    times = int(rng.integers(1, 4))
    return [
        ("diag($x)", {"x": x}, lambda v: _diagonal(v["x"]), ("x",)),
        ("diagonal($A)", {"A": A}, lambda v: np.diagonal(v["A"], axis1=-2, axis2=-1), ("A",)),
        ("trace($A)", {"A": A}, lambda v: np.trace(v["A"]), ("A",)),
        (f"tril($x, {k})", {"x": x}, lambda v: np.tril(v["x"], k), ("x",)),
        (f"triu($x, {k})", {"x": x}, lambda v: np.triu(v["x"], k), ("x",)),
        ("outer($x, $y)", {"x": x, "y": y}, lambda v: v["x"][..., :, None] * v["y"][..., None, :], ("x", "y")),
        ("inner($x, $y)", {"x": x, "y": y}, lambda v: (v["x"] * v["y"]).sum(-1), ("x", "y")),
        ("cross($p, $q)", {"p": p, "q": q}, lambda v: _cross(v["p"], v["q"]), ("p", "q")),
        ("kron($x, $B)", {"x": x, "B": B}, lambda v: _kron(v["x"], v["B"]), ("x", "B")),
        (f"roll($x, {shift}, {axis})", {"x": x}, lambda v: np.roll(v["x"], shift, axis), ("x",)),
        (f"tile($x, [{times}, 2])", {"x": x}, lambda v: np.tile(v["x"], (times, 2)), ("x",)),
        (f"repeat($x, {times}, {axis})", {"x": x}, lambda v: np.repeat(v["x"], times, axis), ("x",)),
        (f"unstack($x, axis=1)[{d - 1}]", {"x": x}, lambda v: v["x"][:, d - 1], ("x",)),
        ("meshgrid($a, $b).rows", {"a": x[0], "b": y[0]}, lambda v: np.meshgrid(v["a"], v["b"], indexing="ij")[0],
         ("a",)),
        ("meshgrid($a, $b).columns", {"a": x[0], "b": y[0]}, lambda v: np.meshgrid(v["a"], v["b"], indexing="ij")[1],
         ("b",)),
        ("scatter($x, $k, $u)", {"x": x, "k": places, "u": updates}, lambda v: _scattered(v["x"], places, v["u"]),
         ("x", "u")),
        (f"diff($x, {axis})", {"x": x}, lambda v: np.diff(v["x"], axis=axis), ("x",)),
        (f"float(on_diagonal({n}, {m}, {k})) * $b", {"b": np.asarray(2.0)}, lambda v: np.eye(n, m, k) * v["b"], ()),
        ("flatten($x)", {"x": normal(rng, 2, n, d)}, lambda v: v["x"].reshape(2, -1), ("x",)),
        ("normalise($x)", {"x": x}, lambda v: v["x"] / length(v["x"], keep=True), ("x",)),
        ("distance($x, $y)", {"x": x, "y": y}, lambda v: length(v["x"] - v["y"]), ("x", "y")),
        ("cosine_similarity($x, $y)", {"x": x, "y": y},
         lambda v: (v["x"] * v["y"]).sum(-1) / (length(v["x"]) * length(v["y"])), ("x", "y")),
        ("pairwise_distances($x, $B, squared=true)", {"x": x, "B": B},
         lambda v: ((v["x"][:, None] - v["B"][None]) ** 2).sum(-1), ("x", "B")),
        ("pairwise_distances($x, $B)", {"x": x, "B": single(B + 3)},
         lambda v: length(v["x"][:, None] - v["B"][None]), ("x", "B")),
    ]  # fmt: skip


VECTORS = 24


@family("parts and products", seeds=10 * VECTORS, sample=VECTORS)
def vectors(rng: np.random.Generator, seed: int) -> Setting:
    """The functions of tensors.arch and vectors.arch."""
    call, inputs, f, wrt = _vectors(rng)[seed % VECTORS]
    return Setting(call, inputs, lambda v: np.asarray(f(v)), wrt, normwise=True)


@family("einsum", seeds=200, sample=10, double=True)
def einsum(rng: np.random.Generator, seed: int) -> Setting:
    """Random subscripts of one to three tensors: batches, contractions, sums, transposes."""
    letters = "abcde"[: int(rng.integers(2, 6))]
    sizes = {letter: int(rng.integers(1, 5)) for letter in letters}
    count = int(rng.integers(1, 4))
    terms = ["".join(rng.permutation(list(letters))[: int(rng.integers(1, len(letters) + 1))]) for _ in range(count)]
    seen = sorted(set("".join(terms)))
    out = "".join(rng.permutation(seen)[: int(rng.integers(0, len(seen) + 1))])
    inputs = {f"x{i}": normal(rng, *(sizes[letter] for letter in term)) for i, term in enumerate(terms)}
    spaced = ", ".join(" ".join(term) for term in terms) + " -> " + " ".join(out)
    call = f'einsum("{spaced.strip()}", {", ".join(f"${name}" for name in inputs)})'
    subscripts = f"{','.join(terms)}->{out}"
    return Setting(call, inputs, lambda v: np.asarray(np.einsum(subscripts, *(v[name] for name in inputs))),
                   tuple(inputs), normwise=True)  # fmt: skip


@family("matrix products", seeds=60, sample=6, double=True)
def products(rng: np.random.Generator, seed: int) -> Setting:
    """`@` of vectors, matrices and batches that broadcast."""
    n, m, k, b, c = (int(i) for i in rng.integers(1, 6, 5))
    shapes = choose(rng, ((n,), (n,)), ((n, m), (m,)), ((n,), (n, m)), ((n, m), (m, k)), ((b, n, m), (m, k)),
                    ((b, n, m), (b, m, k)), ((b, 1, n, m), (c, m, k)))  # fmt: skip
    x, y = (normal(rng, *shape) for shape in shapes)
    return Setting("$x @ $y", {"x": x, "y": y}, lambda v: np.asarray(v["x"] @ v["y"]), ("x", "y"), normwise=True,
                   second=False)  # fmt: skip


def _coordinates(n: int, m: int, how: str) -> Array:
    i = np.arange(m)
    if how == "half_pixel":
        return (i + 0.5) * n / m - 0.5
    if how == "asymmetric":
        return i * n / m
    return i * (n - 1) / max(m - 1, 1)


def _linear_weights(n: int, m: int, how: str) -> Array:
    at = np.clip(_coordinates(n, m, how), 0, n - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, n - 1)
    weights = np.zeros((m, n))
    weights[np.arange(m), low] += 1 - (at - low)
    weights[np.arange(m), high] += at - low
    return weights


def _nearest_weights(n: int, m: int, how: str) -> Array:
    at = np.clip(np.ceil(_coordinates(n, m, how) - 0.5 - 1e-9), 0, n - 1).astype(int)
    return np.asarray(np.eye(n)[at])


def _cubic_weights(n: int, m: int, how: str) -> Array:
    """Keys' kernel with the slope -0.75, as PyTorch has it."""
    weights = np.zeros((m, n))
    for i, at in enumerate(_coordinates(n, m, how)):
        for j in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
            s = abs(at - j)
            near, far = 1.25 * s**3 - 2.25 * s**2 + 1, -0.75 * (s**3 - 5 * s**2 + 8 * s - 4)
            weights[i, min(max(j, 0), n - 1)] += near if s <= 1 else far
    return weights


WEIGHTS = {"linear": _linear_weights, "nearest": _nearest_weights, "cubic": _cubic_weights}


def _resized(x: Any, size: tuple[int, ...], mode: str, how: str) -> Any:
    for axis, m in enumerate(size):
        weights = WEIGHTS[mode](x.shape[axis + 2], m, how)
        x = np.moveaxis(np.tensordot(weights, x, (1, axis + 2)), 0, axis + 2)
    return x


def _lap(x: Any) -> Any:
    """Second differences along the axes after the first two, with each end repeated."""
    found = 0 * x
    for axis in range(2, x.ndim):
        ends = [(1, 1) if k == axis else (0, 0) for k in range(x.ndim)]
        found = found + np.diff(np.pad(x, ends, mode="edge"), n=2, axis=axis)
    return found


@family("resizing", seeds=160, sample=8)
def resizing(rng: np.random.Generator, seed: int) -> Setting:
    """Larger and smaller images, linearly, by cubic pieces, by whole factors to the nearest; Laplacians of grids."""
    axes = int(rng.integers(1, 3))
    sizes = tuple(int(n) for n in rng.integers(2, 6, axes))
    x = normal(rng, 1, 2, *sizes)
    how = choose(rng, "half_pixel", "asymmetric", "align_corners")
    factor = int(rng.integers(1, 4))
    kind = seed % 8
    if kind == 5:
        return Setting("grid_laplacian($x)", {"x": x}, lambda v: _lap(v["x"]), normwise=True)
    if kind == 6:
        n, m = sizes[0], int(rng.integers(2, 9))
        return Setting(f"cubic_weights({n}, {m}, {how}) * $b", {"b": np.asarray(2.0)},
                       lambda v: v["b"] * _cubic_weights(n, m, how), (), normwise=True)  # fmt: skip
    if kind in (0, 7):
        mode = "linear" if kind == 0 else "cubic"
        size = tuple(int(n) for n in rng.integers(1, 9, axes))
        size = tuple(max(n, 2) for n in size) if how == "align_corners" else size
        call = f"resize($x, {list(size)}, {mode}, {how})"
        return Setting(call, {"x": x}, lambda v: _resized(v["x"], size, mode, how), normwise=True)
    if kind == 1:
        grown = tuple(n * factor for n in sizes)
        return Setting(f"Upsample({factor})($x)", {"x": x},
                       lambda v: _resized(v["x"], grown, "nearest", "half_pixel"), normwise=True)  # fmt: skip
    if kind == 2:
        grown = tuple(n * factor for n in sizes)
        return Setting(f"Upsample({factor}, mode=linear)($x)", {"x": x},
                       lambda v: _resized(v["x"], grown, "linear", "half_pixel"), normwise=True)  # fmt: skip
    if kind == 3:
        square = normal(rng, 2, factor**2 * 2, 3, 2)
        return Setting(f"pixel_shuffle($x, {factor})", {"x": square}, lambda v: _shuffle(v["x"], factor))
    square = normal(rng, 2, 2, 3 * factor, 2 * factor)
    return Setting(f"pixel_unshuffle($x, {factor})", {"x": square}, lambda v: _unshuffle(v["x"], factor))


def _shuffle(x: Any, r: int) -> Any:
    b, c, h, w = x.shape
    return x.reshape(b, c // r**2, r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(b, c // r**2, h * r, w * r)


def _unshuffle(x: Any, r: int) -> Any:
    b, c, h, w = x.shape
    return x.reshape(b, c, h // r, r, w // r, r).transpose(0, 1, 3, 5, 2, 4).reshape(b, c * r**2, h // r, w // r)


@family("whole numbers of tensors", seeds=50, sample=5)
def whole(rng: np.random.Generator, seed: int) -> Setting:
    """The same functions of integers, exactly."""
    k, j = rng.integers(-9, 9, (2, 3)), rng.integers(-9, 9, (2, 3))
    n = int(rng.integers(1, 4))
    cases: list[tuple[str, Callable[[Any, Any], Any]]] = [
        ("kron($x, $y)", np.kron), ("inner($x, $y)", lambda x, y: (x * y).sum(-1)), (f"tile($x + $y, [1, {n}])",
         lambda x, y: np.tile(x + y, (1, n))), ("cumprod($x) - $y", lambda x, y: x.cumprod(-1) - y),
        ("sum($x * $y, axis=0)", lambda x, y: (x * y).sum(0)), ("$x % (abs($y) + 1)", lambda x, y: x % (abs(y) + 1)),
        ("$x // (abs($y) + 1)", lambda x, y: x // (abs(y) + 1)), ("max($x, $y)", np.maximum),
        ("cross($x, $y)", lambda x, y: np.cross(x, y)), ("sort($x - $y)", lambda x, y: np.sort(x - y)),
    ]  # fmt: skip
    call, f = cases[seed % len(cases)]
    return Setting(call, {"x": k, "y": j}, lambda v: np.asarray(f(v["x"], v["y"])), wrt=())


DERIVATIVES = 5


@family("derivatives", seeds=40, sample=5)
def derivatives(rng: np.random.Generator, seed: int) -> Setting:
    """Jacobians and Hessians of functions whose derivatives are known."""
    x, c = normal(rng, 3), number(rng, 0.5, 2)
    n = int(rng.integers(1, 4))
    W, b, u = normal(rng, 3, 1), normal(rng, 1), normal(rng, n, 3)
    y = normal(rng, n, 1)

    def gram(v: Values) -> Any:
        rows = np.concatenate([v["u"], np.ones((n, 1))], 1)
        return 2 * rows.T @ rows / n

    def solved(v: Values) -> Any:
        rows = np.concatenate([v["u"], np.ones((n, 1))], 1)
        now = np.concatenate([W, b[None]])
        slope = 2 * rows.T @ (rows @ now - v["y"]) / n
        after = now - np.linalg.solve(gram(v) + c * np.eye(4), slope)
        return rows @ after

    cases: list[Case] = [
        (f"jacobian(sin({c} * $x), $x)", {"x": x}, lambda v: np.diag(c * np.cos(c * v["x"])), ()),
        (f"jacobians($u ** 2 * {c}, $u)", {"u": u}, lambda v: 2 * c * v["u"][:, None] * np.eye(3), ()),
        ("hessian(sum($x) ** 3, $x)", {"x": x}, lambda v: np.full((3, 3), 6 * v["x"].sum()), ()),
        ("module_hessian(mse($m($u), $y), $m)", {"u": u, "y": y}, lambda v: gram(v), ()),
        (f"newton_step(mse($m($u), $y), $m, damping={c})($u)", {"u": u, "y": y}, solved, ()),
    ]
    call, inputs, f, wrt = cases[seed % DERIVATIVES]
    learned = {"W": W, "b": b} if "$m" in call else {}
    return Setting(call, inputs, lambda v: np.asarray(f(v)), wrt, "Dense(1)" if learned else "", learned,
                   normwise=True, units=200)  # fmt: skip
