"""Plans of programs: ``repeat``, ``every``, ``update`` and statements over parts of a model, against loops in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.plan import Do, Every, Plan, Repeat
from archonnx.compiler.program import ModelProgram
from archonnx.grammar.source import Source
from archonnx.runtime.data.batches import endless_order, epoch_order
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.device.step import StepRunner
from archonnx.runtime.training.programs import run_programs
from archonnx.runtime.training.trainer import Trainer
from tests.support.programs import PARAMETERS, examples, numpy_step, train_step

CPU = SessionOptions(device="cpu", threads=1)
START: dict[str, Any] = {"w": np.array([0.5, -0.5, 0.25], np.float32), "b": np.array(0.1, np.float32)}
CARRIED = (("w",), ("b",))


class Oracle:
    """The two statements (``w`` moves, ``b`` moves) in NumPy, each with a momentum of its own."""

    def __init__(self) -> None:
        self.parameters = dict(START)
        zeros = {f"momentum/{name}": np.zeros(t.static_shape or (), np.float32) for name, t in PARAMETERS.items()}
        self.states = [dict(zeros) for _ in CARRIED]

    def do(self, index: int, batch: dict[str, Array]) -> float:
        state = self.states[index] | self.parameters
        loss = numpy_step(state, batch["x"], batch["y"], CARRIED[index])
        self.parameters = {path: state[path] for path in self.parameters}
        self.states[index] = {name: value for name, value in state.items() if name not in self.parameters}
        return loss


def runner(plan: Plan) -> StepRunner:
    return StepRunner([train_step(carried) for carried in CARRIED], START, plan=plan, options=CPU)


def batches() -> Iterator[dict[str, Array]]:
    """Batches of two sizes without end, all different."""
    return (examples(8 if seed % 2 else 5, seed) for seed in range(10_000))


def assert_same(ours: dict[str, Array], expected: dict[str, Any]) -> None:
    for path, array in ours.items():
        np.testing.assert_allclose(array, expected[path], rtol=2e-5, atol=2e-6)


def test_a_repeat_takes_a_fresh_batch_after_its_first_round_and_gives_the_first_one_back() -> None:
    ours, oracle = runner((Repeat(3, (Do(0),)), Do(1))), Oracle()
    stream, same = batches(), batches()
    for _ in range(4):
        losses = ours.step(next(stream), lambda: next(stream))
        batch = next(same)
        rounds = [oracle.do(0, given) for given in (batch, next(same), next(same))]
        assert losses == {"objective": pytest.approx(oracle.do(1, batch), rel=1e-5)}
        assert rounds[-1] != rounds[0]
        assert_same(ours.parameters(), oracle.parameters)
    assert (ours.executed, ours.passes) == (16, 4)


def test_without_a_stream_a_repeat_uses_its_batch_again() -> None:
    ours, oracle, batch = runner((Repeat(3, (Do(0),)),)), Oracle(), examples()
    losses = ours.step(batch)
    expected = [oracle.do(0, batch) for _ in range(3)]
    assert losses["objective"] == pytest.approx(expected[-1], rel=1e-5)
    assert_same(ours.parameters(), oracle.parameters)


def test_every_runs_on_each_nth_pass_and_is_silent_on_the_others() -> None:
    ours, oracle = runner((Every(3, (Do(1),)),)), Oracle()
    for number, batch in zip(range(1, 8), batches(), strict=False):
        losses = ours.step(batch)
        assert losses == ({"objective": pytest.approx(oracle.do(1, batch), rel=1e-5)} if number % 3 == 0 else {})
        assert_same(ours.parameters(), oracle.parameters)
    assert (ours.executed, ours.passes) == (2, 7)


def test_plans_nest() -> None:
    plan: Plan = (Repeat(2, (Do(0), Repeat(2, (Do(1),)), Every(2, (Do(0),)))), Do(1))
    ours, oracle = runner(plan), Oracle()
    stream, same = batches(), batches()
    for number in (1, 2, 3):
        ours.step(next(stream), lambda: next(stream))
        outer = next(same)
        for batch in (outer, None):
            taken = next(same) if batch is None else batch
            oracle.do(0, taken)
            oracle.do(1, taken)
            oracle.do(1, next(same))
            if number == 2:
                oracle.do(0, taken)
        oracle.do(1, outer)
        assert_same(ours.parameters(), oracle.parameters)


def test_a_batch_that_was_changed_in_place_is_read_again() -> None:
    ours, oracle = runner((Repeat(1, (Do(0),)),)), Oracle()
    batch = examples()
    for seed in range(3):
        batch["x"][...] = examples(seed=seed)["x"]
        ours.step(batch)
        oracle.do(0, batch)
    assert_same(ours.parameters(), oracle.parameters)


# ---------------------------------------------------------------- from specs

DUEL = """model Duel():
    input x: [B]
    param g: [] = 0.5
    param d: [] = 1.0
    param slow: [] = 0.5
    output fake = g * x
    loss critic = mean((d * x - 1) ** 2) + mean((d * g * x) ** 2)
    loss maker = mean((d * g * x - 1) ** 2)

