"""A figure that is not a number is a figure: written, read, drawn, compared, told once, and nothing is lost by it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

import pytest
from typer.testing import CliRunner

import archonnx
from archonnx import Run
from archonnx.cli.app import app
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.folders.curve import Row, training_curve
from archonnx.runtime.measures.figures import from_json, to_json
from archonnx.runtime.training.observing import Observer

TEXT = """model Rare(scale: float = 1.0):
    input  x: [B, 2]
    target y: i64[B]
    score = scale * (x |> Dense(1, init=constant(0.1)))[:, 0]
    output p: [B] = sigmoid(score)
    loss   objective = bce_logits(score, float(y))
    metric auc over set = roc_auc(score, y)
    metric recall = sum(float(score > -99) * float(y)) / sum(float(y))
    metric odds = mean(float(score > -99)) / mean(float(y))
    metric far = -odds
    metric seldom = objective + 0 * log(relu(scale + 0 * objective))

fn alike(n: int) -> (x: [n, 2], y: i64[n]):
    x: [n, 2] ~ normal(0, 1)
    return x, i64(zeros([n]))

train:
    data = generate(alike, n=60)
    split = {train: 40, valid: 20}
    batch_size = 10
    epochs = 3
    minimize objective with adam(lr=0.05)
"""


def spec(**settings: str) -> Spec:
    lines = "".join(f"    {name} = {value}\n" for name, value in settings.items())
    return parse_spec(Source("rare.arch", TEXT + lines))


class Notes(Observer):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def told() -> Notes:
    return Notes()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, told: Notes) -> Run:
    return archonnx.train(spec(), tmp_path_factory.mktemp("undefined") / "run", device="cpu", observer=told)


def refuse(word: str) -> NoReturn:
    raise AssertionError(f"JSON has no {word}")


def test_the_run_is_whole_and_its_files_are_json(run: Run) -> None:
    record = json.loads((run.path / "run.json").read_text(), parse_constant=refuse)
    lines = [json.loads(line, parse_constant=refuse) for line in (run.path / "history.jsonl").read_text().splitlines()]
    for figures in (record["metrics"]["valid"], record["programs"][0]["metrics"]["train"], lines[-1]["valid"]):
        assert figures["auc"] is None and figures["recall"] is None
        assert (figures["odds"], figures["far"]) == ("inf", "-inf")
    again = Run(run.path)
    for read in (again.metrics["valid"], again.history[0]["valid"], again.evaluate("valid")):
        assert math.isnan(read["auc"]) and math.isnan(read["recall"]) and math.isfinite(read["objective"])
        assert (read["odds"], read["far"]) == (math.inf, -math.inf)
    assert "not a number in any epoch" in (run.path / "curve.svg").read_text()


def test_each_is_told_once_with_what_is_known_of_the_reason(run: Run, told: Notes) -> None:
    assert [note for note in told.notes if "auc" in note] == [
        f"`auc` over the {part} part is nan: `roc_auc` has no value where all labels are alike"
        for part in ("valid", "train")
    ]
    assert sum("recall" in note for note in told.notes) == 2 and not any("odds" in note for note in told.notes)


def test_eval_shows_it(run: Run) -> None:
    result = CliRunner().invoke(app, ["eval", str(run.path), "--on", "valid", "--device", "cpu"])
    assert result.exit_code == 0 and " nan " in result.output and " inf " in result.output
    assert "note: `auc` over the valid part is nan" in result.output


def test_a_training_goes_on_from_it(run: Run, tmp_path: Path) -> None:
    longer = archonnx.train(spec(), tmp_path / "longer", resume=run.path, settings={"epochs": 4}, device="cpu")
    straight = archonnx.train(spec(), tmp_path / "straight", settings={"epochs": 4}, device="cpu")
    assert len(longer.history) == 4 and repr(longer.metrics) == repr(straight.metrics)


@pytest.mark.parametrize("monitor", ["valid.auc", "valid.recall", "valid.odds"])
def test_early_stopping_that_sees_no_number_says_so_and_does_not_stop(tmp_path: Path, monitor: str) -> None:
    told = Notes()
    watching = spec(early_stopping=f"{{monitor: {monitor}, patience: 1, mode: max}}")
    first = archonnx.train(watching, tmp_path / "run", device="cpu", observer=told)
    assert (len(first.history), first.record["stopped"], first.record["best_epoch"]) == (3, "finished", None)
    (note,) = (note for note in told.notes if "early stopping" in note)
    assert f"`{monitor}` was not a finite number in any epoch" in note
    again = archonnx.train(watching, tmp_path / "more", resume=first.path, settings={"epochs": 5}, device="cpu")
    assert len(again.history) == 5


def test_a_search_passes_over_trials_whose_goal_is_no_number(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    space = "\nsearch:\n    scale = choice(1.0, -9.0, 50.0)\n    maximize GOAL\n"
    seen: list[float | None] = []

    def search(goal: str) -> Run:
        text = parse_spec(Source("rare.arch", TEXT + space.replace("GOAL", goal)))
        return archonnx.search(text, tmp_path / goal, device="cpu", on_trial=lambda trial: seen.append(trial.value))

    found = search("-valid.seldom")
    values = [value for value in seen if value is not None]
    assert len(values) == 3 and any(map(math.isnan, values)) and any(map(math.isfinite, values))
    assert found.metrics["valid"]["seldom"] == min(value for value in values if math.isfinite(value))
    with pytest.raises(SpecError) as caught:
        search("valid.auc")
    (found_wrong,) = caught.value.diagnostics
    assert found_wrong.code == "AX0620" and found_wrong.notes == ("`valid.auc` was not a finite number in 3 of 3",)


@pytest.mark.parametrize("values", [[math.nan, math.nan], [math.inf, -math.inf], [1e308, -1e308], [5e-324, 1.0], []])
def test_a_picture_is_drawn_of_any_values(values: list[float]) -> None:
    drawn = training_curve(
        "m", [Row("", {"a": {"train": values, "valid": [0.5, *values]}, "b": {"valid": values}, "c": {}})]
    )
    assert "nan" not in drawn and "inf" not in drawn


def test_figures_come_back_from_json() -> None:
    figures: dict[str, Any] = {"a": 0.1, "b": math.nan, "c": math.inf, "d": -math.inf}
    assert repr(from_json(json.loads(json.dumps(to_json(figures), allow_nan=False)))) == repr(figures)
    assert repr(from_json(json.loads(json.dumps(figures)))) == repr(figures), "as earlier versions wrote them"


BROKEN = """fn points(n: int) -> (x: [n, 2], y: [n, 1]):
    x: [n, 2] ~ normal(1, 1)
    broken = arange(n)[:, none] == 25
    return where(broken, BAD, x), sum(x, axis=1, keep=true)

