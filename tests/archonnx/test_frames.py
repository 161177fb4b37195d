"""The same table as a file, a frame of pandas or polars, and columns by name is the same data to a training."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

import archonnx

FLATS = """
model Flats(towns: int, n: int = 3):
    input  x: [B, n]
    input  town: i64[B]
    input  old: [B]
    target rent: [B, 1]
    estimate = concat([x, one_hot(town, towns), reshape(old, [B, 1])], axis=1) |> Dense(1)
    output rent_a_month = estimate
    loss objective = mse(estimate, rent)

train of Flats(towns=size(known)):
    {source}
    fit known = vocabulary(data.town, unknown=true)
    feed x = standardise({matrix})
    feed town = index(data.town, known)
    feed old = where(year(data.built) < 1980, 1.0, 0.0)
    feed rent = reshape({target}, [-1, 1])
    split = {{train: 0.8, test: 0.2, stratify: data.town}}
    epochs = 3
    minimize objective with adam(lr=0.1)
"""
TABLE = {"source": 'data = csv("flats.csv", target="chf")', "matrix": "data.data", "target": "data.chf"}
NAMED = {
    "source": "",
    "matrix": "concat([reshape(float(c), [-1, 1]) for c in [data.area, data.rooms, data.floor]], axis=1)",
    "target": "data.chf",
}


def flats(count: int = 50) -> dict[str, list[Any]]:
    draw = np.random.default_rng(4)
    area = draw.uniform(20, 120, count).round(1)
    days = np.datetime64("1950-01-01") + draw.integers(0, 25000, count)
    return {
        "area": area.tolist(),
        "rooms": draw.integers(1, 6, count).tolist(),
        "town": draw.choice(["Bern", "Chur", "Genf"], count).tolist(),
        "floor": draw.integers(-1, 9, count).tolist(),
        "built": days.astype(object).tolist(),
        "chf": (area * 20 + 300).round(2).tolist(),
    }


def write_csv(path: Path, columns: dict[str, list[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def write_parquet(path: Path, columns: dict[str, list[Any]]) -> Path:
    parquet.write_table(pyarrow.table(columns), path)
    return path


def pandas_frame(folder: Path, columns: dict[str, list[Any]]) -> Any:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(columns)
    return frame.astype({"built": "datetime64[s]"})


def polars_frame(folder: Path, columns: dict[str, list[Any]]) -> Any:
    return pytest.importorskip("polars").DataFrame(columns)


FORMS: dict[str, Callable[[Path, dict[str, list[Any]]], Any]] = {
    "csv": lambda folder, columns: write_csv(folder / "other.csv", columns),
    "parquet": lambda folder, columns: write_parquet(folder / "other.parquet", columns),
    "pandas": pandas_frame,
    "polars": polars_frame,
    "arrays": lambda folder, columns: {
        name: np.array(values, "datetime64[D]" if name == "built" else None) for name, values in columns.items()
    },
    "lists": lambda folder, columns: columns,
}


@pytest.fixture(scope="module", params=[TABLE, NAMED], ids=["spec of a file", "spec without data"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    """A folder with the spec, and the run of the table as a file."""
    folder = tmp_path_factory.mktemp("flats")
    (folder / "flats.arch").write_text(FLATS.format(**request.param), encoding="utf-8")
    write_csv(folder / "flats.csv", flats())
    data = None if request.param is TABLE else folder / "flats.csv"
    yield folder, archonnx.train(folder / "flats.arch", folder / "run", data=data, device="cpu", threads=1)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_table_is_the_same_data(form: str, trained: tuple[Path, Any], tmp_path: Path) -> None:
    folder, wanted = trained
    given = FORMS[form](tmp_path, flats())
    run = archonnx.train(folder / "flats.arch", tmp_path / "run", data=given, device="cpu", threads=1)
    assert run.parameters.keys() == wanted.parameters.keys()
    for path, array in wanted.parameters.items():
        np.testing.assert_array_equal(run.parameters[path], array)
    assert run.metrics == wanted.metrics
    assert run.memory.checksum == wanted.memory.checksum and run.memory.kinds == wanted.memory.kinds
    (tmp_path / "later").mkdir()
    later = FORMS[form](tmp_path / "later", {name: values[:9] for name, values in flats(20).items() if name != "chf"})
    fresh = write_csv(tmp_path / "fresh.csv", {name: values[:9] for name, values in flats(20).items()})
    np.testing.assert_array_equal(run.predict(later)["rent_a_month"], wanted.predict(fresh)["rent_a_month"])
    assert run.measure(data=given).figures == wanted.measure(data=folder / "flats.csv").figures


def test_a_run_of_data_in_memory_says_so_and_takes_it_again(trained: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = trained
    run = archonnx.train(folder / "flats.arch", tmp_path / "run", data=flats(), device="cpu", threads=1)
    with pytest.raises(archonnx.SpecError, match="was trained on data that was given in memory"):
        run.evaluate()
    went_on = archonnx.train(
        folder / "flats.arch", tmp_path / "on", data=flats(), resume=run.path, settings={"epochs": 5}, device="cpu"
    )
    whole = archonnx.train(
        folder / "flats.arch", tmp_path / "whole", data=flats(), settings={"epochs": 5}, device="cpu"
    )
    assert all(np.array_equal(went_on.parameters[path], whole.parameters[path]) for path in whole.parameters)


@pytest.mark.parametrize("form", ["pandas", "polars", "arrays", "lists"])
def test_kinds_that_a_spec_states_hold_for_frames_and_arrays(form: str, tmp_path: Path) -> None:
    spec = """
model Codes():
    input  code: i64[B]
    target y: [B]
    estimate = (one_hot(code, 2) |> Dense(1))[:, 0]
    loss objective = mse(estimate, y)
train:
    data = csv("codes.csv", target="y", kinds={code: text})
    epochs = 1
    minimize objective with sgd(lr=0.1)
"""
    (tmp_path / "codes.arch").write_text(spec, encoding="utf-8")
    columns = {"built": [date(2001, 1, 1)] * 3, "code": ["70", "80", "80"], "y": [1.0, 2.0, 3.0]}
    run = archonnx.train(tmp_path / "codes.arch", tmp_path / "run", data=FORMS[form](tmp_path, columns), device="cpu")
    assert run.memory is not None and run.memory.kinds["code"] == "text"
    numbers = FORMS[form](tmp_path, {**columns, "code": [70, 80, 80]})
    with pytest.raises(archonnx.SpecError, match="`code` holds integers, where texts are expected"):
        archonnx.train(tmp_path / "codes.arch", tmp_path / "other", data=numbers, device="cpu")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (np.zeros((3, 3)), "a DataFrame of pandas or polars is needed, not numpy.ndarray"),
        ({"area": [1.0, 2.0], "rooms": [1]}, "differ in their number of examples"),
        ({name: values for name, values in flats().items() if name != "built"}, "the given data has no `built`"),
        ({}, "no fields"),
        ("gone.csv", "there is no file"),
    ],
)
def test_what_is_no_such_data_is_told(given: Any, says: str, trained: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = trained
    with pytest.raises(archonnx.SpecError, match=says):
        archonnx.train(folder / "flats.arch", tmp_path / "run", data=given, device="cpu")
    assert not (tmp_path / "run").exists()
