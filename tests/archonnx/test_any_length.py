"""One exported file for sequences of any length, in batches of any size: in onnxruntime, and in onnxruntime-node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.pipeline import load
from archonnx.compiler.program import ModelProgram
from archonnx.runtime.export.models import inference_model
from tests.support.elaborated import elaborate, initial, model, outputs, program
from tests.support.node import has_node, in_node

MODELS = {
    "lstm": model("r = LSTM(5)(x)\noutput all = r.hs\noutput last = r.h |> Dense(2)", "x: [B, T, 3]"),
    "gru, both directions": model("r = Bidirectional(GRU(4), GRU(4))(x)\noutput all = r.hs", "x: [B, T, 3]"),
    "a step of one's own": model(
        "W = Dense(3)\nscan x_t in x along 1, h = zeros([B, 3]) -> hs along 1:\n"
        "    h = tanh(W(h) + x_t) * 0.5 + softmax(x_t * h)\n    emit h\noutput all = hs",
        "x: [B, T, 3]",
    ),
}
SIZES = [(1, 1), (2, 7), (5, 3)]


def runs(of: ModelProgram, path: Path, given: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """The file gives what is expected, of all inputs, in all runtimes that are there."""
    onnx.save(inference_model(of, initial(of)), path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for feeds, wanted in zip(given, expected, strict=True):
        found = [dict(zip(names, session.run(None, feeds), strict=True))]
        found += [in_node(path, feeds)] if has_node() else []
        for results in found:
            for name, value in wanted.items():
                np.testing.assert_allclose(results[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_recurrent_models(name: str, tmp_path: Path) -> None:
    of = program(MODELS[name])
    inputs = [np.random.default_rng(b).normal(size=(b, t, 3)).astype(np.float32) for b, t in SIZES]
    runs(of, tmp_path / "m.onnx", [{"x": x} for x in inputs], [outputs(of, x=x) for x in inputs])


def test_a_language_model(tmp_path: Path) -> None:
    of = elaborate(load(str(Path(__file__).parents[1] / "data/examples/gpt.arch")))
    inputs = [np.random.default_rng(b).integers(0, 256, (b, t)) for b, t in SIZES]
    weights = initial(of)
    expected = [
        interpret(of.infer, {"ids": ids, **{n: weights[n] for n in of.infer.inputs if n != "ids"}}) for ids in inputs
    ]
    runs(of, tmp_path / "m.onnx", [{"ids": ids} for ids in inputs], expected)


@pytest.mark.skipif(not has_node(), reason="onnxruntime-node is not there: NODE_PATH")
def test_a_loop_runs_in_node(tmp_path: Path) -> None:
    of = elaborate(load(str(Path(__file__).parents[1] / "data/examples/gpt.arch")))
    path = tmp_path / "generate.onnx"
    onnx.save(inference_model(of, initial(of), entry="generate"), path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for length, new in ((1, 4), (6, 2)):
        prompt = np.random.default_rng(length).integers(0, 256, (1, length))
        feeds = {"prompt": prompt, "new": np.array(new), "temperature": np.array(0.01, np.float32), "seed": np.array(1)}
        (expected,) = session.run(None, feeds)
        np.testing.assert_array_equal(in_node(path, feeds)["generate"], expected)
        assert expected.shape == (1, length + new)
