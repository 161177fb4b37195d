"""Scans that are ONNX's recurrent layers: recognised by what they compute, and equal in onnxruntime and NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.compiler.ir.verify import verify
from archonnx.compiler.onnx_export import export
from archonnx.compiler.passes.layers import prepared, recognised
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.program import ModelProgram
from archonnx.runtime.export.models import inference_model
from tests.support.elaborated import initial, model, numbers, outputs, program
from tests.support.onnx_run import run_onnx

START = "scan x_t in x along 1, h = zeros([B, 4]), c = zeros([B, 4]) -> hs along 1:\n"
LAYERS = {
    "joined weights": (
        "param W: [7, 16] ~ glorot_uniform()\nparam b: [16] ~ normal(0, 1)\n" + START +
        "    f, i, g, o = split(concat([x_t, h], axis=-1) @ W + b, 4, axis=-1)\n"
        "    c = sigmoid(f) * c + sigmoid(i) * tanh(g)\n    h = sigmoid(o) * tanh(c)\n    emit h", "LSTM",
    ),
    "a matrix a gate, peepholes": (
        "".join(f"param {g}{k}: [{n}, 4] ~ glorot_uniform()\n" for g in "ifgo" for k, n in (("x", 3), ("h", 4))) +
        "".join(f"param p{g}: [4] ~ normal(0, 1)\n" for g in "ifo") + START +
        "    new = sigmoid(x_t @ ix + h @ ih + pi * c) * tanh(x_t @ gx + h @ gh)\n"
        "    c = new + c * sigmoid(x_t @ fx + h @ fh + c * pf)\n"
        "    h = tanh(c) * sigmoid(h @ oh + x_t @ ox + po * c)\n    emit h", "LSTM",
    ),
    "reversed, from given states": (
        "param W: [3, 16] ~ glorot_uniform()\nparam U: [4, 16] ~ glorot_uniform()\n" +
        START.replace("scan", "scan reversed").replace("h = zeros([B, 4])", "h = x[:, 0, :1] * ones([B, 4])") +
        "    i, f, g, o = split(x_t @ W + h @ U, 4, axis=-1)\n"
        "    c = sigmoid(f) * c + sigmoid(i) * tanh(g)\n    h = sigmoid(o) * tanh(c)\n    emit h", "LSTM",
    ),
    "gru, reset after": (
        "param W: [3, 12] ~ glorot_uniform()\nparam U: [4, 12] ~ glorot_uniform()\nparam b: [12] ~ normal(0, 1)\n"
        "param k: [4] ~ normal(0, 1)\n"
        "scan x_t in x along 1, h = zeros([B, 4]) -> hs along 1:\n"
        "    xr, xz, xk = split(x_t @ W + b, 3, axis=-1)\n    hr, hz, hk = split(h @ U, 3, axis=-1)\n"
        "    z = sigmoid(xz + hz)\n"
        "    h = z * h + (1 - z) * tanh(xk + sigmoid(xr + hr) * (hk + k))\n    emit h\nc = h", "GRU",
    ),
    "gru, reset before, z of what is new": (
        "param W: [3, 12] ~ glorot_uniform()\nparam U: [4, 8] ~ glorot_uniform()\nparam V: [4, 4] ~ glorot_uniform()\n"
        "param b: [12] ~ normal(0, 1)\n"
        "scan x_t in x along 1, h = zeros([B, 4]) -> hs along 1:\n"
        "    xz, xr, xk = split(x_t @ W + b, 3, axis=-1)\n    hz, hr = split(h @ U, 2, axis=-1)\n"
        "    z = sigmoid(xz + hz)\n"
        "    h = (1 - z) * h + z * tanh(xk + (sigmoid(xr + hr) * h) @ V)\n    emit h\nc = h", "GRU",
    ),
    "rnn, relu": (
        "param W: [3, 4] ~ glorot_uniform()\nparam U: [4, 4] ~ glorot_uniform()\nparam b: [4] ~ normal(0, 1)\n"
        "scan x_t in x along 1, h = zeros([B, 4]) -> hs along 1:\n    h = relu(b + x_t @ W + h @ U)\n    emit h\nc = h",
        "RNN",
    ),
    "rnn, tanh": (
        "param W: [3, 4] ~ glorot_uniform()\nparam U: [4, 4] ~ glorot_uniform()\n"
        "scan x_t in x along 1, h = zeros([B, 4]):\n    h = tanh(x_t @ W + h @ U)\nc = h\nhs = h", "RNN",
    ),
}  # fmt: skip
ENDS = "\noutput all = hs\noutput last = h\noutput cell = c"


def compiled(name: str) -> ModelProgram:
    return program(model(LAYERS[name][0] + ENDS, "x: [B, T, 3]"))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("length", [1, 6])
def test_a_layer_is_recognised_and_computes_the_same(name: str, length: int) -> None:
    of = compiled(name)
    x = np.random.default_rng(0).normal(size=(2, length, 3)).astype(np.float32)
    expected = outputs(of, x=x)
    graph = recognised(optimise(of.infer))
    verify(graph)
    given: dict[str, Any] = {"x": x, **initial(of)}
    own = interpret(graph, {key: given[key] for key in graph.inputs})
    small, arrays = prepared(optimise(graph, verify=True), initial(of))
    verify(small)
    exported = export(small, constants=arrays)
    found = run_onnx(exported, {"x": x})
    for key, value in expected.items():
        np.testing.assert_allclose(own[key], value, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=1e-5)
    types = [node.op_type for node in exported.graph.node]
    assert LAYERS[name][1] in types and "Scan" not in types


@pytest.mark.parametrize("name", LAYERS)
def test_weights_of_an_exported_layer_are_initializers(name: str) -> None:
    of = compiled(name)
    exported = inference_model(of, initial(of))
    held = {tensor.name for tensor in exported.graph.initializer}
    (layer,) = [node for node in exported.graph.node if node.op_type == LAYERS[name][1]]
    assert set(layer.input[1:4]) <= held
    assert len([node for node in exported.graph.node if node.op_type in ("Split", "Slice", "Neg")]) <= 2


OTHERS = {
    "another activation": LAYERS["joined weights"][0].replace("tanh(g)", "relu(g)"),
    "a gate that sees the new cell alone": LAYERS["joined weights"][0].replace("sigmoid(i)", "sigmoid(i + c)"),
    "something else emitted": LAYERS["joined weights"][0].replace("emit h", "emit c * h"),
    "a mask": LAYERS["rnn, tanh"][0].replace("h = tanh(x_t @ W + h @ U)", "h = where(x_t[:, :1] > 0, tanh(x_t @ W + h @ U), h)"),
    "two matrices of the input": LAYERS["rnn, tanh"][0].replace("x_t @ W", "x_t @ W + tanh(x_t) @ W"),
    "one minus another gate": LAYERS["gru, reset after"][0].replace("(1 - z)", "(1 - sigmoid(xr))"),
    "two minus the gate": LAYERS["gru, reset after"][0].replace("(1 - z)", "(2 - z)"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_a_layer_stays_a_scan(name: str) -> None:
    of = program(model(OTHERS[name] + ENDS, "x: [B, T, 3]"))
    graph = optimise(of.infer)
    assert recognised(graph) is graph
    x: Array = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    for key, value in run_onnx(inference_model(of, initial(of)), {"x": x}).items():
        np.testing.assert_allclose(value, outputs(of, x=x)[key], rtol=1e-4, atol=1e-5)


def library(call: str) -> ModelProgram:
    return program(model(f"layer = {call}\nr = layer(x)\noutput all = r.hs\noutput last = r.h", "x: [B, T, 3]"))


@pytest.mark.parametrize(
    ("call", "node"),
    [
        ("LSTM(4)", "LSTM"),
        ("LSTM(4, peepholes=true)", "LSTM"),
        ("GRU(4)", "GRU"),
        ("GRU(4, update=new)", "GRU"),
        ("GRU(4, reset=before)", "GRU"),
        ("GRU(4, reset=before, update=new)", "GRU"),
        ("RNN(4)", "RNN"),
        ("RNN(4, relu)", "RNN"),
    ],
)
def test_the_layers_of_the_library_are_exported_as_onnx_has_them(call: str, node: str) -> None:
    of = library(call)
    given = {name: np.random.default_rng(1).normal(size=p.shape).astype(np.float32) for name, p in initial(of).items()}
    exported = inference_model(of, given)
    assert [n.op_type for n in exported.graph.node if n.op_type in ("LSTM", "GRU", "RNN", "Scan")] == [node]
    for length in (1, 5):
        x = np.random.default_rng(0).normal(size=(2, length, 3)).astype(np.float32)
        for key, value in run_onnx(exported, {"x": x}).items():
            np.testing.assert_allclose(value, outputs(of, given, x=x)[key], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("body", "nodes"),
    [
        ("a = LSTM(4)(x)\nr = LSTM(5)(a.hs)", ["LSTM", "LSTM"]),
        ("r = RecurrentStack([LSTM(4), GRU(4), RNN(4)])(x)", ["LSTM", "GRU", "RNN"]),
        ("r = RecurrentStack([Bidirectional(LSTM(4), GRU(4)), RNN(4)])(x)", ["LSTM", "GRU", "RNN"]),
        ("a = LSTM(4)(x)\nr = GRU(4)(a.hs, start=a.h)", ["LSTM", "GRU"]),
    ],
)
def test_layers_that_read_layers(body: str, nodes: list[str]) -> None:
    of = program(model(f"{body}\noutput all = r.hs\noutput last = r.h", "x: [B, T, 3]"))
    exported = inference_model(of, initial(of))
    assert [n.op_type for n in exported.graph.node if n.op_type in ("LSTM", "GRU", "RNN", "Scan")] == nodes
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    for key, value in run_onnx(exported, {"x": x}).items():
        np.testing.assert_allclose(value, outputs(of, x=x)[key], rtol=1e-4, atol=2e-5)


def test_a_quantised_lstm_is_as_exact_as_eight_bits_are(tmp_path: Path) -> None:
    """With `reduce_range`: without it sums of 16 bits overflow on processors that lack VNNI, be the layout what it may."""
    from onnxruntime import InferenceSession
    from onnxruntime.quantization import QuantType, quantize_dynamic

    of = program(model("output y = LSTM(32)(x).hs", "x: [B, T, 16]"))
    made, x = inference_model(of, {k: v.astype(np.float32) for k, v in initial(of).items()}), numbers(4, 20, 16)
    float_, eight = tmp_path / "float.onnx", tmp_path / "eight.onnx"
    float_.write_bytes(made.SerializeToString())
    quantize_dynamic(float_, eight, weight_type=QuantType.QInt8, reduce_range=True)
    session = InferenceSession(eight.read_bytes(), providers=["CPUExecutionProvider"])
    expected = outputs(of, x=x)["y"]
    assert 1e-4 < np.abs(session.run(None, {"x": x})[0] - expected).max() < 0.05 < np.abs(expected).max()
