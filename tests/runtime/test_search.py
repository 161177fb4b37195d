"""Searches: the known best of a tiny space is found and kept, and a search gives the same twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.program import Between, Choice
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.search import Found, Trial, best_trial

SPEC = """fn points(n: int) -> (x: [n, 1]):
    return ones([n, 1])

model Shifted(shift: float = 9.0, sign: int = 1):
    input x: [B, 1]
    param w: [1] = 0
    output y = x * w
    loss objective = mean((x * w - x) ** 2)
    metric far = (shift - 3.0) ** 2 + (1.0 - sign) + 0 * mean(x)
    metric near = -((shift - 3.0) ** 2) + 0 * mean(x)

train:
    data = generate(points, n=8)
    split = {train: 4, valid: 4}
    epochs = 1
    batch_size = all
    minimize objective with sgd(lr=LR)

search:
"""
CPU = SessionOptions(device="cpu", threads=1)


def written(folder: Path, search: str, rate: str = "0.1") -> Path:
    path = folder / "shifted.arch"
    path.write_text(SPEC.replace("LR", rate) + search, encoding="utf-8")
    return path


def searched(path: Path, **arguments: float) -> tuple[Found, list[Trial]]:
    trials: list[Trial] = []
    return best_trial(load(path, **arguments), options=CPU, on_trial=trials.append), trials


def test_the_space_is_read(tmp_path: Path) -> None:
    text = "    shift = loguniform(0.1, 10)\n    sign = choice(-1, 1)\n    epochs = intrange(1, 3)\n    maximize -valid.far\n"
    space = elaborate(load(written(tmp_path, text + "    trials = 7\n"))).search
    assert space is not None
    assert space.arguments == {"shift": Between(0.1, 10, log=True), "sign": Choice((-1, 1))}
    assert space.settings == {"epochs": Between(1, 3, integer=True)}
    assert (space.goal, space.maximise, space.trials) == ("valid.far", False, 7)


def test_every_point_of_a_small_space_is_tried_once_and_the_best_is_saved(tmp_path: Path) -> None:
    text = "    shift = choice(1.0, 2.5, 8.0)\n    sign = choice(-1, 1)\n    maximize -valid.far\n    trials = 50\n"
    trials: list[Trial] = []
    run = archonnx.search(written(tmp_path, text), tmp_path / "run", device="cpu", threads=1, on_trial=trials.append)
    tried = {(t.arguments["shift"], t.arguments["sign"]): t.value for t in trials}
    assert len(trials) == len(tried) == 6
    assert tried == pytest.approx({(a, b): (a - 3) ** 2 + 1 - b for a, b in tried})
    assert run.arguments == {"shift": 2.5, "sign": 1}
    assert run.metrics["valid"]["far"] == pytest.approx(0.25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "shifted.arch"], "trials leave nothing behind"


def test_a_large_space_is_sampled_near_its_best_and_the_same_twice(tmp_path: Path) -> None:
    path = written(tmp_path, "    shift = uniform(-50, 50)\n    maximize valid.near\n    trials = 25\n")
    found, trials = searched(path)
    values = [trial.value for trial in trials if trial.value is not None]
    assert len(values) == 25
    assert found.trained[-1].metrics["valid"]["near"] == max(values)
    assert abs(found.spec.arguments["shift"] - 3) < 5, "a tenth of the range"
    assert [t.arguments for t in searched(path)[1]] == [t.arguments for t in trials]


def test_settings_are_varied_too(tmp_path: Path) -> None:
    path = written(tmp_path, "    epochs = intrange(1, 4)\n    maximize -train.objective\n")
    run = archonnx.search(path, tmp_path / "run", device="cpu", threads=1)
    assert run.settings.epochs == 4, "the loss falls from epoch to epoch"
    assert len(run.history) == 4


def test_a_goal_may_be_a_metric_over_the_set(tmp_path: Path) -> None:
    path = written(tmp_path, "    shift = choice(5.0, 1.0)\n    maximize train.fit\n")
    text = path.read_text("utf-8").replace(
        "\ntrain:", "    metric fit over set = r2_score(squeeze(x, axis=-1) + shift, squeeze(x, axis=-1))\n\ntrain:"
    )
    path.write_text(text.replace("return ones([n, 1])", "x: [n, 1] ~ normal(0, 1)\n    return x"), "utf-8")
    assert searched(path)[0].spec.arguments == {"shift": 1.0}, "the smaller error"


def test_given_arguments_are_not_varied(tmp_path: Path) -> None:
    text = "    shift = choice(1.0, 3.0)\n    sign = choice(-1, 1)\n    maximize -valid.far\n"
    found, trials = searched(written(tmp_path, text), shift=7.0)
    assert [dict(trial.arguments) for trial in trials] == [{"sign": -1}, {"sign": 1}]
    assert found.spec.arguments == {"shift": 7.0, "sign": 1}


def test_a_trial_that_diverges_loses(tmp_path: Path) -> None:
    text = "    shift = choice(1e12, 3.0)\n    epochs = choice(30)\n    maximize -train.objective\n"
    found, trials = searched(written(tmp_path, text, rate="shift / 30"))
    assert [trial.value is None for trial in trials] == [True, False]
    assert found.spec.arguments == {"shift": 3.0}
    with pytest.raises(SpecError, match="AX0620"):
        searched(written(tmp_path, text.replace(", 3.0", ""), rate="shift / 30"))


@pytest.mark.parametrize(
    ("search", "change", "code"),
    [
        (
            "    shift = choice(1.0)\n    maximize -valid.far\n",
            ("split = {train: 4, valid: 4}", "split = {train: 1}"),
            "AX0712",
        ),
        ("    shift = choice(1.0)\n    maximize -valid.far\n", ("search:", "search:\n    trials = 0"), "AX0306"),
        ("", ("search:\n", ""), "AX0620"),
    ],
    ids=["no valid part", "no trials", "no search"],
)
def test_what_cannot_be_searched_is_said(search: str, change: tuple[str, str], code: str, tmp_path: Path) -> None:
    path = written(tmp_path, search)
    path.write_text(path.read_text("utf-8").replace(*change), "utf-8")
    with pytest.raises(SpecError, match=code):
        searched(path)


def test_a_fold_is_a_valid_part(tmp_path: Path) -> None:
    path = written(tmp_path, "    shift = choice(1.0, 3.0)\n    maximize -valid.far\n")
    path.write_text(path.read_text("utf-8").replace("train: 4, valid: 4", "train: 8, fold: [1, 2]"), "utf-8")
    found, _ = searched(path)
    assert found.trained[-1].parts is not None and len(found.trained[-1].parts.valid) == 4


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SpecError, match=r"AX0619") as caught:
        searched(written(tmp_path, "    shift = choice(1.0)\n    maximize -valid.far\n"))
    assert "archonnx[search]" in (caught.value.diagnostics[0].help or "")


def test_the_command_line_shows_the_trials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from archonnx.cli import main

    path = written(tmp_path, "    shift = choice(1.0, 2.0)\n    maximize -valid.far\n")
    command = ["archonnx", "search", str(path), "--out", str(tmp_path / "run"), "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    shown = capsys.readouterr().out
    assert shown.startswith(
        "trial  shift    goal\n1        1.0  4.0000\n2        2.0  1.0000\n\nbest: shift=2.0\n".replace("1.0 ", "  1 ")
        .replace("2.0 ", "  2 ")
        .replace("2.0\n", "2\n")
    )
    assert np.isfinite(archonnx.Run(tmp_path / "run").metrics["train"]["objective"])


CHOSEN = """fn points(n: int) -> (x: [n, 1]):
    return ones([n, 1])

