"""The specs of the zoo with files of their own: what they learn, and that raw files give what the training measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

import archonnx
from benchmarks import zoo_data

DATA = Path(__file__).parents[1] / "specs/zoo/data"
QUICK = {"wines": {"epochs": 25}, "ratings": {"epochs": 12}, "arrows": {"epochs": 15}, "co2": {"epochs": 12}}
"""Enough to learn what there is to learn, mostly."""
Runs = dict[str, archonnx.Run]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("runs")
    yield {
        name: archonnx.train(name, folder / name, settings=settings, device="cpu") for name, settings in QUICK.items()
    }


def test_they_learn_more_than_what_is_most_frequent_or_last(runs: Runs) -> None:
    test = {name: run.metrics["test"] for name, run in runs.items()}
    assert test["wines"]["accuracy"] > 0.5 and test["wines"]["within_one"] > 0.9  # 0.36 are of the most frequent grade
    assert test["ratings"]["rmse"] < 0.6  # the mean of the training leaves 0.84
    assert test["arrows"]["accuracy"] > 0.7
    assert test["co2"]["error"] < 0.7 * test["co2"]["error_of_no_change"]


def test_what_stands_in_the_claim_on_ratings() -> None:
    stars = np.loadtxt(DATA / "ratings.csv", delimiter=",", skiprows=1, usecols=2)
    assert 0.8 < np.sqrt(np.mean((stars[-240:] - stars[:1920].mean()) ** 2)) < 0.88


# ---------------------------------------------------------------- the same file gives the same outputs


def test_predictions_from_the_raw_table_are_those_that_were_measured(runs: Runs) -> None:
    run = runs["wines"]
    assert run.classes == {"probs": ("3", "4", "5", "6", "7", "8")}
    predicted = run.predict(DATA / "wines.csv")["probs"].argmax(axis=1) + 3
    grades = np.array(
        [int(line.rpartition(";")[2]) for line in (DATA / "wines.csv").read_text("utf-8").splitlines()[1:]]
    )
    for part in ("train", "valid", "test"):
        rows = run.rows(part)
        assert np.mean(predicted[rows] == grades[rows]) == pytest.approx(run.metrics[part]["accuracy"], abs=1e-6)


def test_a_table_of_one_wine_in_another_order_without_its_grade(runs: Runs, tmp_path: Path) -> None:
    lines = (DATA / "wines.csv").read_text("utf-8").splitlines()
    (tmp_path / "one.csv").write_text(
        "".join(";".join(line.split(";")[-2::-1]) + "\n" for line in (lines[0], lines[8]))
    )
    whole = runs["wines"].predict(DATA / "wines.csv")["probs"]
    np.testing.assert_allclose(runs["wines"].predict(tmp_path / "one.csv")["probs"], whole[7:8], rtol=1e-5)


def test_users_and_films_that_came_later_have_the_mean(runs: Runs, tmp_path: Path) -> None:
    run = runs["ratings"]
    (tmp_path / "new.csv").write_text("film,user\n5,5\n6,7\n")
    first, second = run.predict(tmp_path / "new.csv")["expected"]
    assert first == second and abs(first - run.parameters["level"]) < 0.05


def test_pictures_are_turned_as_in_the_training(runs: Runs, tmp_path: Path) -> None:
    """One that lies on its side without a word of it points elsewhere."""
    run = runs["arrows"]
    assert run.classes == {"probs": ("down", "left", "right", "up")}
    held = next(p for p in sorted((DATA / "arrows/up").glob("*.jpg")) if Image.open(p).getexif()[0x0112] == 6)
    plain = tmp_path / "plain.png"
    Image.open(held).save(plain, exif=b"")
    assert run.classes["probs"][run.predict(held)["probs"][0].argmax()] == "up"
    assert run.classes["probs"][run.predict(plain)["probs"][0].argmax()] == "left"


def test_windows_end_with_the_file_in_prediction(runs: Runs, tmp_path: Path) -> None:
    run = runs["co2"]
    lines = (DATA / "co2.csv").read_text().splitlines()
    (tmp_path / "year.csv").write_text("\n".join([lines[0], *lines[-52:]]) + "\n")
    (forecast,) = run.predict(tmp_path / "year.csv")["ppm"]
    assert np.abs(forecast - 371.5).max() < 2.5


# ---------------------------------------------------------------- the files


def test_the_files_are_those_that_the_command_writes(tmp_path: Path) -> None:
    zoo_data.write(tmp_path)
    for name in ("wines.csv", "ratings.csv"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()
    names = [sorted(p.relative_to(at).as_posix() for p in (at / "arrows").rglob("*.*")) for at in (tmp_path, DATA)]
    assert names[0] == names[1] and len(names[0]) == 80
    for name in names[0]:
        one, other = (ImageOps.exif_transpose(Image.open(at / name)) for at in (tmp_path, DATA))
        assert one.mode == other.mode
        assert np.abs(np.asarray(one, float) - np.asarray(other, float)).max() < 24  # encoders of JPEG differ a little


def test_they_are_small_and_told_of() -> None:
    files = [path for path in DATA.rglob("*") if path.is_file() and path.suffix != ".arch"]
    assert sum(path.stat().st_size for path in files) < 300_000
    told = (DATA / "README.md").read_text("utf-8")
    assert [path.name for path in DATA.iterdir() if path.suffix not in (".arch", ".md") and path.name not in told] == []


def test_carbon_dioxide_is_weekly_with_gaps_of_whole_weeks() -> None:
    rows = [line.split(",") for line in (DATA / "co2.csv").read_text().splitlines()[1:]]
    steps = {(after - before).days for before, after in pairwise(date.fromisoformat(day) for day, _ in rows)}
    assert len(rows) == 2225 and min(steps) == 7 and all(step % 7 == 0 for step in steps)
    assert 313 <= min(float(value) for _, value in rows) < max(float(value) for _, value in rows) < 375


@pytest.mark.parametrize("name", QUICK)
def test_each_is_exported_with_what_it_feeds(runs: Runs, name: str, tmp_path: Path) -> None:
    """Exporting runs the file beside the run, on its own data, and refuses what differs."""
    runs[name].export(tmp_path / "model.onnx", raw=True)
    assert (tmp_path / "model.onnx").stat().st_size > 1000