train:
    data = generate(numbers, n=7)
    epochs = 3
    batch_size = 4
    repeat 2:
        minimize critic over d with sgd(lr=0.1)
    minimize maker over g with sgd(lr=0.2)
    update slow = 0.9 * slow + 0.1 * g
    every 2:
        update d = 0.99 * d

fn numbers(n: int) -> (x: [n]):
    x: [n] ~ uniform(0.5, 1.5)
    return x
"""


def model(text: str) -> ModelProgram:
    return elaborate(parse_spec(Source("plan.arch", text)))


def duel_pass(p: dict[str, float], number: int, first: Array, second: Array) -> dict[str, float]:
    """A pass of the duel by hand."""
    losses = {}
    for x in (first, second):
        losses["critic"] = float(np.mean((p["d"] * x - 1) ** 2) + np.mean((p["d"] * p["g"] * x) ** 2))
        p["d"] -= 0.1 * float(np.mean(2 * (p["d"] * x - 1) * x) + np.mean(2 * p["d"] * (p["g"] * x) ** 2))
    losses["maker"] = float(np.mean((p["d"] * p["g"] * first - 1) ** 2))
    p["g"] -= 0.2 * float(np.mean(2 * (p["d"] * p["g"] * first - 1) * p["d"] * first))
    p["slow"] = 0.9 * p["slow"] + 0.1 * p["g"]
    if number % 2 == 0:
        p["d"] *= 0.99
    return losses


def test_two_players_and_a_moving_average_equal_numpy() -> None:
    trainer = Trainer(model(DUEL), options=CPU)
    p = {"g": 0.5, "d": 1.0, "slow": 0.5}
    rng = np.random.default_rng(0)
    for number in range(1, 9):
        first, second = rng.uniform(0.5, 1.5, size=(2, 6)).astype(np.float32)
        losses = trainer.step({"x": first}, fresh=lambda given=second: {"x": given})
        assert losses == {name: pytest.approx(v, rel=1e-4) for name, v in duel_pass(p, number, first, second).items()}
        assert {path: float(array) for path, array in trainer.parameters.items()} == pytest.approx(p, rel=1e-5)


def test_fresh_batches_of_a_fit_come_from_a_stream_of_their_own_in_each_epoch() -> None:
    duel = model(DUEL)
    (trained,) = run_programs(duel, Path(), options=CPU)
    from archonnx.runtime.data.parts import split
    from archonnx.runtime.data.sources import load_source

    source = duel.programs[0].source
    assert source is not None
    x = load_source(source, Path()).fields["x"]
    train = split(7, trained.settings.split, {}).train
    p, number = {"g": 0.5, "d": 1.0, "slow": 0.5}, 0
    for epoch in (1, 2, 3):
        order, stream, sums = epoch_order(train, 0, epoch), endless_order(train, 0, epoch, 4), [0.0, 0.0]
        for rows in (order[:4], order[4:]):
            number += 1
            losses = duel_pass(p, number, x[rows], x[next(stream)])
            sums = [total + losses[name] * len(rows) for total, name in zip(sums, ("critic", "maker"), strict=True)]
        record = trained.outcome.history[epoch - 1]
        assert [record.train["critic"], record.train["maker"]] == pytest.approx([s / 7 for s in sums], rel=1e-4)
    assert {path: float(array) for path, array in trained.trainer.parameters.items()} == pytest.approx(p, rel=1e-4)


def test_a_stream_goes_through_all_examples_again_and_again() -> None:
    stream = endless_order(np.arange(10), 3, 1, 4)
    taken = [next(stream) for _ in range(9)]
    assert [len(rows) for rows in taken] == [4, 4, 2] * 3
    orders = [tuple(np.concatenate(taken[i : i + 3])) for i in (0, 3, 6)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    others = {tuple(epoch_order(np.arange(10), 3, epoch)) for epoch in range(3)}
    assert len({*orders, *others}) == 6
    unshuffled = endless_order(np.arange(3), 3, 1, 2, shuffle=False)
    assert [next(unshuffled).tolist() for _ in range(3)] == [[0, 1], [2], [0, 1]]


def test_a_loss_that_only_some_passes_report_is_averaged_over_those() -> None:
    text = DUEL.replace("    repeat 2:\n        minimize critic", "    every 2:\n        minimize critic")
    (trained,) = run_programs(model(text), Path(), options=CPU, changes={"batch_size": 7, "epochs": 4})
    assert [sorted(epoch.train) for epoch in trained.outcome.history] == [["maker"], ["critic", "maker"]] * 2
