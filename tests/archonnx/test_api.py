"""The Python interface, from a spec to a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import archonnx
from archonnx.cli.app import app


def test_importing_archonnx_imports_nothing_else() -> None:
    program = (
        "import sys; before = set(sys.modules); import archonnx; new = set(sys.modules) - before;"
        "heavy = [m for m in new if m.split('.')[0] in ('numpy', 'onnx', 'pydantic', 'lark', 'typer', 'rich')];"
        "assert not heavy, heavy; assert set(archonnx.__all__) <= set(dir(archonnx)); archonnx.__version__"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(getattr(archonnx, name) is not None for name in archonnx.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Model'"):
        archonnx.Model  # noqa: B018


def test_compile_gives_onnx_graphs_over_the_same_parameters() -> None:
    compiled = archonnx.compile("digits_cnn", batch_size=8)
    assert list(compiled.parameters) == ["conv.0.W", "conv.0.b", "conv.1.W", "conv.1.b", "dense.W", "dense.b"]
    assert compiled.parameters["dense.W"].shape == (256, 10) and compiled.parameters["dense.W"].dtype == "f32"
    assert {"infer", "evaluate", "gradients", "train_step"} <= set(compiled.graphs)
    for name in ("infer", "evaluate", "gradients", "train_step"):
        model = compiled.graphs[name]
        onnx.checker.check_model(model, full_check=True)
        shapes = {i.name: [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input}
        assert shapes["image"] == [8 if name == "train_step" else "B", 1, 8, 8]
        assert shapes["conv.0.W"] == [32, 1, 3, 3]
    assert compiled.graphs["infer"] is compiled.graphs["infer"]
    outputs = [o.name for o in compiled.graphs["gradients"].graph.output]
    assert outputs == ["objective", *(f"grad/{path}" for path in compiled.parameters)]


def test_training_by_hand_lowers_the_loss() -> None:
    trainer = archonnx.Trainer("digits_cnn", batch_size=32, device="cpu")
    rng = np.random.default_rng(0)
    batch = {"image": rng.random((32, 1, 8, 8), np.float32), "label": rng.integers(0, 10, 32)}
    losses = [trainer.step(batch)["objective"] for _ in range(30)]
    assert losses[-1] < losses[0] - 0.05
    probabilities = trainer.predict({"image": batch["image"]})["probs"]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    picked = probabilities[np.arange(32), batch["label"]]
    assert trainer.evaluate(batch)["objective"] == pytest.approx(float(-np.log(picked).mean()), rel=1e-4)


def test_a_spec_is_trained_into_a_run(tmp_path: Path) -> None:
    spec = archonnx.load("digits_cnn", width=4)
    settings = {"epochs": 2, "split.train": 0.2, "split.test": 0.7}
    first, second = (archonnx.train(spec, tmp_path / name, settings=settings, seed=3, device="cpu") for name in "ab")
    assert first.record["settings"]["seed"] == 3 and len(first.history) == 2
    for path, array in first.parameters.items():  # the same seed gives the same parameters, to the last bit
        np.testing.assert_array_equal(array, second.parameters[path])
    assert archonnx.Run(tmp_path / "a").evaluate("valid") == pytest.approx(first.metrics["valid"])
    with pytest.raises(archonnx.SpecError):
        archonnx.train(spec, tmp_path / "a")


DUEL = """model Duel():
    input x: [B]
    param a: [] = 1
    param b: [] = 2
    loss first = mean(a * x) ** 2
    loss second = mean(b * x) ** 2

train one:
    minimize first with sgd(lr=0.1)

train two:
    minimize second with sgd(lr=0.1)
    minimize first with sgd(lr=0.1)
"""


def test_a_program_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "duel.arch"
    path.write_text(DUEL)
    batch = {"x": np.ones(4, np.float32)}
    for program, moved in (("one", {"a"}), ("two", {"a", "b"}), (None, {"a", "b"})):
        trainer = archonnx.Trainer(path, device="cpu", program=program)
        before = dict(trainer.parameters)
        trainer.step(batch)
        assert {name for name in before if before[name] != trainer.parameters[name]} == moved
        graphs = archonnx.compile(path, program=program).graphs
        steps = {"one": ["train_step.one"], "two": ["train_step.two", "train_step.two.1"]}
        expected = steps.get(program or "", [*steps["one"], *steps["two"]])
        assert [name for name in graphs if name.startswith("train_step")] == expected
    with pytest.raises(archonnx.SpecError, match="did you mean `two`"):
        archonnx.Trainer(path, program="tow")


SLOW = """model Line():
    input  x: [B, 1]
    target y: [B, 1]
    output guess: [B, 1] = x |> Dense(1)
    loss objective = mse(guess, y)
    metric near = mean(float(abs(guess - y) < 0.1))

fn points() -> (x: [64, 1], y: [64, 1]):
    x: [64, 1] ~ normal(0, 1)
    return x, 3 * x + 1

train:
    data = generate(points)
    split = {train: 0.5, valid: 0.25, test: 0.25}
    batch_size = 8
    epochs = 2
    minimize objective with adam(lr=warmup_cosine(0.1, 2, steps))
"""


def test_a_run_keeps_its_float_type(tmp_path: Path) -> None:
    """In f64, to the end: parameters, what is resumed, what is measured anew, the exported model."""
    (tmp_path / "line.arch").write_text(SLOW)
    spec = archonnx.load(tmp_path / "line.arch", dtype="f64")
    run = archonnx.train(spec, tmp_path / "run", device="cpu")
    assert run.dtype == "f64" and {array.dtype for array in run.parameters.values()} == {np.dtype(np.float64)}
    assert archonnx.Run(run.path).evaluate("valid") == run.metrics["valid"]
    assert run.predict({"x": np.ones((2, 1))})["guess"].dtype == np.float64
    longer = archonnx.train(tmp_path / "line.arch", resume=run.path, settings={"epochs": 4}, device="cpu")
    assert longer.dtype == "f64" and longer.parameters["dense.W"].dtype == np.float64
    assert len(longer.history) == 4


def test_a_training_is_not_continued_in_another_float_type(tmp_path: Path) -> None:
    file = tmp_path / "line.arch"
    file.write_text(SLOW)
    single = archonnx.train(file, tmp_path / "single", device="cpu")
    with pytest.raises(archonnx.SpecError, match="a training in f32 is not continued in f64"):
        archonnx.train(archonnx.load(file, dtype="f64"), resume=single.path)
    double = archonnx.train(archonnx.load(file, dtype="f64"), tmp_path / "double", device="cpu")
    with pytest.raises(archonnx.SpecError, match="a training in f64 is not continued in f32"):
        CliRunner().invoke(
            app, [*["train", "line.arch", "--dtype", "f32", "--resume"], str(double.path)], catch_exceptions=False
        )


@pytest.mark.parametrize("dtype", ["f16", "bf16", "float64"])
def test_a_float_type_that_cannot_be_trained_is_refused(dtype: str) -> None:
    with pytest.raises(archonnx.SpecError, match="AX0621"):
        archonnx.load("xor", dtype=dtype)
