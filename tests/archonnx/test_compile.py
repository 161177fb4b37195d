"""``archonnx compile``: a folder of graphs over one file of weights, from which others can predict and train."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

import archonnx
from archonnx.cli.app import app
from archonnx.compiler.pipeline import elaborate, load
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.export.artifacts import GraphOptions
from archonnx.runtime.export.compiled_folder import compile_to

SPEC = """
model Net(width: int = 3):
    input  x: [B, 4]
    target label: i64[B]
    net = Dense(width)
    h = x |> net |> BatchNorm |> relu
    logits = h |> Dense(2)
    output probs: [B, 2] = softmax(logits)
    loss   objective = cross_entropy(logits, label)
    entry hidden(x: [R, 4]) -> [R, width]:
        return net(x)

train warm:
    minimize objective over net with sgd(lr=0.1)

train:
    minimize objective with adam(lr=0.01)
    update net = 0.999 * net
"""
X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
LABEL = np.array([0, 1, 1, 0, 1])


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.arch"
    path.write_text(SPEC)
    return path


def run(folder: Path, name: str, **inputs: Any) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(folder / name, providers=["CPUExecutionProvider"])
    given = {one.name: inputs[one.name] for one in session.get_inputs()}
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, given), strict=True))


def compiled(spec: Path, out: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["compile", str(spec), "-o", str(out), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_folder_predicts(spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "build/net"
    told = compiled(spec, out, "--arg", "width=6")
    assert "infer: " in told and "hidden: " in told and "train_step.1: " in told
    assert sorted(path.name for path in out.iterdir()) == [
        "evaluate.onnx",
        "graphs.json",
        "hidden.onnx",
        "infer.onnx",
        "train_step.1.onnx",
        "train_step.onnx",
        "train_step.warm.onnx",
        "weights.safetensors",
    ]
    weights = load_file(out / "weights.safetensors")
    trainer = archonnx.Trainer(archonnx.load(spec, width=6))
    assert weights.keys() == trainer.parameters.keys()
    np.testing.assert_allclose(run(out, "infer.onnx", x=X)["probs"], trainer.predict({"x": X})["probs"], rtol=1e-5)
    expected = X @ weights["net.W"] + weights["net.b"]
    (hidden,) = run(out, "hidden.onnx", x=X).values()
    np.testing.assert_allclose(hidden, expected, rtol=1e-5, atol=1e-6)
    referred = {t.name for t in onnx.load(out / "infer.onnx", load_external_data=False).graph.initializer}
    assert {"net.W", "batch_norm.running_mean"} <= referred
    onnx.checker.check_model(out / "infer.onnx", full_check=True)


def test_the_folder_alone_says_how_to_train(spec: Path, tmp_path: Path) -> None:
    compiled(spec, tmp_path / "build", "--batch-size", "5")
    folder = tmp_path / "build"
    graphs = json.loads((folder / "graphs.json").read_text())["graphs"]
    state: dict[str, Any] = dict(load_file(folder / "weights.safetensors"))
    trainer = archonnx.Trainer(spec)
    for _ in range(3):
        losses = trainer.step({"x": X, "label": LABEL})
        for name in ("train_step", "train_step.1"):
            graph = graphs[name]
            for part, value in graph.get("state", {}).items():
                shape = [int(n) for n in graph["inputs"][part].partition("[")[2].rstrip("]").split(",") if n]
                kind = np.int64 if graph["inputs"][part].startswith("i64") else np.float32
                state.setdefault(part, np.full(shape, value, kind))
            assert "B" not in "".join(graph["inputs"].values())
            result = run(folder, graph["file"], **state, x=X, label=LABEL)
            state |= {key.removeprefix("next/"): value for key, value in result.items() if key.startswith("next/")}
            if name == "train_step":
                np.testing.assert_allclose(result["objective"], losses["objective"], rtol=1e-5)
    np.testing.assert_allclose(state["net.W"], trainer.parameters["net.W"], rtol=1e-4, atol=1e-6)


def test_weights_that_numpy_cannot_hold_lie_in_the_graph(tmp_path: Path) -> None:
    path = tmp_path / "rounded.arch"
    path.write_text("model M():\n    input x: [B]\n    param w: bf16[] = 0.3\n    output y = x * f32(w)\n")
    compiled(path, tmp_path / "build")
    np.testing.assert_array_equal(run(tmp_path / "build", "infer.onnx", x=X[0])["y"], X[0] * np.float32(0.30078125))


def test_what_optimizers_start_from_is_told_or_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.arch"
    path.write_text(
        "optimizer ramped()(p: [...S], g: [...S], t: i64[]) -> [...S]:\n"
        "    state v: [...S] = f32(arange(3))\n    v = v + 1.0\n    return p - v * g\n"
        "model M():\n    input x: [B, 3]\n    param w: [3] = 1\n    loss l = mean(x * w)\n"
        "train:\n    minimize l with ramped\n"
    )
    (step,) = [graph for graph in compile_to(tmp_path / "build", elaborate(load(path))) if graph.state]
    (name,) = [value for value in step.state.values() if isinstance(value, str)]
    assert load_file(tmp_path / "build/weights.safetensors")[name].tolist() == [0, 1, 2]


def test_each_pass_can_be_seen_and_is_verified(spec: Path, tmp_path: Path) -> None:
    compiled(spec, tmp_path / "build", "--verify", "--dump-ir")
    stages = sorted(path.name for path in (tmp_path / "build/ir").glob("infer.*"))
    assert stages[0] == "infer.0.built.txt" and len(stages) >= 4
    assert (tmp_path / "build/ir" / stages[0]).read_text().startswith("graph infer\n")


def test_an_earlier_compilation_is_replaced_and_nothing_else(spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "build"
    compiled(spec, out, "--dump-ir")
    compiled(spec, out)
    assert not (out / "ir").exists()
    other = tmp_path / "notes"
    other.mkdir()
    (other / "thoughts.txt").write_text("keep me")
    with pytest.raises(SpecError, match="no `archonnx compile` wrote it"):
        CliRunner().invoke(app, ["compile", str(spec), "-o", str(other)], catch_exceptions=False)
    assert [path.name for path in other.iterdir()] == ["thoughts.txt"]


def test_a_compilation_that_fails_leaves_nothing(spec: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        compile_to(tmp_path / "build", elaborate(load(spec)), GraphOptions(opset=3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.arch"]


def test_a_mistake_of_a_training_step_is_found_and_leaves_nothing(spec: Path, tmp_path: Path) -> None:
    spec.write_text(SPEC.replace("adam(lr=0.01)", "adam(lrr=0.01)"))
    with pytest.raises(SpecError) as caught:
        CliRunner().invoke(app, ["compile", str(spec), "-o", str(tmp_path / "build")], catch_exceptions=False)
    (found,) = caught.value.diagnostics
    assert (found.code, found.help) == ("AX0202", "did you mean `lr`?")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.arch"]


def test_threads_have_their_usual_turns_afterwards(spec: Path, tmp_path: Path) -> None:
    before = sys.getswitchinterval()
    compiled(spec, tmp_path / "build")
    assert sys.getswitchinterval() == before
