"""A trainer used by hand: fit over anything, learning rates, files, callbacks."""

from __future__ import annotations

import copy
import errno
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import archonnx
from archonnx.runtime import disk
from archonnx.runtime.training.observing import Epoch, Outcome
from tests.support.copies import PICKLES, by_joblib
from tests.support.faults import faults

LINE = """
model Line():
    input  x: [B, 3]
    target y: [B, 1]
    prediction = x |> Dense(1)
    output estimate = prediction
    loss objective = mse(prediction, y)
train:
    minimize objective with {optimizer}
"""
NOISY = """
model Noisy():
    input  x: [B, 3]
    target y: [B, 1]
    encoder = Dense(4)
    head = Dense(1)
    hidden = x |> encoder |> relu |> Dropout(0.5)
    prediction = hidden |> head
    output estimate = prediction
    loss objective = mse(prediction, y)
    loss small = mean(square(hidden))
train:
    every 2:
        minimize objective over head with adam(lr=step_decay(0.02, 3))
    minimize small over encoder with sgd(lr=0.05, momentum=0.9)
"""


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., archonnx.Trainer]:
    def make(text: str = LINE, optimizer: str = "sgd(lr=0.1)", **options: Any) -> archonnx.Trainer:
        path = tmp_path / "spec.arch"
        path.write_text(text.replace("{optimizer}", optimizer), encoding="utf-8")
        return archonnx.Trainer(path, device="cpu", threads=1, **options)

    return make


def batches(count: int = 6, rows: int = 8) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(3)
    found = []
    for _ in range(count):
        x = draw.normal(size=(rows, 3)).astype(np.float32)
        found.append({"x": x, "y": (x @ [[1.0], [-2.0], [0.5]]).astype(np.float32)})
    return found


def same(one: archonnx.Trainer, other: archonnx.Trainer) -> bool:
    mine, theirs = one.runner.tensors(), other.runner.tensors()
    return mine.keys() == theirs.keys() and all(mine[name].tobytes() == theirs[name].tobytes() for name in mine)


# ---------------------------------------------------------------- fit


def test_fit_makes_the_steps_that_were_made_by_hand(made: Callable[..., archonnx.Trainer]) -> None:
    by_hand, given = made(), batches()
    losses = [by_hand.step(batch)["objective"] for _ in range(2) for batch in given]
    ours = made()
    history = ours.fit(given, epochs=2)
    assert same(ours, by_hand)
    assert [epoch.number for epoch in history] == [1, 2]
    for epoch, part in zip(history, (losses[:6], losses[6:]), strict=True):
        assert epoch.train["objective"] == pytest.approx(np.mean(part))


def test_losses_of_an_epoch_are_weighted_by_rows(made: Callable[..., archonnx.Trainer]) -> None:
    ours = made(optimizer="sgd(lr=0.0)")
    x, y = (np.concatenate([batch[name] for batch in batches()]) for name in ("x", "y"))
    uneven = [{"x": x[a:b], "y": y[a:b]} for a, b in ((0, 5), (5, 45), (45, 48))]
    (epoch,) = ours.fit(uneven)
    assert epoch.train["objective"] == pytest.approx(ours.evaluate({"x": x, "y": y})["objective"], rel=1e-5)


class Again:
    """Batches that have no length, and can be gone through again: as a loader of another library is."""

    def __iter__(self) -> Iterator[list[np.ndarray]]:
        return iter([[batch["x"], batch["y"]] for batch in batches()])


@pytest.mark.parametrize(
    "given",
    [
        [(batch["x"], batch["y"]) for batch in batches()],
        Again(),
        [{name: array.tolist() for name, array in batch.items()} for batch in batches()],
    ],
    ids=["tuples", "loader", "lists"],
)
def test_any_iterable_of_batches_is_the_same(given: Any, made: Callable[..., archonnx.Trainer]) -> None:
    ours, wanted = made(), made()
    wanted.fit(batches(), epochs=2)
    ours.fit(given, epochs=2)
    assert same(ours, wanted)


def test_a_generator_is_gone_through_once(made: Callable[..., archonnx.Trainer]) -> None:
    ours, wanted = made(), made()
    ours.fit(batch for batch in batches())
    wanted.fit(batches())
    assert same(ours, wanted)
    with pytest.raises(archonnx.SpecError, match="gone through once, and 2 epochs"):
        made().fit((batch for batch in batches()), epochs=2)


