"""What the interface gives can be pickled and copied, carried to another process, and used there as here."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings

import archonnx
from archonnx.compiler.autodiff import NotDifferentiable
from archonnx.compiler.errors import InternalError
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.onnx_export import export
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.grammar.source import Source, Span
from tests.support.copies import DEEP_WAYS, PICKLES, WAYS, by_joblib, raise_
from tests.support.op_cases import Case, cases
from tests.support.random_graphs import feeds, graphs

STATED = """
fn surrogate(x: [...S]) -> [...S]:
    return sign(x)
backward(dy):
    return dy * exp(-x * x)
model Stated():
    input x: [B, 3]
    output y = x |> Dense(2) |> surrogate
    loss objective = mean(y)
train:
    minimize objective with sgd(lr=0.1)
"""
MODELS = ("digits_cnn", "residual_mlp", "adversarial_training", "dropout", STATED)
"""A network, modules in a loop, gradients of gradients, draws, and a stated gradient."""


@pytest.fixture(scope="module")
def spawned() -> Iterator[ProcessPoolExecutor]:
    """A fresh process: its own hashes of strings, its own classes, and another current directory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(os.chdir, "/").result()
        yield pool


# ---------------------------------------------------------------- graphs


@settings(max_examples=30)
@given(graphs())
def test_random_graphs_compute_the_same(graph: Graph) -> None:
    inputs = feeds(graph, {"B": 2, "T": 3})
    wanted, text = interpret(graph, inputs, {"B": 2, "T": 3}), print_graph(graph)
    for way in DEEP_WAYS:
        again = way(graph)
        assert print_graph(again) == text and again.facts == graph.facts
        found = interpret(again, inputs, {"B": 2, "T": 3})
        assert list(found) == list(wanted)
        assert all(found[name].tobytes() == wanted[name].tobytes() for name in wanted)
        assert_whole(again)


def assert_whole(graph: Graph) -> None:
    """Every value that is read is, by identity, an input or the result of an earlier node."""
    known: set[Value] = set(graph.inputs.values())
    for node in graph.nodes:
        assert known.issuperset(node.inputs)
        known.update(node.outputs)
    assert known.issuperset(graph.outputs.values())


@cache
def graphs_of(name: str) -> dict[str, Graph]:
    model = elaborate(parse_spec(Source("stated.arch", STATED)) if name == STATED else archonnx.load(name))
    steps = {step.name: step.graph for program in model.programs for step in train_steps(model, program, 10, 10)}
    return {"infer": model.infer, "evaluate": model.evaluate, **model.entries, **steps}


@pytest.mark.parametrize("name", MODELS, ids=(*MODELS[:-1], "stated"))
def test_graphs_of_models_keep_their_origins_and_export_to_the_same_bytes(name: str) -> None:
    for graph in graphs_of(name).values():
        for way in (PICKLES[-1], DEEP_WAYS[-1]):
            again = way(graph)
            assert_whole(again)
            assert [(str(n.origin), n.origin.path, n.op.name) for n in again.nodes] == [
                (str(n.origin), n.origin.path, n.op.name) for n in graph.nodes
            ]
            assert print_graph(again) == print_graph(graph)
            assert exported(again) == exported(graph)


def exported(graph: Graph) -> bytes:
    model: onnx.ModelProto = export(optimise(graph))
    return model.SerializeToString(deterministic=True)


def test_a_graph_means_the_same_in_another_process(spawned: ProcessPoolExecutor) -> None:
    for graph in graphs_of("digits_cnn").values():
        assert spawned.submit(exported, graph).result() == exported(graph)
        assert print_graph(spawned.submit(optimise, graph).result()) == print_graph(optimise(graph))


def test_a_graph_takes_little_more_than_its_nodes() -> None:
    """Its origins leave the elaborator behind: modules, scopes, the trees of the library."""
    graph = graphs_of("digits_cnn")["infer"]
    sources = {n.origin.span.source.text for n in graph.nodes if n.origin.span is not None}
    assert len(pickle.dumps(graph)) < sum(map(len, sources)) + len(graph.nodes) * 1000


def test_values_of_one_pickle_stay_those_of_its_graph() -> None:
    graph = graphs_of("digits_cnn")["infer"]
    for way in DEEP_WAYS:
        again, value, output = way((graph, graph.inputs["image"], graph.outputs["probs"]))
        assert again.inputs["image"] is value is not graph.inputs["image"]
        assert again.outputs["probs"] is output