model Line():
    input x: [B, 2]
    target y: [B, 1]
    p = x |> Dense(1)
    output line = p
    loss objective = mse(p, y)

train:
    data = generate(points, n=30)
    split = {train: 20, valid: 10, by: order}
    batch_size = 4
    epochs = 2
    minimize objective with sgd(lr=0.01)
"""


@pytest.mark.parametrize(("bad", "figure"), [("inf", "inf"), ("1e30", "inf")])
def test_the_example_of_the_valid_part_that_makes_a_loss_infinite_is_named(
    bad: str, figure: str, tmp_path: Path
) -> None:
    told = Notes()
    broken = parse_spec(Source("broken.arch", BROKEN.replace("BAD", bad)))
    archonnx.train(broken, tmp_path / "run", device="cpu", observer=told)
    assert told.notes == [f"`objective` over the valid part is {figure}: example 25 of the data makes it so"]


def test_early_stopping_says_what_it_makes_of_a_figure_that_is_no_longer_a_number(tmp_path: Path) -> None:
    """The metric is log(1 - 11 w), of a w that grows by 0.05 in each epoch: no number from the second one on."""
    text = BROKEN.replace("BAD", "x").replace("mse(p, y)", "0.0 * mse(p, y) - sum(w)")
    text = text.replace("    p = x", "    param w: [1] = 0\n    metric left = log(1.0 - 11.0 * sum(w))\n    p = x")
    text = text.replace("epochs = 2", "epochs = 9\n    early_stopping = {monitor: valid.left, patience: 3, mode: max}")
    told = Notes()
    run = archonnx.train(parse_spec(Source("m.arch", text)), tmp_path / "run", device="cpu", observer=told)
    assert (run.record["stopped"], run.record["best_epoch"], len(run.history)) == ("early stopping", 1, 4)
    assert [note for note in told.notes if "early stopping" in note] == [
        "epoch 2: `valid.left` is not a finite number, which early stopping takes for no better than before: after 3 "
        "such epochs the training ends, with the parameters of epoch 1"
    ]


def test_eval_measures_the_parts_that_there_are(run: Run) -> None:
    """This run has no test part."""
    result = CliRunner().invoke(app, ["eval", str(run.path), "--device", "cpu"])
    assert result.exit_code == 0 and "note: there is no test part" in result.output
    assert [line.split()[0] for line in result.stdout.splitlines() if line.startswith(("train", "valid"))] == [
        "train",
        "valid",
    ]
