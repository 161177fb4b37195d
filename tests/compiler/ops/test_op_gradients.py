"""The gradient of every op, and the gradient of that, against central differences in float64, at random shapes and
attributes. Where it is zero by nature, the differences say so, too."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ops import registry
from docs.op_facts import gradient_of
from tests.support.op_cases import cases
from tests.support.op_slopes import Slopes
from tests.support.op_trials import FAMILIES, Trial, trials

EXAMPLES = 5
FAMILY = {name: kind.__module__.rpartition(".")[2] for name, kind in registry().items()}
NO_SLOPE = {name for name, family in FAMILY.items() if family in ("compare", "random")} | {
    "arg_max", "arg_min", "constant", "dim_value", "from_front", "iota", "one_hot", "reduce_all", "reduce_any",
    "stop_gradient",
}  # fmt: skip
"""They take no floats, give none, or say that no gradient shall pass."""


def test_every_op_belongs_to_a_family_with_a_strategy() -> None:
    assert [name for name, family in FAMILY.items() if family not in FAMILIES] == []


def test_no_gradient_is_claimed_without_a_check() -> None:
    claimed = {name for name in registry() if gradient_of([c for c in cases() if c.op.name == name]) == "yes"}
    assert claimed & NO_SLOPE == set()


def types_of(trial: Trial) -> tuple[list[TensorType], list[TensorType]]:
    """Of its inputs, and of its results."""
    types = [TensorType.of(str(DType.from_numpy(array.dtype)), *array.shape) for array in trial.arrays]
    inferred = trial.op.infer(*types)
    return types, list(inferred) if isinstance(inferred, tuple) else [inferred]


@pytest.mark.parametrize("name", sorted(set(registry()) - NO_SLOPE))
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_gradients_of_first_and_second_order(name: str, data: st.DataObject) -> None:
    trial = data.draw(trials(name))
    types, _ = types_of(trial)
    for order in (1, 2):
        slopes = Slopes(trial.op, types, trial.arrays, order, held=trial.held)
        assert slopes.moving
        slopes.check()


@pytest.mark.parametrize("name", sorted(NO_SLOPE))
@settings(max_examples=2)
@given(data=st.data())
def test_what_has_no_slope_has_no_floats_on_one_side_or_is_refused(name: str, data: st.DataObject) -> None:
    trial = data.draw(trials(name))
    types, results = types_of(trial)
    floats = [any(type_.dtype.is_float for type_ in side) for side in (types, results)]
    assert not all(floats) or trial.op.stops_gradient or trial.op.not_differentiable