@pytest.mark.parametrize("case", cases(), ids=str)
def test_ops_are_equal_to_their_copies(case: Case) -> None:
    for way in WAYS:
        again = way(case.op)
        assert again == case.op and hash(again) == hash(case.op) and str(again) == str(case.op)


def test_dims_and_types_are_equal_to_their_copies(spawned: ProcessPoolExecutor) -> None:
    b, t = Dim.of("B"), Dim.of("T")
    dims = [Dim.of(0), b, 2 * b * t - 3, (b + 1) // 2, (b * t) % (t + 1), (b + t) // 3 + t]
    types = [TensorType.of("f32", *dims), TensorType(TensorType.of("i64", b).dtype, (b,), ("1 * B",))]
    for value in [*dims, *types]:
        for way in WAYS:
            again = way(value)
            assert again == value and hash(again) == hash(value) and str(again) == str(value)
    assert types[1].notes == by_joblib(types[1]).notes
    there = [job.result() for job in [spawned.submit(add, d, b * t) for d in dims]]
    assert there == [d + b * t for d in dims]


def add(left: Dim, right: Dim) -> Dim:
    return left + right


# ---------------------------------------------------------------- the interface


XOR = {"x": np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), "y": np.array([[0], [1], [1], [0]], np.float32)}


TWO = """
fn points(n: int) -> (x: [n, 2]):
    x: [n, 2] ~ normal(0, 1)
    return x

model First():
    input x: [B, 2]
    output y = x |> Dense(1)
    loss l = mean(y ** 2)

model Second():
    input x: [B, 2]
    output y = x |> Dense(2)
    loss l = mean(y ** 2)

train one of First:
    data = generate(points, n=8)
    epochs = 1
    minimize l with sgd(lr=0.1)

train other of Second:
    data = generate(points, n=8)
    epochs = 1
    minimize l with sgd(lr=0.1)
"""
"""A file that trains two models."""


@cache
def samples(folder: Path) -> dict[str, Any]:
    """One of each class that ``archonnx`` exports or its functions give, by name."""
    with pytest.raises(archonnx.SpecError) as caught:
        archonnx.load("digits_cn")
    compiled = archonnx.compile("digits_cnn")
    two = folder / "two.arch"
    two.write_text(TWO, encoding="utf-8")
    return {
        "ModelRuns": archonnx.train(two, folder / "models", device="cpu"),
        "Spec": archonnx.load("digits_cnn", width=16),
        "Compiled": compiled,
        "ParameterInfo": compiled.parameters["dense.W"],
        "Trainer": archonnx.Trainer("xor", device="cpu"),
        "Run": archonnx.train("xor", folder / "run", settings={"epochs": 2}, device="cpu"),
        "Runs": archonnx.train("xor", folder / "runs", settings={"epochs": 2}, device="cpu", seeds=2),
        "Trace": archonnx.trace("xor"),
        "GradientCheck": archonnx.gradcheck("xor"),
        "Summary": archonnx.show("digits_cnn"),
        "SpecError": caught.value,
        "Batches": archonnx.Batches([{"x": [1.0, 2.0]}, {"x": [3.0, 4.0]}]),
        "Observer": archonnx.Observer(),
        "StopTraining": archonnx.StopTraining("enough"),
    }


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    folder = tmp_path_factory.mktemp("runs")
    return lambda name: samples(folder)[name]


NAMES = (
    "Spec",
    "Compiled",
    "ParameterInfo",
    "Trainer",
    "Run",
    "Runs",
    "ModelRuns",
    "Trace",
    "GradientCheck",
    "Summary",
    "SpecError",
    "Batches",
    "Observer",
    "StopTraining",
)


def test_every_class_of_the_interface_has_a_sample() -> None:
    exported = {name for name in archonnx.__all__ if isinstance(getattr(archonnx, name), type)}
    assert exported <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_objects_of_the_interface_are_pickled_and_say_what_they_are(name: str, sample: Callable[[str], Any]) -> None:
    value = sample(name)
    assert type(value).__name__ == name in repr(value) and len(repr(value)) <= 200
    for way in WAYS:
        again = way(value)
        assert type(again) is type(value) and repr(again) == repr(value) and str(again) == str(value)


def test_a_spec_is_elaborated_to_the_same_model(sample: Callable[[str], Any], spawned: ProcessPoolExecutor) -> None:
    spec = sample("Spec")
    assert spawned.submit(infer_text, spec).result() == infer_text(spec)
    again = by_joblib(spec)
    assert (again.file, again.arguments, again.source.text) == (spec.file, spec.arguments, spec.source.text)


