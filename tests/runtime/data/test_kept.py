"""Columns that are kept beside predictions are as they stand in the file, whatever they held in the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archonnx
from archonnx.grammar.diagnostics import SpecError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> archonnx.Run:
    folder = tmp_path_factory.mktemp("kept")
    (folder / "t.csv").write_text("id,x,y\n" + "".join(f"{100 + i},{i}.5,{2 * i}\n" for i in range(12)))
    (folder / "spec.arch").write_text("""
model M():
    input  x: [B]
    target y: [B]
    value = (x[:, none] |> Dense(1))[:, 0]
    output z: [B] = value
    loss objective = mse(value, y)

train:
    data = csv("t.csv")
    epochs = 1
    minimize objective with sgd(lr=0.001)
""")
    return archonnx.train(folder / "spec.arch", folder / "run", device="cpu")


@pytest.mark.parametrize(
    "ids", [["A7", "B8"], ["007", "7"], ["A7", "8"], ["", "9"], ["2024-01-01", "x"], ["1.5", "2.5"]]
)
def test_an_id_is_what_it_is_now(run: archonnx.Run, tmp_path: Path, ids: list[str]) -> None:
    (tmp_path / "new.csv").write_text("x,id\n" + "".join(f"{i}.0,{one}\n" for i, one in enumerate(ids)))
    outputs, kept = run.predict_all([tmp_path / "new.csv"], keep=["id"])
    assert [str(one).replace("nan", "").removesuffix(".0") for one in kept["id"]] == ids
    assert len(outputs["z"]) == 2


def test_a_column_that_the_model_takes_is_of_its_kind_although_it_is_kept(run: archonnx.Run, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("x,id\nwide,1\n")
    with pytest.raises(SpecError, match=r"new\.csv:2: `x` has 'wide'"):
        run.predict_all([tmp_path / "new.csv"], keep=["x"])


def test_a_column_that_is_not_there_cannot_be_kept(run: archonnx.Run, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("x,ids\n1,1\n")
    with pytest.raises(SpecError, match="has no column `id` to keep"):
        run.predict_all([tmp_path / "new.csv"], keep=["id"])


def test_arrays_are_kept_as_they_are(run: archonnx.Run) -> None:
    _, kept = run.predict_all([{"x": np.array([1.0, 2.0]), "id": np.array(["a", "b"])}], keep=["id"])
    assert kept["id"].tolist() == ["a", "b"]
