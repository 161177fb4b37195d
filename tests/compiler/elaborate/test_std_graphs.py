"""Graphs of the library: dense matrices and lists of edges against loops over nodes in NumPy, and against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.onnx_export import export
from tests.support.derivatives import check_both_orders, check_gradient
from tests.support.elaborated import (
    codes,
    expression,
    findings,
    initial,
    loss_and_gradients,
    measures,
    model,
    numbers,
    output,
    outputs,
    program,
)
from tests.support.onnx_run import run_onnx

N, F = 5, 3
SOURCE = np.array([0, 1, 1, 2, 3, 3, 2])
TARGET = np.array([1, 0, 2, 2, 0, 1, 0])  # node 3 hears nobody, node 4 stands alone, node 2 hears itself
WEIGHT = np.array([1.0, 0.5, 2.0, 0.25, 3.0, 1.5, 0.0], np.float32)  # the last edge is none
EDGES = {"s": SOURCE, "t": TARGET, "w": WEIGHT}
A = np.zeros((N, N), np.float32)
A[TARGET, SOURCE] = WEIGHT
X = numbers(N, F, seed=3)
TYPES = f"x: [n, {F}]; s: i64[e]; t: i64[e]; w: [e]"
SPARSE = "edges(s, t, shape_of(x)[0], w)"
DENSE_TYPES = f"x: [n, {F}]; a: [n, n]"

Loop = Callable[[Array, Array], Array]


def neighbours(a: Array, i: int) -> list[int]:
    return [j for j in range(len(a)) if a[i, j] != 0]


def heard_sum(a: Array, x: Array) -> Array:
    return np.array([sum((a[i, j] * x[j] for j in neighbours(a, i)), np.zeros(x.shape[1])) for i in range(len(a))])


def heard_mean(a: Array, x: Array) -> Array:
    return np.array([row / (a[i].sum() or 1) for i, row in enumerate(heard_sum(a, x))])


def heard_max(a: Array, x: Array) -> Array:
    zero = np.zeros(x.shape[1])
    return np.array([np.max([x[j] for j in near], 0) if (near := neighbours(a, i)) else zero for i in range(len(a))])


def symmetric(a: Array) -> Array:
    """Element by element: a_ij / sqrt(d_i d_j)."""
    d = a.sum(1)
    return np.array([[a[i, j] / np.sqrt(d[i] * d[j]) if d[i] * d[j] else 0 for j in range(N)] for i in range(N)])


def walk(a: Array) -> Array:
    return np.array([[a[i, j] / (a[i].sum() or 1) for j in range(N)] for i in range(N)])


MATRICES: dict[str, Loop] = {
    "$": lambda a, x: a,
    "backwards($)": lambda a, x: a.T,
    "both_ways($)": lambda a, x: a + a.T,
    "add_loops($)": lambda a, x: a + np.eye(N),
    "add_loops($, x[:, 0])": lambda a, x: a + np.diag(x[:, 0]),
    "without_loops($)": lambda a, x: a - np.diag(np.diag(a)),
    "normalised_graph($)": lambda a, x: symmetric(a),
    "normalised_graph($, rows)": lambda a, x: walk(a),
    "laplacian($)": lambda a, x: np.eye(N) - symmetric(a),
    "laplacian($, normalised=false)": lambda a, x: np.diag(a.sum(1)) - a,
    "scaled_graph($, x[:, 0], x[:, 1])": lambda a, x: np.diag(x[:, 0]) @ a @ np.diag(x[:, 1]),
}
HEARD: dict[str, Loop] = {
    "neighbour_sum(x, $)": heard_sum,
    "neighbour_mean(x, $)": heard_mean,
    "neighbour_max(x, $)": heard_max,
    "node_degrees($)": lambda a, x: a.sum(1),
    "x * node_count($)": lambda a, x: N * x,
    "collected(at_sources(x, $) * at_targets(x, $), $)": lambda a, x: x * heard_sum(a, x),
    "collected(at_sources(x, $) * at_targets(x, $), $, mean)": lambda a, x: x * heard_mean(a, x),
    "collected(at_sources(x, $), $, max)": heard_max,
    "collected(neighbour_softmax(at_sources(x, $), $), $)": lambda a, x: np.array(
        [
            sum((a[i, j] * np.exp(x[j]) / sum(np.exp(x[k]) for k in near) for j in near), np.zeros(F))
            for i in range(N)
            for near in [neighbours(a, i)]
        ]
    ),
}


def both(call: str, before: str = "") -> list[tuple[str, Array]]:
    """A call whose `$` is a graph, with the edges and with the matrix, in NumPy and in onnxruntime."""
    found = []
    for graph, types, fields in ((SPARSE, TYPES, EDGES), ("a", DENSE_TYPES, {"a": A})):
        of = program(model(f"output result = {call.replace('$', graph)}", types, before))
        given = {name: {**fields, "x": X}[name] for name in of.infer.inputs}
        found += [(graph, output(of, **given)), (f"{graph}, onnxruntime", run_onnx(export(of.infer), given)["result"])]
    return found


@pytest.mark.parametrize("call", [*MATRICES, *HEARD])
def test_either_form_is_what_a_loop_over_the_nodes_says(call: str) -> None:
    is_matrix = call in MATRICES
    expected = (MATRICES if is_matrix else HEARD)[call](A.astype(np.float64), X.astype(np.float64))
    for form, value in both(f"adjacency({call})" if is_matrix else call):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6, err_msg=form)


@pytest.mark.parametrize(("call", "expected"), [
    ("adjacency($)", (A != 0).astype(float)),
    ("node_degrees($)", (A != 0).sum(1)),
    ("edge_weights($)", np.ones(6)),
    ("neighbour_max(x, $)", heard_max(A, X)),
    ("collected(neighbour_softmax(at_sources(x, $), $), $)", None),
    ("adjacency(both_ways($))", (A != 0).astype(float) + (A.T != 0)),
])  # fmt: skip
def test_edges_without_weights_have_weight_1(call: str, expected: Array | None) -> None:
    bare = call.replace("$", "edges(s, t, shape_of(x)[0])")
    fields: dict[str, Any] = {"x": X, "s": SOURCE[:-1], "t": TARGET[:-1]}
    of = program(model(f"output result = {bare}", f"x: [n, {F}]; s: i64[e]; t: i64[e]"))
    value = output(of, **{name: fields[name] for name in of.infer.inputs})
    if expected is None:
        ones = np.ones(6, np.float32)
        expected = expression(call.replace("$", SPARSE), TYPES, **fields, w=ones)
    np.testing.assert_allclose(value, expected, rtol=1e-6)


# ---------------------------------------------------------------- segments and readouts

IDS = np.array([2, 0, 2, 3, 0, 2])
ROWS = numbers(6, 2, seed=5)


@pytest.mark.parametrize(("how", "along", "fold"), [
    ("sum", "segment_sum", np.sum), ("mean", "segment_mean", np.mean), ("max", "segment_max", np.max),
])  # fmt: skip
def test_segments_are_what_is_said_of_the_rows_of_each_id(how: str, along: str, fold: Callable[..., Array]) -> None:
    expected = [fold(ROWS[k == IDS], axis=0) if (k == IDS).any() else np.zeros(2) for k in range(5)]
    for call in (f"segments(x, k, 5, {how})", f"{along}(x, k, 5)", f"transpose({along}(transpose(x), k, 5, -1))"):
        np.testing.assert_allclose(expression(call, "x: [n, 2]; k: i64[n]", x=ROWS, k=IDS), expected, rtol=1e-5)


def test_a_softmax_of_segments_survives_large_scores_and_skips_what_is_not_kept() -> None:
    scores = np.array([1000.0, 3.0, 999.0, -1e4, 2.0, 5000.0], np.float32)
    kept = np.array([True, True, True, True, False, False])
    expected = [1 / (1 + np.exp(-1)), 1, 1 / (1 + np.exp(1)), 1, 0, 0]
    value = expression("segment_softmax(x, k, 5, kept=m)", "x: [n]; k: i64[n]; m: bool[n]", x=scores, k=IDS, m=kept)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize(("how", "fold"), [("sum", np.sum), ("mean", np.mean), ("max", np.max)])
def test_a_readout_by_masks_equals_that_by_ids(how: str, fold: Callable[..., Array]) -> None:
    """Graphs of 2, 0, 3 and 1 nodes: side by side with ids, and filled up to 3 rows each with numbers that must not count."""
    x, sizes = numbers(6, 2, seed=8), [2, 0, 3, 1]
    filled, mask = np.full((4, 3, 2), 99, np.float32), np.zeros((4, 3), bool)
    for k, (start, size) in enumerate(zip(np.cumsum([0, *sizes[:-1]]), sizes, strict=True)):
        filled[k, :size], mask[k, :size] = x[start : start + size], True
    ids = np.repeat(np.arange(4), sizes)
    by_mask = expression(f"readout(x, m, {how})", "x: [b, 3, 2]; m: bool[b, 3]", x=filled, m=mask)
    np.testing.assert_allclose(
        by_mask, expression(f"segments(x, k, 4, {how})", "x: [n, 2]; k: i64[n]", x=x, k=ids), rtol=1e-5
    )
    expected = [fold(x[ids == k], axis=0) if (ids == k).any() else np.zeros(2) for k in range(4)]
    np.testing.assert_allclose(by_mask, expected, rtol=1e-5)
    np.testing.assert_allclose(expression(f"readout(x, how={how})", "x: [n, 2]", x=x), fold(x, axis=0), rtol=1e-5)


# ---------------------------------------------------------------- layers

PAIRS = numbers(N, N, 2, seed=11)
LAYERS: dict[str, str] = {
    "NN4G([4, 2, 3])": "",
    "NN4G([4, 2, 3], tanh, last)": "",
    "GraphConv(4, hops=3)": "laplacian",
    "GraphConv(4, hops=0)": "laplacian",
    "ChebyshevConv(4, order=3)": "laplacian",
    "ChebyshevConv(4, order=1, largest=3.0)": "laplacian",
    "GCN(4)": "",
    "GCN(4, loops=false, by=rows)": "",
    "GCN(4, by=none, bias=false)": "",
    "GraphSAGE(4)": "",
    "GraphSAGE(4, sum, unit=true)": "",
    "GraphSAGE(4, max)": "",
    "GraphSAGE(4, pool)": "",
    "GAT(2)": "",
    "GAT(2, heads=3, join=mean, bias=false)": "",
    "GAT(2, heads=2, loops=false)": "",
    "MessagePassing(MLP([6, 4]), Dense(2))": "",
    "MessagePassing([Dense(4), relu], Dense(2), max)": "",
    "MessagePassing(Dense(4), [Dense(2), tanh], mean)": "",
}


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def nn4g(p: dict[str, Array], a: Array, x: Array, act: Callable[[Array], Array], last: bool) -> Array:
    """Node by node: h_i(v) = act(V_i x(v) + b_i + sum over layers j before i of W_ij sum over u of a_vu h_j(u))."""
    layers: list[Array] = []
    index = 0
    for _ in range(3):
        y = x @ p[f"net.dense.{index}.W"] + p[f"net.dense.{index}.b"]
        index += 1
        for h in layers[-1:] if last else layers:
            y = y + heard_sum(a, h) @ p[f"net.dense.{index}.W"]
            index += 1
        layers.append(act(y))
    assert index == sum(1 for name in p if name.endswith("W"))
    return np.concatenate(layers, 1)


def polynomial(p: dict[str, Array], a: Array, x: Array, terms: list[Array]) -> Array:
    return sum((m @ x @ p[f"net.dense.{k}.W"] for k, m in enumerate(terms)), np.zeros(1)) + p["net.dense.0.b"]


def lap(a: Array) -> Array:
    return np.eye(N) - symmetric(a)


def chebyshev(L: Array, order: int, largest: float) -> list[Array]:
    """T_k(M) = cos(k arccos M) on the eigenvalues, by its recurrence on matrices."""
    M = 2 * L / largest - np.eye(N)
    terms = [np.eye(N), M]
    for _ in range(order - 1):
        terms.append(2 * M @ terms[-1] - terms[-2])
    return terms[: order + 1]


def sage(p: dict[str, Array], a: Array, x: Array, heard: Array) -> Array:
    W = [p[name] for name in p if name.endswith("W")][-2:]
    b = [p[name] for name in p if name.endswith("b")][-1]
    return x @ W[0] + b + heard @ W[1]


def pooled(p: dict[str, Array], a: Array, x: Array) -> Array:
    return heard_max(a, np.maximum(x @ p["net.dense.0.W"] + p["net.dense.0.b"], 0))


def unit(y: Array) -> Array:
    return y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-6)


def gat(p: dict[str, Array], a: Array, x: Array, heads: int, loops: bool) -> Array:
    """[n, heads, units], node by node."""
    h = (x @ p["net.dense.W"]).reshape(N, heads, -1)
    y = np.zeros_like(h)
    for i in range(N):
        near = sorted({*neighbours(a, i), i}) if loops else neighbours(a, i)
        for k in range(heads):
            e = np.array([p["net.p"][k] @ h[i, k] + p["net.q"][k] @ h[j, k] for j in near])
            e = np.exp(np.where(e > 0, e, 0.2 * e))
            y[i, k] = sum((share * h[j, k] for share, j in zip(e / e.sum(), near, strict=True)), np.zeros(h.shape[2]))
    return y


def dense(p: dict[str, Array], path: str, x: Array) -> Array:
    return x @ p[f"net.{path}.W"] + p[f"net.{path}.b"]


def passing(p: dict[str, Array], a: Array, x: Array, how: str) -> Array:
    heard = []
    for i in range(N):
        pairs = np.array([np.concatenate([x[i], x[j]]) for j in neighbours(a, i)]).reshape(-1, 2 * F)
        if how == "sum":
            m = dense(p, "message.dense.1", np.maximum(dense(p, "message.dense.0", pairs), 0))
            heard.append(a[i, neighbours(a, i)] @ m)
        elif how == "max":
            m = np.maximum(dense(p, "message.0", pairs), 0)
            heard.append(m.max(0) if len(m) else np.zeros(4))
        else:
            heard.append(a[i, neighbours(a, i)] @ dense(p, "message", pairs) / (a[i].sum() or 1))
    y = np.concatenate([x, np.array(heard)], 1)
    return np.tanh(dense(p, "update.0", y)) if how == "mean" else dense(p, "update", y)


ORACLES: dict[str, Callable[[dict[str, Array], Array, Array], Array]] = {
    "NN4G([4, 2, 3])": lambda p, a, x: nn4g(p, a, x, sigmoid, last=False),
    "NN4G([4, 2, 3], tanh, last)": lambda p, a, x: nn4g(p, a, x, np.tanh, last=True),
    "GraphConv(4, hops=3)": lambda p, a, x: polynomial(
        p, a, x, [np.linalg.matrix_power(lap(a), k) for k in range(4)]
    ),
    "GraphConv(4, hops=0)": lambda p, a, x: x @ p["net.dense.W"] + p["net.dense.b"],
    "ChebyshevConv(4, order=3)": lambda p, a, x: polynomial(p, a, x, chebyshev(lap(a), 3, 2)),
    "ChebyshevConv(4, order=1, largest=3.0)": lambda p, a, x: polynomial(p, a, x, chebyshev(lap(a), 1, 3)),
    "GCN(4)": lambda p, a, x: symmetric(a + np.eye(N)) @ x @ p["net.dense.W"] + p["net.b"],
    "GCN(4, loops=false, by=rows)": lambda p, a, x: walk(a) @ x @ p["net.dense.W"] + p["net.b"],
    "GCN(4, by=none, bias=false)": lambda p, a, x: (a + np.eye(N)) @ x @ p["net.dense.W"],
    "GraphSAGE(4)": lambda p, a, x: sage(p, a, x, heard_mean(a, x)),
    "GraphSAGE(4, sum, unit=true)": lambda p, a, x: unit(sage(p, a, x, heard_sum(a, x))),
    "GraphSAGE(4, max)": lambda p, a, x: sage(p, a, x, heard_max(a, x)),
    "GraphSAGE(4, pool)": lambda p, a, x: sage(p, a, x, pooled(p, a, x)),
    "GAT(2)": lambda p, a, x: gat(p, a, x, 1, True)[:, 0] + p["net.b"],
    "GAT(2, heads=3, join=mean, bias=false)": lambda p, a, x: gat(p, a, x, 3, True).mean(1),
    "GAT(2, heads=2, loops=false)": lambda p, a, x: gat(p, a, x, 2, False).reshape(N, 4) + p["net.b"],
    "MessagePassing(MLP([6, 4]), Dense(2))": lambda p, a, x: passing(p, a, x, "sum"),
    "MessagePassing([Dense(4), relu], Dense(2), max)": lambda p, a, x: passing(p, a, x, "max"),
    "MessagePassing(Dense(4), [Dense(2), tanh], mean)": lambda p, a, x: passing(p, a, x, "mean"),
}  # fmt: skip


def layer(made: str, graph: str, types: str, before: str = "") -> Any:
    wanted = f"laplacian({graph})" if LAYERS[made] else graph
    return program(model(f"net = {made}\noutput result = net(x, {wanted})", types, before), float_type=DType.f64)


def weights_of(of: Any) -> dict[str, Array]:
    """Other than 0 for biases as well."""
    return {
        path: numbers(*value.shape, seed=17 + i, low=-1, high=1).astype(np.float64)
        for i, (path, value) in enumerate(initial(of).items())
    }


@pytest.mark.parametrize("made", LAYERS)
def test_a_layer_is_what_its_equation_says_node_by_node(made: str) -> None:
    x, a = X.astype(np.float64), A.astype(np.float64)
    for graph, types, fields in ((SPARSE, TYPES, EDGES), ("a", DENSE_TYPES, {"a": a})):
        of = layer(made, graph, types)
        p = weights_of(of)
        given = {name: {**fields, "x": x}[name] for name in of.infer.inputs if name not in p}
        np.testing.assert_allclose(outputs(of, p, **given)["result"], ORACLES[made](p, a, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("made", LAYERS)
def test_relabelling_the_nodes_relabels_the_result(made: str) -> None:
    order = np.array([3, 0, 4, 2, 1])
    of = layer(made, "a", DENSE_TYPES)
    p = weights_of(of)
    straight = outputs(of, p, a=A, x=X)["result"]
    moved = outputs(of, p, a=A[order][:, order], x=X[order])["result"]
    np.testing.assert_allclose(moved, straight[order], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("made", LAYERS)
def test_a_batch_of_matrices_is_a_graph_at_a_time(made: str) -> None:
    graphs, nodes = np.stack([A, A.T, A + A.T]), numbers(3, N, F, seed=23)
    of = layer(made, "a", f"x: [b, n, {F}]; a: [b, n, n]")
    p = weights_of(of)
    together = outputs(of, p, a=graphs, x=nodes)["result"]
    for k in range(3):
        alone = layer(made, "a", DENSE_TYPES)
        np.testing.assert_allclose(
            together[k], outputs(alone, p, a=graphs[k], x=nodes[k])["result"], rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize("made", LAYERS)
def test_edges_carry_a_batch_of_features(made: str) -> None:
    nodes = numbers(2, N, F, seed=29)
    of = layer(made, SPARSE.replace("[0]", "[1]"), TYPES.replace("x: [n", "x: [b, n"))
    p, alone = weights_of(of), layer(made, SPARSE, TYPES)
    together = outputs(of, p, x=nodes, **EDGES)["result"]
    for k in range(2):
        np.testing.assert_allclose(together[k], outputs(alone, p, x=nodes[k], **EDGES)["result"], rtol=1e-9, atol=1e-12)


def test_messages_read_the_features_of_edges() -> None:
    made = "net = MessagePassing(Dense(4), Dense(2))\noutput result = net(x, $, e)"
    sparse = program(model(made.replace("$", SPARSE), f"{TYPES}; e: [e, 2]"), float_type=DType.f64)
    dense_ = program(model(made.replace("$", "a"), f"{DENSE_TYPES}; e: [n, n, 2]"), float_type=DType.f64)
    p = weights_of(sparse)
    expected = outputs(dense_, p, x=X, a=A, e=PAIRS)["result"]
    np.testing.assert_allclose(outputs(sparse, p, x=X, e=PAIRS[TARGET, SOURCE], **EDGES)["result"], expected, rtol=1e-9)
    other = outputs(dense_, p, x=X, a=A, e=0 * PAIRS)["result"]
    assert np.abs(other - expected)[:3].max() > 0.01


def test_dropout_of_attention_is_in_training_alone() -> None:
    text = model(f"net = GAT(2, dropout=0.9)\noutput result = net(x, {SPARSE})", TYPES)
    plain = model(f"net = GAT(2)\noutput result = net(x, {SPARSE})", TYPES)
    np.testing.assert_array_equal(output(text, x=X, **EDGES), output(plain, x=X, **EDGES))


GRAPHS = [numbers(size, size, seed=50 + size) * (numbers(size, size, seed=60 + size) > 0) for size in (3, 5, 1, 2)]


@pytest.mark.parametrize("made", ["GraphSAGE(4)", "GAT(2, heads=2)", "GCN(4)", "GraphSAGE(4, max)"])
@pytest.mark.parametrize("how", ["sum", "mean", "max"])
def test_graphs_of_unequal_size_side_by_side_or_filled_up(made: str, how: str) -> None:
    """All nodes in one list, with edges and the number of each node's graph; or matrices filled up to 5 nodes, with a mask."""
    sizes = [len(a) for a in GRAPHS]
    starts, total = np.cumsum([0, *sizes[:-1]]), sum(sizes)
    x, union = numbers(total, F, seed=70), np.zeros((total, total), np.float32)
    matrices, nodes, mask = np.zeros((4, 5, 5), np.float32), np.full((4, 5, F), 9, np.float32), np.zeros((4, 5), bool)
    for k, (start, a) in enumerate(zip(starts, GRAPHS, strict=True)):
        n = len(a)
        union[start : start + n, start : start + n] = matrices[k, :n, :n] = np.abs(a)
        nodes[k, :n], mask[k, :n] = x[start : start + n], True
    target, source = np.nonzero(union)
    listed = f"net = {made}\noutput result = segments(net(x, {SPARSE}), k, 4, {how})"
    filled = f"net = {made}\noutput result = readout(net(x, a), m, {how})"
    beside = program(model(listed, f"{TYPES}; k: i64[n]"), float_type=DType.f64)
    padded = program(model(filled, f"x: [b, 5, {F}]; a: [b, 5, 5]; m: bool[b, 5]"), float_type=DType.f64)
    p, ids = weights_of(beside), np.repeat(np.arange(4), sizes)
    one = outputs(beside, p, x=x, s=source, t=target, w=union[target, source], k=ids)["result"]
    np.testing.assert_allclose(outputs(padded, p, x=nodes, a=matrices, m=mask)["result"], one, rtol=1e-6)


