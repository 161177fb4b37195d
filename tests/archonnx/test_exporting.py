"""``archonnx export RUN -o FOLDER``: every graph, what each says of itself, tried beside the run before it stands."""

from __future__ import annotations

import json
import os
import stat
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
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.export import artifacts
from archonnx.runtime.export.artifacts import GraphOptions
from archonnx.runtime.folders.run import Run

SPEC = """
model Net(width: int = 3):
    input  x: [B, 4]
    target kind: i64[B]
    net = Dense(width)
    logits = x |> net |> BatchNorm |> relu |> Dropout(0.5) |> Dense(2)
    output probs = softmax(logits)
    loss   objective = cross_entropy(logits, kind)
    loss   small = mean(net(x) ** 2)
    metric accuracy = mean(float(argmax(logits, axis=-1) == kind))
    entry sample(n: dim) -> [n, width]:
        return net(normal([n, 4]))

fn table() -> (x: [40, 4], kind: i64[40]):
    x = normal([40, 4])
    return (x, i64(x[:, 0] > 0))

train:
    data = generate(table)
    feed x = data.x
    feed kind = data.kind
    epochs = 2
    batch_size = 8
    repeat 2:
        minimize objective with adam(lr=cosine_decay(0.01, steps))
    every 3:
        update net = 0.9 * net
"""
NAMES = {"infer", "evaluate", "sample", "gradients", "gradients.small", "train_step", "train_step.1", "raw"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("exported") / "net.arch"
    path.write_text(SPEC)
    return archonnx.train(path, path.parent / "run", device="cpu")


@pytest.fixture(scope="module")
def folder(run: Run) -> Path:
    """The folder, written under a umask that is not the usual one."""
    out = run.path.parent / "folder"
    before = os.umask(0o027)
    try:
        said = invoke("export", run.path, "-o", out)
    finally:
        os.umask(before)
    assert "train_step.1: " in said
    return out


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: object) -> SpecError:
    with pytest.raises(SpecError) as caught:
        CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    return caught.value


def manifest(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "graphs.json").read_text())
    return read


def test_every_graph_is_there_and_says_what_the_manifest_says(folder: Path) -> None:
    said = manifest(folder)
    assert said["graphs"].keys() == NAMES and said["unwritten"] == {} and said["format"] == 2
    for name, graph in said["graphs"].items():
        model = onnx.load(folder / graph["file"], load_external_data=False)
        inside = {tensor.name for tensor in model.graph.initializer}
        inputs = [one.name for one in model.graph.input if one.name not in inside]
        own = json.loads({entry.key: entry.value for entry in model.metadata_props}["archonnx.graph"])
        assert list(graph["inputs"]) == inputs
        assert list(graph["outputs"]) == [one.name for one in model.graph.output]
        assert graph["roles"].keys() == {*graph["inputs"], *graph["outputs"]}
        assert {key: own[key] for key in graph if key in own} == {key: graph[key] for key in graph if key in own}
        assert own["format"] == said["format"]
        if name != "raw":
            assert own["model"] == said["about"]
            assert not graph["tried"].startswith("not tried")


def test_the_manifest_has_all_that_a_training_needs(run: Run, folder: Path) -> None:
    said = manifest(folder)
    step = said["graphs"]["train_step"]
    of_role = lambda role: {name for name in step["inputs"] if step["roles"][name] == role}  # noqa: E731
    assert of_role("field") == {"x", "kind"} and of_role("seed") | of_role("step") == {"seed", "step"}
    assert of_role("parameter") == run.parameters.keys()
    assert step["carried"] == {f"next/{name}": name for name in of_role("state") | of_role("parameter")}
    assert step["state"].keys() == of_role("state")
    assert (step["losses"], step["minimises"]) == (["objective", "small"], ["objective"])
    assert said["programs"][""]["plan"] == [
        {"repeat": 2, "do": [{"run": "train_step"}]},
        {"every": 3, "do": [{"run": "train_step.1"}]},
    ]
    about = said["about"]
    assert (about["arguments"], about["losses"], about["metrics"]) == (
        {"width": 3},
        ["objective", "small"],
        ["accuracy"],
    )
    assert about["run"]["metrics"] == run.record["metrics"]
    for path, array in load_file(folder / "weights.safetensors").items():
        np.testing.assert_array_equal(array, run.parameters[path])


def test_modes_are_those_of_new_files(folder: Path) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o640}


def test_the_outputs_are_those_of_the_run(run: Run, folder: Path) -> None:
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    session = onnxruntime.InferenceSession(folder / "infer.onnx")
    np.testing.assert_allclose(session.run(None, {"x": x})[0], run.predict({"x": x})["probs"], rtol=1e-5)


