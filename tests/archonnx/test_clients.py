"""The target ``portable`` in other runtimes: the reference evaluator, and Node where it is (proof).

The zoo in OpenVINO and others is ``python -m benchmarks.clients``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors.numpy import load_file, save_file

import archonnx
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.onnx_export import export
from archonnx.compiler.ops.compare import equal, not_equal
from archonnx.compiler.ops.random import random_bernoulli, random_uniform
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.portability import OPSETS
from archonnx.runtime.export.artifacts import GraphOptions, as_onnx, graphs_of
from archonnx.runtime.export.compiled_folder import compile_to
from archonnx.runtime.training.initial import initial_values
from benchmarks.clients import versions, worker
from benchmarks.clients.__main__ import SMALL
from benchmarks.clients.comparing import Client as BenchmarkClient
from benchmarks.clients.comparing import Found
from benchmarks.clients.comparing import compare as benchmark_compare
from benchmarks.clients.comparing import run as benchmark_run
from benchmarks.clients.graphs import write_graphs
from tests.support.elsewhere import EXAMPLE, ROWS, SHAPES, SPECS, STEPS, batches
from tests.support.node import has_node

NET = """
model Net():
    input  x: [B, 12]
    target label: i64[B]
    h = x |> Dense(16) |> relu |> Dropout(0.5) |> Dense(8) |> hard_tanh
    noisy = h + 0.1 * normal(shape_of(h))
    output probs = softmax(noisy |> Dense(3))
    loss objective = cross_entropy(noisy |> Dense(3), label)
    entry sample(n: dim) -> [n, 4]:
        return uniform([n, 4])
train:
    minimize objective with adam(lr=0.02)
