"""Graphs, dense and as edges: their matrices, what nodes hear, and layers; beside loops over the nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..analytic import Array, largest, length, real, relu, sigmoid, softmax, tanh
from ..setting import Setting, choose, family, normal, number, single

Values = Mapping[str, Any]
Matrix = Callable[[Values], Any]
"""The dense matrix, from the inputs."""


class Drawn:
    """A random graph: how it is written, its inputs, and its matrix. Some nodes hear nobody; some edges are loops."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.n, self.f = int(rng.integers(2, 6)), int(rng.integers(1, 4))
        self.x = normal(rng, self.n, self.f)
        pairs = rng.permutation(self.n * self.n)[: int(rng.integers(1, self.n * self.n + 1))]
        self.target, self.source = pairs // self.n, pairs % self.n
        weight = single(rng.uniform(0.2, 2, len(pairs)))
        self.sparse = bool(rng.integers(2))
        if self.sparse:
            self.text = f"edges($s, $t, {self.n}, $e)"
            self.inputs: dict[str, Any] = {"s": self.source, "t": self.target, "e": weight}
            self.wrt = "e"
        else:
            self.text, self.wrt = "$a", "a"
            self.inputs = {"a": self.matrix({"e": weight})}
        self.there = self.matrix({"e": np.ones(len(pairs))}) != 0

    def matrix(self, v: Values) -> Any:
        """The dense matrix of these inputs."""
        if "a" in v:
            return v["a"]
        a = np.zeros((self.n, self.n), np.asarray(v["e"]).dtype)
        a[self.target, self.source] = v["e"]
        return a


def _degrees(a: Any) -> Any:
    return a.sum(-1, keepdims=True)


def _reached(d: Any) -> Any:
    return np.where(real(d) == 0, 1, d)


def _inverse(d: Any) -> Any:
    return np.where(real(d) == 0, 0, 1 / _reached(d))


def _both(a: Any) -> Any:
    d = _degrees(a)
    s = np.where(real(d) > 0, 1 / np.sqrt(_reached(d)), 0)
    return s * a * s.T


def _most(x: Any, there: Array) -> Any:
    rows = [largest(x[near], 0) if near.any() else 0 * x[0] for near in there]
    return np.stack(rows)


FUNCTIONS = 20


@family("graphs", seeds=12 * FUNCTIONS, sample=2 * FUNCTIONS, units=32)
def functions(rng: np.random.Generator, seed: int) -> Setting:
    """Matrices, and what nodes hear; every function in both forms."""
    g = Drawn(rng)
    n, graph, m, eye = g.n, g.text, g.matrix, np.eye(g.n)
    left, right = normal(rng, n), normal(rng, n)
    scale = number(rng, 0.1, 2)

    def softened(v: Values) -> Any:
        x, a = v["x"], m(v)
        rows = [softmax(x[near], 0).T @ (a[i][near][:, None] * x[near]) if near.any() else None
                for i, near in enumerate(g.there)]  # fmt: skip
        return np.stack([0 * x[0] if row is None else np.diagonal(row) for row in rows]) + 0 * a.sum()

    matrices: list[tuple[str, Matrix]] = [
        (f"adjacency({graph})", m),
        (f"adjacency(backwards({graph}))", lambda v: m(v).T),
        (f"adjacency(both_ways({graph}))", lambda v: m(v) + m(v).T),
        (f"adjacency(add_loops({graph}, {scale}))", lambda v: m(v) + scale * eye),
        (f"adjacency(without_loops({graph}))", lambda v: m(v) * (1 - eye)),
        (f"node_degrees({graph})", lambda v: m(v).sum(-1)),
        (f"adjacency(normalised_graph({graph}))", lambda v: _both(m(v))),
        (f"adjacency(normalised_graph({graph}, rows))", lambda v: m(v) * _inverse(_degrees(m(v)))),
        (f"adjacency(laplacian({graph}))", lambda v: eye - _both(m(v))),
        (f"adjacency(laplacian({graph}, normalised=false))", lambda v: np.diag(m(v).sum(-1)) - m(v)),
        (f"adjacency(scaled_graph({graph}, $l, $r))", lambda v: v["l"][:, None] * m(v) * v["r"]),
        (f"node_count({graph}) * sum(adjacency({graph}))", lambda v: n * m(v).sum()),
        (f"sum(edge_weights({graph}) ** 2)" if g.sparse else "sum(adjacency($a) ** 2)", lambda v: (m(v) ** 2).sum()),
    ]
    heard: list[tuple[str, Matrix]] = [
        (f"neighbour_sum($x, {graph})", lambda v: m(v) @ v["x"]),
        (f"neighbour_mean($x, {graph})", lambda v: m(v) @ v["x"] / _reached(_degrees(m(v)))),
        (f"neighbour_max($x, {graph})", lambda v: _most(v["x"], g.there) + 0 * m(v).sum()),
        (f"collected(at_sources($x, {graph}) * at_targets($x, {graph}), {graph})",
         lambda v: v["x"] * (m(v) @ v["x"])),
        (f"collected(at_sources($x, {graph}), {graph}, mean)", lambda v: m(v) @ v["x"] / _reached(_degrees(m(v)))),
        (f"collected(at_sources($x, {graph}), {graph}, max)", lambda v: _most(v["x"], g.there) + 0 * m(v).sum()),
        (f"collected(neighbour_softmax(at_sources($x, {graph}), {graph}) * at_sources($x, {graph}), {graph})",
         softened),
    ]  # fmt: skip
    cases = [*matrices, *heard]
    call, oracle = cases[seed % FUNCTIONS]
    inputs = {**g.inputs, **({"x": g.x} if "$x" in call else {}), **({"l": left, "r": right} if "$l" in call else {})}
    wrt: tuple[str, ...] = ("x", g.wrt) if "$x" in call else (g.wrt,)
    constant = "max" in call or (("mean" in call or "rows" in call) and g.there.sum(1).max() < 2)
    if constant:  # in the weights: all of that slope is rounding
        wrt = ("x",) if "$x" in call else ()
    return Setting(call, inputs, lambda v: np.asarray(oracle(v)), wrt, normwise=True)


