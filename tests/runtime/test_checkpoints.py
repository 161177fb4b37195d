"""The state of a training is kept while it runs: how often, what is in it, and what happens where it cannot be."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import archonnx
from archonnx.compiler.settings import Checkpoint, TrainSettings
from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.folders import checkpoints
from archonnx.runtime.folders.resume import SavedState
from archonnx.runtime.folders.run import Run
from archonnx.runtime.training import keeping
from archonnx.runtime.training.keeping import Keeper
from archonnx.runtime.training.observing import Observer
from tests.support.same_run import assert_same_run

SPECS = Path(__file__).parents[2] / "benchmarks" / "kills" / "specs"
NAMES = ("normed", "programs", "sources")
EVERY = {"checkpoint.minutes": 1e-9}


def train(name: str, out: Path | None, **more: Any) -> Run:
    return archonnx.train(SPECS / f"{name}.arch", out, device="cpu", threads=1, **more)


@pytest.fixture(scope="module")
def clock() -> Iterator[None]:
    """One that goes on with every look at it, so that the state is due whenever it is asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "now", itertools.count().__next__)
        yield


@pytest.fixture(scope="module", params=NAMES)
def written(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, clock: None
) -> tuple[Run, list[Path]]:
    """A run, and every state that was written on the way to it."""
    folder, states = tmp_path_factory.mktemp(request.param), []
    original = checkpoints.save_state

    def save(out: Path, *more: Any) -> None:
        original(out, *more)
        states.append(folder / f"{len(states)}")
        states[-1].mkdir()
        shutil.copy(out / STATE_FILE, states[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "save_state", save)
        watch: Any = {"watch": "grads"} if request.param == "normed" else {}
        return train(request.param, folder / "run", settings=EVERY, **watch), states


def test_from_any_state_the_rest_is_the_same_to_the_bit(written: tuple[Run, list[Path]], tmp_path: Path) -> None:
    """Weights, optimizer state, order of data, draws, running figures, early stopping, schedules and history."""
    whole, states = written
    for state in random.Random(whole.name).sample(states, 1):
        assert_same_run(train(whole.name, tmp_path / state.name, resume=state, **_watched(whole)), whole)


def _watched(run: Run) -> dict[str, Any]:
    return {"watch": "grads"} if "watch" in run.history[0] else {}


def test_states_are_written_within_epochs_and_within_the_valid_part(written: tuple[Run, list[Path]]) -> None:
    _, states = written
    numbers = [SavedState(state)._record["numbers"] for state in states]
    assert any(n["position"]["passes"] for n in numbers)
    assert any((n["measured"] or {}).get("batches") for n in numbers)


class Clock:
    """A clock that is moved."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Done:
    """A state that says how much was done."""

    def __init__(self, passes: int) -> None:
        self.reached = (passes,)


def simulated(
    wanted: Checkpoint, monkeypatch: pytest.MonkeyPatch, passes: int, step: Callable[[], float], write: float
) -> tuple[float, int, list[str]]:
    """The most seconds of work that a kill could have cost, how often was written, and what was told."""
    clock, worst, done = Clock(), 0.0, 0
    kept_from, notes, count = 0.0, list[str](), 0
    monkeypatch.setattr(keeping, "now", clock)

    def save(state: Done) -> None:
        nonlocal worst, kept_from, count
        worst, count = max(worst, clock.time - kept_from), count + 1
        clock.time += write
        kept_from = clock.time

    keeper = Keeper[Done](save, notes.append, (0,))
    keeper.watch(wanted, lambda: Done(done))
    for _ in range(passes):
        clock.time += step()
        done += 1
        keeper.stepped()
        if keeper.due():
            keeper.keep()
        worst = max(worst, clock.time - kept_from)
    return worst, count, notes


@pytest.mark.parametrize("step", [0.01, 1.7, 13.0, 25.0, 59.0])
@pytest.mark.parametrize("write", [0.0, 0.5, 12.0])
def test_at_most_a_minute_is_lost(step: float, write: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a pass and the writing take."""
    worst, count, _ = simulated(Checkpoint(), monkeypatch, int(600 / step), lambda: step, write)
    assert worst <= 60 + 1e-6
    assert 600 / 60 - 1 <= count <= 600 / (60 - step) + 1


def test_a_pass_longer_than_a_minute_is_kept_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    worst, count, _ = simulated(Checkpoint(), monkeypatch, 10, lambda: 100.0, 1.0)
    assert (worst, count) == (100.0, 10)


def test_no_more_than_half_of_the_time_is_spent_on_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    _, count, notes = simulated(Checkpoint(minutes=0.01), monkeypatch, 1000, lambda: 0.1, 5.0)
    assert count * 5.0 <= 1000 * 0.1 + 5.0
    assert len(notes) == 1 and "takes 5.0 s every 1 s: `checkpoint = {minutes: 10}`" in notes[0]


def test_every_so_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    assert simulated(Checkpoint(steps=7), monkeypatch, 70, lambda: 1000.0, 0.0)[1] == 10
    assert simulated(Checkpoint(steps=7, minutes=0.05), monkeypatch, 70, lambda: 1.0, 0.0)[1] == 23, "the sooner counts"


def test_what_a_spec_may_say() -> None:
    report = Report()
    assert TrainSettings().changed({"checkpoint.minutes": 5}, report).checkpoint.seconds == 300
    assert TrainSettings().checkpoint.seconds == 60
    assert TrainSettings().changed({"checkpoint.steps": 5}, report).checkpoint.seconds is None
    assert not report.diagnostics
    for wrong in ({"checkpoint.minutes": 0}, {"checkpoint.steps": 0.5}, {"checkpoint": 5}, {"checkpoint.hours": 1}):
        TrainSettings().changed(wrong, report)
    assert [d.code for d in report.diagnostics] == ["AX0702", "AX0702", "AX0702", "AX0701"]


class Notes(Observer):
    """Remembers what is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_state_that_cannot_be_written_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The training goes on, and what it leaves is what it leaves otherwise."""
    original, tries = checkpoints.save_state, itertools.count()

    def save(folder: Path, *more: Any) -> None:
        match next(tries):
            case 1:
                fail("AX0616", f"cannot write {folder}: No space left on device", None)
            case 2:
                raise OSError(28, "No space left on device")
            case 3:
                raise MemoryError
            case _:
                original(folder, *more)

    whole, told = train("sources", tmp_path / "whole", settings={"epochs": 1}), Notes()
    monkeypatch.setattr(checkpoints, "save_state", save)
    monkeypatch.setattr(keeping, "now", itertools.count(step=20).__next__)
    run = train("sources", tmp_path / "run", settings={"epochs": 1, **EVERY}, observer=told)
    assert [note.partition(":")[0] for note in told.notes if "is kept" in note or "not kept" in note] == [
        "the state of the training is not kept",
        "the state of the training is kept again",
    ]
    assert run.metrics == whole.metrics and next(tries) > 5


def test_what_ends_a_training_leaves_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also within the first minute: whatever is raised, in a pass, between two, while measuring or writing the run."""
    whole = train("programs", tmp_path / "whole")

    class Failing(Observer):
        def step(self, epoch: int, step: int, losses: object) -> None:
            if (epoch, step) == (2, 3):
                raise MemoryError

    def full(*given: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    for where in ("step", "save"):
        out = tmp_path / where
        with monkeypatch.context() as patch, pytest.raises((MemoryError, OSError)):
            if where == "save":
                patch.setattr("archonnx.jobs.save_run", full)
            train("programs", out, observer=Failing() if where == "step" else Observer())
        assert_same_run(train("programs", None, resume=out), whole)


def test_a_bit_that_has_turned_in_a_state_is_found(tmp_path: Path) -> None:
    run = train("sources", tmp_path / "run", settings={"epochs": 1})
    whole = (run.path / STATE_FILE).read_bytes()
    for place in random.Random(0).sample(range(8, len(whole)), 20):
        (run.path / STATE_FILE).write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(SpecError, match="AX0618"):
            train("sources", tmp_path / "more", resume=run.path)