"""
Client = Callable[[onnx.ModelProto, Mapping[str, Any]], list[Any]]


def reference(model: onnx.ModelProto, given: Mapping[str, Any]) -> list[Any]:
    from onnx.reference import ReferenceEvaluator

    return list(ReferenceEvaluator(model).run(None, dict(given)))


def compare(spec: Path | str, client: Client, kinds: tuple[Any, ...], rows: int = 8) -> dict[str, float]:
    """How far apart a client and onnxruntime lie, by graph: the largest difference in any output."""
    model = elaborate(load(spec))
    weights = initial_values(model.parameters, 0)
    options = GraphOptions("portable", batch=rows, steps=100, steps_per_epoch=10)
    found = {}
    for artifact in graphs_of(model, options, kinds):
        made = as_onnx(artifact, model, options, weights if artifact.holds_weights else None)
        session = onnxruntime.InferenceSession(made.SerializeToString())
        rng = np.random.default_rng(0)
        known = {**weights, **artifact.state}
        given = {}
        for one in session.get_inputs():
            shape = [size if isinstance(size, int) else rows for size in one.shape]
            if one.name in known:
                given[one.name] = np.array(known[one.name])
            elif "int64" in one.type:
                given[one.name] = np.full(shape, 1 if shape else 3, np.int64)
            else:
                given[one.name] = rng.normal(size=shape).astype(np.float32)
        ours, theirs = session.run(None, given), client(made, given)
        apart = [
            np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0)
            for a, b in zip(ours, theirs, strict=True)
        ]
        found[artifact.name] = float(max(apart))
    return found


@pytest.mark.parametrize(("dtype", "symbolic"), [(DType.f32, True), (DType.f64, False)])
def test_portable_draws_are_the_others_to_the_bit(dtype: DType, symbolic: bool) -> None:
    seed, step = (Value(TensorType(DType.i64, ()), name) for name in ("seed", "step"))
    p, x = Value(TensorType(DType.f32, ()), "p"), Value(TensorType.of("f32", "B"), "x")
    shape = [Dim.of("B") if symbolic else Dim.of(100), Dim.of(150)]
    builder = Builder()
    with builder.active():
        drawn = {"u": random_uniform(shape, seed, step, 3, dtype), "m": random_bernoulli(shape, seed, step, p, 5)}
    graph = builder.graph("draws", {"seed": seed, "step": step, "p": p, "x": x}, drawn)
    made = {target: export(graph, target=target) for target in ("portable", "onnx")}
    sessions = {target: onnxruntime.InferenceSession(one.SerializeToString()) for target, one in made.items()}
    held = {t.data_type for t in made["portable"].graph.initializer}
    held |= {v.type.tensor_type.elem_type for v in made["portable"].graph.value_info}
    assert onnx.TensorProto.UINT64 not in held
    for number, count in ((0, 0), (7, 3), (2**63 - 1, 2**40), (-5, 1)):
        given = {"seed": np.array(number), "step": np.array(count), "p": np.array(0.3, np.float32)}
        given["x"] = np.zeros(100, np.float32)
        for ours, others in zip(sessions["portable"].run(None, given), sessions["onnx"].run(None, given), strict=True):
            np.testing.assert_array_equal(ours, others)


def test_truth_values_are_compared_as_integers_in_a_portable_graph() -> None:
    """tract has no Equal of truth values."""
    a, b = (Value(TensorType(DType.bool, (Dim.of(4),)), name) for name in "ab")
    builder = Builder()
    with builder.active():
        same = {"same": equal(a, b), "other": not_equal(a, b)}
    made = export(builder.graph("same", {"a": a, "b": b}, same), target="portable")
    compared = {name for node in made.graph.node if node.op_type == "Equal" for name in node.input}
    assert compared
    assert not compared & {"a", "b"}
    given = {"a": np.array([True, True, False, False]), "b": np.array([True, False, True, False])}
    ours, others = onnxruntime.InferenceSession(made.SerializeToString()).run(None, given)
    np.testing.assert_array_equal(ours, [True, False, False, True])
    np.testing.assert_array_equal(others, ~ours)


def test_the_files_of_fixed_sizes_name_no_other(tmp_path: Path) -> None:
    tried = list(write_graphs("digits_mlp", tmp_path, how=GraphOptions("portable", steps=10, steps_per_epoch=5)))
    for one in tried:
        as_it_is, fixed = (onnx.load(one.file.with_suffix(suffix)) for suffix in (".onnx", ".fixed.onnx"))
        symbols = [
            [dim.dim_param for value in (*made.graph.input, *made.graph.output, *made.graph.value_info)
             for dim in value.type.tensor_type.shape.dim if dim.dim_param]
            for made in (as_it_is, fixed)
        ]  # fmt: skip
        assert symbols[0]
        assert not symbols[1]


def test_a_model_without_parameters_is_tried(tmp_path: Path) -> None:
    how = GraphOptions("portable", steps=10, steps_per_epoch=5)
    tried = write_graphs("bayes_net", tmp_path, sizes=SMALL, how=how)
    assert {one.graph for one in tried} == {"infer", "ancestral", "score", "separated"}


def test_no_integer_of_a_portable_draw_is_large() -> None:
    """Clients divide integers as f32 numbers: but for the products that are to wrap, all stay below 2 ** 24."""
    seed, step = (Value(TensorType(DType.i64, ()), name) for name in ("seed", "step"))
    builder = Builder()
    with builder.active():
        u = random_uniform([40, 100], seed, step, 3, DType.f32)
    made = export(builder.graph("draws", {"seed": seed, "step": step}, {"u": u}), target="portable")
    names = [name for node in made.graph.node if node.op_type in ("Add", "Mul", "Sub", "Div") for name in node.output]
    del made.graph.output[:]
    made.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    results = session.run(None, {"seed": np.array(12345), "step": np.array(678)})
    largest = max(int(np.abs(one).max()) for one in results if one.dtype == np.int32)
    assert 2**20 < largest < 2**24


def test_the_reference_evaluator_computes_a_portable_model(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(NET)
    apart = compare(path, reference, ("infer", "entry", "train_step"))
    assert apart.keys() == {"infer", "sample", "train_step"} and max(apart.values()) < 1e-5


@pytest.mark.proof
@pytest.mark.parametrize("name", SPECS)
def test_node_trains_from_the_folder_as_a_trainer_does(name: str, tmp_path: Path) -> None:
    if not has_node():
        pytest.skip("NODE_PATH does not lead to onnxruntime-node")
    path = tmp_path / "net.arch"
    block = "train second:" if name == "several" else "train:"
    path.write_text(SPECS[name].replace(block, f"{block}\n    batch_size = {ROWS}"))
    given = batches(SHAPES[name])
    save_file({key: np.concatenate([b[key] for b in given]) for key in given[0]}, tmp_path / "data.safetensors")
    trainer = archonnx.Trainer(path, batch_size=ROWS, seed=7, steps=STEPS)
    for batch in given:
        trainer.step(batch)
    for target in ("exact", "portable"):
        out = tmp_path / target
        compile_to(out, elaborate(load(path)), GraphOptions(target, batch_size=ROWS, steps=STEPS), seed=7)
        command = [
            "node",
            EXAMPLE.with_suffix(".mjs"),
            out,
            tmp_path / "data.safetensors",
            tmp_path / "trained.safetensors",
        ]
        subprocess.run([*map(str, command)], check=True, timeout=100)
        for key, array in load_file(tmp_path / "trained.safetensors").items():
            bound = 0 if target == "exact" else 1e-6
            np.testing.assert_allclose(array, trainer.parameters[key], rtol=0, atol=bound, err_msg=key)


RECURRENT = """
model Net():
    input  x: [B, T, 2]
    target y: [B]
    scan v in x along 1, h = zeros([B, 3]) -> hs along 1:
        h = tanh(Dense(3)(v) + Dense(3)(h))
        emit h
    scan reversed v in hs along 1, s = zeros([B, 3]) -> ss along 1:
        s = 0.5 * s + v
        emit s
    output guess = mean(ss[:, 0], axis=-1)
    loss objective = mse(guess, y)
train:
    minimize objective with sgd(lr=0.1)
