"""Trainings on folds and with seeds: what they train on, what they leave, and that nothing finished is lost."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import archonnx
from archonnx import Runs
from archonnx.cli.app import app
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.files import load_parameters
from archonnx.runtime.folders.several import Plan, Spread
from archonnx.runtime.training.observing import Epoch, Observer

SPEC = """model Mean():
    input x: [B]
    param p: [] ~ normal(0, 1)
    output seen: [] = p
    loss   objective = mean((p - x) ** 2)
    metric average = mean(x)

train:
    data = csv("t.csv")
    split = {train: 0.6, valid: 0.2, test: 0.2, seed: 3}
    batch_size = 4
    epochs = 2
    minimize objective with sgd(lr=0.1)
"""
COUNT = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("several")
    (here / "t.csv").write_text("\n".join(["x,user", *(f"{n},u{n // 3}" for n in range(COUNT))]) + "\n")
    (here / "mean.arch").write_text(SPEC)
    return here


@pytest.fixture(scope="module")
def folds(folder: Path) -> Runs:
    return archonnx.train(folder / "mean.arch", folder / "folds", folds=4, device="cpu")


def test_each_example_is_validated_once_or_tested_always(folds: Runs) -> None:
    tests = {tuple(sorted(run.rows("test").tolist())) for run in folds}
    assert len(tests) == 1 and [run.path.name for run in folds] == ["fold-1", "fold-2", "fold-3", "fold-4"]
    validated = np.concatenate([run.rows("valid") for run in folds])
    assert sorted([*validated.tolist(), *tests.pop()]) == list(range(COUNT))
    for run in folds:
        assert run.metrics["valid"]["average"] == pytest.approx(run.rows("valid").mean())
        assert run.evaluate("valid") == pytest.approx(run.metrics["valid"])


def test_a_fold_is_a_training_like_any_other(folder: Path, folds: Runs) -> None:
    alone = archonnx.train(folder / "mean.arch", folder / "alone", settings={"split.fold": [2, 4]}, device="cpu")
    assert alone.parameters["p"] == folds[1].parameters["p"] and alone.metrics == folds[1].metrics
    longer = archonnx.train(folder / "mean.arch", folder / "longer", resume=folds[1].path, settings={"epochs": 3})
    assert longer.rows("valid").tolist() == folds[1].rows("valid").tolist() and len(longer.history) == 3


def test_figures_are_the_mean_and_deviation_of_the_sample(folds: Runs) -> None:
    values = [run.metrics["valid"]["objective"] for run in folds]
    found = folds.metrics["valid"]["objective"]
    assert list(found.values.values()) == values
    assert (found.mean, found.deviation) == pytest.approx((statistics.fmean(values), statistics.stdev(values)))
    kept = json.loads((folds.path / "folds.json").read_text())["metrics"]["valid"]["objective"]
    assert kept["mean"] == found.mean and list(kept["values"]) == [run.path.name for run in folds]
    assert list(folds.metrics) == ["train", "valid", "test"]
    assert math.isnan(Spread({"a": 1.0}).deviation) and math.isnan(Spread({"a": 1.0, "b": math.nan}).mean)
    assert Spread({"a": 1.0, "b": math.inf}).mean == math.inf and math.isnan(
        Spread({"a": 1.0, "b": math.inf}).deviation
    )


def test_seeds_draw_initial_parameters_and_leave_the_split(folder: Path) -> None:
    runs = archonnx.train(folder / "mean.arch", folder / "seeds", seeds=2, seed=7, device="cpu")
    assert [run.path.name for run in runs] == ["seed-7", "seed-8"] and [run.settings.seed for run in runs] == [7, 8]
    assert runs[0].rows("train").tolist() == runs[1].rows("train").tolist()
    assert runs[0].parameters["p"] != runs[1].parameters["p"]
    assert Plan.seeds(3, 7).runs["seed-9"] == {"seed": 9}
    assert repr(runs) == f"<Runs: 2 of 2 seeds in {folder / 'seeds'}>" and [run.path for run in runs[:1]] == [
        runs[0].path
    ]


class Impatient(Observer):
    """Interrupts in a fold after its first epoch."""

    def __init__(self, fold: int) -> None:
        self.fold, self.now = fold, 0
        self.lines: list[str] = []

    def opening(self, line: str) -> None:
        self.now += line.startswith("fold")
        self.lines.append(line)

    def epoch(self, record: Epoch) -> None:
        if self.now == self.fold:
            raise KeyboardInterrupt


def test_an_interrupt_keeps_what_is_finished_and_the_rest_can_be_done(folder: Path, folds: Runs) -> None:
    spec, out = folder / "mean.arch", folder / "interrupted"
    told = Impatient(3)
    part = archonnx.train(spec, out, folds=4, device="cpu", observer=told)
    assert told.lines[:3] == ["fold 1 of 4", "fold 2 of 4", "fold 3 of 4"]
    assert [run.path.name for run in part] == ["fold-1", "fold-2"] and not part.complete
    assert part.metrics["valid"]["objective"].values.keys() == {"fold-1", "fold-2"}
    left = archonnx.Run(out / "fold-3")
    assert left.record["stopped"] == "interrupted" and len(left.history) == 1
    before = (out / "fold-1" / "run.json").read_bytes()
    whole = archonnx.train(None, resume=out, folds=None, seeds=None, device="cpu")
    assert isinstance(whole, Runs)
    assert whole.complete and (out / "fold-1" / "run.json").read_bytes() == before
    for ours, other in zip(whole, folds, strict=True):
        assert ours.metrics == other.metrics
        files = [load_parameters(run.path / "weights.safetensors")["p"] for run in (ours, other)]
        assert files[0] == files[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"folds": 3}, "holds 4 folds, not 3 folds"),
        ({"seeds": 4}, "holds 4 folds, not 4 seeds"),
        ({"folds": 4, "settings": {"epochs": 9}}, "have other settings"),
        ({"folds": 4, "program": "train"}, "have other programs"),
        ({"folds": 4, "out": "elsewhere"}, "go on where they are"),
    ],
)
def test_the_rest_is_trained_as_the_others_were(folder: Path, folds: Runs, options: dict[str, Any], says: str) -> None:
    before = (folds.path / "folds.json").read_bytes()
    with pytest.raises(SpecError, match=rf"(?s)AX0618.*{says}"):
        archonnx.train(folder / "mean.arch", resume=folds.path, **options)
    assert (folds.path / "folds.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"folds": 1}, "AX0702.*a number from 2 on, not 1"),
        ({"folds": 2, "seeds": 2}, "AX0702.*both .* are given"),
        ({"folds": 31}, "AX0606.*cannot be cut into 31 folds"),
        ({"seeds": 2, "settings": {"seed": "x"}}, "AX0702.*a number is needed"),
        ({"seeds": 2, "program": "tune"}, "AX0615.*has no train program `tune`"),
    ],
)
def test_what_cannot_be_done_leaves_nothing(folder: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=f"(?s){says}"):
        archonnx.train(folder / "mean.arch", folder / "none", device="cpu", **options)
    assert not (folder / "none").exists()


def test_a_folder_of_runs_is_not_overwritten(folder: Path, folds: Runs) -> None:
    with pytest.raises(SpecError, match="AX0614"):
        archonnx.train(folder / "mean.arch", folds.path, folds=4)
    with pytest.raises(SpecError, match=r"(?s)AX0611.*it holds several runs: fold-1, fold-2"):
        archonnx.Run(folds.path)
    with pytest.raises(SpecError, match=r"AX0611.*no runs of folds or seeds"):
        Runs(folder)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": 1, "kind": "folds", "runs": {}, "finished": ["../x"]}', "{}"]
)
def test_a_summary_that_is_damaged_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "folds.json").write_text(content)
    with pytest.raises(SpecError, match="AX0611"):
        Runs(tmp_path)


def test_the_command_line_prints_the_figures(folder: Path) -> None:
    arguments = ["train", str(folder / "mean.arch"), "--out", str(folder / "cli"), "--device", "cpu"]
    done = CliRunner().invoke(app, [*arguments, "--seeds", "2", "--set", "epochs=1"])
    assert done.exit_code == 0, done.output
    heading, *rows = [line.split() for line in done.stdout.splitlines()[:7]]
    assert heading == ["mean", "deviation", "smallest", "largest"]
    assert [row[:2] for row in rows] == [
        [part, name] for part in ("train", "valid", "test") for name in ("objective", "average")
    ]
    of = Runs(folder / "cli").metrics["train"]["average"]
    assert rows[1][2:] == [f"{of.mean:.4f}", "0.0000", f"{of.mean:.4f}", f"{of.mean:.4f}"]
    assert "2 of 2 seeds" in done.output and "archonnx eval" in done.output