# ---------------------------------------------------------------- gradients

SMOOTH = {"x": X.astype(np.float64), "a": np.abs(numbers(N, N, seed=31)).astype(np.float64) + 0.1}


@pytest.mark.parametrize("call", [
    "neighbour_mean(x, a)", "neighbour_sum(x, laplacian(a))", "neighbour_sum(x, normalised_graph(add_loops(a), rows))",
    "collected(neighbour_softmax(at_sources(x, a), a), a)",
])  # fmt: skip
def test_gradients_of_both_orders_in_features_and_matrix(call: str) -> None:
    check_both_orders(call, f"x: [{N}, {F}]; a: [{N}, {N}]", SMOOTH)


@pytest.mark.parametrize("call", [
    "neighbour_mean($x, $g)", "neighbour_max($x, $g)", "neighbour_sum($x, laplacian($g))",
    "collected(neighbour_softmax(at_sources($x, $g), $g), $g)",
])  # fmt: skip
def test_gradients_of_features_and_weights_of_edges(call: str) -> None:
    """`w` is what the gradient is of: the weights, and then the features."""
    ends, types = {"s": SOURCE, "t": TARGET}, "s: i64[7]; t: i64[7]"
    positive = np.abs(WEIGHT) + np.float32(0.1)
    if "max(" not in call:
        of_weights = call.replace("$x", "y").replace("$g", f"edges(s, t, {N}, w)")
        check_gradient(of_weights, "", positive, {**ends, "y": SMOOTH["x"]}, f"{types}; y: [{N}, {F}]")
    of_features = call.replace("$x", "w").replace("$g", f"edges(s, t, {N}, v)")
    check_gradient(of_features, "", X, {**ends, "v": positive.astype(np.float64)}, f"{types}; v: [7]")


