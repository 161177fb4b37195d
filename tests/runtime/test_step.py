"""Steps on bound buffers do what a loop in NumPy does, and a step that fails changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archonnx.compiler.program import TrainStep
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.device.step import SESSIONS_KEPT, StepRunner
from tests.support.programs import LOSS, PARAMETERS, examples, numpy_step, train_step

CPU = SessionOptions(device="cpu", threads=1)


def start() -> dict[str, Any]:
    return {"w": np.array([0.5, -0.5, 0.25], np.float32), "b": np.array(0.1, np.float32)}


def runner(*steps: TrainStep, seed: int = 0) -> StepRunner:
    return StepRunner(steps, start(), seed=seed, options=CPU)


def numpy_state() -> dict[str, Any]:
    zeros = {f"momentum/{name}": np.zeros(t.static_shape or (), np.float32) for name, t in PARAMETERS.items()}
    return start() | zeros


def assert_same(ours: StepRunner, state: dict[str, Any]) -> None:
    for path, array in ours.parameters().items():
        np.testing.assert_allclose(array, state[path], rtol=2e-5, atol=2e-6)


def test_steps_equal_a_loop_in_numpy_over_batches_of_two_sizes() -> None:
    ours, state, data = runner(train_step()), numpy_state(), examples(30)
    for number in range(12):
        rows = slice(0, 20) if number % 3 else slice(20, 30)  # the shapes share the state, at either side
        batch = {name: array[rows] for name, array in data.items()}
        loss = ours.step(batch)["objective"]
        assert loss == pytest.approx(numpy_step(state, batch["x"], batch["y"]), rel=1e-5)
        assert_same(ours, state)


def test_statements_run_in_order_and_share_the_parameters_that_each_changes() -> None:
    ours = runner(train_step(("w",)), train_step(("b",)), train_step(("w", "b")))
    data = examples()
    parameters = start()
    states = [numpy_state() for _ in range(3)]  # momentum belongs to its statement
    for _ in range(7):  # three groups of tensors change sides at their own pace
        ours.step(data)
        for state, carried in zip(states, (("w",), ("b",), ("w", "b")), strict=True):
            state |= parameters
            numpy_step(state, data["x"], data["y"], carried)
            parameters = {path: state[path] for path in parameters}
        assert_same(ours, parameters)


def test_a_failed_step_leaves_the_state_whole_and_says_where_it_failed() -> None:
    data = examples(8)
    good = {**data, "group": np.zeros(8, np.int64)}
    bad = {**data, "group": np.full(8, 7)}  # beyond the table that the graph looks up
    ours, undisturbed = runner(train_step(lookup=True)), runner(train_step(lookup=True))
    for batch in (good, bad, good, bad, good):
        before = ours.parameters()
        if batch is good:
            assert ours.step(batch) == undisturbed.step(batch)
            continue
        with pytest.raises(SpecError) as caught:
            ours.step(batch)
        (finding,) = caught.value.diagnostics
        assert finding.code == "AX0612" and finding.span == LOSS.span, finding
        assert "/onnxruntime" not in finding.headline
        for path, array in ours.parameters().items():
            np.testing.assert_array_equal(array, before[path])
    for path, array in ours.parameters().items():
        np.testing.assert_array_equal(array, undisturbed.parameters()[path])


def test_draws_depend_on_the_seed_and_the_step_alone() -> None:
    data = examples(16)
    still = train_step((), noise=True)  # changes nothing, so that only the draws differ from step to step
    first, other, resumed = runner(still, seed=3), runner(still, seed=4), runner(still, seed=3)
    losses = [first.step(data)["objective"] for _ in range(3)]
    assert len({*losses, other.step(data)["objective"]}) == 4
    resumed.executed = 2
    assert resumed.step(data)["objective"] == losses[2]


def test_writing_a_parameter_is_seen_by_the_next_step_at_either_side() -> None:
    ours, data = runner(train_step()), examples()
    for number in range(3):
        for path, array in start().items():
            ours.write(path, array)
        assert ours.step(data)["objective"] == pytest.approx(numpy_step(numpy_state(), data["x"], data["y"]), rel=1e-5)
        assert ours.executed == number + 1


def test_only_so_many_batch_shapes_keep_their_sessions() -> None:
    ours, data = runner(train_step()), examples(SESSIONS_KEPT + 4)
    for rows in range(1, SESSIONS_KEPT + 5):
        ours.step({name: array[:rows] for name, array in data.items()})
    assert len(ours._passes) == SESSIONS_KEPT
