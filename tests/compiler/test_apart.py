"""What OpenVINO confuses is told apart in portable graphs, which compute the same as those of other targets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

import archonnx
from archonnx.compiler.apart import TURNED_COPY
from archonnx.compiler.onnx_export import Target
from archonnx.compiler.program import ModelProgram
from archonnx.runtime.export.artifacts import GraphOptions
from archonnx.runtime.export.compiled_folder import compile_to
from archonnx.runtime.export.models import inference_model
from tests.support.elaborated import initial, model, numbers, program
from tests.support.onnx_run import run_onnx

LAYERS = ("LSTM", "GRU", "RNN")
READ_BY_SEVERAL = {
    "both directions": ("output y = Bidirectional(GRU(4), GRU(4))(x).hs", 1),  # the other reads it backwards
    "three heads": ("h = tanh(x)\noutput y = concat([LSTM(4)(h).hs, GRU(4)(h).hs, RNN(4)(h).hs], axis=-1)", 3),
    "a residual": ("a = GRU(3)(x).hs\noutput y = a + GRU(3)(a).hs", 1),
    "an output in between": ("a = LSTM(4)(x).hs\noutput h = a\noutput y = LSTM(4)(a).hs", 1),
    "one after the other": ("output y = RecurrentStack([LSTM(4), GRU(4)])(x).hs", 0),
}
BOTH_WAYS = {
    "a matrix": ("param W: [4, 4] ~ glorot_uniform()\noutput y = tanh(x @ W) @ transpose(W, [1, 0])", ["W"]),
    "in a loop": (
        "param W: [4, 4] ~ glorot_uniform()\nscan i in range(3), h = x:\n"
        "    h = tanh(h @ W) @ transpose(W, [1, 0])\noutput y = h", ["W"],
    ),
    "by a gradient": (
        "param W: [4, 4] ~ glorot_uniform()\noutput y = grad(sum(tanh(tanh(x @ W) @ W)), x)", ["W"],
    ),
    "not square": ("param W: [4, 3] ~ glorot_uniform()\noutput y = tanh(x @ W) @ transpose(W, [1, 0])", []),
    "one way alone": ("param W: [4, 4] ~ glorot_uniform()\noutput y = tanh(x @ W) @ W", []),
}  # fmt: skip


def written(of: ModelProgram, target: Target) -> onnx.ModelProto:
    return inference_model(of, initial(of), target=target)


@pytest.mark.parametrize("name", READ_BY_SEVERAL)
def test_a_layer_that_is_not_alone_in_reading_its_sequence_reads_one_of_its_own(name: str) -> None:
    body, count = READ_BY_SEVERAL[name]
    of = program(model(body, "x: [B, T, 3]"))
    portable, other = written(of, "portable"), written(of, "onnx")
    read = Counter(name for node in portable.graph.node for name in node.input)
    outputs = {one.name for one in portable.graph.output}
    sequences = [node.input[0] for node in portable.graph.node if node.op_type in LAYERS]
    assert all(read[one] == 1 and one not in outputs for one in sequences)
    bounds = {node.input[1] for node in portable.graph.node if node.op_type == "Max"}
    values = {onnx.numpy_helper.to_array(t).tobytes() for t in portable.graph.initializer if t.name in bounds}
    assert not any(a.name == "direction" for node in portable.graph.node for a in node.attribute)
    states = {node.output[0] for node in portable.graph.node if node.op_type in LAYERS}
    assert {node.op_type for node in portable.graph.node if states & set(node.input)} == {"Squeeze"}
    assert len(bounds) == len(values) == count and not any(node.op_type == "Max" for node in other.graph.node)
    for x in (numbers(2, 5, 3), -1e30 * np.ones((2, 5, 3), np.float32)):
        ours, theirs = run_onnx(portable, {"x": x}), run_onnx(other, {"x": x})
        for key, value in theirs.items():
            np.testing.assert_array_equal(ours[key], value)


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_a_square_constant_that_is_read_both_ways_is_two(name: str) -> None:
    body, copied = BOTH_WAYS[name]
    of = program(model(body, "x: [B, 4]"))
    portable, other = written(of, "portable"), written(of, "onnx")
    held = {t.name: onnx.numpy_helper.to_array(t) for t in portable.graph.initializer}
    assert [one for one in held if one.endswith(TURNED_COPY)] == [one + TURNED_COPY for one in copied]
    for one in copied:
        np.testing.assert_array_equal(held[one + TURNED_COPY], held[one])
    assert not any(t.name.endswith(TURNED_COPY) for t in other.graph.initializer)
    x = numbers(5, 4)
    np.testing.assert_array_equal(run_onnx(portable, {"x": x})["y"], run_onnx(other, {"x": x})["y"])


def test_a_folder_has_a_copy_as_a_second_name_of_the_same_part_of_its_weights(tmp_path: Path) -> None:
    of = program(model(BOTH_WAYS["a matrix"][0], "x: [B, 4]"))
    compile_to(tmp_path / "out", of, GraphOptions("portable"), seed=3)
    made = onnx.load(tmp_path / "out" / "infer.onnx", load_external_data=False)
    places = {t.name: {e.key: e.value for e in t.external_data} for t in made.graph.initializer if t.external_data}
    assert places["W"] == places["W" + TURNED_COPY] and [one.name for one in made.graph.input] == ["x"]


def test_a_run_is_not_exported_as_it_stands_where_that_would_be_confused(tmp_path: Path) -> None:
    spec = tmp_path / "net.arch"
    spec.write_text(
        "model Net():\n    input x: [B, T, 3]\n    target y: [B, T, 8]\n"
        "    output guess = Bidirectional(GRU(4), GRU(4))(x).hs\n    loss l = mse(guess, y)\n"
        "train:\n    minimize l with sgd(lr=0.1)\n    epochs = 1\n"
    )
    data = {"x": numbers(8, 5, 3), "y": numbers(8, 5, 8)}
    run = archonnx.train(spec, tmp_path / "run", data=data)
    made = onnx.load(run.export(tmp_path / "net.onnx"))
    assert [node.op_type for node in made.graph.node].count("Max") == 1