@pytest.mark.parametrize("made", LAYERS)
def test_gradients_of_layers_are_those_of_differences(made: str) -> None:
    """Of all parameters at once, along a random direction, in float64, over the edges."""
    wanted = f"laplacian({SPARSE})" if LAYERS[made] else SPARSE
    of = program(
        model(f"net = {made}\nr = net(x, {wanted})\nloss objective = sum(r * cos(r))", TYPES), float_type=DType.f64
    )
    p = weights_of(of)
    directions = {path: numbers(*value.shape, seed=41).astype(np.float64) for path, value in p.items()}
    given = {"x": X.astype(np.float64), **EDGES}

    def at(step: float) -> float:
        moved = {path: value + step * directions[path] for path, value in p.items()}
        return float(measures(of, moved, **given)["objective"])

    slope = (at(1e-6) - at(-1e-6)) / 2e-6
    gradients = loss_and_gradients(of, "objective", {**given, **p})
    np.testing.assert_allclose(
        sum((gradients[path] * directions[path]).sum() for path in p), slope, rtol=1e-5, atol=1e-7
    )


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(("statement", "types", "said"), [
    ("GCN(4)(x, a)", "x: [5, 3]; a: [5, 4]", "the matrix of a graph is square, not 5 rows by 4 columns"),
    ("GCN(4)(x, a)", "x: [5, 3]; a: [4, 4]", "the graph has 4 nodes, and there are 5 rows"),
    ("GAT(4)(x, a)", "x: [5, 3]; a: [4, 4]", "the graph has 4 nodes, and there are 5 rows"),
    ("GraphSAGE(4, max)(x, edges(s, t, 6))", "x: [5, 3]; s: i64[e]; t: i64[e]", "the graph has 6 nodes, and there are 5 rows"),
    ("GCN(4)(x, a)", "x: [5, 3]; a: [5]", "a tensor of 1 axes is none"),
    ("GCN(4)(x, [s, t])", "x: [5, 3]; s: i64[e]; t: i64[e]", "or `edges(source, target, nodes)`, not a list of 2"),
    ("GCN(4)(x, 5)", "x: [5, 3]", "a graph is a matrix, or `edges(source, target, nodes)`"),
    ("GCN(4)(x, edges(s, t, 5, w))", "x: [5, 3]; s: i64[7]; t: i64[7]; w: [6]", "there are 7 edges and 6 weights"),
    ("GCN(4)(x, edges(s, t, 5, w))", "x: [5, 3]; s: i64[7]; t: i64[7]; w: [7, 1]", "these weights have 2 axes"),
    ("GraphConv(4, hops=-1)(x, a)", "x: [5, 3]; a: [5, 5]", "a polynomial of -1 hops is none"),
    ("ChebyshevConv(4, order=-1)(x, a)", "x: [5, 3]; a: [5, 5]", "a polynomial of order -1 is none"),
    ("ChebyshevConv(4, largest=0)(x, a)", "x: [5, 3]; a: [5, 5]", "the largest eigenvalue of a Laplacian is above 0"),
    ("edge_weights(a) + x[:, 0]", "x: [5, 3]; a: [5, 5]", "a matrix has no list of weights"),
])  # fmt: skip
def test_what_does_not_fit_is_said(statement: str, types: str, said: str) -> None:
    (finding,) = findings(model(f"output y = {statement}", types))
    assert finding.code == "AX0319" and said in finding.headline, finding.headline


def test_as_many_sources_as_targets() -> None:
    assert codes(model("output y = GCN(4)(x, edges(s, t, 5))", "x: [5, 3]; s: i64[7]; t: i64[6]")) == ["AX0304"]


def test_numbers_of_nodes_are_not_of_a_node_that_is_not_there() -> None:
    """An index out of range is an error when the model runs, as it is of `gather`."""
    of = program(model("output y = GCN(4)(x, edges(s, t, 5))", "x: [5, 3]; s: i64[e]; t: i64[e]"))
    for wrong in (5, -1):
        with pytest.raises(Exception, match=r"(?i)out of (data )?bounds|indices"):
            p = initial(of)
            run_onnx(export(of.infer), {"x": X, "s": np.array([0, wrong]), "t": np.array([1, 0]), **p})
