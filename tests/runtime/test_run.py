"""Run directories: whole or not at all, and as good as the trainer that left them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from archonnx.compiler.spec import Spec
from archonnx.grammar.ast import File
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.files import load_parameters, save_parameters, write_atomically
from archonnx.runtime.folders.run import Run
from archonnx.runtime.folders.saving import save_run
from archonnx.runtime.training.programs import Trained, run_programs
from tests.support.programs import SOURCE, WHOLE, examples, linear_regression

SETTINGS = {
    "epochs": 3,
    "batch_size": 16,
    "split": {"train": 0.5, "valid": 0.25, "test": 0.25},
    "early_stopping": {"monitor": "valid.objective"},
}
MODEL = linear_regression(examples(60), SETTINGS)


@pytest.fixture(scope="module")
def trained() -> Trained:
    (result,) = run_programs(MODEL, Path(), options=SessionOptions(device="cpu", threads=1))
    return result


def spec(folder: Path) -> Spec:
    path = folder / "linear.arch"
    path.write_text(SOURCE.text)
    return Spec("linear", SOURCE, File((), span=WHOLE), path, {"width": 3})


@pytest.fixture
def run(trained: Trained, tmp_path: Path) -> Run:
    return save_run(tmp_path / "runs" / "linear-1", spec(tmp_path), MODEL, [trained])


def test_a_run_holds_what_was_trained(run: Run, trained: Trained) -> None:
    opened = Run(run.path)
    assert sorted(p.name for p in run.path.iterdir()) == [
        "curve.svg",
        "data.json",
        "history.jsonl",
        "model.onnx",
        "rows.npz",
        "run.json",
        "spec.arch",
        "state.safetensors",
        "weights.safetensors",
    ]
    assert (run.path / "spec.arch").read_text() == SOURCE.text
    assert opened.name == "linear" and opened.arguments == {"width": 3}
    assert opened.metrics == trained.metrics and opened.settings.model_dump() == trained.settings.model_dump()
    assert list(opened.parameters) == ["w", "b"]
    for path, array in opened.parameters.items():
        np.testing.assert_array_equal(array, trained.trainer.parameters[path])
    assert [line["epoch"] for line in opened.history] == [1, 2, 3]
    assert opened.history[-1]["valid"]["error"] == trained.outcome.history[-1].valid["error"]


def test_its_predictions_are_those_of_the_trainer_and_of_the_reference_evaluator(run: Run, trained: Trained) -> None:
    x = examples(300)["x"]
    expected = trained.trainer.predict({"x": x})["prediction"]
    np.testing.assert_allclose(Run(run.path).predict({"x": x}, batch_size=64)["prediction"], expected, rtol=1e-6)
    model = onnx.load(run.path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [i.name for i in model.graph.input] == ["x"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "B"
    (reference,) = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_allclose(reference, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(SpecError, match="axis 1 has 2 elements, not 3"):
        run.predict({"x": x[:, :2]})


def test_evaluating_a_run_gives_the_figures_of_its_training(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "spec", lambda run: None)
    monkeypatch.setattr("archonnx.runtime.folders.opened.elaborate", lambda spec: MODEL)
    for part in ("train", "valid", "test"):
        assert Run(run.path).evaluate(part) == run.metrics[part]  # type: ignore[arg-type]


def test_exporting_writes_the_model_elsewhere(run: Run, tmp_path: Path) -> None:
    assert run.export(tmp_path / "m.onnx").read_bytes() == (run.path / "model.onnx").read_bytes()
    with pytest.raises(SpecError, match="AX0616"):
        run.export(tmp_path / "nowhere" / "m.onnx")


def test_a_run_never_overwrites_another(run: Run, trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="AX0614"):
        save_run(run.path, spec(tmp_path), MODEL, [trained])
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="AX0614"):
        save_run(tmp_path / "file", spec(tmp_path), MODEL, [trained])
    (tmp_path / "empty").mkdir()
    assert save_run(tmp_path / "empty", spec(tmp_path), MODEL, [trained]).metrics == run.metrics


def damaged(folder: Path) -> str:
    with pytest.raises(SpecError) as caught:
        Run(folder)
    assert [d.code for d in caught.value.diagnostics] == ["AX0611"]
    return caught.value.diagnostics[0].headline


def test_what_is_no_run_is_told(run: Run, tmp_path: Path) -> None:
    assert "there is no run directory" in damaged(tmp_path / "nothing")
    assert "is not a run directory" in damaged(tmp_path)
    (tmp_path / "half").mkdir()
    shutil.copy(run.path / "state.safetensors", tmp_path / "half")
    assert "holds a training that did not end" in damaged(tmp_path / "half")
    record = run.path / "run.json"
    good = record.read_text()
    record.write_text(good[:100])
    assert "damaged" in damaged(run.path)
    record.write_text(json.dumps({**json.loads(good), "format": 99}))
    assert "another version" in damaged(run.path)
    record.write_text(good)
    (run.path / "weights.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(SpecError, match=r"weights\.safetensors is damaged"):
        _ = Run(run.path).parameters


# ---------------------------------------------------------------- files


def test_parameters_come_back_as_they_were(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "a.W": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "b": np.array(2, np.int64),
        "c": np.zeros((0, 2), bool),
    }
    save_parameters(tmp_path / "w.safetensors", arrays)
    loaded = load_parameters(tmp_path / "w.safetensors")
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert (loaded[name].dtype, loaded[name].shape) == (array.dtype, array.shape)


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_file(
    moment: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "f"
    write_atomically(target, b"old")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os if moment == "fsync" else Path, moment, crash)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]
