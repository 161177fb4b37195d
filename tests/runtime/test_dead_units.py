"""Dead units, as ``--watch grads`` counts them: those that ``relu`` holds at 0 for every example that is looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import archonnx
from archonnx.cli.progress import dead_line
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.rectified import largest_activations
from archonnx.runtime.folders.run import Run
from archonnx.runtime.measures.watch import dead_shares
from archonnx.runtime.training.observing import Epoch

SPEC = """
model Net():
    input  x: [B, 4]
    target y: i64[B]
    h = x |> Dense(6) |> relu |> Dropout(0.5) |> Dense(5) |> relu
    logits = h |> Dense(3)
    output probs = softmax(logits)
    loss objective = cross_entropy(logits, y)
train:
    data = sklearn("iris")
    feed x = data.data
    feed y = data.target
    split = {train: 0.6, valid: 0.4}
    epochs = 2
    minimize objective with sgd(lr=0.05)
"""
LAYERS = """
model Net():
    input  x: [B, 2, 8, 8]
    target y: i64[B]
    a = x |> Conv(3, 3, padding=same) |> BatchNorm |> MaxPool(2) |> relu
    shared = Conv(3, 3, padding=same)
    b = relu(shared(a) + a) |> shared |> relu
    s = b |> flatten |> reshape([-1, 4, 12]) |> Dense(7) |> relu
    logits = s |> flatten |> Dense(4) |> tanh
    loss objective = cross_entropy(logits, y)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that began with two units of the first layer far below 0."""
    folder = tmp_path_factory.mktemp("dead")
    (folder / "net.arch").write_text(SPEC)
    weights = {path: array.copy() for path, array in archonnx.Trainer(folder / "net.arch").parameters.items()}
    weights["dense.0.b"][[1, 4]] = -1000
    save_file(weights, folder / "start.safetensors")
    return archonnx.train(
        folder / "net.arch", out=folder / "run", start_from=str(folder / "start.safetensors"), watch="grads"
    )


def test_they_are_those_that_numpy_finds_with_the_parameters_after_the_epoch(run: Run) -> None:
    fields, _ = run.examples("valid")
    p = run.parameters
    first = np.maximum(fields["x"] @ p["dense.0.W"] + p["dense.0.b"], 0)
    second = np.maximum(first @ p["dense.1.W"] + p["dense.1.b"], 0)
    expected = {f"dense.{i}": [int((h.max(axis=0) <= 0).sum()), h.shape[1]] for i, h in enumerate((first, second))}
    assert run.history[-1]["dead"] == expected and expected["dense.0"][0] >= 2


def test_what_leads_to_a_dead_unit_does_not_learn(run: Run) -> None:
    start = archonnx.Trainer(run.path.parent / "net.arch").parameters
    changed = (run.parameters["dense.0.W"] != start["dense.0.W"]).any(axis=0)
    assert changed.sum() == 6 - run.history[-1]["dead"]["dense.0"][0] and not changed[[1, 4]].any()


def test_layers_are_found_through_norms_pools_sums_and_shared_modules(tmp_path: Path) -> None:
    (tmp_path / "net.arch").write_text(LAYERS)
    graph = largest_activations(elaborate(load(tmp_path / "net.arch")))
    assert graph is not None
    types = {layer: str(value.type) for layer, value in graph.outputs.items()}
    assert types == {"conv": "f32[3]", "shared": "f32[3]", "shared#2": "f32[3]", "dense.0": "f32[7]"}
    assert largest_activations(elaborate(load("function_fit"))) is None


def test_a_history_is_read_as_it_was_written() -> None:
    epoch = Epoch(3, {"loss": 1.0}, {}, 0.5, dead={"a": (1, 4)})
    assert Epoch.from_json(epoch.as_json()) == epoch
    assert "dead" not in Epoch(1, {}, {}, 0.1).as_json()


def test_how_they_are_told() -> None:
    assert dead_line({"a": (0, 4), "b": (0, 6)}) == "dead units: none of 10"
    assert dead_line({"a": (1, 4), "b": (3, 6)}) == "dead units: 3 of 6 in b, 1 of 4 in a"
    many = {f"l{i}": (1, 10 + i) for i in range(9)}
    assert dead_line(many).endswith("1 of 14 in l4, and 4 more")
    assert dead_shares({"a": (1, 4)}) == {"a": 0.25}
    assert dead_shares(many) == {"all": 9 / sum(10 + i for i in range(9)), "worst layer": 0.1}
