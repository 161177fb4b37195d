"""Graphs as data: nodes are rows, edges are arrays that have none and are fed whole; bundled graphs, arrays, graphs in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest

import archonnx
from archonnx.compiler.program import DataSource
from archonnx.compiler.sources import GRAPHS
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.data import graphs
from archonnx.runtime.data.graphs import from_graph
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.data.sources import load_source

SPEC = """model Friends():
    input  node: i64[B]
    input  source: i64[E]
    input  target: i64[E]
    input  weight: [E]
    input  features: [N, 2]
    target side: i64[B]
    graph = edges(source, target, shape_of(features)[0], weight)
    h = tanh(GCN(8)(features, graph))
    logits = GCN(2)(h, graph)[node]
    output probs: [B, 2] = softmax(logits)
    loss objective = cross_entropy(logits, side)
    metric accuracy = accuracy(logits, side)

train:
    data = networkx("karate_club")
    fit side = vocabulary(data.club)
    feed node = data.index
    feed whole source = data.source
    feed whole target = data.target
    feed whole weight = data.weight
    feed whole features = stack([float(data.index), sum(data.A, axis=1)], axis=1) / 34
    feed side = index(data.club, side)
    split = {train: 0.5, test: 0.5, stratify: side}
    batch_size = 4
    epochs = 2
    minimize objective with adam(lr=0.01)
