"""A run remembers its data: what was learned stays, and what has changed since is said."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

import archonnx
from archonnx import Run
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.data.loaders.csv import read_csv
from archonnx.runtime.data.memory import DATA_FILE, Memory
from benchmarks.mutated_data.people import BASE_FILE, ROWS, SPEC, TRAINED, Table, people
from tests.support.runs import as_before_checksums

PEOPLE = people()
COLUMNS = {name: list(values) for name, values in PEOPLE.truth.items()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec, its data and a run."""
    folder = tmp_path_factory.mktemp("home")
    (folder / BASE_FILE).write_text(PEOPLE.text())
    (folder / "people.arch").write_text(SPEC)
    archonnx.train(folder / "people.arch", folder / "run", device="cpu", threads=1)
    return folder


@pytest.fixture
def copied(home: Path, tmp_path: Path) -> Path:
    """The same to be changed; the run finds the data beside its own spec."""
    shutil.copytree(home, tmp_path / "home")
    return tmp_path / "home"


def refused(code: str, do: Callable[[], Any]) -> str:
    with pytest.raises(SpecError) as caught:
        do()
    assert {d.code for d in caught.value.diagnostics} == {code}
    return "\n".join("\n".join([d.headline, *d.notes, d.help or ""]) for d in caught.value.diagnostics)


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


# ---------------------------------------------------------------- the same rows, the same outputs


def as_parquet(folder: Path) -> Path:
    parquet.write_table(pyarrow.table(COLUMNS), folder / "p.parquet")
    return folder / "p.parquet"


def as_npz(folder: Path) -> Path:
    scores = [np.nan if score is None else score for score in COLUMNS["score"]]
    arrays = {name: np.array(values) for name, values in COLUMNS.items()} | {"score": np.array(scores, float)}
    np.savez(folder / "p.npz", **arrays | {"since": np.array(COLUMNS["since"], "datetime64[D]")})
    return folder / "p.npz"


def as_csv(folder: Path) -> Path:
    names = sorted(PEOPLE.cells)
    (folder / "other.csv").write_text(Table({n: PEOPLE.cells[n] for n in names}, PEOPLE.truth).text(quoting=1))
    return folder / "other.csv"


@pytest.mark.parametrize(
    "make", [as_csv, as_parquet, as_npz, lambda _: COLUMNS], ids=["csv", "parquet", "npz", "lists"]
)
def test_the_same_rows_have_the_same_outputs_wherever_they_come_from(make: Any, home: Path, tmp_path: Path) -> None:
    run, given = Run(home / "run"), make(tmp_path)
    same(run.predict(given), run.predict(home / BASE_FILE))
    assert dict(run.measure(data=given).figures) == dict(run.measure(data=home / BASE_FILE).figures)
    again = archonnx.train(home / "people.arch", tmp_path / "again", device="cpu", threads=1, data=given)
    same(again.parameters, run.parameters)
    assert again.metrics == run.metrics


def test_what_a_training_measures_is_what_eval_and_predictions_give(home: Path) -> None:
    run = Run(home / "run")
    for part in ("train", "test"):
        assert run.evaluate(part) == pytest.approx(run.metrics[part], rel=1e-6)
    rows = run.rows("test").tolist()
    assert rows == list(range(TRAINED.stop, ROWS))
    part = {name: [values[row] for row in rows] for name, values in COLUMNS.items()}
    assert dict(run.measure(data=part).figures) == pytest.approx(run.metrics["test"], rel=1e-6)
    probs = run.predict(part)["probs"]
    known = sorted(set(COLUMNS["bought"]))
    right = np.mean([known[row.argmax()] == answer for row, answer in zip(probs, part["bought"], strict=True)])
    assert right == pytest.approx(run.metrics["test"]["accuracy"])


def test_rows_that_are_not_learned_from_change_nothing_but_themselves(home: Path, tmp_path: Path) -> None:
    changed = PEOPLE.put("age", 20, "1000", 1000).put("city", 22, "lima", "lima").put("score", 23, "99", 99)
    (tmp_path / BASE_FILE).write_text(changed.text())
    (tmp_path / "people.arch").write_text(SPEC)
    run, other = Run(home / "run"), archonnx.train(tmp_path / "people.arch", tmp_path / "run", device="cpu", threads=1)
    same(run.parameters, other.parameters)
    assert run.memory is not None and other.memory is not None
    same(dict(run.memory.fitted.statistics), dict(other.memory.fitted.statistics))
    assert run.memory.fitted.keys == other.memory.fitted.keys
    same(run.predict(COLUMNS), other.predict(COLUMNS))


