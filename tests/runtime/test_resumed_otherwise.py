"""A training that goes on with something else than it began with says what that is, and what it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.compiler.settings import SEEDS
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.folders.edited import edits
from archonnx.runtime.folders.run import Run
from archonnx.runtime.seeds import seed_value
from archonnx.runtime.training.observing import Epoch, Observer

TEXT = """from "net.arch" import Net

model Line():
    input x: [B, 2]
    target y: [B, 1]
    p = x |> Net
    output line = p
    loss objective = mse(p, y)

fn points(n: int) -> (x: [n, 2], y: [n, 1]):
    x: [n, 2] ~ normal(1, 1)
    return x, sum(x, axis=1, keep=true)

train:
    data = generate(points, n=20)
    epochs = 3
    batch_size = 4
    minimize objective with adam(lr=0.01)
"""
NET = """block Net()(x: [B, n]) -> [B, 1]:
    return x |> Dense(1)
"""


class Stop(Observer):
    """Interrupts after a step, and keeps what is told."""

    def __init__(self, *at: int) -> None:
        self._at, self.notes = at, list[str]()

    def step(self, epoch: int, step: int, losses: object) -> None:
        if (epoch, step) == self._at:
            raise KeyboardInterrupt

    def epoch(self, record: Epoch) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def cut(tmp_path: Path) -> Run:
    """A run that was interrupted within its second epoch."""
    (tmp_path / "line.arch").write_text(TEXT)
    (tmp_path / "net.arch").write_text(NET)
    return train(tmp_path / "line.arch", tmp_path / "run", observer=Stop(2, 3), threads=1)


def train(spec: Path, out: Path | None, **more: Any) -> Run:
    return archonnx.train(spec, out, device="cpu", **more)


def told(cut: Run, **more: Any) -> list[str]:
    """The notes of going on with a run."""
    observer = Stop()
    train(cut.path.parent / "line.arch", None, resume=cut.path, observer=observer, **more)
    return observer.notes


def test_the_same_says_nothing(cut: Run) -> None:
    assert told(cut, threads=1) == []


def test_an_edited_spec_and_an_edited_import(cut: Run) -> None:
    folder = cut.path.parent
    (folder / "line.arch").write_text(TEXT.replace("lr=0.01", "lr=0.02").replace("epochs = 3", "epochs = 4"))
    (folder / "net.arch").write_text(NET.replace("x |> Dense(1)", "0.5 * (x |> Dense(1))"))
    (note,) = told(cut, threads=1)
    assert note == (
        "the spec was edited, and the training goes on with it as it is now: line 16 of line.arch was `epochs = 3` and is "
        "`epochs = 4`; line 18 of line.arch was `minimize objective with adam(lr=0.01)` and is `minimize objective with "
        "adam(lr=0.02)`; line 2 of net.arch was `return x |> Dense(1)` and is `return 0.5 * (x |> Dense(1))`"
    )
    assert len(Run(cut.path).history) == 4


def test_settings_that_were_given_hold_for_an_edited_spec(cut: Run) -> None:
    folder = cut.path.parent
    given = train(folder / "line.arch", folder / "given", observer=Stop(1, 1), threads=1, settings={"epochs": 2})
    (folder / "line.arch").write_text(TEXT.replace("epochs = 3", "epochs = 9"))
    (note,) = told(given, threads=1)
    assert note.endswith("; settings that were given then hold as before: epochs = 2")
    assert len(Run(given.path).history) == 2


def test_another_number_of_threads(cut: Run) -> None:
    (note,) = told(cut, threads=2)
    assert note.startswith("trained with 1 thread so far, and with 2 threads from now on") and "`--threads 1`" in note
    assert Run(cut.path).record["threads"] == 2


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"batch_size": 5}, "batch_size"),
        ({"split.train": 16, "split.valid": 4}, "split"),
        ({"shuffle": False}, "shuffle, split"),
    ],
)
def test_an_epoch_whose_order_is_another_begins_anew(settings: dict[str, Any], what: str, cut: Run) -> None:
    assert told(cut, threads=1, settings=settings) == [
        f"epoch 2 begins anew, after 3 of its passes: the order of its examples was by another {what}"
    ]
    assert [line["epoch"] for line in Run(cut.path).history] == [1, 2, 3]


def test_what_is_shown_of_edits_is_little() -> None:
    many = "\n".join(map(str, range(100)))
    assert edits({"a": many}, {"a": many.replace("1", "x")})[3:] == ["and 16 more"]
    assert edits({"a": "1\n2\n3", "b": ""}, {"a": "1\n3", "c": ""}) == [
        "line 2 of a is gone, `2`",
        "b is gone",
        "c is new",
    ]
    assert edits({"a": "x\n" * 5000}, {"a": "y\n" * 5000}) == ["a is another text"]


@pytest.mark.parametrize("seed", [SEEDS, -1, 2**64, 1.5, True, "1"])
def test_a_seed_that_is_none(seed: Any, cut: Run) -> None:
    with pytest.raises(SpecError, match="AX0702"):
        seed_value(seed)
    with pytest.raises(SpecError, match="AX0702"):
        train(cut.path.parent / "line.arch", cut.path.parent / "never", seed=seed)
    with pytest.raises(SpecError, match="AX0702"):
        archonnx.Trainer(cut.path.parent / "line.arch", seed=seed)


def test_the_largest_seed(cut: Run) -> None:
    run = train(cut.path.parent / "line.arch", cut.path.parent / "large", seed=SEEDS - 1, settings={"epochs": 1})
    assert run.record["seed"] == SEEDS - 1 and np.isfinite(run.parameters["net.dense.W"]).all()


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["checkpoint.minutes", "early_stopping.min_delta", "split.train"])
def test_a_setting_that_json_does_not_hold(value: float, name: str, cut: Run) -> None:
    monitor = {"early_stopping.monitor": "train.objective"} if name.startswith("early") else {}
    with pytest.raises(SpecError, match=r"AX0702.*"):
        train(cut.path.parent / "line.arch", cut.path.parent / "never", settings={**monitor, name: value})