SEGMENTS = 8


@family("segments", seeds=15 * SEGMENTS, sample=2 * SEGMENTS, units=32)
def of_segments(rng: np.random.Generator, seed: int) -> Setting:
    """Sums, means, maxima and softmaxes of rows with one id, and readouts by masks."""
    rows, count, f = int(rng.integers(1, 9)), int(rng.integers(1, 5)), int(rng.integers(1, 4))
    x, ids = normal(rng, rows, f), rng.integers(0, count, rows)
    where = np.stack([ids == k for k in range(count)])
    mask = rng.random((2, rows)) < 0.6

    def mean(x: Any, which: Array) -> Any:
        return (which.astype(float) @ x) / np.maximum(which.sum(-1, keepdims=True), 1)

    def softened(x: Any) -> Any:
        y = 0 * x
        for which in where:
            if which.any():
                y[which] = softmax(x[which], 0)
        return y

    how = choose(rng, "sum", "mean", "max")
    fold: dict[str, Callable[[Any, Array], Any]] = {
        "sum": lambda x, which: which.astype(float) @ x, "mean": mean, "max": _most,
    }  # fmt: skip
    cases: list[tuple[str, Callable[[Any], Any]]] = [
        (f"segment_sum($x, $k, {count})", lambda x: fold["sum"](x, where)),
        (f"segment_mean($x, $k, {count})", lambda x: mean(x, where)),
        (f"segment_max($x, $k, {count})", lambda x: _most(x, where)),
        (f"segments($x, $k, {count}, {how})", lambda x: fold[how](x, where)),
        (f"segment_softmax($x, $k, {count})", softened),
        (f"segments(transpose($x), $k, {count}, {how}, axis=1)", lambda x: fold[how](x, where).T),
        (f"readout(stack([$x, $x], axis=0), $m, {how})", lambda x: fold[how](x, mask)),
        (f"readout($x, how={how})", lambda x: fold[how](x, np.ones((1, rows), bool))[0]),
    ]
    call, oracle = cases[seed % SEGMENTS]
    inputs = {"x": x, **({"k": ids} if "$k" in call else {}), **({"m": mask} if "$m" in call else {})}
    return Setting(call, inputs, lambda v: np.asarray(oracle(v["x"])), normwise=True)


def _polynomial(v: Values, matrices: list[Any]) -> Any:
    paths = ["dense"] if len(matrices) == 1 else [f"dense.{k}" for k in range(len(matrices))]
    terms = [M @ v["x"] @ v[f"{path}.W"] for M, path in zip(matrices, paths, strict=True)]
    return sum(terms) + v[f"{paths[0]}.b"]


def _chebyshev(M: Any, order: int) -> list[Any]:
    terms = [np.eye(len(M)), M]
    for _ in range(order - 1):
        terms.append(2 * M @ terms[-1] - terms[-2])
    return terms[: order + 1]


def _attended(v: Values, a: Any, there: Array, heads: int, units: int) -> Any:
    n = len(there)
    h = (v["x"] @ v["dense.W"]).reshape(n, heads, units)
    near = there | np.eye(n, dtype=bool)
    rows = []
    for i in range(n):
        scores = (h[near[i]] * v["q"]).sum(-1) + (h[i] * v["p"]).sum(-1)
        scores = np.where(real(scores) > 0, scores, 0.2 * scores)
        rows.append((softmax(scores, 0)[:, :, None] * h[near[i]]).sum(0).reshape(-1))
    return np.stack(rows) + v["b"]


LAYERS = 10


