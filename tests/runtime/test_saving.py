"""What a training leaves is whole, can be gone on with, or is named as damaged; whatever fails, what was trained stays."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.files import load_parameters, load_with_metadata, save_parameters
from archonnx.runtime.folders import saving
from archonnx.runtime.folders.resume import SavedState
from archonnx.runtime.folders.run import Run
from archonnx.runtime.reserving import LOCK
from archonnx.runtime.staging import SAVING
from archonnx.runtime.training.observing import Observer
from tests.support.runs import as_before_checksums, reseal

SPEC = """from "blocks/line.arch" import Line

model Twice():
    input x: [B, 2]
    target y: [B, 1]
    line = Line(1)
    guess = line(x)
    output out = guess
    loss objective = mse(guess, y)
    entry doubled(z: [n, 2]) -> [n, 1]:
        return 2 * line(z)

train:
    data = csv("points.csv")
    feed x = stack([data.a, data.b], axis=-1)
    feed y = stack([data.y], axis=-1)
    split = {train: 0.5, test: 0.5}
    epochs = 2
    minimize objective with sgd(lr=0.1, momentum=0.9)
"""
LINE = """block Line(units: int)(x: [B, n]) -> [B, units]:
    param W: [n, units] ~ normal(0, 1)
    return x @ W
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda number: None)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec that imports, its data and a run."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "twice.arch").write_text(SPEC)
    (folder / "blocks").mkdir()
    (folder / "blocks" / "line.arch").write_text(LINE)
    rows = [f"{a},{a * a % 7},{2 * a}" for a in range(12)]
    (folder / "points.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    train(folder)
    return folder


def train(folder: Path, out: str | None = "run", **more: Any) -> Run:
    return archonnx.train(folder / "twice.arch", folder / out if out else None, device="cpu", threads=1, **more)


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    return shutil.copytree(home, tmp_path / "home")


def told(do: Callable[[], object], code: str = "AX0611") -> str:
    with pytest.raises(SpecError) as caught:
        do()
    assert [d.code for d in caught.value.diagnostics] == [code]
    return str(caught.value)


FIELDS = {"x": np.ones((3, 2), np.float32)}


def use(run: Path) -> None:
    """All that can be done with a run."""
    opened = Run(run)
    opened.predict(FIELDS)
    opened.call("doubled", z=FIELDS["x"])
    opened.evaluate("test")
    assert opened.history and opened.parameters and opened.settings.epochs
    SavedState(run).request  # noqa: B018


# ---------------------------------------------------------------- what is in it


def test_a_run_needs_nothing_outside_it(home: Path, copy: Path, tmp_path: Path) -> None:
    shutil.copytree(copy / "run", tmp_path / "alone")
    shutil.rmtree(copy)
    alone, before = Run(tmp_path / "alone"), Run(home / "run")
    np.testing.assert_equal(alone.predict(FIELDS), before.predict(FIELDS))
    assert alone.export(tmp_path / "m.onnx", target="ort").is_file()
    assert (tmp_path / "alone" / "imports" / "blocks" / "line.arch").read_text() == LINE
    assert pickle.loads(pickle.dumps(alone)).evaluate() == before.evaluate()  # its data is still at home


def test_a_state_alone_goes_on_after_its_spec_and_imports_have_gone(copy: Path, tmp_path: Path) -> None:
    first = train(copy, "left")
    whole = train(copy, "whole", settings={"epochs": 3})
    for path in [*first.path.iterdir(), copy / "blocks", copy / "twice.arch"]:
        if path.name != STATE_FILE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (copy / "twice.arch").write_text("model Other():\n    input x: [B, 2]\n    output y = x\n")
    run = archonnx.train(None, resume=first.path, settings={"epochs": 3}, device="cpu", threads=1)
    np.testing.assert_equal(run.parameters, whole.parameters)
    assert (run.path / "imports" / "blocks" / "line.arch").read_text() == LINE and run.spec().source.text == SPEC


def test_a_state_names_no_file_outside_its_folder(copy: Path) -> None:
    tensors, metadata = load_with_metadata(copy / "run" / STATE_FILE)
    record = json.loads(metadata["archonnx.state"])
    for name in ("../../outside.arch", "/tmp/outside.arch"):
        said = json.dumps({**record, "specs": {**record["specs"], name: LINE}})
        save_parameters(copy / "run" / STATE_FILE, tensors, {"archonnx.state": said})
        told(lambda: archonnx.train(None, resume=copy / "run", settings={"epochs": 3}), "AX0618")


def test_a_state_that_is_a_link_is_not_followed(copy: Path) -> None:
    (copy / "run" / STATE_FILE).rename(copy / "elsewhere")
    (copy / "run" / STATE_FILE).symlink_to(copy / "elsewhere")
    assert "is a link" in told(lambda: train(copy, None, resume=copy / "run", settings={"epochs": 3}), "AX0618")


def test_an_edited_import_changes_nothing_of_a_run(copy: Path) -> None:
    before = Run(copy / "run").evaluate()
    (copy / "blocks" / "line.arch").write_text(LINE.replace("x @ W", "x @ W + 1"))
    assert Run(copy / "run").evaluate() == before


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_a_spec_of_another_editor_finds_its_data(ending: str, mark: str, copy: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(copy / "state"))
    shutil.rmtree(copy / "run")
    (copy / "twice.arch").write_bytes((mark + SPEC.replace("\n", ending)).encode())
    run = train(copy)
    shutil.rmtree(copy / "state")
    assert Run(run.path).evaluate() == run.metrics["test"]


def test_nothing_in_a_run_tells_where_it_was_made(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other" / "mine.csv"
    elsewhere.parent.mkdir()
    shutil.copy(home / "points.csv", elsewhere)
    run = train(home, "shared", start_from=home / "run", data=elsewhere)
    for path in run.path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert str(home).encode() not in content and str(tmp_path).encode() not in content, path
    assert Run(run.path).evaluate() == run.metrics["test"]
    longer = train(home, None, resume=run.path, settings={"epochs": 3})
    assert len(longer.history) == 3
    shutil.rmtree(run.path)


def test_threads_and_versions_are_kept(home: Path) -> None:
    record = Run(home / "run").record
    assert record["threads"] == 1 and {"python", "numpy", "onnx", "archonnx"} <= record["versions"].keys()


# ---------------------------------------------------------------- what is damaged


def test_every_file_is_believed_only_as_it_was_written(home: Path, copy: Path) -> None:
    files = [path.relative_to(home) for path in (home / "run").rglob("*") if path.is_file()]
    assert len(files) >= 10
    use(copy / "run")
    for file in files:
        content = (copy / file).read_bytes()
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 4
        for changed in (bytes(flipped), content[:-9], content + b"x"):
            (copy / file).write_bytes(changed)
            if file.name in ("curve.svg", STATE_FILE):
                continue
            assert file.name in told(lambda: use(copy / "run")), file
        (copy / file).write_bytes(content)
    (copy / "run" / STATE_FILE).write_bytes(flipped)
    assert "damaged" in told(lambda: SavedState(copy / "run"), "AX0618")


def test_what_is_made_of_the_weights_is_made_again(home: Path, copy: Path) -> None:
    run = copy / "run"
    (run / "model.onnx").unlink()
    shutil.rmtree(run / "entries")
    np.testing.assert_equal(Run(run).predict(FIELDS), Run(home / "run").predict(FIELDS))
    doubled = Run(home / "run").call("doubled", z=FIELDS["x"])
    np.testing.assert_equal(Run(run).call("doubled", z=FIELDS["x"]), doubled)
    (run / "model.onnx").write_bytes(b"")
    assert "remove it" in told(lambda: Run(run).predict(FIELDS))
    (run / "weights.safetensors").unlink()
    assert "has lost weights" in told(lambda: Run(run).parameters)


def test_a_parameter_that_is_missing_is_missed(copy: Path) -> None:
    weights = copy / "run" / "weights.safetensors"
    held = load_parameters(weights)
    (name,) = held
    save_parameters(weights, {})
    assert "damaged" in told(lambda: Run(copy / "run").evaluate())
    reseal(copy / "run")
    assert f"it lacks `{name}`" in told(lambda: Run(copy / "run").evaluate())
    for other in (held[name][:1], held[name].astype(np.float64)):
        save_parameters(weights, {name: other})
        reseal(copy / "run")
        assert f"`{name}` is " in told(lambda: Run(copy / "run").evaluate())


def test_every_key_of_a_record_is_needed_and_has_its_type(home: Path, copy: Path) -> None:
    file = copy / "run" / "run.json"
    good = json.loads(file.read_text())
    optional = {"id", "beside", "path", "threads", "unwritten", "dtype", "imports"}
    for key in good:
        for wrong in (None, [], "text", 7, {"a": [None]}, 1e999):
            if type(wrong) is not type(good[key]) and not (key in optional and wrong is None):
                file.write_text(json.dumps({**good, key: wrong}))
                assert "run.json" in told(lambda: use(copy / "run")), (key, wrong)
        if key not in optional:
            file.write_text(json.dumps({name: value for name, value in good.items() if name != key}))
            assert "run.json" in told(lambda: use(copy / "run")), key
    for text in ("", "[]", "{}", "null", "[" * 10000, '{"format": 3', "\x00"):
        file.write_text(text)
        assert "run.json" in told(lambda: use(copy / "run"))


def test_a_stranger_s_run_leads_nowhere(home: Path, copy: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b,y\n1,2,3\n")
    (tmp_path / "spec.arch").write_text("model Secret():\n")
    run = copy / "run"
    lures: list[dict[str, Any]] = [
        {"spec": "../../spec.arch"},
        {"spec": str(tmp_path / "spec.arch")},
        {"imports": ["../../../spec.arch"]},
        {"imports": [str(tmp_path / "spec.arch")]},
        {"entries": {"../../x": {}}},
        {"files": {"../../secret.csv": {"bytes": 1, "sha256": "0" * 64}}},
    ]
    for lure in lures:
        reseal(run, lambda record, lure=lure: record.update(lure))
        said = told(lambda: use(run))
        assert "Secret" not in said
    reseal(
        run, lambda r: r.update(spec="spec.arch", imports=["blocks/line.arch"], entries={}, beside="../../spec.arch")
    )
    Run(run).predict(FIELDS)
    shutil.copy(run / "run.json", tmp_path / "record")
    as_before_checksums(run, lambda record: record.update(path=str(tmp_path / "spec.arch")))
    assert "Secret" not in told(lambda: Run(run).evaluate(), "AX0601")  # nor is there its import: runs held none then


def test_links_in_a_run_are_not_followed(copy: Path, tmp_path: Path) -> None:
    run = copy / "run"
    for name in ("weights.safetensors", "spec.arch", "rows.npz", "data.json", "history.jsonl", "model.onnx"):
        shutil.move(run / name, tmp_path / name)
        (run / name).symlink_to(tmp_path / name)
        assert "link" in told(lambda: use(run)), name
        (run / name).unlink()
        shutil.move(tmp_path / name, run / name)
    shutil.move(run / "run.json", tmp_path / "run.json")
    (run / "run.json").symlink_to(tmp_path / "run.json")
    told(lambda: use(run))


# ---------------------------------------------------------------- what fails


class Notes(Observer):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


def test_what_others_look_at_may_fail(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(copy / "run")
    notes = Notes()
    monkeypatch.setattr("archonnx.runtime.folders.saving.training_curve", lambda *_: 1 / 0)
    monkeypatch.setattr("archonnx.runtime.folders.saving.write_model", full)
    run = train(copy, observer=notes)
    monkeypatch.undo()
    assert [line.split(" is not there")[0].rpartition("/")[2] for line in notes.lines] == [
        "curve.svg",
        "model.onnx",
        "doubled.onnx",
    ]
    assert run.record["unwritten"]["curve.svg"].startswith("ZeroDivisionError")
    use(run.path)
    assert len(train(copy, None, resume=run.path, settings={"epochs": 3}).history) == 3
    assert Run(run.path).record["unwritten"] == {} and (run.path / "model.onnx").is_file()


def full(path: Path, *_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


def test_weights_that_cannot_be_written_are_kept_in_the_state_or_elsewhere(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Run(copy / "run")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("archonnx.runtime.folders.saving.mkdtemp", lambda prefix: str(tmp_path / "tmp"))
    with monkeypatch.context() as patch:
        patch.setattr("archonnx.runtime.folders.saving.save_parameters", full)
        said = told(lambda: train(copy, "a"), "AX0616")
    assert f"is kept in {copy / 'a'}" in said and f"--resume {copy / 'a'}" in said
    assert sorted(path.name for path in (copy / "a").iterdir()) == [STATE_FILE]
    np.testing.assert_equal(dict(train(copy, None, resume=copy / "a").parameters), dict(whole.parameters))
    with monkeypatch.context() as patch:
        patch.setattr("archonnx.runtime.folders.saving.write_atomically", full)
        patch.setattr("archonnx.runtime.folders.saving._Saving._attempt", lambda self, name, *_: failed(self, name))
        said = told(lambda: train(copy, "b"), "AX0616")
    assert f"is kept in {tmp_path / 'tmp'}" in said
    continued = train(copy, "c", resume=tmp_path / "tmp")
    np.testing.assert_equal(dict(continued.parameters), dict(whole.parameters))


def test_a_disk_that_is_too_small_is_told_before_training(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Room:
        free = 1000

    monkeypatch.setattr("archonnx.runtime.folders.saving.disk_usage", lambda folder: Room)
    assert "there is room for 0.0 MB" in told(lambda: train(copy, "new"), "AX0616")
    assert not (copy / "new").exists()


def test_what_a_run_can_do_without_leaves_its_room_to_the_rest(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the record is written, and no longer so without the picture and the models."""
    whole = Run(copy / "run")
    shutil.rmtree(copy / "run")
    write = saving.write_atomically

    def small(path: Path, content: bytes) -> None:
        if path.name == "run.json" and (path.parent / "model.onnx").exists():
            full(path)
        write(path, content)

    monkeypatch.setattr(saving, "write_atomically", small)
    run = train(copy)
    assert [*run.record["unwritten"]] == ["curve.svg", "model.onnx", "entries/doubled.onnx"]
    np.testing.assert_equal(dict(run.parameters), dict(whole.parameters))
    use(run.path)


def failed(saving: Any, name: str) -> None:
    saving.unwritten[name] = "No space left on device"


@pytest.mark.parametrize("value", [{1: 2}, [float("nan")], object(), {"a": {3}}, b"x", np.float32(1)])
def test_what_cannot_be_kept_is_refused_before_training(value: Any, copy: Path) -> None:
    spec = archonnx.load(copy / "twice.arch", width=value)
    with pytest.raises(SpecError, match="cannot be kept in a run"):
        archonnx.train(spec, copy / "new", device="cpu")
    assert not (copy / "new").exists()


def test_files_of_others_stay(copy: Path) -> None:
    run = copy / "run"
    mine = ["notes.txt", "entries/mine.txt", "data/x", ".hidden", "model.onnx.bak"]
    for name in mine:
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("mine")
    (run / "data").chmod(0o555)
    train(copy, None, resume=run, settings={"epochs": 3})
    (run / "data").chmod(0o755)
    assert {(run / name).read_text() for name in mine} == {"mine"}
    assert not (run / SAVING).exists() and not (run / LOCK).exists()


# ---------------------------------------------------------------- what goes on


def test_every_key_of_a_state_has_its_type(copy: Path) -> None:
    file = copy / "run" / STATE_FILE
    tensors, said = load_with_metadata(file)
    good = json.loads(said["archonnx.state"])
    for key in ("format", "program", "numbers", "done", "arguments", "changes", "only", "memory", "data", "start"):
        for wrong in ([7], "text"):
            if type(wrong) is type(good[key]) or (key == "only" and wrong == "text"):
                continue
            save_parameters(file, tensors, {"archonnx.state": json.dumps({**good, key: wrong})})
            told(lambda: train(copy, None, resume=copy / "run"), "AX0618")


def test_data_that_lay_elsewhere_is_asked_for_where_nobody_knows_it(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(copy / "points.csv", tmp_path / "mine.csv")
    run = train(copy, "other", data=tmp_path / "mine.csv")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nothing"))
    assert "`mine.csv`" in told(lambda: train(copy, None, resume=run.path), "AX0618")
    assert "`mine.csv`" in told(Run(run.path).evaluate)
    assert len(train(copy, None, resume=run.path, data=tmp_path / "mine.csv", settings={"epochs": 3}).history) == 3


def test_names_of_several_runs_are_names_in_their_folder(copy: Path) -> None:
    several = train(copy, "folds", folds=2, settings={"epochs": 1})
    file = several.path / "folds.json"
    good = json.loads(file.read_text())
    for name in ("../run", "/tmp/run", "a/b", "..", ""):
        file.write_text(json.dumps({**good, "runs": {name: {}}, "finished": [name]}))
        told(lambda: archonnx.Runs(several.path))
    for key in ("runs", "finished", "request", "kind", "format"):
        for wrong in (None, 7, [7], "text"):
            file.write_text(json.dumps({**good, key: wrong}))
            told(lambda: archonnx.Runs(several.path))
        file.write_text(json.dumps({name: value for name, value in good.items() if name != key}))
        told(lambda: archonnx.Runs(several.path))


def test_the_same_parameters_are_the_same_bytes(tmp_path: Path) -> None:
    arrays = {name: np.arange(3.0) for name in "cab"}
    written = set()
    for _ in range(8):
        save_parameters(tmp_path / "w", arrays, {"one": "1", "two": "2", "three": "3"})
        written.add((tmp_path / "w").read_bytes())
    assert len(written) == 1 and load_with_metadata(tmp_path / "w")[1] == {"one": "1", "two": "2", "three": "3"}


def test_what_an_earlier_version_left_half_replaced_is_found(copy: Path) -> None:
    (copy / "run").rename(copy / ".run.x1y2.old")
    assert f"rename {copy / '.run.x1y2.old'} to {copy / 'run'}" in told(lambda: Run(copy / "run"))