"""


def test_scans_are_loops_where_any_client_is_to_run_them(tmp_path: Path) -> None:
    """OpenVINO's Scan reads nothing of the graph around it, and gives other numbers without a word."""
    path = tmp_path / "net.arch"
    path.write_text(RECURRENT)
    model = elaborate(load(path))
    step = next(one for one in graphs_of(model, GraphOptions(), ("train_step",)))
    made = {target: as_onnx(step, model, GraphOptions(target)) for target in ("portable", "onnx")}
    kinds = {target: {node.op_type for node in one.graph.node} for target, one in made.items()}
    assert "Scan" not in kinds["portable"] and "Loop" in kinds["portable"] and "Scan" in kinds["onnx"]
    rng = np.random.default_rng(0)
    known = {**initial_values(model.parameters, 0), **step.state, "step": np.array(0), "seed": np.array(3)}
    known |= {"x": rng.normal(size=(5, 4, 2)).astype(np.float32), "y": rng.normal(size=5).astype(np.float32)}
    sessions = [onnxruntime.InferenceSession(one.SerializeToString()) for one in made.values()]
    ours, others = (one.run(None, {i.name: known[i.name] for i in one.get_inputs()}) for one in sessions)
    for left, right in zip(ours, others, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)
    assert compare(path, reference, ("train_step",))["train_step"] < 1e-5


def test_the_benchmark_tells_what_is_equal_from_what_is_not(tmp_path: Path) -> None:
    tried = list(write_graphs("residual_mlp", tmp_path, how=GraphOptions("portable", batch=4, steps=100)))
    assert [one.kind for one in tried] == ["infer", "evaluate", "train_step"]
    worker.main("onnxruntime", str(tmp_path), "same")
    client, found = BenchmarkClient("onnxruntime", "", "same"), Found()
    for one in tried:
        benchmark_compare(client, one, found)
    assert (found.tried, found.others) == (3, {}) and found.worst < 1e-6
    path = tried[-1].file.with_suffix(".same.npz")
    with np.load(path) as stored:
        results = {key: stored[key] for key in stored.files}
    assert {key.partition("/")[0] for key in results} == {"0", "1", "2"}  # three steps
    np.savez(path, **(results | {"2/objective": results["2/objective"] + 1}))
    benchmark_compare(client, tried[-1], found)
    assert list(found.others) == ["residual_mlp.train_step"] and not found.undecided
    path = tried[-1].file.with_suffix(".moved.npz")
    with np.load(path) as stored:
        moved = {key: stored[key] for key in stored.files}
    assert max(array.max(initial=0) for array in moved.values()) < 1e-5, "well-conditioned"
    np.savez(path, **(moved | {"2/objective": np.array(0.2)}))
    benchmark_compare(client, tried[-1], found)
    assert list(found.undecided) == ["residual_mlp.train_step"] and len(found.others) == 1


ATTENTION = """
model Net():
    input  x: [B, 6, 8]
    target y: [B]
    output guess = mean(x |> MultiHeadAttention(2) |> Dense(1), axis=[1, 2])
    loss objective = mse(guess, y)
train:
    minimize objective with adam(lr=0.001)
"""


def test_the_last_bits_decide_where_adam_takes_a_bias_that_does_nothing(tmp_path: Path) -> None:
    """A softmax takes away what all its inputs have more, so the bias of keys has the gradient 0 but for rounding."""
    path = tmp_path / "net.arch"
    path.write_text(ATTENTION)
    (tried,) = write_graphs(
        str(path), tmp_path, how=GraphOptions("portable", batch=4, steps=100), kinds=("train_step",)
    )
    with np.load(tried.file.with_suffix(".moved.npz")) as stored:
        moved = {key: float(stored[key].max()) for key in stored.files if key.startswith("2/next/")}
    bias = next(key for key in moved if key.endswith("key.b"))
    assert moved.pop(bias) > 1e-4 > 1e-5 > max(size for key, size in moved.items() if "/m/" not in key)


@pytest.mark.parametrize("name", ["openvino", "node"])
def test_a_client_that_is_here_computes_a_portable_model(name: str, tmp_path: Path) -> None:
    if name == "openvino":
        pytest.importorskip("openvino")
    elif not has_node():
        pytest.skip("NODE_PATH does not lead to onnxruntime-node")
    path = tmp_path / "net.arch"
    path.write_text(NET)
    tried = list(write_graphs(str(path), tmp_path, how=GraphOptions("portable", batch=8, steps=100)))
    client = BenchmarkClient(name, sys.executable if name == "openvino" else os.environ["NODE_PATH"], name)
    found = Found()
    assert benchmark_run(client, tmp_path), "the version of the client"
    for one in tried:
        benchmark_compare(client, one, found)
    assert (found.tried, found.others) == (4, {}) and found.worst < 1e-4


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_a_version_of_onnxruntime_is_tried_with_opsets_that_are_written(version: str) -> None:
    tried = versions.opsets(version)
    assert tried == tuple(sorted(set(tried))) and set(tried) <= set(OPSETS)