def infer_text(spec: Any) -> str:
    return print_graph(elaborate(spec).infer)


def test_compiled_graphs_are_the_same_bytes(sample: Callable[[str], Any], spawned: ProcessPoolExecutor) -> None:
    compiled = sample("Compiled")
    again = spawned.submit(by_joblib, compiled).result()
    assert list(again.graphs) == list(compiled.graphs) and again.parameters == compiled.parameters
    for name, model in compiled.graphs.items():
        assert again.graphs[name].SerializeToString() == model.SerializeToString()
    with pytest.raises(KeyError):
        again.graphs["none"]


@pytest.mark.parametrize("way", WAYS)
def test_a_trainer_goes_on_to_the_bit(way: Callable[[Any], Any]) -> None:
    trainer = archonnx.Trainer("xor", seed=3, device="cpu", threads=1)
    for _ in range(3):
        trainer.step(XOR)
    again = way(trainer)
    assert again.runner.executed == trainer.runner.executed == 3
    for _ in range(3):
        assert again.step(XOR) == trainer.step(XOR)
    assert_equal(again.runner.tensors(), trainer.runner.tensors())
    assert_equal(again.predict({"x": XOR["x"]}), trainer.predict({"x": XOR["x"]}))
    trainer.step(XOR)
    assert again.runner.executed == 6, "the two are apart"


def test_a_trainer_goes_on_in_another_process(spawned: ProcessPoolExecutor) -> None:
    trainer = archonnx.Trainer("xor", device="cpu", threads=1)
    trainer.step(XOR)
    there = spawned.submit(stepped, trainer).result()
    trainer.step(XOR)
    assert_equal(there.runner.tensors(), trainer.runner.tensors())


def stepped(trainer: Any) -> Any:
    trainer.step(XOR)
    return trainer


def assert_equal(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert list(found) == list(wanted)
    assert all(found[name].tobytes() == wanted[name].tobytes() for name in wanted)


def test_a_run_predicts_in_another_process(
    sample: Callable[[str], Any], spawned: ProcessPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = sample("Run")
    monkeypatch.chdir(run.path.parent)
    run = archonnx.Run("run")
    wanted = run.predict({"x": XOR["x"]})
    assert run.evaluate("train") and run.parameters  # sessions are open, models elaborated
    for again in (by_joblib(run), *(way(run) for way in WAYS)):
        assert_equal(again.predict({"x": XOR["x"]}), wanted)
        assert_equal(again.parameters, run.parameters)
    assert_equal(spawned.submit(predicted, run).result(), wanted)


def predicted(run: Any) -> Any:
    return run.predict({"x": XOR["x"]})


def test_a_trace_holds_its_arrays(sample: Callable[[str], Any], spawned: ProcessPoolExecutor) -> None:
    trace = sample("Trace")
    again = spawned.submit(by_joblib, trace).result()
    assert list(again) == list(trace)
    for name in trace:
        np.testing.assert_array_equal(again[name].value, trace[name].value)
        np.testing.assert_array_equal(again[name].gradient, trace[name].gradient)


# ---------------------------------------------------------------- errors


def test_errors_are_raised_in_this_process_as_in_another(spawned: ProcessPoolExecutor) -> None:
    with pytest.raises(archonnx.SpecError) as here:
        archonnx.load("digits_cn")
    with pytest.raises(archonnx.SpecError) as there:
        spawned.submit(archonnx.load, "digits_cn").result()
    assert str(there.value) == str(here.value) and "did you mean" in str(there.value)


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (
            TypeProblem("AX0301", "no", operands=(1, 0), argument="axis", notes=("n",), help="h"),
            "code headline operands argument notes help",
        ),
        (InternalError("wrong", details="d", span=Span(Source("a", "text"), 1, 2)), "what details"),
        (NotDifferentiable(graphs_of("digits_cnn")["infer"].nodes[0], "it jumps"), "why what"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_errors_keep_what_they_know(error: Exception, attributes: str, spawned: ProcessPoolExecutor) -> None:
    known = attrgetter(*attributes.split())
    for way in DEEP_WAYS:
        again = way(error)
        assert type(again) is type(error) and str(again) == str(error) and known(again) == known(error)
    with pytest.raises(type(error)):
        spawned.submit(raise_, error).result()
