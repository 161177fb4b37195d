"""Every call that changes the disk fails once and is the last one of its process once: what is left is never lost.

A part of the calls is tried each time, all of them by ``make proof``.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from archonnx.compiler.ir.types import Array
from archonnx.compiler.models import Stage
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime import disk
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.files import save_parameters
from archonnx.runtime.folders.kept import kept_spec
from archonnx.runtime.folders.listing import Mark, look
from archonnx.runtime.folders.models import save_models
from archonnx.runtime.folders.resume import Request, SavedState, save_state
from archonnx.runtime.folders.run import Run
from archonnx.runtime.folders.saving import save_run
from archonnx.runtime.folders.several import Plan, save_summary
from archonnx.runtime.reserving import LOCK, reserved
from archonnx.runtime.staging import SAVING
from archonnx.runtime.training.programs import State, Trained, run_programs
from tests.runtime.test_run import MODEL, spec
from tests.support.faults import Killed, faults

ERRORS = (None, errno.ENOSPC, errno.EIO, errno.EROFS)
"""None: the process ends there."""
EACH = 50
"""One of so many faults is tried each time."""
OWN = {"notes.txt": "mine", "entries/mine.txt": "mine"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda number: None)


@pytest.fixture(scope="module")
def trainings() -> tuple[Trained, Trained]:
    """One of two epochs, and the same one gone on with."""
    options = SessionOptions(device="cpu", threads=1)
    (short,) = run_programs(MODEL, Path(), options=options, changes={"epochs": 2})
    (longer,) = run_programs(MODEL, Path(), options=options, changes={"epochs": 3})
    return short, longer


def weights(trained: Trained) -> Mapping[str, Array]:
    return trained.trainer.runner.parameters()


def equal(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


class Trial:
    """A save of a longer training over the run of a shorter one, or into a new folder."""

    def __init__(self, folder: Path, trainings: tuple[Trained, Trained], over: bool) -> None:
        self.folder, (self.short, self.longer), self.over = folder, trainings, over
        folder.mkdir(parents=True)
        self.spec = spec(folder)
        self.run = folder / "run"

    def begin(self) -> None:
        """What is there before: the state of the training that is about to be written, and other people's files."""
        if self.over:
            save_run(self.run, self.spec, MODEL, [self.short])
            for name, text in OWN.items():
                (self.run / name).parent.mkdir(exist_ok=True)
                (self.run / name).write_text(text)
        else:
            self.run.mkdir()
            self.keep()

    def keep(self) -> None:
        """A checkpoint."""
        assert self.longer.outcome.snapshot is not None
        state = State((), self.longer.program, self.longer.outcome.snapshot, self.longer.memory, None)
        save_state(self.run, state, Request(self.spec.arguments, {}, None))

    def save(self) -> None:
        with reserved(self.run) as place:
            self.keep()
            save_run(place, self.spec, MODEL, [self.longer], replace=True)

    def check(self) -> None:
        """Nothing is lost: the run is whole or can be gone on with, and everything in it is the old or the new one."""
        found = look(self.run, verify=True)
        assert found is not None and found.mark in (Mark.whole, Mark.resumable), found
        if self.over or found.record:
            held = Run(self.run).parameters
            assert equal(held, weights(self.longer)) or (self.over and equal(held, weights(self.short)))
            assert len(Run(self.run).history) in (2, 3)
            if not found.record["unwritten"]:
                Run(self.run).predict({"x": np.ones((2, 3), np.float32)})
        saved = SavedState(self.run)
        assert saved.epochs in (2, 3)
        if self.over:
            assert {name: (self.run / name).read_text() for name in OWN} == OWN
        left = {path.name for path in self.run.iterdir()}
        assert SAVING not in left and not any(name.endswith("-part") for name in left - {LOCK})


def tried(folder: Path, trainings: tuple[Trained, Trained], over: bool, chosen: Callable[[int], bool]) -> int:
    """Let every fault happen that is chosen by its number; how many there are."""
    whole = Trial(folder / "whole", trainings, over)
    whole.begin()
    with faults() as seen:
        whole.save()
    whole.check()
    number = 0
    for at in range(len(seen.calls)):
        for error in ERRORS:
            number += 1
            if not chosen(number):
                continue
            trial = Trial(folder / f"{at}-{error}", trainings, over)
            trial.begin()
            with faults(at, error) as fault, suppress(Killed, SpecError, OSError):
                trial.save()
            with reserved(trial.run):  # the next command
                pass
            try:
                trial.check()
            except (AssertionError, SpecError) as problem:
                raise AssertionError(f"{error} at call {at}, {fault.calls[-1]}: {problem}") from problem
            shutil.rmtree(trial.folder)
    return number