"""
KARATE = networkx.karate_club_graph()
A = networkx.to_numpy_array(KARATE)


def loaded(name: str, **arguments: Any) -> Any:
    return load_source(DataSource("data", "networkx", {"name": name, "weight": "weight", **arguments}, None), Path())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    (folder / "friends.arch").write_text(SPEC)
    archonnx.train(folder / "friends.arch", out=folder / "run", device="cpu")
    return folder


def said(call: Callable[[], Any]) -> str:
    with pytest.raises(SpecError) as caught:
        call()
    return str(caught.value)


# ---------------------------------------------------------------- what a graph is as data


@pytest.mark.parametrize("name", [name for name in GRAPHS if name != "graph_atlas"])
def test_a_bundled_graph_is_its_matrix_and_its_edges(name: str) -> None:
    data, graph = loaded(name), getattr(networkx, f"{name}_graph")()
    matrix = networkx.to_numpy_array(graph)
    assert len(data.fields["index"]) == len(graph)
    np.testing.assert_array_equal(data.fields["A"], matrix.T)
    rebuilt = np.zeros_like(matrix)
    np.add.at(rebuilt, (data.whole["target"], data.whole["source"]), data.whole["weight"])
    np.testing.assert_array_equal(rebuilt, matrix)
    assert [str(label) for label in data.fields["node"]] == [str(node) for node in graph]
    assert data.kinds["source"] == "int" and data.kinds["weight"] == "float"


def test_attributes_of_nodes_are_columns() -> None:
    assert loaded("karate_club").fields["club"].tolist() == [KARATE.nodes[i]["club"] for i in KARATE]
    assert loaded("davis_southern_women").fields["bipartite"].tolist() == [0] * 18 + [1] * 14


def test_the_atlas_has_graphs_for_rows() -> None:
    data = loaded("graph_atlas")
    assert data.fields["A"].shape == (1252, 7, 7) and not data.whole
    for row, graph in zip((0, 6, 700, 1251), [networkx.graph_atlas_g()[k] for k in (1, 7, 701, 1252)], strict=True):
        n = len(graph)
        assert data.fields["nodes"][row] == n
        np.testing.assert_array_equal(data.fields["A"][row, :n, :n], networkx.to_numpy_array(graph))
        assert data.fields["A"][row].sum() == 2 * graph.number_of_edges()


def test_a_directed_graph_with_several_edges_and_a_loop() -> None:
    graph = networkx.MultiDiGraph(
        [("a", "b", {"w": 2}), ("a", "b", {"w": 0.5}), ("b", "b", {"w": 3}), ("c", "a", {"w": 1})]
    )
    data = from_graph(graph, "w")
    np.testing.assert_array_equal(data.fields["A"], [[0, 0, 1], [2.5, 3, 0], [0, 0, 0]])
    assert list(zip(data.whole["source"], data.whole["target"], data.whole["weight"], strict=True)) == [
        (2, 0, 1), (0, 1, 2), (0, 1, 0.5), (1, 1, 3),
    ]  # fmt: skip
    undirected = from_graph(networkx.Graph([(0, 1), (1, 1)]))
    assert list(zip(undirected.whole["source"], undirected.whole["target"], strict=True)) == [(1, 0), (0, 1), (1, 1)]


def test_the_checksum_sees_edges_and_not_the_order_in_which_they_were_added() -> None:
    one = from_graph(networkx.Graph([(0, 1), (1, 2), (0, 2)]))
    again = networkx.Graph()
    again.add_nodes_from(range(3))
    again.add_edges_from([(0, 2), (2, 1), (1, 0)])
    assert from_graph(again).checksum == one.checksum
    again.remove_edge(0, 1)
    assert from_graph(again).checksum != one.checksum


def test_a_large_graph_has_edges_and_no_dense_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "MAX_DENSE", 3)
    data = from_graph(networkx.path_graph(4))
    assert "A" not in data.fields and "use its edges" in data.problems["A"].help
    assert len(data.whole["source"]) == 6


def _with(weights: list[Any]) -> Any:
    graph = networkx.Graph()
    for i, weight in enumerate(weights):
        graph.add_edge(i, i + 1, **({} if weight is None else {"weight": weight}))
    return graph


def _called(name: str) -> Any:
    graph = networkx.path_graph(2)
    graph.nodes[0][name] = 1
    return graph


@pytest.mark.parametrize(("graph", "weight", "what"), [
    (networkx.Graph(), "weight", "the graph has no nodes"),
    (_with([1, None]), "weight", "the edge of 1 and 2 has no `weight`, which others have"),
    (_with([1, float("inf")]), "weight", "the edge of 1 and 2 has the `weight` inf, which is not a finite number"),
    (_with(["far"]), "weight", "the edge of 0 and 1 has the `weight` 'far', which is not a finite number"),
    (_with([1]), "strength", "no edge has an attribute `strength`"),
    (_called("A"), "weight", "nodes have an attribute `A`, which is what the matrix is called"),
    (_called("source"), "weight", "nodes have an attribute `source`, which is what the sources of edges are called"),
])  # fmt: skip
def test_a_graph_that_is_no_data(graph: Any, weight: str, what: str) -> None:
    assert f"error[AX0603]: the graph{what.removeprefix('the graph')}" in said(
        lambda: from_graph(graph, weight)
    ) or f"error[AX0603]: the graph: {what}" in said(lambda: from_graph(graph, weight))


def test_weights_may_be_left_out() -> None:
    assert from_graph(_with([1, None]), None).whole["weight"].tolist() == [1, 1, 1, 1]
    assert from_graph(_with([None, None])).whole["weight"].tolist() == [1, 1, 1, 1]


# ---------------------------------------------------------------- training, remembering, predicting


def test_a_run_remembers_its_graph(trained: Path) -> None:
    run, memory = archonnx.Run(trained / "run"), Memory.load(trained / "run")
    assert memory.whole == {"source": (156,), "target": (156,), "weight": (156,)}
    assert memory.shapes == {"A": (34,)} and memory.rows == 34
    assert run.classes == {"probs": ("Mr. Hi", "Officer")}
    assert run.evaluate("test") == pytest.approx(run.metrics["test"])


def test_another_graph_is_predicted_from_without_its_target(trained: Path) -> None:
    run = archonnx.Run(trained / "run")
    other = networkx.les_miserables_graph()
    probs = run.predict(other)["probs"]
    assert probs.shape == (77, 2)
    arrays = {"A": networkx.to_numpy_array(other)}
    target, source = np.nonzero(arrays["A"])
    arrays |= {"source": source, "target": target, "weight": arrays["A"][target, source]}
    np.testing.assert_allclose(run.predict(arrays)["probs"], probs, rtol=1e-5)
    weights = run.parameters
    a = arrays["A"] + np.eye(77)
    p = a / np.sqrt(np.outer(a.sum(1), a.sum(1)))
    x = np.stack([np.arange(77), arrays["A"].sum(1)], 1) / 34
    h = np.tanh(p @ x @ weights["gcn.0.dense.W"] + weights["gcn.0.b"])
    z = p @ h @ weights["gcn.1.dense.W"] + weights["gcn.1.b"]
    np.testing.assert_allclose(probs, np.exp(z) / np.exp(z).sum(1, keepdims=True), rtol=1e-4, atol=1e-6)


def test_a_file_of_arrays_stands_for_a_graph(trained: Path, tmp_path: Path) -> None:
    run = archonnx.Run(trained / "run")
    np.savez(tmp_path / "graph.npz", **_arrays())
    (tmp_path / "folder").mkdir()
    for name, array in _arrays().items():
        np.save(tmp_path / f"folder/{name}.npy", array)
    expected = run.predict(KARATE)["probs"]
    for given in (tmp_path / "graph.npz", tmp_path / "folder"):
        np.testing.assert_allclose(run.predict(given)["probs"], expected, rtol=1e-5)
    np.savez(tmp_path / "graph.npz", **_arrays(weight=None))
    assert "has no column `weight`" in said(lambda: run.predict(tmp_path / "graph.npz"))


def test_a_resumed_run_is_one_that_was_not_interrupted(trained: Path, tmp_path: Path) -> None:
    spec = trained / "friends.arch"
    archonnx.train(spec, out=tmp_path / "run", device="cpu", settings={"epochs": 1})
    resumed = archonnx.train(spec, resume=tmp_path / "run", device="cpu", settings={"epochs": 2})
    for path, values in archonnx.Run(trained / "run").parameters.items():
        np.testing.assert_array_equal(resumed.parameters[path], values)


def _arrays(**changes: Any) -> dict[str, Any]:
    target, source = np.nonzero(A)
    given = {"A": A, "source": source, "target": target, "weight": A[target, source], **changes}
    return {name: value for name, value in given.items() if value is not None}


@pytest.mark.parametrize(("changes", "code", "what"), [
    ({"weight": None}, "AX0607", "the given data has no column `weight`"),
    ({"A": None, "club": np.array(["Officer"] * 34)}, "AX0607", "the given data has no column `A`"),
    ({"weight": np.ones(5)}, "AX0708", "dim E is 156 in `source` and 5 in `weight`"),
    ({"source": np.full(156, 34)}, "AX0630", "`source` is 34 in row 0"),
    ({"weight": np.full(156, np.nan)}, "AX0603", "`weight`, which is given whole, has numbers that are not finite"),
    ({"source": np.array(["a"] * 156)}, "AX0603", "`source` holds <U1, and only numbers are given whole"),
])  # fmt: skip
def test_a_graph_that_does_not_fit_the_training(trained: Path, changes: dict[str, Any], code: str, what: str) -> None:
    text = said(lambda: archonnx.Run(trained / "run").predict(_arrays(**changes)))
    assert f"error[{code}]" in text and what in text


def test_a_graph_that_changed_is_another_one(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = KARATE.copy()
    changed.add_edge(0, 33, weight=1)
    monkeypatch.setattr(networkx, "karate_club_graph", lambda: changed)
    assert "error[AX0632]" in said(lambda: archonnx.Run(trained / "run").evaluate("test"))


@pytest.mark.parametrize(("old", "new", "code", "what"), [
    ("feed whole source = data.source", "feed source = data.source", "AX0708",
     "`source` has no row for each example"),
    ("    feed whole weight = data.weight\n", "", "AX0708", "`weight` has no row for each example"),
    ("feed node = data.index", "feed node = data.target", "AX0708",
     "`node` is made of `target`, which has no row for each example"),
    ("data.source", "data.sources", "AX0206", "did you mean `source`?"),
    ('"karate_club"', '"karate"', "AX0702", "did you mean `karate_club`?"),
    ('"karate_club"', '"karate_club", weight=strength', "AX0603", "no edge has an attribute `strength`"),
    ("vocabulary(data.club)", "vocabulary(data.source)", "AX0306", "a vocabulary is that of a column"),
    ("stratify: side", "stratify: data.source", "AX0606", "there is no field `data.source`"),
])  # fmt: skip
def test_what_a_spec_gets_wrong(tmp_path: Path, old: str, new: str, code: str, what: str) -> None:
    assert old in SPEC
    (tmp_path / "wrong.arch").write_text(SPEC.replace(old, new))
    text = said(lambda: archonnx.train(tmp_path / "wrong.arch", out=tmp_path / "run", device="cpu"))
    assert f"error[{code}]" in text and what in text
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------- arrays of one's own


OWN = SPEC.replace('networkx("karate_club")', 'npz("own.npz", whole=[source, target, weight])').replace(
    "    fit side = vocabulary(data.club)\n", ""
).replace("index(data.club, side)", "data.side")  # fmt: skip


def own(folder: Path, **changes: Any) -> Path:
    side = np.array([KARATE.nodes[i]["club"] == "Officer" for i in KARATE]).astype(np.int64)
    np.savez(folder / "own.npz", **_arrays(side=side, **changes))
    (folder / "own.arch").write_text(OWN)
    return folder / "own.arch"


def test_arrays_without_rows_stand_beside_those_with_rows(tmp_path: Path, trained: Path) -> None:
    run = archonnx.train(own(tmp_path), out=tmp_path / "run", device="cpu")
    bundled = archonnx.Run(trained / "run")
    for name, values in run.parameters.items():  # the order of edges differs, and with it that of sums
        np.testing.assert_allclose(values, bundled.parameters[name], rtol=1e-3, atol=1e-5)
    assert archonnx.Run(tmp_path / "run").evaluate("test") == pytest.approx(run.metrics["test"])


@pytest.mark.parametrize(("changes", "code", "what"), [
    ({"weight": None}, "AX0603", "own.npz has no `weight` to be given whole"),
    ({"weight": np.array(["1"] * 156)}, "AX0603", "`weight` holds <U1, and only numbers are given whole"),
    ({"source": np.array([2**63] * 156, np.uint64)}, "AX0603", "too large for i64"),
    ({"more": np.zeros(33)}, "AX0605", "the fields differ in their number of examples"),
])  # fmt: skip
def test_arrays_that_do_not_fit(tmp_path: Path, changes: dict[str, Any], code: str, what: str) -> None:
    spec = own(tmp_path, **changes)
    text = said(lambda: archonnx.train(spec, out=tmp_path / "run", device="cpu"))
    assert f"error[{code}]" in text and what in text


def test_a_folder_of_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    np.save(tmp_path / "ends.npy", np.zeros((2, 5), np.int32))
    data = load_source(DataSource("data", "npy", {"path": ".", "whole": ["ends"]}, None), tmp_path)
    assert data.fields["x"].shape == (3, 2) and data.whole["ends"].shape == (2, 5)


def test_without_networkx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "networkx", None)
    text = said(lambda: loaded("karate_club"))
    assert "error[AX0619]" in text and "pip install 'archonnx[graphs]'" in text
