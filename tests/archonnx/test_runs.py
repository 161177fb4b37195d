"""``archonnx runs``: what a run is said to be is what can be done with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import archonnx
from archonnx.cli.app import app
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.reserving import reserved


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, which differ in their seed and their length, and two folds."""
    folder = tmp_path_factory.mktemp("runs")
    for number, (seed, epochs) in enumerate([(0, 2), (0, 3), (5, 2)], 9):
        archonnx.train("xor", folder / f"xor-{number}", seed=seed, settings={"epochs": epochs}, device="cpu")
    two = {"epochs": 1, "split": {"train": 0.5, "valid": 0.5}}
    archonnx.train("xor", folder / "folds", folds=2, settings=two, device="cpu")
    (folder / "notes").mkdir()
    (folder / "notes" / "a.txt").write_text("mine")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "runs")


def listed(folder: Path, *options: str, status: int = 0) -> dict[str, dict[str, object]]:
    result = CliRunner().invoke(app, ["runs", str(folder), "--json", *options])
    assert result.exit_code == status, result.output
    return {Path(one["path"]).relative_to(folder).as_posix(): one for one in json.loads(result.stdout)["runs"]}


def test_runs_are_compared_in_what_differs(made: Path) -> None:
    result = CliRunner().invoke(app, ["runs", str(made)])
    head, *rows = [line.split() for line in result.stdout.splitlines()]
    assert head[:2] == ["run", "done"] and {"epochs", "seed"} <= {*head} and "batch_size" not in head
    assert [row[0] for row in rows] == ["folds", "folds/fold-1", "folds/fold-2", "xor-9", "xor-10", "xor-11"]
    alone = CliRunner().invoke(app, ["runs", str(made / "xor-9"), "--verify"])
    assert alone.exit_code == 0 and "seed" not in alone.stdout and "xor-9" in alone.stdout
    found = listed(made)
    assert found["xor-10"]["settings"]["epochs"] == 3 and found["xor-11"]["settings"]["seed"] == 5  # type: ignore[index]
    assert found["xor-9"]["metrics"] == json.loads((made / "xor-9" / "run.json").read_text())["metrics"]
    assert {one["mark"] for one in found.values()} == {"whole"}
    assert found["folds"]["runs"] == ["fold-1", "fold-2"]


def test_a_name_does_not_act_on_a_terminal(folder: Path) -> None:
    """A folder of runs may be somebody else's: colours, new lines and the direction of writing are shown."""
    (folder / "xor-9").rename(folder / "a\x1b[31mred\n\u202e")
    said = CliRunner().invoke(app, ["runs", str(folder)]).stdout
    assert "a\ufffd[31mred\ufffd\ufffd" in said and said.replace("\n", "").isprintable()


def test_each_mark_says_what_can_be_done(folder: Path) -> None:
    (folder / "xor-9" / "run.json").unlink()
    (folder / "xor-10" / "weights.safetensors").write_bytes(b"no")
    weights = folder / "xor-11" / "weights.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    found = listed(folder)
    assert [found[f"xor-{n}"]["mark"] for n in (9, 10, 11)] == ["resumable", "damaged", "whole"]
    found = listed(folder, "--verify", status=1)
    assert [found[f"xor-{n}"]["mark"] for n in (9, 10, 11)] == ["resumable", "damaged", "damaged"]
    for n in (9, 10, 11):
        archonnx.train("xor", resume=folder / f"xor-{n}", device="cpu")
    assert {one["mark"] for one in listed(folder, "--verify").values()} == {"whole"}
    (folder / "folds" / "fold-2" / "run.json").unlink()
    assert listed(folder)["folds"]["why"] == "fold-2 had ended, and has no run.json"


def test_a_run_that_goes_on_or_is_written_now(made: Path, folder: Path) -> None:
    shutil.copy(folder / "xor-10" / STATE_FILE, folder / "xor-9")  # of three epochs, where two were done
    found = listed(folder, "--verify")["xor-9"]
    assert found["mark"] == "resumable" and "epoch 3" in str(found["why"])
    with reserved(folder / "xor-9"):
        assert listed(folder)["xor-9"]["mark"] == "being written"
    (folder / "xor-9" / STATE_FILE).write_bytes(b"no")
    assert listed(folder)["xor-9"]["mark"] == "damaged"


def test_there_are_none(tmp_path: Path) -> None:
    assert "no runs in" in CliRunner().invoke(app, ["runs", str(tmp_path)]).stderr