def test_classes_have_their_names(home: Path) -> None:
    assert Run(home / "run").classes == {"probs": ("no", "yes")}


# ---------------------------------------------------------------- data.json


def test_a_memory_is_read_as_it_was_written(home: Path, tmp_path: Path) -> None:
    memory = Memory.load(home / "run")
    assert memory is not None and memory.rows == ROWS and memory.kinds["since"] == "date"
    memory.save(tmp_path)
    again = Memory.load(tmp_path)
    assert again is not None
    for name in vars(memory):
        if name != "fitted":
            assert getattr(again, name) == getattr(memory, name), name
    assert again.fitted.keys == memory.fitted.keys
    same(dict(again.fitted.statistics), dict(memory.fitted.statistics))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[:200],
        lambda text: "[]",
        lambda text: "3",
        lambda text: "null",
        lambda text: text.replace('"rows"', '"roes"'),
        lambda text: text.replace('"vocabularies": [', '"vocabularies": [3, '),
        lambda text: text[: text.index('"vocabularies"')] + '"vocabularies": []}',
        lambda text: text.replace('"shapes": {}', '"shapes": []'),
        lambda text: text.replace('"columns": {', '"columns": [').replace('},\n  "shapes', '],\n  "shapes'),
        lambda text: "[" * 100_000,
        lambda text: "\udc80",
    ],
)
def test_damage_is_said(spoil: Callable[[str], str], copied: Path) -> None:
    path = copied / "run" / DATA_FILE
    path.write_bytes(spoil(path.read_text()).encode("utf-8", "surrogateescape"))
    assert "is damaged" in refused("AX0611", lambda: Run(copied / "run").predict(COLUMNS))


def test_statistics_that_are_gone_are_missed(copied: Path) -> None:
    (copied / "run" / "fitted.safetensors").unlink()
    assert "fitted.safetensors" in refused("AX0611", lambda: Run(copied / "run").predict(COLUMNS))


def test_a_run_that_was_moved_predicts(copied: Path, tmp_path: Path, home: Path) -> None:
    shutil.move(copied / "run", tmp_path / "elsewhere")
    shutil.rmtree(copied)
    moved = Run(tmp_path / "elsewhere")
    same(moved.predict(COLUMNS), Run(home / "run").predict(COLUMNS))
    same(pickle.loads(pickle.dumps(moved)).predict(COLUMNS), moved.predict(COLUMNS))
    assert moved.evaluate() == Run(home / "run").evaluate()  # where its data lies is noted