@pytest.mark.parametrize(
    ("given", "epochs", "says"),
    [
        (batches(1)[0], 1, "this is one batch"),
        (7, 1, "this is a int"),
        ([], 1, "no batch in epoch 1"),
        ([np.zeros((8, 3))], 1, "given: a ndarray"),
        ([(np.zeros((8, 3)),)], 1, "a tuple of 2, x, y; given: 1 arrays"),
        ([], 0, "`epochs` is a number from 1 on, not 0"),
        ([], True, "not True"),
    ],
)
def test_what_is_not_batches_is_told(given: Any, epochs: Any, says: str, made: Callable[..., archonnx.Trainer]) -> None:
    with pytest.raises(archonnx.SpecError, match=says):
        made().fit(given, epochs=epochs)


def test_a_training_that_becomes_infinite_stops_where_it_does(made: Callable[..., archonnx.Trainer]) -> None:
    with pytest.raises(archonnx.SpecError, match=r"epoch \d+, step \d+") as caught:
        made(optimizer="sgd(lr=1e10)").fit(batches(), epochs=50)
    assert caught.value.diagnostics[0].code == "AX0610"


# ---------------------------------------------------------------- callbacks


class Diary(archonnx.Observer):
    """Writes down what it is told, and stops where it is asked to."""

    def __init__(self, stop_at: tuple[str, int] | None = None) -> None:
        self.lines: list[Any] = []
        self._stop_at = stop_at

    def begin(self, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        self.lines.append(("begin", epochs, steps_per_epoch))

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        assert np.isfinite(losses["objective"])
        self._told("step", (epoch - 1) * 6 + step)

    def epoch(self, record: Epoch) -> None:
        self._told("epoch", record.number)

    def end(self, outcome: Outcome) -> None:
        self.lines.append(("end", outcome.reason))

    def _told(self, what: str, number: int) -> None:
        self.lines.append((what, number))
        if (what, number) == self._stop_at:
            raise archonnx.StopTraining


def test_callbacks_are_told_of_everything_in_order(made: Callable[..., archonnx.Trainer]) -> None:
    diary = Diary()
    made().fit(batches(), epochs=2, callbacks=[diary])
    steps = [("step", number) for number in range(1, 13)]
    assert diary.lines == [
        ("begin", 2, 6), *steps[:6], ("epoch", 1), *steps[6:], ("epoch", 2), ("end", "finished"),
    ]  # fmt: skip


@pytest.mark.parametrize(("stop_at", "steps", "epochs"), [(("step", 4), 4, 0), (("epoch", 2), 12, 2)])
def test_a_callback_stops_a_training(
    stop_at: tuple[str, int], steps: int, epochs: int, made: Callable[..., archonnx.Trainer]
) -> None:
    ours, wanted, diary = made(), made(), Diary(stop_at)
    history = ours.fit(batches(), epochs=5, callbacks=[diary])
    for batch in (batches() * 2)[:steps]:
        wanted.step(batch)
    assert same(ours, wanted) and len(history) == epochs
    assert diary.lines[-1] == ("end", "stopped by an observer")


def test_an_observer_stops_a_whole_training(tmp_path: Path) -> None:
    class Enough(archonnx.Observer):
        def epoch(self, record: Epoch) -> None:
            if record.number == 2:
                raise archonnx.StopTraining

    run = archonnx.train("xor", tmp_path / "run", settings={"epochs": 50}, device="cpu", observer=Enough())
    assert len(run.history) == 2 and run.record["stopped"] == "stopped by an observer"
    went_on = archonnx.train("xor", tmp_path / "on", resume=run.path, settings={"epochs": 5}, device="cpu")
    whole = archonnx.train("xor", tmp_path / "whole", settings={"epochs": 5}, device="cpu")
    assert all(np.array_equal(went_on.parameters[path], whole.parameters[path]) for path in whole.parameters)


# ---------------------------------------------------------------- learning rates


@pytest.mark.parametrize(
    ("optimizer", "formula"),
    [
        ("sgd(lr=0.1)", lambda t: 0.1),
        ("adam", lambda t: 1e-3),
        ("adam(lr=step_decay(0.2, 3))", lambda t: 0.2 * 0.1 ** ((t - 1) // 3)),
        ("adamw(lr=warmup_cosine(0.3, 2, steps))", None),
    ],
)
def test_the_learning_rate_is_that_of_the_next_step(
    optimizer: str, formula: Callable[[int], float] | None, made: Callable[..., archonnx.Trainer]
) -> None:
    ours, following = made(optimizer=optimizer, steps=6), made(optimizer=optimizer, steps=6)
    for t, batch in enumerate(batches(), 1):
        rate = ours.learning_rate
        assert formula is None or rate == pytest.approx(formula(t))
        following.learning_rate = rate  # what the spec says, given from outside, is the same step
        ours.step(batch)
        following.step(batch)
        for path in ours.parameters:
            np.testing.assert_allclose(ours.parameters[path], following.parameters[path], rtol=1e-6, atol=1e-7)


def test_a_given_learning_rate_is_what_the_step_uses(made: Callable[..., archonnx.Trainer]) -> None:
    ours = made()
    for rate, batch in zip((0.5, 0.0, 0.03, np.float32(0.25)), batches(4), strict=True):
        before, gradients = dict(ours.parameters), ours.gradients(batch)
        ours.learning_rate = rate
        ours.step(batch)
        assert ours.learning_rate == rate
        for path, g in gradients.items():
            np.testing.assert_allclose(ours.parameters[path], before[path] - np.float32(rate) * g, rtol=1e-5, atol=1e-6)


def test_changing_the_learning_rate_again_compiles_nothing(
    made: Callable[..., archonnx.Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = made(optimizer="adam(lr=0.1)")
    ours.learning_rate = 0.2
    ours.step(batches()[0])
    monkeypatch.setattr("archonnx.runtime.device.step.open_graph", None)
    for number, batch in enumerate(batches()):
        ours.learning_rate = 0.1 / (number + 1)
        ours.step(batch)


def test_taking_a_learning_rate_back_leaves_what_the_spec_says(made: Callable[..., archonnx.Trainer]) -> None:
    optimizer = "adam(lr=step_decay(0.2, 2))"
    ours, wanted = made(optimizer=optimizer), made(optimizer=optimizer)
    ours.step(batches()[0])
    wanted.step(batches()[0])
    ours.learning_rate = 5
    ours.learning_rate = None
    ours.fit(batches())
    wanted.fit(batches())
    assert same(ours, wanted)


def test_each_statement_has_its_learning_rate(made: Callable[..., archonnx.Trainer]) -> None:
    ours = made(NOISY)
    assert ours.learning_rates == {"minimize.0": 0.02, "minimize.1": 0.05}
    with pytest.raises(archonnx.SpecError, match=r"several learning rates: minimize.0: 0.02, minimize.1: 0.05"):
        _ = ours.learning_rate
    ours.learning_rates = {"minimize.0": 0.0, "minimize.1": 0.5}
    before = dict(ours.parameters)
    ours.fit(batches())
    moved = {path for path in before if not np.array_equal(before[path], ours.parameters[path])}
    assert moved and all(path.startswith("encoder") for path in moved)
    ours.learning_rate = 0.25
    assert ours.learning_rates == {"minimize.0": 0.25, "minimize.1": 0.25} and ours.learning_rate == 0.25


def test_the_number_of_the_step_is_that_of_the_statement(made: Callable[..., archonnx.Trainer]) -> None:
    ours = made(NOISY)
    ours.fit(batches())  # six passes, three steps of the first statement
    assert ours.learning_rates["minimize.0"] == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"minimize.0": 0.1}, "rate of `minimize.1` is not given"),
        ({"minimise.0": 0.1, "minimize.1": 0.1}, "no statement `minimise.0`"),
        ({"minimize.0": "fast", "minimize.1": 0.1}, "a finite number, not 'fast'"),
        ({"minimize.0": float("nan"), "minimize.1": 0.1}, "a finite number, not nan"),
        ({"minimize.0": True, "minimize.1": 0.1}, "a finite number, not True"),
    ],
)
def test_bad_learning_rates_change_nothing(given: Any, says: str, made: Callable[..., archonnx.Trainer]) -> None:
    ours = made(NOISY)
    with pytest.raises(archonnx.SpecError, match=says):
        ours.learning_rates = given
    assert ours.learning_rates == {"minimize.0": 0.02, "minimize.1": 0.05}


def test_an_optimizer_without_a_schedule_says_so(made: Callable[..., archonnx.Trainer]) -> None:
    own = 'optimizer plain(lr: float = 0.1)(p: [...S], g: [...S], t: i64[]) -> [...S]:\n    """p - lr g."""\n    return p - lr * g\n'
    ours = made(f"{own}{LINE}", optimizer="plain()")
    for ask in (lambda: ours.learning_rate, lambda: setattr(ours, "learning_rate", 0.1)):
        with pytest.raises(archonnx.SpecError, match="nothing here has a learning rate"):
            ask()


# ---------------------------------------------------------------- going on


def put_away(trainer: archonnx.Trainer, path: Path) -> archonnx.Trainer:
    return archonnx.Trainer.load(trainer.save(path), device="cpu", threads=1)


@pytest.mark.parametrize("rate", [None, 0.01])
@pytest.mark.parametrize("way", [PICKLES[-1], by_joblib, copy.deepcopy, copy.copy, put_away])
def test_a_trainer_goes_on_to_the_bit(
    way: Callable[..., Any], rate: float | None, made: Callable[..., archonnx.Trainer], tmp_path: Path
) -> None:
    ours = made(NOISY, batch_size=4, seed=5)
    ours.fit(batches(5))
    if rate is not None:
        ours.learning_rate = rate
    again = put_away(ours, tmp_path / "t.safetensors") if way is put_away else way(ours)
    assert repr(again) == repr(ours) and same(again, ours)
    assert again.learning_rates == ours.learning_rates
    ours.fit(batches())
    again.fit(batches())
    assert same(again, ours)
    assert (again.batch_size, again.seed) == (4, 5)


def test_arguments_floats_and_lengths_are_saved(tmp_path: Path) -> None:
    spec = archonnx.load("digits_mlp", dtype="f64", width=4)
    ours = archonnx.Trainer(spec, steps=7, device="cpu")
    again = put_away(ours, tmp_path / "t.safetensors")
    assert {path: a.dtype for path, a in again.parameters.items()} == {p: a.dtype for p, a in ours.parameters.items()}
    assert again.parameters["dense.0.W"].shape == (64, 4) and again.parameters["dense.0.W"].dtype == np.float64
    assert again._recipe.steps == 7


def test_what_is_no_saved_trainer_is_told(made: Callable[..., archonnx.Trainer], tmp_path: Path) -> None:
    ours, path = made(), tmp_path / "t.safetensors"
    with pytest.raises(archonnx.SpecError, match="there is no file"):
        archonnx.Trainer.load(path)
    ours.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(archonnx.SpecError, match="is damaged"):
        archonnx.Trainer.load(path)
    run = archonnx.train("xor", tmp_path / "run", settings={"epochs": 1}, device="cpu")
    with pytest.raises(archonnx.SpecError, match="is not a trainer that was saved"):
        archonnx.Trainer.load(run.path / "weights.safetensors")


def test_saving_is_whole_or_not_at_all(
    made: Callable[..., archonnx.Trainer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, path = made(), tmp_path / "t.safetensors"
    ours.save(path)
    before = path.read_bytes()
    ours.fit(batches())

    monkeypatch.setattr(disk, "CHUNK", 64)
    with faults(at=2, error=errno.ENOSPC), pytest.raises(archonnx.SpecError, match="ENOSPC at call 2"):
        ours.save(path)
    assert path.read_bytes() == before and {file.name for file in tmp_path.iterdir()} == {path.name, "spec.arch"}
    with pytest.raises(archonnx.SpecError, match="there is no folder"):
        ours.save(tmp_path / "no" / "t.safetensors")


def test_saved_weights_start_another_training(made: Callable[..., archonnx.Trainer], tmp_path: Path) -> None:
    ours = archonnx.Trainer("xor", device="cpu")
    ours.save(tmp_path / "t.safetensors")
    run = archonnx.train(
        "xor", tmp_path / "run", settings={"epochs": 1}, device="cpu", start_from=tmp_path / "t.safetensors", seed=9
    )
    assert run.record["programs"][0]["started_from"]["fresh"] == []


def test_the_exported_model_predicts_as_the_trainer(made: Callable[..., archonnx.Trainer], tmp_path: Path) -> None:
    ours = made()
    ours.fit(batches())
    session = onnxruntime.InferenceSession(ours.export(tmp_path / "m.onnx"))
    x = batches()[0]["x"]
    (estimate,) = session.run(["estimate"], {"x": x})
    np.testing.assert_allclose(estimate, ours.predict({"x": x})["estimate"], rtol=1e-5, atol=1e-6)


def test_the_state_of_optimizers_is_read_by_name(made: Callable[..., archonnx.Trainer]) -> None:
    ours = made(optimizer="sgd(lr=0.1, momentum=0.9)")
    total = {path: np.zeros_like(array) for path, array in ours.parameters.items()}
    for batch in batches():
        total = {path: 0.9 * total[path] + g for path, g in ours.gradients(batch).items()}
        ours.step(batch)
    state = ours.optimizer_state
    assert state.keys() == {"minimize.0/t", "minimize.0/v/dense.W", "minimize.0/v/dense.b"}
    assert state["minimize.0/t"] == 6
    for path, v in total.items():
        np.testing.assert_allclose(state[f"minimize.0/v/{path}"], v, rtol=1e-4, atol=1e-6)
    state["minimize.0/t"][...] = 0  # what was read is a copy
    assert ours.optimizer_state["minimize.0/t"] == 6
    assert len(pickle.dumps(ours)) < 20_000
