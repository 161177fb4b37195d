"""The training loop: what an epoch is, when it stops, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.program import TrainStep
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.data.batches import epoch_order
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.programs import Trained, run_programs
from tests.support.programs import examples, linear_regression, numpy_step, train_step

CPU = SessionOptions(device="cpu", threads=1)
SPLIT = {"train": 0.5, "valid": 0.25, "test": 0.25}


def run(
    settings: Mapping[str, Any],
    *,
    data: dict[str, Any] | None = None,
    steps: Sequence[TrainStep] | None = None,
    observer: Observer | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Trained:
    model = linear_regression(data, settings, steps)
    (trained,) = run_programs(model, Path(), changes=changes, options=CPU, observer=observer)
    return trained


def test_an_epoch_is_every_example_once_in_an_order_of_the_seed_and_the_epoch() -> None:
    data = examples(25)
    trained = run({"epochs": 3, "batch_size": 10, "seed": 5}, data=data)
    state: dict[str, Any] = {**run_start(5), "momentum/w": np.zeros(3), "momentum/b": 0.0}
    kept = np.random.default_rng(0).permutation(25)  # the split's seed; everything is in the train part
    for record in trained.outcome.history:
        order, total = epoch_order(kept, 5, record.number), 0.0
        assert sorted(order) == list(range(25))
        for rows in (order[:10], order[10:20], order[20:]):
            total += len(rows) * numpy_step(state, data["x"][rows], data["y"][rows])
        assert record.train["objective"] == pytest.approx(total / 25, rel=1e-5)
    np.testing.assert_allclose(trained.trainer.parameters["w"], state["w"], rtol=1e-5)


@pytest.mark.parametrize(("count", "size", "dropped"), [(25, 10, 20), (20, 10, 20), (7, 10, 7)])
def test_the_smaller_last_batch_is_left_out_where_that_is_asked(count: int, size: int, dropped: int) -> None:
    """Other examples in each epoch; a part that is smaller than a batch is one batch all the same."""
    data = examples(count)
    trained = run({"epochs": 2, "batch_size": size, "drop_last": True, "seed": 5}, data=data)
    state: dict[str, Any] = {**run_start(5), "momentum/w": np.zeros(3), "momentum/b": 0.0}
    kept = np.random.default_rng(0).permutation(count)
    for record in trained.outcome.history:
        order, total = epoch_order(kept, 5, record.number)[:dropped], 0.0
        for start in range(0, dropped, size):
            rows = order[start : start + size]
            total += len(rows) * numpy_step(state, data["x"][rows], data["y"][rows])
        assert record.train["objective"] == pytest.approx(total / dropped, rel=1e-5)
    np.testing.assert_allclose(trained.trainer.parameters["w"], state["w"], rtol=1e-5)


def run_start(seed: int) -> dict[str, Any]:
    from archonnx.runtime.training.initial import initial_value

    return {path: initial_value(parameter, seed) for path, parameter in linear_regression().parameters.items()}


def test_orders_differ_between_epochs_and_seeds_and_depend_on_nothing_else() -> None:
    indices = np.arange(50)
    orders = {(seed, epoch): tuple(epoch_order(indices, seed, epoch)) for seed in range(3) for epoch in range(3)}
    assert len(set(orders.values())) == 9
    assert orders[1, 2] == tuple(epoch_order(indices, 1, 2))
    trained = [run({"epochs": 2, "split": SPLIT, "seed": 1}).trainer.parameters["w"] for _ in range(2)]
    np.testing.assert_array_equal(*trained)


def test_measures_are_averaged_by_example_whatever_the_batches() -> None:
    measured = []
    for size in (7, 40, "all"):
        trained = run({"epochs": 1, "batch_size": size, "split": SPLIT}, steps=[train_step(())], data=examples(53))
        measured.append(trained.metrics)
    for part in ("train", "valid", "test"):
        for name in ("objective", "error"):
            assert len({round(m[part][name], 5) for m in measured}) == 1


def scripted(biases: Sequence[float], monkeypatch: pytest.MonkeyPatch, **early: Any) -> Trained:
    """A training that does nothing but set ``b`` to the next number in each epoch."""
    from archonnx.runtime.device.step import StepRunner

    step = StepRunner.step
    left = list(biases)

    def written(self: StepRunner, batch: Mapping[str, Any], fresh: object = None) -> dict[str, float]:
        losses = step(self, batch)
        self.write("b", np.array(left.pop(0), np.float32))
        return losses

    monkeypatch.setattr(StepRunner, "step", written)
    data = {"x": np.zeros((8, 3), np.float32), "y": np.zeros(8, np.float32)}  # the loss is b squared
    settings = {
        "epochs": len(biases),
        "batch_size": "all",
        "split": {"train": 0.5, "valid": 0.5},
        "early_stopping": {"monitor": "valid.objective", **early},
    }
    return run(settings, data=data, steps=[train_step(())])


def test_early_stopping_restores_the_best_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = scripted([3, 2, 1, 2, 0.9, 2, 2, 2, 0, 0], monkeypatch, patience=3)
    assert [record.best for record in trained.outcome.history] == [True, True, True, False, True, False, False, False]
    assert trained.outcome.reason == "early stopping" and trained.outcome.best == 5
    assert trained.trainer.parameters["b"] == np.float32(0.9)
    assert trained.metrics["valid"]["objective"] == pytest.approx(0.81)


def test_small_improvements_do_not_count_below_min_delta(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = scripted([1, 0.99, 0.98, 0.97, 0], monkeypatch, patience=3, min_delta=0.1)
    assert trained.outcome.best == 1 and len(trained.outcome.history) == 4


@pytest.mark.parametrize(("mode", "best"), [(None, 1), ("max", 3), ("min", 1)])
def test_losses_are_minimised_unless_said(mode: str | None, best: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scripted([1, 2, 3, 2], monkeypatch, patience=9, mode=mode).outcome.best == best


def test_a_metric_of_which_nothing_is_known_is_watched_if_mode_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match="nothing says which of its values are good"):
        scripted([1, 2, 3, 2], monkeypatch, monitor="valid.error", patience=9)
    assert scripted([1, 2, 3, 2], monkeypatch, monitor="valid.error", patience=9, mode="max").outcome.best == 3


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"early_stopping": {"monitor": "valid.objektive"}, "split": SPLIT}, "did you mean `valid.objective`"),
        ({"early_stopping": {"monitor": "train.error"}, "split": SPLIT}, "not measured during training"),
        ({"early_stopping": {"monitor": "valid.objective"}}, "the split has none"),
    ],
)
def test_a_monitor_that_is_not_measured_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match="AX0703") as caught:
        run(settings)
    assert says in str(caught.value)


def test_training_stops_at_the_first_loss_that_is_not_finite() -> None:
    data = {"x": np.zeros((40, 3), np.float32), "y": np.zeros(40, np.float32)}
    step = _to_zero(train_step(("b",), logarithm=True))  # log(b^2) is -inf once b is 0
    with pytest.raises(SpecError, match=r"epoch 2, step 1: log\(0\) is -inf") as caught:
        run({"epochs": 9, "batch_size": "all"}, data=data, steps=[step])
    assert caught.value.diagnostics[0].code == "AX0610"


def _to_zero(step: TrainStep) -> TrainStep:
    """The same step, whose new ``b`` is ``b - b``."""
    from archonnx.compiler.ir.builder import Builder
    from archonnx.grammar.record import replace

    builder = Builder()
    builder.nodes += step.graph.nodes
    with builder.active():
        zero = step.graph.inputs["b"] - step.graph.inputs["b"]
    graph = builder.graph("to_zero", step.graph.inputs, {**step.graph.outputs, "next/b": zero})
    return replace(step, graph=graph)


def test_an_interrupt_keeps_what_there_is() -> None:
    class Impatient(Observer):
        def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
            if (epoch, step) == (2, 3):
                raise KeyboardInterrupt

    trained = run({"epochs": 5, "batch_size": 10}, observer=Impatient())
    assert trained.outcome.reason == "interrupted" and len(trained.outcome.history) == 1
    assert trained.trainer.runner.executed == 4 + 3
    assert trained.metrics["train"]["objective"] > 0


def test_settings_can_be_replaced_for_a_run() -> None:
    trained = run({"epochs": 5, "split": SPLIT}, changes={"epochs": 2, "split.train": 0.25, "split.test": 0.5})
    assert len(trained.outcome.history) == 2 and trained.settings.split.test == 0.5
    for changes, code in (({"epoch": 2}, "AX0701"), ({"epochs": "two"}, "AX0702"), ({"clip_norm": 1.0}, "AX0704")):
        with pytest.raises(SpecError) as caught:
            run({}, changes=changes)
        assert [d.code for d in caught.value.diagnostics] == [code]