def test_on_another_machine_a_run_says_that_it_does_not_know_its_data(
    copied: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nothing"))
    shutil.move(copied / "run", tmp_path / "elsewhere")
    moved = Run(tmp_path / "elsewhere")
    same(moved.predict(COLUMNS), Run(home / "run").predict(COLUMNS))
    said = refused("AX0601", moved.evaluate)
    assert "people.csv" in said and "not known on this machine" in said and str(home) not in said
    shutil.copy(home / BASE_FILE, tmp_path / "elsewhere")
    assert Run(tmp_path / "elsewhere").evaluate() == moved.metrics["test"]


def test_a_run_of_before_there_was_a_memory_takes_fields(copied: Path) -> None:
    as_before_checksums(copied / "run", lambda record: record.update(path=str(copied / "people.arch")))
    run = Run(copied / "run")
    fields = dict(run.inputs_of(COLUMNS).fields)
    wanted = run.predict(COLUMNS)
    (copied / "run" / DATA_FILE).unlink()
    old = Run(copied / "run")
    same(old.predict(fields), wanted)
    assert "does not remember" in refused("AX0611", lambda: old.predict(copied / BASE_FILE))
    assert "does not remember" in refused("AX0611", lambda: old.measure(data=copied / BASE_FILE))
    assert old.classes == {}
    assert old.evaluate() == pytest.approx(run.metrics["test"])


# ---------------------------------------------------------------- data that has changed

CHANGES = {
    "a value": (PEOPLE.put("age", 3, "33", 33), "values are others"),
    "rows in another order": (PEOPLE.taken([*range(1, ROWS), 0]), "rows stand in another order"),
    "fewer rows": (PEOPLE.taken(range(ROWS - 1)), "23 rows, and there were 24"),
    "a column more": (PEOPLE.with_column("extra", ["1"] * ROWS), "new: `extra`"),
    "a column fewer": (PEOPLE.without("id"), "gone: `id`"),
    "another name": (PEOPLE.renamed({"id": "number"}), "gone: `id`"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_data_is_told_and_accepted_if_that_is_said(name: str, copied: Path) -> None:
    table, says = CHANGES[name]
    (copied / BASE_FILE).write_text(table.text())
    run = Run(copied / "run")
    said = refused("AX0632", run.evaluate)
    assert "people.csv is not what it was in the training" in said and says in said and "--changed-data" in said
    resume = {"resume": copied / "run", "settings": {"epochs": 3}, "device": "cpu", "threads": 1}
    assert says in refused("AX0632", lambda: archonnx.train(copied / "people.arch", **resume))
    if table.rows == ROWS:
        assert np.isfinite(run.measure(changed_data=True).figures["objective"])
        further = archonnx.train(copied / "people.arch", copied / "further", changed_data=True, **resume)
        assert further.memory is not None and run.memory is not None
        same(dict(further.memory.fitted.statistics), dict(run.memory.fitted.statistics))


def test_columns_in_another_order_are_no_change(copied: Path) -> None:
    names = sorted(PEOPLE.cells)
    (copied / BASE_FILE).write_text(Table({n: PEOPLE.cells[n] for n in names}, PEOPLE.truth).text(newline="\r\n"))
    run = Run(copied / "run")
    assert run.evaluate() == pytest.approx(run.metrics["test"])


def test_a_run_on_data_in_memory_asks_for_it_again(copied: Path) -> None:
    run = archonnx.train(copied / "people.arch", copied / "memory", device="cpu", threads=1, data=COLUMNS)
    assert "in memory" in refused("AX0611", run.evaluate)
    resume = {"resume": copied / "memory", "settings": {"epochs": 3}, "device": "cpu", "threads": 1}
    further = archonnx.train(copied / "people.arch", copied / "further", data=COLUMNS, **resume)
    straight = archonnx.train(
        copied / "people.arch", copied / "straight", settings={"epochs": 3}, device="cpu", threads=1
    )
    same(further.parameters, straight.parameters)


def test_a_run_on_another_file_goes_on_with_that_file(copied: Path, tmp_path: Path) -> None:
    other = PEOPLE.put("age", 3, "33", 33)
    (tmp_path / "x.csv").write_text(other.text())
    run = archonnx.train(copied / "people.arch", copied / "x", device="cpu", threads=1, data=tmp_path / "x.csv")
    assert run.evaluate() == pytest.approx(run.metrics["test"])
    resume = {"resume": copied / "x", "settings": {"epochs": 3}, "device": "cpu", "threads": 1}
    further = archonnx.train(copied / "people.arch", copied / "further", **resume)
    assert further.memory is not None and run.memory is not None
    assert further.memory.checksum == run.memory.checksum == read_csv(tmp_path / "x.csv").checksum
    (tmp_path / "x.csv").unlink()
    assert "x.csv" in refused("AX0601", run.evaluate)


# ---------------------------------------------------------------- several files, and columns beside the outputs


def test_several_files_and_kept_columns(home: Path, tmp_path: Path) -> None:
    halves = []
    for number, rows in enumerate((range(10), range(10, ROWS))):
        halves.append(tmp_path / f"{number}.csv")
        halves[-1].write_text(PEOPLE.taken(list(rows)).text())
    run = Run(home / "run")
    results, kept = run.predict_all(halves, keep=["id", "city"])
    same(results, run.predict(COLUMNS))
    assert kept["id"].tolist() == COLUMNS["id"] and kept["city"].tolist() == COLUMNS["city"]
    assert "did you mean `id`" in refused("AX0607", lambda: run.predict_all(halves, keep=["ID"]))


# ---------------------------------------------------------------- arguments that the data decides


def test_sizes_are_decided_by_the_data_unless_they_are_given(home: Path, tmp_path: Path) -> None:
    run = Run(home / "run")
    assert run.arguments == {"cities": 5}
    assert next(iter(run.parameters.values())).shape == (5, 2)
    wide = archonnx.train(archonnx.load(home / "people.arch", cities=9), tmp_path / "wide", device="cpu", threads=1)
    assert wide.arguments == {"cities": 9}
    assert "decided by the data" in refused("AX0203", lambda: archonnx.Trainer(home / "people.arch"))


def test_a_file_is_read_once_for_a_training_and_for_all_its_seeds(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        "archonnx.runtime.data.loaders.csv.read_csv",
        lambda path, *a, **k: opened.append(path) or read_csv(path, *a, **k),
    )
    runs = archonnx.train(home / "people.arch", tmp_path / "seeds", device="cpu", threads=1, seeds=2)
    assert len(opened) == 1
    same(next(iter(runs)).parameters, Run(home / "run").parameters)
