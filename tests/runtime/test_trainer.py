"""The trainer's interface: parameters, gradients, predictions, and what it says about arrays that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.programs import examples, linear_regression, numpy_step, train_step

CPU = SessionOptions(device="cpu", threads=1)


def trainer(seed: int = 0, **options: Any) -> Trainer:
    return Trainer(linear_regression(), seed=seed, options=CPU, **options)


def findings(batch: Mapping[str, Any]) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        trainer().step(batch)
    return caught.value.diagnostics


def test_parameters_can_be_read_and_assigned_and_follow_the_seed() -> None:
    ours = trainer()
    assert list(ours.parameters) == ["w", "b"] and len(ours.parameters) == 2
    np.testing.assert_array_equal(ours.parameters["w"], trainer().parameters["w"])
    assert not np.array_equal(ours.parameters["w"], trainer(seed=1).parameters["w"])
    ours.parameters["w"] = [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(ours.parameters["w"], np.array([1, 2, 3], np.float32))
    copy = ours.parameters["w"]
    copy[0] = 100  # what was read is a copy
    assert ours.parameters["w"][0] == 1
    with pytest.raises(SpecError, match="1 axis is needed, not 2"):
        ours.parameters["w"] = np.zeros((3, 1), np.float32)
    with pytest.raises(SpecError, match="no parameter `W`") as caught:
        ours.parameters["W"] = np.zeros(3, np.float32)
    assert caught.value.diagnostics[0].code == "AX0609"


def test_gradients_equal_finite_differences_of_the_evaluated_loss() -> None:
    ours, data = trainer(), examples()
    gradients = ours.gradients(data)
    base = {path: np.asarray(array, np.float64) for path, array in ours.parameters.items()}
    for path, gradient in gradients.items():
        for index in np.ndindex(gradient.shape):
            losses = []
            for sign in (1, -1):
                moved = base[path].copy()
                moved[index] += sign * 1e-2
                ours.parameters[path] = moved
                losses.append(ours.evaluate(data)["objective"])
            ours.parameters[path] = base[path]
            assert gradient[index] == pytest.approx((losses[0] - losses[1]) / 2e-2, rel=1e-3, abs=1e-4)
    with pytest.raises(SpecError, match="no loss `objektive`"):
        ours.gradients(data, loss="objektive")


def test_evaluate_and_predict_use_the_parameters_of_the_moment() -> None:
    ours, data = trainer(), examples()
    for _ in range(3):  # an odd number of steps: the values lie on the second side
        ours.step(data)
        w, b = ours.parameters["w"], ours.parameters["b"]
        residual = data["x"] @ w + b - data["y"]
        measured = ours.evaluate(data)
        assert measured["objective"] == pytest.approx(float((residual**2).mean()), rel=1e-5)
        assert measured["error"] == pytest.approx(float(np.abs(residual).mean()), rel=1e-5)
        outputs = ours.predict({"x": data["x"]})
        np.testing.assert_allclose(outputs["prediction"], data["x"] @ w + b, rtol=1e-5, atol=1e-6)


def test_predict_takes_any_number_of_rows_and_fields_it_does_not_need() -> None:
    data = examples(70)
    whole, cut = (trainer(batch_size=size).predict(data)["prediction"] for size in (100, 16))
    assert cut.shape == (70,)
    np.testing.assert_allclose(cut, whole, rtol=1e-6)


def test_arrays_of_other_dtypes_are_taken_only_where_nothing_is_lost() -> None:
    data = examples()
    wide = {name: array.astype(np.float64) for name, array in data.items()}
    lists = {name: array.tolist() for name, array in data.items()}
    small = {**data, "y": np.ones(40, np.int8)}
    expected = trainer().step(data)
    assert trainer().step(wide) == expected == trainer().step(lists)
    assert np.isfinite(trainer().step(small)["objective"])
    (finding,) = findings({**data, "y": np.ones(40, np.int64)})
    assert finding.code == "AX0608" and "i64[40]" in finding.headline and "astype" in (finding.help or "")


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"x": None}, "AX0607", "`x: f32[B, 3]` is not given"),
        ({"z": np.zeros(40)}, "AX0607", "no field `z`"),
        ({"x": np.zeros((40, 4), np.float32)}, "AX0608", "axis 1 has 4 elements, not 3"),
        ({"x": np.zeros((40, 3, 1), np.float32)}, "AX0608", "2 axes are needed, not 3"),
        ({"y": np.zeros(39, np.float32)}, "AX0608", "B is 39 here and 40 in `x`"),
        ({"y": np.array(["a"] * 40)}, "AX0608", "'a' in row 0 is a text"),
        ({"y": [[1.0], [1.0, 2.0]]}, "AX0608", "its rows differ in length"),
    ],
)
def test_wrong_batches_are_told_by_field(change: dict[str, Any], code: str, says: str) -> None:
    batch = {name: array for name, array in {**examples(), **change}.items() if array is not None}
    assert [d.code for d in findings(batch) if says in d.headline] == [code]


def test_all_mistakes_of_a_batch_are_told_at_once() -> None:
    wrong = {"x": np.zeros((40, 4), np.float32), "y": np.zeros((40, 1), np.float32)}
    assert len(findings(wrong)) == 2


def test_a_batch_that_was_found_good_is_still_checked_when_its_form_changes() -> None:
    ours, data = trainer(), examples()
    ours.step(data)
    ours.step(data)
    with pytest.raises(SpecError):
        ours.step({**data, "y": data["y"].astype(np.int64)})
    state = {**ours.parameters, "momentum/w": np.zeros(3), "momentum/b": 0.0}
    numpy_step(state, data["x"], data["y"])
    fresh = trainer()
    fresh.parameters["w"], fresh.parameters["b"] = ours.parameters["w"], ours.parameters["b"]
    fresh.step({name: array.astype(np.float64) for name, array in data.items()})
    np.testing.assert_allclose(fresh.parameters["w"], state["w"], rtol=1e-5)


def test_a_model_without_statements_says_so() -> None:
    ours = Trainer(linear_regression(steps=()), options=CPU)
    with pytest.raises(SpecError, match="no `minimize` statement"):
        ours.step(examples())
    assert train_step().losses == ("objective",)
