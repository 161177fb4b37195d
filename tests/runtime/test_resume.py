"""A resumed training equals an uninterrupted one, to the last bit, wherever it was cut."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import archonnx
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.folders.run import Run
from archonnx.runtime.training.observing import Epoch, Observer
from tests.support.same_run import assert_same_run

TEXT = """block Centre()(x: [B, n]) -> [B, n]:
    buffer seen: [n] = 0
    update seen = 0.9 * seen + 0.1 * mean(x, axis=0)
    return x - seen

model Noisy(width: int = 4):
    input x: [B, 3]
    target y: [B, 1]
    head = Dense(1)
    h = x |> Centre |> Dense(width) |> tanh |> Dropout(0.2)
    p = head(h)
    output line = p
    loss objective = mse(p, y)
    loss small = mean(h * h)

train first:
    data = generate(points, n=30)
    epochs = 2
    batch_size = 8
    minimize objective with adam(lr=0.01)

train second:
    data = generate(points, n=50)
    start_from = first
    freeze = [head]
    epochs = 4
    batch_size = 8
    split = {train: 0.6, valid: 0.4}
    repeat 2:
        minimize objective with adam(lr=0.01)
    every 3:
        minimize small with sgd(lr=0.1, momentum=0.9)
    early_stopping = {monitor: valid.objective, patience: 9}

fn points(n: int) -> (x: [n, 3], y: [n, 1]):
    x: [n, 3] ~ normal(1, 1)
    return x, sum(x, axis=1, keep=true)
"""


@pytest.fixture
def spec() -> Spec:
    return parse_spec(Source("noisy.arch", TEXT))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The training that nobody interrupted."""
    return train(parse_spec(Source("noisy.arch", TEXT)), tmp_path_factory.mktemp("whole") / "run")


def train(spec: Spec, out: Path | None, **more: Any) -> Run:
    return archonnx.train(spec, out, device="cpu", threads=1, **more)


class Stop(Observer):
    """Interrupts after a pass, in a way of its own."""

    def __init__(self, program: str, epoch: int, step: int, how: Any) -> None:
        self._where, self._how, self._program = (program, epoch, step), how, ""

    def program(self, name: str, number: int, count: int) -> None:
        self._program = name

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        if (self._program, epoch, step) == self._where:
            self._how()


def interrupt() -> None:
    raise KeyboardInterrupt


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("how", [interrupt, press_ctrl_c])
@pytest.mark.parametrize(
    ("program", "epoch", "step"),
    [("first", 1, 1), ("first", 2, 4), ("second", 1, 2), ("second", 3, 1), ("second", 3, 4), ("second", 4, 4)],
)
def test_cut_anywhere_and_continued(
    program: str,
    epoch: int,
    step: int,
    how: Any,
    spec: Spec,
    whole: Run,
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    cut = train(spec, out, observer=Stop(program, epoch, step, how))
    assert cut.record["stopped"] == "interrupted"
    assert len(cut.history) == epoch - 1 + (2 if program == "second" else 0)
    continued = train(spec, None, resume=out)
    assert continued.path == out and [path.name for path in tmp_path.iterdir()] == ["run"]
    assert_same_run(continued, whole)


def test_two_epochs_and_two_more_are_four(spec: Spec, whole: Run, tmp_path: Path) -> None:
    half = train(spec, tmp_path / "half", settings={"epochs": 2})
    assert [program["epochs"] for program in half.record["programs"]] == [2, 2]
    before = {path.name: path.read_bytes() for path in half.path.iterdir() if path.is_file()}
    rest = train(spec, tmp_path / "rest", resume=half.path, settings={"epochs": 4})
    assert [program["epochs"] for program in rest.record["programs"]] == [2, 4]
    assert_same_run(rest, whole)
    assert {path.name: path.read_bytes() for path in half.path.iterdir() if path.is_file()} == before


def test_a_finished_training_has_nothing_left_to_do(spec: Spec, whole: Run, tmp_path: Path) -> None:
    class Quiet(Observer):
        def epoch(self, record: Epoch) -> None:
            raise AssertionError("an epoch ran")

    assert_same_run(train(spec, tmp_path / "again", resume=whole.path, observer=Quiet()), whole)


def test_arguments_and_settings_are_those_of_the_run(spec: Spec, tmp_path: Path) -> None:
    wide = parse_spec(Source("noisy.arch", TEXT), width=7)
    run = train(wide, tmp_path / "run", settings={"epochs": 1}, program="first", seed=5)
    (run.path / "notes.txt").write_text("mine")
    again = train(spec, None, resume=run.path)
    assert again.arguments == {"width": 7} and again.settings.epochs == 1 and again.settings.seed == 5
    assert len(again.record["programs"]) == 1
    assert (run.path / "notes.txt").read_text() == "mine"


def refused(spec: Spec, folder: Path, **more: Any) -> str:
    with pytest.raises(SpecError) as caught:
        train(spec, None, resume=folder, **more)
    assert [d.code for d in caught.value.diagnostics] == ["AX0618"]
    return str(caught.value)


def test_what_cannot_be_continued_is_told(spec: Spec, whole: Run, tmp_path: Path) -> None:
    assert "there is no" in refused(spec, tmp_path / "nothing")
    wider = parse_spec(Source("noisy.arch", TEXT), width=5)
    assert "the state does not fit" in refused(wider, whole.path)
    other = parse_spec(Source("noisy.arch", TEXT.replace("sgd(lr=0.1, momentum=0.9)", "adam()")))
    assert "the state does not fit" in refused(other, whole.path)
    renamed = parse_spec(Source("noisy.arch", TEXT.replace("train second", "train third")))
    assert "a train program `second`" in refused(renamed, whole.path)
    assert "other train programs" in refused(spec, whole.path, program="first")
    (tmp_path / STATE_FILE).write_bytes(b"\x00" * 40)
    assert "is damaged" in refused(spec, tmp_path)
