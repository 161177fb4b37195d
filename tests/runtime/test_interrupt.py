"""A training that is asked to stop: nothing is lost, by whichever signal, whenever it comes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import archonnx
from archonnx.compiler.pipeline import parse_spec
from archonnx.grammar.source import Source
from archonnx.runtime import interrupt
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.device.step import StepRunner
from archonnx.runtime.folders import saving
from archonnx.runtime.folders.resume import SavedState
from archonnx.runtime.folders.run import Run
from archonnx.runtime.training import fit
from archonnx.runtime.training.measuring import Measurement
from archonnx.runtime.training.observing import Epoch, Observer
from tests.support.same_run import assert_same_run

TEXT = """model Line():
    input x: [B, 2]
    target y: [B, 1]
    p = x |> Dense(1)
    output line = p
    loss objective = mse(p, y)
    loss size = mean(p * p)

fn points(n: int) -> (x: [n, 2], y: [n, 1]):
    x: [n, 2] ~ normal(1, 1)
    return x, sum(x, axis=1, keep=true)

train:
    data = generate(points, n=40)
    split = {train: 24, valid: 16}
    epochs = 2
    batch_size = 8
    minimize objective with adam(lr=0.01)
    minimize size with sgd(lr=0.01)
"""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def train(out: Path | None, **more: Any) -> Run:
    return archonnx.train(parse_spec(Source("line.arch", TEXT)), out, device="cpu", threads=1, **more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(tmp_path_factory.mktemp("whole") / "run")


def send(number: int, times: int = 1) -> None:
    for _ in range(times):
        os.kill(os.getpid(), number)


class Sending(Observer):
    """Does something after a pass, or after an epoch."""

    def __init__(self, act: Callable[[], None], step: tuple[int, int] | None = None, epoch: int = 0) -> None:
        self._act, self._step, self._epoch = act, step, epoch
        self.notes: list[str] = []

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        if (epoch, step) == self._step:
            self._act()

    def epoch(self, record: Epoch) -> None:
        if record.number == self._epoch:
            self._act()

    def note(self, text: str) -> None:
        self.notes.append(text)


def stopped(number: int, out: Path, observer: Observer | None = None) -> None:
    """Train, and see that the process would end as the signal wants it."""
    if number == signal.SIGINT:
        assert train(out, observer=observer).path == out
    else:
        with pytest.raises(SystemExit) as caught:
            train(out, observer=observer)
        assert caught.value.code == 128 + number
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_waits_for_the_step_and_keeps_the_run(number: int, whole: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    stopped(number, out, Sending(lambda: send(number), step=(1, 2)))
    assert Run(out).record["stopped"] == "interrupted" and Run(out).metrics.keys() == {"train", "valid"}
    assert_same_run(train(None, resume=out), whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", [{"step": (1, 1)}, {"step": (2, 3)}, {"epoch": 1}])
def test_the_second_one_ends_at_once_and_leaves_the_state(number: int, at: Any, whole: Run, tmp_path: Path) -> None:
    out, observer = tmp_path / "run", Sending(lambda: send(number, 2), **at)
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit):
        train(out, observer=observer)
    assert [path.name for path in out.iterdir()] == [STATE_FILE]
    assert observer.notes == [f"the state before is kept in {out}: `--resume {out}` continues from there"]
    assert_same_run(train(None, resume=out), whole)


@pytest.mark.parametrize("statement", [1, 2])
def test_a_pass_that_is_torn_apart_counts_as_not_done(
    statement: int, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two signals within the second pass, after its first or its second statement."""
    monkeypatch.setattr(fit, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(fit, "KEEP_SHARE", 1e9)
    execute, out = StepRunner.execute, tmp_path / "run"

    def tearing(self: StepRunner, what: Any) -> None:
        execute(self, what)
        if self.executed == 2 + statement:
            send(signal.SIGINT, 2)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(StepRunner, "execute", tearing)
        train(out, observer=Sending(lambda: None, step=(9, 9)))  # who looks at each step has them one by one
    assert SavedState(out)._record["numbers"]["passes"] == 1, "the state before the pass"
    assert_same_run(train(None, resume=out), whole)


def test_while_a_part_is_measured(whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an epoch, the run is as after its last step; at the end it lacks the figures. Both can go on."""
    run, calls = Measurement.run, [0]

    def interrupted(self: Measurement, *between: Any) -> Any:
        calls[0] += 1
        if calls[0] == at:
            send(signal.SIGINT)
        return run(self, *between)

    for at, epochs, parts in ((2, 1, ["train", "valid"]), (3, 2, []), (4, 2, ["train"])):
        out, calls[0] = tmp_path / f"at-{at}", 0
        with monkeypatch.context() as patch:
            patch.setattr(Measurement, "run", interrupted)
            cut = train(out)
        assert (len(cut.history), list(cut.metrics), cut.record["stopped"]) == (epochs, parts, "interrupted")
        assert_same_run(train(None, resume=out), whole)


@pytest.mark.parametrize("times", [1, 2])
def test_while_the_run_is_written(times: int, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first signal waits until it is; after the second one the state is there."""
    curve, out = saving._curve, tmp_path / "run"

    def sending(*given: Any) -> str:
        send(signal.SIGINT, times)
        return curve(*given)

    with monkeypatch.context() as patch:
        patch.setattr(saving, "_curve", sending)
        if times == 1:
            train(out)
        else:
            with pytest.raises(KeyboardInterrupt):
                train(out)
    assert (out / "run.json").exists() == (times == 1)
    assert_same_run(Run(out) if times == 1 else train(None, resume=out), whole)


def test_a_signal_that_is_ignored_stays_so(whole: Run, tmp_path: Path) -> None:
    """As under ``nohup``."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert_same_run(train(tmp_path / "run", observer=Sending(lambda: send(signal.SIGHUP), epoch=1)), whole)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_program_around_has_its_own_way_to_end(tmp_path: Path) -> None:
    """Its handler is called when the run is there."""
    seen: list[bool] = []
    before = signal.signal(signal.SIGTERM, lambda *given: seen.append((tmp_path / "run" / "run.json").exists()))
    try:
        run = train(tmp_path / "run", observer=Sending(lambda: send(signal.SIGTERM), epoch=1))
        assert seen == [True] and run.record["stopped"] == "interrupted"
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_thread_of_its_own_trains_as_well(whole: Run, tmp_path: Path) -> None:
    """It cannot take signals, and leaves them alone."""
    found: list[Run] = []
    thread = threading.Thread(target=lambda: found.append(train(tmp_path / "run")))
    thread.start()
    thread.join()
    assert_same_run(found[0], whole)


def test_signals_wait_while_something_is_written() -> None:
    with interrupt.attending() as taken:
        with pytest.raises(KeyboardInterrupt), taken.holding():
            send(signal.SIGTERM)
            done = True
        assert done and taken.signal == signal.SIGTERM
