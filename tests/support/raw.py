"""Runs that are exported with their feed, and what an application gives such a file: rows are read here by other means
than the project's own (the csv module, pyarrow, NumPy).
"""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pyarrow
import pytest
from pyarrow import parquet

import archonnx
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.folders.run import Run

from .node import has_node, in_node

LEAST = int(np.iinfo(np.int64).min)
Columns = dict[str, Any]


def trained(folder: Path, spec: str, dtype: str = "f32", **given: Any) -> Run:
    """A run of a spec that is written into the folder of its data."""
    (folder / "m.arch").write_text(spec)
    return archonnx.train(archonnx.load(folder / "m.arch", dtype=dtype), folder / "run", device="cpu", **given)


def exported(run: Run, **how: Any) -> Path:
    """The file, which lies beside the run."""
    return run.export(run.path.parent / "raw.onnx", raw=True, **how)


def refused(run: Run, path: Path, **how: Any) -> tuple[str, str]:
    """The code and the headline of the only thing that is wrong with an export, which leaves nothing behind."""
    with pytest.raises(SpecError) as caught:
        run.export(path, raw=True, **how)
    (found,) = caught.value.diagnostics
    assert not path.exists()
    return found.code, found.headline


def session(path: Path) -> onnxruntime.InferenceSession:
    """The file in plain onnxruntime, which says nothing by itself."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def outputs(path: Path, columns: Mapping[str, Any]) -> dict[str, Any]:
    """What the file gives, which onnxruntime-node gives as well, if there is one; other columns are left out."""
    opened = session(path)
    names = [one.name for one in opened.get_outputs()]
    wanted = {one.name for one in opened.get_inputs()}
    given = {name: np.asarray(array) for name, array in columns.items() if name in wanted}
    made = dict(zip(names, opened.run(names, given), strict=True))
    if has_node():
        alike(in_node(path, given), made)
    return made


def about(path: Path) -> Any:
    """What the file says of itself."""
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    return json.loads(metadata["archonnx.raw"])


def types(path: Path) -> dict[str, str]:
    """The types of what the file takes, in the words of onnxruntime."""
    return {one.name: one.type for one in session(path).get_inputs()}


def alike(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """The same outputs, but for rounding."""
    assert made.keys() == wanted.keys()
    for name, right in wanted.items():
        np.testing.assert_allclose(made[name], right, rtol=1e-5, atol=1e-6, err_msg=name)


def in_another_order(columns: Columns, seed: int) -> Columns:
    """The same rows, some of them twice, in another order, and the columns as well."""
    draw = np.random.default_rng(seed)
    count = len(next(iter(columns.values())))
    rows = draw.integers(0, count, count + 3)
    return {name: np.asarray(columns[name])[rows] for name in draw.permutation(list(columns)).tolist()}


# ---------------------------------------------------------------- tables of people

PEOPLE = """
model People():
    input age: [B]
    input income: [B]
    input member: [B]
    input since: [B]
    input city: i64[B]
    input plan: i64[B]
    input grade: i64[B]
    input code: i64[B]
    target bought: i64[B]
    ids = concat([one_hot(city, 4), one_hot(plan, 3), one_hot(grade, 3), one_hot(code, 3)], axis=1)
    logits = concat([ids, stack([age, income, member, since], axis=1)], axis=1) |> Dense(6) |> relu |> Dense(2)
    output probs = softmax(logits)
    output choice = argmax(logits, axis=-1)
    loss ce = cross_entropy(logits, bought)
    metric acc = accuracy(logits, bought)

train:
    data = SOURCE
    fit mu = mean(data.income)
    fit city = vocabulary(data.city, unknown=true)
    fit plan = vocabulary(fill(data.plan, "none"))
    fit grade = vocabulary(data.grade)
    feed age = standardise(f32(data.age))
    feed income = (fill(data.income, mu) - mu) / 20000
    feed since = f32(data.since - 1400000000) / 100000000
    feed city = index(data.city, city)
    feed plan = index(fill(data.plan, "none"), plan)
    feed grade = index(data.grade, grade)
    feed code = index(data.code, vocabulary(data.code))
    split = {train: 0.7, test: 0.3}
    epochs = 2
    batch_size = 16
    minimize ce with adam(lr=0.01)
"""
COUNT = 90
EPOCH = datetime.datetime(1970, 1, 1)


def people(seed: int, count: int = COUNT, **changed: Any) -> list[dict[str, Any]]:
    """Rows of people; None is a value that is missing."""
    draw = np.random.default_rng(seed)
    pick = draw.choice
    return [
        {
            "id": str(1000 + i),
            "age": int(draw.integers(18, 80)),
            "income": None if i % 7 == 3 else float(draw.integers(1000, 90000)) / 4,
            "member": bool(draw.random() < 0.5),
            "since": datetime.datetime(2010, 1, 1) + datetime.timedelta(days=int(draw.integers(0, 3000))),
            "city": str(pick(["Oslo", "Zürich", "東京"])),
            "plan": None if i % 5 == 1 else str(pick(["a", "b"])),
            "grade": int(pick([1, 2, 5])),
            "code": int(pick([7, -3, 10**15])),
            "bought": str(pick(["no", "yes"])),
            **changed,
        }
        for i in range(count)
    ]


def as_columns(rows: list[dict[str, Any]]) -> Columns:
    """Rows as an application gives them to onnxruntime."""
    columns: Columns = {name: [row[name] for row in rows] for name in rows[0]}
    for name in ("city", "plan"):
        columns[name] = np.array([text or "" for text in columns[name]], object)
    columns["income"] = np.array([np.nan if number is None else number for number in columns["income"]])
    columns["since"] = np.array([int((moment - EPOCH).total_seconds()) for moment in columns["since"]])
    return columns


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows as a CSV file, dates without the time."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            shown = {"since": row["since"].date().isoformat(), "member": str(row["member"]).lower()}
            writer.writerow({name: "" if value is None else value for name, value in {**row, **shown}.items()})


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows as a Parquet file."""
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


WRITERS = {"csv": write_csv, "parquet": write_parquet}
# ---------------------------------------------------------------- arrays

ARRAYS = """
model Arrays():
    input x: [B, 4]
    input picture: [B, 1, 3, 3]
    input id: i64[B]
    target y: [B]
    h = concat([x, picture |> flatten, Embedding(6, 2)(id)], axis=1) |> Dense(5) |> tanh
    output guess = h |> Dense(1) |> squeeze(axis=1)
    output most = argmax(h)
    output total = sum(guess)
    loss l = mse(guess, y)

train:
    data = SOURCE
    fit top = max(data.x, axis=0)
    feed x = data.x / top
    feed picture = f32(data.picture) / 255
    epochs = 1
    batch_size = 10
    minimize l with sgd(lr=0.01)
"""


def arrays(count: int, seed: int) -> Columns:
    """Arrays of the types that people have."""
    draw = np.random.default_rng(seed)
    return {
        "x": draw.random((count, 4), np.float32),
        "picture": draw.integers(0, 256, (count, 1, 3, 3), np.uint8),
        "id": draw.integers(0, 6, count).astype(np.int32),
        "y": draw.random(count),
    }