fn doubled(x: [...S]) -> [...S]:
    return 2 * x

block Scaled(by: float)(x: [...S]) -> [...S]:
    return by * x

block Tripled()(x: [...S]) -> [...S]:
    return 3 * x

model Chosen(f: fn = doubled, rate: schedule = 0.1, form: choice[large, small] = large):
    input x: [B, 1]
    param w: [1] = 0
    loss objective = mean((x * w - x) ** 2)
    metric measured = mean(x |> f) + rate(i64(0)) + (100 if form == small else 0)

train:
    data = generate(points, n=8)
    split = {train: 4, valid: 4}
    epochs = 1
    batch_size = all
    minimize objective with sgd()

search:
"""


def test_fns_schedules_and_words_are_chosen_by_their_texts(tmp_path: Path) -> None:
    path = tmp_path / "chosen.arch"
    search = """    f = choice(doubled, leaky_relu( slope=0.5 ), Scaled(by=4), Tripled, "tanh")
    maximize valid.measured
"""
    path.write_text(CHOSEN + search, "utf-8")
    trials: list[Trial] = []
    run = archonnx.search(path, out=tmp_path / "run", device="cpu", on_trial=trials.append)
    values = {trial.arguments["f"]: trial.value for trial in trials}
    expected = {"doubled": 2, "leaky_relu(slope=0.5)": 1, "Scaled(by=4)": 4, "Tripled": 3, "tanh": np.tanh(1)}
    assert values == pytest.approx({text: value + 0.1 for text, value in expected.items()})
    assert run.arguments == archonnx.Run(tmp_path / "run").arguments == {"f": "Scaled(by=4)"}
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert record["arguments"] == {"f": "Scaled(by=4)"}


def test_a_schedule_may_be_a_number_beside_others(tmp_path: Path) -> None:
    path = tmp_path / "chosen.arch"
    search = (
        "    rate = choice(0.25, cosine_decay(8.0, total=9))\n    form = choice(small)\n    maximize valid.measured\n"
    )
    path.write_text(CHOSEN + search, "utf-8")
    found, trials = searched(path)
    assert [trial.value for trial in trials] == pytest.approx([102.25, 110])
    assert found.spec.arguments == {"rate": "cosine_decay(8.0, total=9)", "form": "small"}


@pytest.mark.parametrize(
    ("search", "code"),
    [
        ("f = choice(doubled, 3)", "AX0306"),
        ("f = choice(doubeld)", "AX0201"),
        ("f = choice(relu, f)", "AX0711"),
        ("rate = choice(relu)", "AX0306"),
        ("rate = choice(cosine_decay)", "AX0306"),
        ("rate = choice(rate, 0.1)", "AX0711"),
        ("form = choice(large, smal)", "AX0208"),
        ("epochs = choice(relu)", "AX0711"),
        ("form = choice([relu])", "AX0208"),
    ],
)
def test_what_cannot_be_chosen_is_said_before_the_trials(search: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "chosen.arch"
    path.write_text(f"{CHOSEN}    {search}\n    maximize valid.measured\n", "utf-8")
    with pytest.raises(SpecError, match=code):
        elaborate(load(path))
