"""``--set epochs=0``: a run of weights that were trained elsewhere, as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import archonnx
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.folders.run import Run
from archonnx.runtime.training.observing import Observer

SPEC = """
model Net():
    input  x: [B, 4]
    target y: i64[B]
    logits = x |> Dense(6) |> BatchNorm |> relu |> Dense(3)
    output probs = softmax(logits)
    loss objective = cross_entropy(logits, y)
    metric accuracy = accuracy(logits, y)
train:
    data = sklearn("iris")
    feed x = data.data
    feed y = data.target
    split = {train: 0.6, valid: 0.2, test: 0.2}
    epochs = 3
    early_stopping = {monitor: valid.objective, patience: 2}
    minimize objective with adam(lr=cosine_decay(0.02, steps))
"""


class Notes(Observer):
    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run, Run, list[str]]:
    """A spec, a run of it, one with the weights of a file alone, and what was told of that."""
    folder = tmp_path_factory.mktemp("untrained")
    spec, notes = folder / "net.arch", Notes()
    spec.write_text(SPEC)
    trained = archonnx.train(spec, out=folder / "trained")
    save_file(load_file(trained.path / "weights.safetensors"), folder / "elsewhere.safetensors")
    taken = archonnx.train(
        spec,
        out=folder / "taken",
        start_from=str(folder / "elsewhere.safetensors"),
        settings={"epochs": 0},
        observer=notes,
    )
    return spec, trained, taken, notes.told


def test_it_is_measured_and_answers_as_the_weights_did(runs: tuple[Path, Run, Run, list[str]]) -> None:
    _, trained, taken, notes = runs
    assert taken.metrics == trained.metrics and taken.history == [] and notes == []
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_array_equal(taken.predict_fields({"x": x})["probs"], trained.predict_fields({"x": x})["probs"])
    assert Run(taken.path).settings.epochs == 0 and Run(taken.path).evaluate() == trained.evaluate()


def test_its_training_can_be_taken_up(runs: tuple[Path, Run, Run, list[str]], tmp_path: Path) -> None:
    spec, _, taken, _ = runs
    resumed = archonnx.train(spec, resume=taken.path, settings={"epochs": 2})
    source = str(taken.path.parent / "elsewhere.safetensors")
    at_once = archonnx.train(spec, out=tmp_path / "run", start_from=source, settings={"epochs": 2})
    for path, array in at_once.parameters.items():
        np.testing.assert_array_equal(resumed.parameters[path], array)


def test_none_in_a_spec_or_fewer_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(SPEC.replace("epochs = 3", "epochs = 0"))
    with pytest.raises(SpecError, match="greater than or equal to 1"):
        archonnx.train(path)
    path.write_text(SPEC)
    with pytest.raises(SpecError, match="greater than or equal to 0"):
        archonnx.train(path, settings={"epochs": -1})