def test_one_graph_of_a_run_has_the_length_of_its_training(run: Run, tmp_path: Path) -> None:
    """The schedule needs it, and the run knows it; of the spec it must be said."""
    file = tmp_path / "step.onnx"
    invoke("export", run.path, "--graph", "train_step", "-o", file)
    assert "AX0623" in str(refused("export", run.path.parent / "net.arch", "--graph", "train_step", "-o", file))
    invoke("export", run.path.parent / "net.arch", "--graph", "train_step", "-o", tmp_path / "r.onnx", "--rate-input")
    rate = onnxruntime.InferenceSession(tmp_path / "r.onnx").get_modelmeta().custom_metadata_map["archonnx.graph"]
    assert json.loads(rate)["roles"]["minimize.0/lr"] == "rate"
    assert "AX0607" in str(refused("export", run.path, "--graph", "train_step.1", "-o", file, "--rate-input"))


def test_a_batch_is_fixed_in_every_graph_of_the_model(run: Run, tmp_path: Path) -> None:
    invoke("export", run.path, "-o", tmp_path / "one", "--batch", 1)
    for name, graph in manifest(tmp_path / "one")["graphs"].items():
        if name not in ("sample", "raw"):
            assert "B" not in "".join(graph["inputs"].values()), name
    session = onnxruntime.InferenceSession(tmp_path / "one/infer.onnx")
    assert session.run(None, {"x": np.zeros((1, 4), np.float32)})[0].shape == (1, 2)


def test_what_is_there_is_kept_or_its_replacement_is_told(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert "AX0614" in str(refused("export", run.path, "-o", out))
    (tmp_path / "m.onnx").write_text("mine")
    assert "AX0614" in str(refused("export", run.path, "-o", tmp_path / "m.onnx"))
    assert (tmp_path / "m.onnx").read_text() == "mine"
    invoke("compile", run.path, "-o", tmp_path / "build")
    (tmp_path / "build/raw.onnx").write_text("mine")
    assert "raw.onnx exists already" in str(refused("export", run.path, "-o", tmp_path / "build"))
    assert (tmp_path / "build/raw.onnx").read_text() == "mine"
    assert "replaced" in invoke("compile", run.path, "-o", tmp_path / "build")
    assert "replaced" not in invoke("export", run.path, "-o", tmp_path / "o.onnx")
    assert "replaced" in invoke("export", run.path, "-o", tmp_path / "o.onnx")


@pytest.mark.parametrize("graph", ["infer", "sample", "train_step"])
def test_a_file_that_is_not_the_run_is_not_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, graph: str
) -> None:
    from archonnx.compiler.ops.linalg import MatMul

    right = MatMul.lower

    def wrong(self: Any, emit: Any, inputs: Any, types: Any, results: Any) -> Any:
        made = right(self, emit, inputs, types, results)
        return emit.node("Mul", made, emit.constant(1.01)) if emit.portable else made

    model = run.path / ("model.onnx" if graph == "infer" else "entries/sample.onnx")
    assert model.exists()  # what the run gives is not made anew by what is wrong
    monkeypatch.setattr(MatMul, "lower", wrong)
    assert "AX0514" in str(refused("export", run.path, "--graph", graph, "-o", tmp_path / "m.onnx"))
    assert "AX0514" in str(refused("export", run.path, "-o", tmp_path / "all"))
    assert list(tmp_path.iterdir()) == []


def test_halves_and_the_format_of_onnxruntime_are_what_the_run_predicts(run: Run, tmp_path: Path) -> None:
    for name, options in {
        "whole.onnx": (),
        "half.onnx": ("--precision", "f16"),
        "whole.ort": ("--format", "ort"),
        "half.ort": ("--format", "ort", "--precision", "f16"),
    }.items():
        out = tmp_path / name
        invoke("export", run.path, "-o", out, *options)
        session = onnxruntime.InferenceSession(str(out))
        (given,) = [one for one in session.get_inputs() if one.name != "seed"]
        x = np.random.default_rng(0).normal(size=[4, *given.shape[1:]]).astype(np.float32)
        expected = run.predict({given.name: x})
        known = {given.name: x, "seed": np.array(0)}
        names = [one.name for one in session.get_outputs()]
        results = session.run(names, {one.name: known[one.name] for one in session.get_inputs()})
        for output, made in zip(names, results, strict=True):
            np.testing.assert_allclose(made, expected[output], atol=1e-2 if "half" in name else 1e-5)
    out = tmp_path / "half.ort"
    assert "replaced" in invoke("export", run.path, "-o", out, "--format", "ort", "--precision", "f16")
    for options in (["-o", "other.ort"], ["-o", "other.onnx", "--format", "ort"]):
        refused = CliRunner().invoke(app, ["export", str(run.path), *options]).exception
        assert isinstance(refused, SpecError) and refused.diagnostics[0].code == "AX0505"


def test_a_half_that_is_not_the_run_is_not_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(graph: Any, weights: Any, *, ends: bool) -> Any:
        return graph, {name: array * 1.1 for name, array in weights.items()}

    monkeypatch.setattr(artifacts, "halved", wrong)
    with pytest.raises(SpecError) as refused:
        run.export_graph(tmp_path / "half.onnx", "infer", GraphOptions(precision="f16"))
    assert refused.value.diagnostics[0].code == "AX0514" and not [*tmp_path.iterdir()]
