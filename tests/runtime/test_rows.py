"""Steps in rows, and what is made ready in a thread: to the bit what the same steps give one by one."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.grammar.source import Source
from archonnx.runtime.aside import Aside
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.parts import Parts
from archonnx.runtime.device import step
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.device.slots import TRIED, Joined
from archonnx.runtime.training import supplying
from archonnx.runtime.training.fit import TrainingLoop
from archonnx.runtime.training.keeping import Keeper
from archonnx.runtime.training.observing import Observer, Snapshot
from archonnx.runtime.training.trainer import Trainer

HEAD = """
model Net():
    input  x: [B, 5]
    target label: i64[B]
    first  = Dense(7)
    last   = Dense(4)
    logits = x |> first |> relu |> Dropout(0.3) |> last
    loss objective = cross_entropy(logits, label)
    loss penalty = mean(logits * logits)

train:
    batch_size = 4
    epochs = 3
"""
PLANS = {
    "one statement": "    minimize objective with adam(lr=0.01)\n",
    "two": "    minimize objective over first with adam(lr=0.01)\n    minimize penalty over last with sgd(lr=0.01)\n",
    "one after the other": "    minimize objective with adam(lr=0.01)\n    minimize penalty with sgd(lr=0.01)\n",
    "every": "    minimize objective with adam(lr=0.01)\n    every 3:\n        minimize penalty with sgd(lr=0.01)\n",
}


class OneByOne(Observer):
    """Wants to be told of every step, and may do something then."""

    def __init__(self, do: Callable[[int, int], None] = lambda epoch, step: None) -> None:
        self.told: list[tuple[int, int]] = []
        self._do = do

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        self.told.append((epoch, step))
        self._do(epoch, step)


class Often(Observer):
    """Sees how far rows are."""

    now_and_then = True

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        self.told.append((epoch, step))


@cache
def model_of(plan: str) -> ModelProgram:
    return elaborate(parse_spec(Source("net.arch", HEAD + PLANS[plan])))


def loop(
    plan: str = "one statement",
    observer: Observer | None = None,
    count: int = 103,
    snapshot: Snapshot | None = None,
    keeper: Keeper[Any] | None = None,
    change: Callable[[dict[str, Any]], None] = lambda fields: None,
    settings: Mapping[str, Any] | None = None,
) -> TrainingLoop:
    model = model_of(plan)
    program = model.programs[-1]
    rng = np.random.default_rng(0)
    fields: dict[str, Any] = {
        "x": rng.standard_normal((count, 5), dtype=np.float32),
        "label": rng.integers(0, 4, count),
    }
    change(fields)
    wanted = TrainSettings.model_validate({**program.settings.model_dump(), **(settings or {})})
    options = SessionOptions(device="cpu", threads=1)
    trainer = Trainer(model, program=program, batch_size=4, options=options, total=100, per_epoch=26)
    examples = Examples(fields, {name: field.type for name, field in model.fields.items()})
    nothing = np.arange(0)
    return TrainingLoop(
        trainer, examples, Parts(np.arange(count), nothing, nothing), wanted, observer, snapshot, keeper
    )


def assert_same(one: Snapshot | None, other: Snapshot | None) -> None:
    assert one is not None and other is not None
    assert {**one.numbers, "seconds": 0, "epoch_seconds": 0, "history": 0} == {
        **other.numbers, "seconds": 0, "epoch_seconds": 0, "history": 0,
    }  # fmt: skip
    assert [line["train"] for line in one.numbers["history"]] == [line["train"] for line in other.numbers["history"]]
    assert one.tensors.keys() == other.tensors.keys()
    for name, array in one.tensors.items():
        np.testing.assert_array_equal(array, other.tensors[name], err_msg=name)


def joined_at_once(monkeypatch: Any) -> list[int]:
    """Rows become one run of a session as soon as there is one; how many steps each of those had."""
    found: list[int] = []
    real = Joined.run

    def run(self: Joined, slots: Any, sides: int, count: int) -> Callable[[], None]:
        found.append(count)
        return real(self, slots, sides, count)

    monkeypatch.setattr(supplying, "JOINED_FROM", 1)
    monkeypatch.setattr(supplying, "QUICK", 10.0)
    monkeypatch.setattr(Joined, "run", run)
    return found


@pytest.mark.parametrize("plan", ["one statement", "two", "one after the other"])
def test_a_row_that_is_one_run_of_a_session_is_the_steps_one_by_one(plan: str, monkeypatch: Any) -> None:
    """With draws, rows of several lengths, and statements that change the same tensors or others."""
    singly = loop(plan, OneByOne()).run()
    runs = joined_at_once(monkeypatch)
    assert_same(loop(plan, Often()).run().snapshot, singly.snapshot)
    assert len(runs) > 2 and len(set(runs)) > 1


def test_a_row_that_would_give_something_else_stays_single_steps(monkeypatch: Any) -> None:
    """Here the statements of the row stand in the other order, as if onnxruntime computed it otherwise."""
    plan = "one after the other"
    singly = loop(plan, OneByOne()).run()
    runs, real = joined_at_once(monkeypatch), step.row_of
    monkeypatch.setattr(step, "row_of", lambda graphs, keys, *rest: real(graphs[::-1], keys[::-1], *rest))
    assert_same(loop(plan, Often()).run().snapshot, singly.snapshot)
    assert runs and set(runs) == {TRIED}


def test_a_row_that_onnxruntime_refuses_stays_single_steps(monkeypatch: Any) -> None:
    singly = loop("two", OneByOne()).run()
    runs = joined_at_once(monkeypatch)
    monkeypatch.setattr(step, "open_exported", lambda *_: fail("AX0612", "onnxruntime cannot run this", None))
    assert_same(loop("two", Often()).run().snapshot, singly.snapshot)
    assert not runs


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize(("count", "aside"), [(103, False), (103, True), (8, False), (3, False)])
def test_a_row_of_steps_is_the_steps_one_by_one(plan: str, count: int, aside: bool, monkeypatch: Any) -> None:
    """With draws, a smaller last batch, odd and even numbers of batches, several statements, rows of every length."""
    singly = loop(plan, OneByOne(), count).run()
    monkeypatch.setattr(supplying, "WORTH_A_THREAD", -1.0 if aside else 100.0)
    monkeypatch.setattr(supplying, "MANY_EXAMPLES", 1 if aside else 10**9)
    rows = Often()
    assert_same(loop(plan, rows, count).run().snapshot, singly.snapshot)
    if plan != "every" and count > 8:
        assert len(rows.told) < 3 * (count // 4)  # they were rows indeed


@pytest.mark.parametrize("cut", [(1, 1), (1, 9), (2, 13), (3, 26)])
def test_what_was_cut_singly_goes_on_in_rows(cut: tuple[int, int]) -> None:
    def stop(epoch: int, step: int) -> None:
        if (epoch, step) == cut:
            raise archonnx.StopTraining

    half = loop(observer=OneByOne(stop)).run()
    assert half.reason == "stopped by an observer"
    assert_same(loop(snapshot=half.snapshot).run().snapshot, loop().run().snapshot)


def test_the_state_is_kept_after_every_so_many_steps_in_rows_too() -> None:
    kept: list[tuple[int, ...]] = []

    class At:
        def __init__(self, snapshot: Snapshot) -> None:
            self.reached = snapshot.reached

    keeper: Keeper[Any] = Keeper(lambda state: kept.append(state.reached))
    training = loop(keeper=keeper, observer=Often())
    wanted = TrainSettings.model_validate({"checkpoint": {"steps": 11}}).checkpoint
    keeper.watch(wanted, lambda: At(state) if (state := training.whole_state()) is not None else None)
    training.run()
    assert [26 * epoch + step for epoch, step, _ in kept] == [11, 22, 33, 44, 55, 66, 77]


@pytest.mark.parametrize("joined", [False, True])
def test_a_label_of_no_class_is_told_at_its_step(joined: bool, monkeypatch: Any) -> None:
    runs = joined_at_once(monkeypatch) if joined else []

    def spoil(fields: dict[str, Any]) -> None:
        fields["label"][77] = 4

    found = []
    for observer in (OneByOne(), Often()):
        training = loop(observer=observer, change=spoil, settings={"shuffle": False})
        with pytest.raises(SpecError, match="AX0610") as caught:
            training.run()
        state = training.whole_state()
        assert state is not None and state.reached[:2] == (0, 19)
        found.append((str(caught.value), state))
    assert found[0][0] == found[1][0] and bool(runs) is joined
    assert_same(found[0][1], found[1][1])


@pytest.mark.parametrize("joined", [False, True])
def test_an_infinite_loss_is_told_at_its_step_with_the_state_before(joined: bool, monkeypatch: Any) -> None:
    runs = joined_at_once(monkeypatch) if joined else []

    def spoil(fields: dict[str, Any]) -> None:
        fields["x"][50] = 3e38

    found = []
    for observer in (OneByOne(), Often()):
        training = loop(observer=observer, change=spoil, settings={"shuffle": False})
        with pytest.raises(SpecError, match="AX0610") as caught:
            training.run()
        found.append((str(caught.value), training.whole_state()))
    assert found[0][0] == found[1][0] and "step 13" in found[0][0] and bool(runs) is joined
    assert_same(found[0][1], found[1][1])


def test_a_step_that_fails_in_a_row_leaves_the_state_before_it(monkeypatch: Any) -> None:
    training, good = loop("two", Often()), loop("two", OneByOne())
    runner, failing = training._trainer.runner, RuntimeError("Node (x) broke")
    made, real = 0, runner.slots

    def slots(*arguments: Any) -> Any:
        found = real(*arguments)
        assert found is not None
        bind = found._bind

        def fail() -> None:
            raise failing

        def counted(slot: int, index: int, sides: int) -> Callable[[], None]:
            nonlocal made
            made += 1
            return fail if (slot, index) == (5, 0) else bind(slot, index, sides)

        monkeypatch.setattr(type(found), "_bind", lambda self, *args: counted(*args))
        return found

    monkeypatch.setattr(runner, "slots", slots)
    with pytest.raises(SpecError, match="AX0612"):
        training.run()
    state = training.whole_state()
    assert state is not None and state.reached[:2] == (0, 6) and made > 10

    def stop(epoch: int, step: int) -> None:
        if (epoch, step) == (1, 6):
            raise archonnx.StopTraining

    good = loop("two", OneByOne(stop))
    assert_same(state, good.run().snapshot)


def test_whoever_asks_to_stop_is_heard_between_rows() -> None:
    timer = threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT))
    training = loop(observer=Often(), count=400, settings={"epochs": 100_000})
    timer.start()
    outcome = training.run()
    timer.join()
    assert outcome.reason == "interrupted" and outcome.snapshot is not None
    passes = outcome.snapshot.reached[0] * 100 + outcome.snapshot.reached[1]
    assert 0 < passes == outcome.snapshot.numbers["executed"] < 100 * 100_000


# ---------------------------------------------------------------- the thread


def test_jobs_are_done_in_order_aside_and_their_errors_are_raised_where_they_are_waited_for() -> None:
    before = set(threading.enumerate())  # lanes that change large tensors stay for as long as a process does
    aside, done = Aside(), list[tuple[int, str]]()

    def job(number: int) -> int:
        done.append((number, threading.current_thread().name))
        if number == 2:
            raise SpecError(archonnx.grammar.diagnostics.Report([]))
        return number

    results = [aside.ask(lambda number=number: job(number)) for number in range(5)]
    assert [results[number]() for number in (0, 1, 3, 4)] == [0, 1, 3, 4]
    with pytest.raises(SpecError):
        results[2]()
    assert [number for number, _ in done] == list(range(5)) and {name for _, name in done} == {"archonnx aside"}
    aside.close()
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before


def test_slow_batches_are_made_ahead_and_their_errors_are_those_of_their_steps(monkeypatch: Any) -> None:
    """A batch that cannot be made ends the training after the step before it, as it would without a thread."""
    training = loop(observer=OneByOne(), settings={"shuffle": False})
    real, threads = training._examples.trained, set[str]()

    def slowly(rows: Any, turn: Any = None) -> Any:
        threads.add(threading.current_thread().name)
        if 40 in rows:
            archonnx.grammar.diagnostics.fail("AX0603", "line 40 is odd", None)
        return real(rows, turn)

    monkeypatch.setattr(training._examples, "trained", slowly)
    monkeypatch.setattr(supplying, "WORTH_A_THREAD", -1.0)
    with pytest.raises(SpecError, match="line 40 is odd"):
        training.run()
    assert "archonnx aside" in threads
    state = training.whole_state()
    assert state is not None and state.reached[:2] == (0, 10)
