"""A graph has one name, one signature and one description, whoever writes it: Python, ``compile``, ``export``, a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest
from typer.testing import CliRunner

import archonnx
from archonnx.cli.app import app
from archonnx.compiler.pipeline import elaborate, load
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.export.artifacts import GraphOptions, as_onnx, graph_named

SPEC = """
model Pair(width: int = 3):
    input  x: [B, 4]
    target y: [B, 1]
    assert B >= 2, "a pair at least"
    h = x |> Dense(width) |> BatchNorm |> Dropout(0.5)
    guess = h |> Dense(1)
    output value: [B, 1] = guess
    loss   near = mse(guess, y)
    loss   small = mean(h ** 2)
    metric far = mean(abs(guess - y))
    entry drawn(n: dim) -> [n, width]:
        assert n >= 1, "something"
        return normal([n, width])

train warm:
    minimize small with sgd(lr=0.1)
    minimize near with sgd(lr=0.1)

train:
    minimize near with adam(lr=0.01)
    minimize small with sgd(lr=0.1)
"""
NAMES = {
    "infer",
    "evaluate",
    "drawn",
    "gradients",
    "gradients.small",
    "train_step",
    "train_step.1",
    "train_step.warm",
    "train_step.warm.1",
}


class Described(NamedTuple):
    """What a reader of an ONNX model sees first."""

    inputs: dict[str, str]
    outputs: dict[str, str]
    metadata: dict[str, str]
    name: str
    opset: int


def described(model: onnx.ModelProto) -> Described:
    weights = {tensor.name for tensor in model.graph.initializer}
    ends = [
        {one.name: onnx.helper.printable_type(one.type) for one in group if one.name not in weights}
        for group in (model.graph.input, model.graph.output)
    ]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return Described(*ends, metadata, model.graph.name, model.opset_import[0].version)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graphs") / "pair.arch"
    path.write_text(SPEC)
    return path


def invoke(*arguments: str) -> None:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("size", [None, 8])
def test_python_compile_and_export_write_the_same_graphs(spec: Path, tmp_path: Path, size: int | None) -> None:
    rows = () if size is None else ("--batch-size", str(size))
    compiled = archonnx.compile(spec, size)
    invoke("compile", str(spec), "-o", str(tmp_path / "build"), *rows)
    manifest = json.loads((tmp_path / "build/graphs.json").read_text())["graphs"]
    assert set(compiled.graphs) == NAMES
    assert manifest.keys() == {name for name in NAMES if not name.startswith("gradients")}
    for name in NAMES:
        steps = name.startswith("train_step")
        mine = described(compiled.graphs[name])
        invoke("export", str(spec), "-o", str(tmp_path / "one.onnx"), "--graph", name, *(rows if steps else ()))
        exported = described(onnx.load(tmp_path / "one.onnx"))
        held = {} if steps or name.startswith(("gradients", "evaluate")) else compiled.parameters
        assert exported == mine._replace(inputs={key: type_ for key, type_ in mine.inputs.items() if key not in held})
        if name in manifest:
            assert manifest[name]["file"] == f"{name}.onnx"
            written = onnx.load(tmp_path / "build" / f"{name}.onnx", load_external_data=False)
            assert described(written) == exported
            assert list(manifest[name]["inputs"]) == list(exported.inputs)
            assert list(manifest[name]["outputs"]) == list(exported.outputs)
        assert exported.metadata["archonnx.model"] == "Pair"
        told = json.loads(exported.metadata.get("archonnx.assumptions", "[]"))
        speaks_of_rows = size is None or not steps
        assert [one["condition"] for one in told] == ["n >= 1"] * (name == "drawn") + ["B >= 2"] * (
            name != "drawn" and speaks_of_rows
        )


def test_a_run_holds_the_same_outputs_and_entries(spec: Path, tmp_path: Path) -> None:
    data = "    data = generate(table)\n    feed x = data.x\n    feed y = data.y\n    epochs = 1\n"
    table = "fn table() -> (x: [8, 4], y: [8, 1]):\n    return (normal([8, 4]), normal([8, 1]))\n"
    path = tmp_path / "run.arch"
    path.write_text(
        table + SPEC.replace("train:\n", f"train:\n{data}").replace("train warm:\n", f"train warm:\n{data}")
    )
    run = archonnx.train(path, tmp_path / "run", device="cpu")
    compiled = archonnx.compile(path)
    for name, file in (("infer", "model.onnx"), ("drawn", "entries/drawn.onnx")):
        mine = described(compiled.graphs[name])
        kept = {key: type_ for key, type_ in mine.inputs.items() if key not in compiled.parameters}
        assert described(onnx.load(run.path / file)) == mine._replace(inputs=kept)


def test_a_program_alone_has_the_names_that_it_has_among_others(spec: Path) -> None:
    for program, names in (
        ("warm", {"train_step.warm", "train_step.warm.1"}),
        ("train", {"train_step", "train_step.1"}),
    ):
        graphs = archonnx.compile(spec, program=program).graphs
        assert {name for name in graphs if name.startswith("train_step")} == names


def test_the_last_program_is_meant_where_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "named.arch"
    path.write_text(SPEC.replace("train:\n", "train main:\n"))
    for short, name in (("train_step", "train_step.main"), ("train_step.1", "train_step.main.1")):
        for asked in (short, name):
            invoke("export", str(path), "-o", str(tmp_path / f"{asked}.onnx"), "--graph", asked)
        assert (tmp_path / f"{short}.onnx").read_bytes() == (tmp_path / f"{name}.onnx").read_bytes()
    with pytest.raises(archonnx.SpecError, match=r"has no graph `train_step\.2`"):
        CliRunner().invoke(
            app, ["export", str(path), "-o", "no.onnx", "--graph", "train_step.2"], catch_exceptions=False
        )


def test_a_graph_without_outputs_is_none(tmp_path: Path) -> None:
    path = tmp_path / "loss.arch"
    path.write_text("model M():\n    input x: [B]\n    param w: [] = 1\n    loss l = mean(w * x)\n")
    assert set(archonnx.compile(path).graphs) == {"evaluate", "gradients"}


@pytest.mark.parametrize("graph", ["evaluate", "gradients", "gradients.small"])
def test_graphs_that_do_not_train_need_no_number_of_steps(graph: str, tmp_path: Path) -> None:
    spec, file = tmp_path / "pair.arch", tmp_path / "pair.onnx"
    spec.write_text(SPEC.replace("lr=0.01", "lr=0.1 if steps > 3 else 0.2"), "utf-8")
    result = CliRunner().invoke(app, ["export", str(spec), "--graph", graph, "-o", str(file)])
    assert result.exit_code == 0, result.output
    assert file.exists()


def test_a_step_of_a_schedule_that_needs_its_length_is_exported_where_it_is_said(tmp_path: Path) -> None:
    out = tmp_path / "step.onnx"
    arguments = ["export", "function_fit", "--graph", "train_step", "-o", str(out)]
    told = CliRunner().invoke(app, [*arguments, "--steps", "1000"])
    assert told.exit_code == 0 and out.is_file()
    with pytest.raises(SpecError, match="AX0623"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_a_rate_that_is_an_input_asks_for_the_length_where_that_decides_it(tmp_path: Path) -> None:
    spec, file = tmp_path / "pair.arch", tmp_path / "pair.onnx"
    spec.write_text(SPEC.replace("lr=0.01", "lr=0.1 if steps > 3 else 0.2"), "utf-8")
    arguments = ["export", str(spec), "--graph", "train_step", "--rate-input", "-o", str(file)]
    with pytest.raises(SpecError, match="AX0623"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert CliRunner().invoke(app, [*arguments, "--steps", "9"]).exit_code == 0


def test_the_target_exact_names_the_dim_that_has_no_size(tmp_path: Path) -> None:
    spec = tmp_path / "series.arch"
    spec.write_text("""
model Series():
    input  x: [B, T, 2]
    target y: [B, 1]
    loss far = mse(mean(x, axis=1) |> Dense(1), y)

train:
    minimize far with sgd(lr=0.1)
""")
    model = elaborate(load(spec))
    for size, help in ((None, "--batch-size 32"), (4, "in place of `T`")):
        with pytest.raises(SpecError, match=help):
            options = GraphOptions("exact", batch_size=size)
            as_onnx(graph_named(model, "train_step", options), model, options)


def test_a_folder_whose_writing_was_killed_is_written_again(spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "build"
    (out / ".saving").mkdir(parents=True)
    (out / ".saving/infer.onnx").write_bytes(b"half")
    (out / ".lock").touch()
    invoke("compile", str(spec), "-o", str(out))
    assert (out / "graphs.json").is_file() and not (out / ".saving").exists()