@pytest.mark.parametrize("over", [False, True])
def test_some_faults_of_a_save(over: bool, tmp_path: Path, trainings: tuple[Trained, Trained]) -> None:
    count = tried(tmp_path, trainings, over, lambda number: number % EACH == 7 * over)
    assert count > 250


@pytest.mark.proof
@pytest.mark.parametrize("over", [False, True])
def test_all_faults_of_a_save(over: bool, tmp_path: Path, trainings: tuple[Trained, Trained]) -> None:
    tried(tmp_path, trainings, over, lambda number: True)


def test_parameters_are_written_piece_by_piece_as_others_write_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill leaves half of them under a name that the next command knows; safetensors would write under its own."""
    monkeypatch.setattr(disk, "CHUNK", 256)
    arrays: dict[str, Array] = {
        "\u00e4/w": np.arange(600, dtype=np.float32).reshape(2, 300),
        "turned": np.arange(6.0).reshape(2, 3).T,
        "bytes": np.arange(3, dtype=np.uint8),
        "none": np.zeros((0, 4), np.float16),
        "scalar": np.array(7, np.int64),
        "truth": np.array([True, False]),
    }
    with faults() as seen:
        save_parameters(tmp_path / "w", arrays, {"said": 'a "text"'}, checksum=False)
    assert equal(load_file(tmp_path / "w"), arrays) and len(seen.calls) > 2400 // 256
    save_file({name: np.asarray(a, order="C") for name, a in arrays.items()}, tmp_path / "v", {"said": 'a "text"'})
    assert (tmp_path / "w").read_bytes() == (tmp_path / "v").read_bytes()
    for text in ("lone \ud800", "text"):
        with pytest.raises(SpecError, match="AX0616"):
            save_parameters(tmp_path / "x", {"w": np.array([text])} if text == "text" else {text: np.zeros(1)})
    assert not (tmp_path / "x").exists()


def test_a_state_that_is_being_written_is_the_old_or_the_new_one(
    tmp_path: Path, trainings: tuple[Trained, Trained]
) -> None:
    trial = Trial(tmp_path / "one", trainings, over=False)
    trial.begin()
    before = (trial.run / STATE_FILE).read_bytes()
    with faults() as seen:
        trial.keep()
    for at in range(len(seen.calls)):
        for error in ERRORS:
            (trial.run / STATE_FILE).write_bytes(before)
            with faults(at, error), suppress(Killed, SpecError):
                trial.keep()
            assert SavedState(trial.run).epochs == 3


def test_a_summary_that_is_being_written_is_the_old_or_the_new_one(
    tmp_path: Path, trainings: tuple[Trained, Trained]
) -> None:
    """Of folds, and of several models: what the folder holds can be gone on with, also where there was none before."""
    request = Request({}, {}, None, specs={"run.arch": "model M():\n    output y = 1"})
    stages = {name: Stage("M", (name,)) for name in ("fold-1", "fold-2")}

    def write(folder: Path, kind: str, count: int) -> None:
        done = [Run(folder / name) for name in (*stages,)[:count]]
        if kind == "models":
            save_models(folder, stages, request, [run.path.name for run in done])
        else:
            save_summary(folder, Plan.folds(2), request, done)

    for kind in ("folds", "models"):
        folder = tmp_path / kind
        for name in stages:
            (folder / name).mkdir(parents=True)
            save_run(folder / name, spec(folder / name), MODEL, [trainings[0]], replace=True)
        with faults() as seen:
            write(folder, kind, 1)
        for at in range(len(seen.calls)):
            for error in ERRORS:
                for before in (0, 1):
                    (folder / f"{kind}.json").unlink(missing_ok=True)
                    if before:
                        write(folder, kind, 1)
                    with faults(at, error), suppress(Killed, SpecError):
                        write(folder, kind, 2)
                    with reserved(folder):  # the next command
                        pass
                    left = {path.name for path in folder.iterdir() if path.is_file()}
                    assert left <= {f"{kind}.json"} and (left or not before), (at, error, left)
                    found = look(folder)
                    assert found is None if not left else found and found.mark in (Mark.whole, Mark.resumable), found
                    assert not left or kept_spec(folder).source.text == request.specs["run.arch"]
