"""Dates with an offset from UTC in the training have one in new data."""

from __future__ import annotations

from pathlib import Path

import pytest

import archonnx
from archonnx.grammar.diagnostics import SpecError

SPEC = """
model M():
    input  hour_of: [B, 1]
    target y: [B]
    value = (hour_of |> Dense(1))[:, 0]
    output z: [B] = value
    loss objective = mse(value, y)

train:
    data = csv("t.csv")
    epochs = 1
    feed hour_of = float(hour(data.t))[:, none]
    minimize objective with sgd(lr=0.001)
"""
OFFSET, NONE = "+02:00", ""


def trained(folder: Path, offset: str) -> archonnx.Run:
    rows = "".join(f"2024-03-{1 + i:02}T{i:02}:30:00{offset},{i}\n" for i in range(12))
    (folder / "t.csv").write_text("t,y\n" + rows)
    (folder / "spec.arch").write_text(SPEC)
    return archonnx.train(folder / "spec.arch", folder / "run", device="cpu")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, archonnx.Run]:
    return {offset: trained(tmp_path_factory.mktemp("run"), offset) for offset in (OFFSET, NONE)}


def test_an_offset_that_is_not_there_any_more_is_missed(runs: dict[str, archonnx.Run], tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("t\n2024-04-01T10:00:00\n")
    with pytest.raises(SpecError, match=r"new\.csv: the dates of `t` have no offset from UTC"):
        runs[OFFSET].predict_all([tmp_path / "new.csv"])


def test_dates_without_an_offset_are_by_utc(runs: dict[str, archonnx.Run], tmp_path: Path) -> None:
    found = []
    for written in ("2024-04-01T08:00:00", "2024-04-01T10:00:00+02:00", "2024-04-01T08:00:00Z"):
        (tmp_path / "new.csv").write_text(f"t\n{written}\n")
        found.append(runs[NONE].predict_all([tmp_path / "new.csv"])[0]["z"][0])
    assert found[0] == found[1] == found[2]


def test_one_moment_is_one_whatever_its_offset(runs: dict[str, archonnx.Run], tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("t\n2024-04-01T10:00:00+02:00\n2024-04-01T08:00:00Z\n")
    outputs, _ = runs[OFFSET].predict_all([tmp_path / "new.csv"])
    assert outputs["z"][0] == outputs["z"][1]


def test_frames_and_parquet_tell_as_well(runs: dict[str, archonnx.Run], tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"t": pandas.to_datetime(["2024-04-01T10:00:00"])})
    aware = frame.assign(t=frame["t"].dt.tz_localize("Europe/Berlin"))
    aware.to_parquet(tmp_path / "aware.parquet")
    frame.to_parquet(tmp_path / "naive.parquet")
    runs[OFFSET].predict_all([tmp_path / "aware.parquet"])
    for given in (tmp_path / "naive.parquet", frame):
        with pytest.raises(SpecError, match="offset from UTC"):
            runs[OFFSET].predict_all([given])