@family("graph layers", seeds=10 * LAYERS, sample=2 * LAYERS, units=64)
def layers(rng: np.random.Generator, seed: int) -> Setting:
    """Every layer, over edges and over matrices."""
    g = Drawn(rng)
    f, m, eye = g.f, g.matrix, np.eye(g.n)
    units, heads, hops = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(0, 4))
    L = f"laplacian({g.text})"

    def W(*shape: int) -> Array:
        return normal(rng, *shape)

    def powers(v: Values) -> list[Any]:
        return [np.linalg.matrix_power(eye - _both(m(v)), k) for k in range(hops + 1)]

    terms = ["dense"] if hops == 0 else [f"dense.{k}" for k in range(hops + 1)]
    filters = {f"{path}.W": W(f, units) for path in terms} | {f"{terms[0]}.b": W(units)}
    beside = {"dense.0.W": W(f, units), "dense.0.b": W(units), "dense.1.W": W(f, units)}
    pool = {"dense.0.W": W(f, f), "dense.0.b": W(f), "dense.1.W": W(f, units), "dense.1.b": W(units),
            "dense.2.W": W(f, units)}  # fmt: skip
    deep = {"dense.0.W": W(f, 3), "dense.0.b": W(3), "dense.1.W": W(f, 2), "dense.1.b": W(2), "dense.2.W": W(3, 2)}
    passing = {"message.0.W": W(2 * f, 3), "message.0.b": W(3), "update.W": W(f + 3, units), "update.b": W(units)}
    attention = {"q": W(heads, units), "p": W(heads, units), "dense.W": W(f, heads * units), "b": W(heads * units)}

    def nn4g(v: Values) -> Any:
        h = sigmoid(v["x"] @ v["dense.0.W"] + v["dense.0.b"])
        return np.concatenate([h, sigmoid(v["x"] @ v["dense.1.W"] + v["dense.1.b"] + m(v) @ h @ v["dense.2.W"])], 1)

    def sage(heard: Callable[[Values], Any], first: int) -> Matrix:
        return lambda v: (v["x"] @ v[f"dense.{first}.W"] + v[f"dense.{first}.b"]
                          + heard(v) @ v[f"dense.{first + 1}.W"])  # fmt: skip

    def mean(v: Values) -> Any:
        return m(v) @ v["x"] / _reached(_degrees(m(v)))

    def most(v: Values) -> Any:
        return _most(relu(v["x"] @ v["dense.0.W"] + v["dense.0.b"]), g.there) + 0 * m(v).sum()

    def unit(v: Values) -> Any:
        y = sage(mean, 0)(v)
        return y / length(y, keep=True)

    def message(v: Values) -> Any:
        x = v["x"]
        pairs = [[tanh(np.concatenate([x[i], x[j]]) @ v["message.0.W"] + v["message.0.b"]) for j in range(g.n)]
                 for i in range(g.n)]  # fmt: skip
        heard = np.einsum("ij,ijk->ik", m(v), np.array(pairs))
        return np.concatenate([x, heard], 1) @ v["update.W"] + v["update.b"]

    cases: list[tuple[str, str, Mapping[str, Array], Matrix]] = [
        (f"NN4G([{3}, {2}])", g.text, deep, nn4g),
        (f"GraphConv({units}, hops={hops})", L, filters, lambda v: _polynomial(v, powers(v))),
        (f"ChebyshevConv({units}, order={hops})", L, filters,
         lambda v: _polynomial(v, _chebyshev(-_both(m(v)), hops))),
        (f"GCN({units})", g.text, {"dense.W": W(f, units), "b": W(units)},
         lambda v: _both(m(v) + eye) @ v["x"] @ v["dense.W"] + v["b"]),
        (f"GCN({units}, loops=false, by=rows, bias=false)", g.text, {"dense.W": W(f, units)},
         lambda v: mean(v) @ v["dense.W"]),
        (f"GraphSAGE({units})", g.text, beside, sage(mean, 0)),
        (f"GraphSAGE({units}, unit=true)", g.text, beside, unit),  # of one unit it is a sign, without a slope
        (f"GraphSAGE({units}, pool)", g.text, pool, sage(most, 1)),
        (f"GAT({units}, heads={heads})", g.text, attention,
         lambda v: _attended(v, m(v), g.there, heads, units) + 0 * m(v).sum()),
        (f"MessagePassing([Dense(3), tanh], Dense({units}))", g.text, passing, message),
    ]  # fmt: skip
    module, graph, parameters, oracle = cases[seed % LAYERS]
    sloped = () if units == 1 and "unit=" in module else ("x", *sorted({"b", "q"} & set(parameters)))
    return Setting(f"$m($x, {graph})", {"x": g.x, **g.inputs}, lambda v: np.asarray(oracle(v)), sloped, module,
                   parameters, normwise=True)  # fmt: skip
