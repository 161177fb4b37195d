"""The library's activations: values by NumPy in both float types, gradients by central differences."""

from __future__ import annotations

import numpy as np
import pytest

from archonnx.compiler.ir.types import DType
from tests.support.derivatives import check_gradient
from tests.support.elaborated import codes, expression, initial, loss_and_gradients, model, numbers, output, program
from tests.support.oracles.activations import ACTIVATIONS, FLAT

X = numbers(5, 4, low=-4, high=8)
X[0, 0] = 0


@pytest.mark.parametrize("call", ACTIVATIONS)
def test_values(call: str) -> None:
    expected = ACTIVATIONS[call](X.astype(np.float64))
    np.testing.assert_allclose(expression(call, x=X), expected, rtol=1e-5, atol=2e-6)
    double = expression(call, float_type=DType.f64, x=X.astype(np.float64))
    assert double.dtype == np.float64
    np.testing.assert_allclose(double, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("call", [call for call in ACTIVATIONS if call not in FLAT])
def test_gradients(call: str) -> None:
    check_gradient(call.replace("(x", "(w"), "", X[1:], {}, "")


@pytest.mark.parametrize(
    "call", ["silu(x)", "mish(x)", "elu(x)", "celu(x, 0.5)", "log_sigmoid(x)", "softmin(x)", "swiglu(x)"]
)
def test_large_numbers_overflow_nothing(call: str) -> None:
    large = np.array([[-1e4, 1e4, 0, -90]], np.float32)
    of = program(model(f"param w: [1, 4] = 0\nloss objective = sum({call.replace('x', 'w')}) + 0 * sum(x)"))
    assert np.isfinite(expression(call, x=large)).all()
    assert np.isfinite(loss_and_gradients(of, "objective", {"w": large, "x": large})["w"]).all()


def test_temperature_may_be_a_tensor_and_is_positive() -> None:
    hot = expression("softmax(x, temperature=t)", "x: [B, 4]; t: []", x=X, t=np.float32(3))
    np.testing.assert_allclose(hot, expression("softmax(x / 3)", x=X), rtol=1e-5)
    assert codes(model("output y = softmax(x, temperature=0)")) == ["AX0311"]


def test_prelu_has_a_slope_for_each_unit_of_an_axis() -> None:
    of = program(model("output y = x |> PRelu(0.1, units=3, axis=1)", "x: [B, 3, H]"))
    x, slope = numbers(2, 3, 5), np.array([0.2, -1, 3], np.float32)
    np.testing.assert_allclose(initial(of)["p_relu.slope"], np.full(3, 0.1, np.float32))
    expected = np.where(x > 0, x, slope[:, None] * x)  # with 3, max(slope x, x) would be another function
    np.testing.assert_allclose(output(of, {"p_relu.slope": slope}, x=x), expected, rtol=1e-6)
    one = program(model("output y = x |> PRelu"))
    np.testing.assert_allclose(output(one, x=X), np.where(X > 0, X, 0.25 * X), rtol=1e-6)
    assert codes(model("output y = x |> PRelu(units=3)")) == ["AX0302"]


def test_prelu_learns_its_slope() -> None:
    text = model(
        "y = x |> PRelu\nloss objective = mse(y, where(x > 0, x, -2 * x))",
        after="\ntrain:\n    minimize objective with sgd\n",
    )
    gradient = loss_and_gradients(program(text), "objective", {"p_relu.slope": np.float32([0.25]), "x": X})
    np.testing.assert_allclose(gradient["p_relu.slope"], [2 * np.mean(np.where(X > 0, 0, 2.25 * X * X))], rtol=1e-5)


def test_maxout_is_the_largest_of_affine_maps() -> None:
    of = program(model("output y = x |> Maxout(3, pieces=2)"))
    p = initial(of)
    affine = X @ p["maxout.dense.W"] + p["maxout.dense.b"]
    np.testing.assert_allclose(output(of, x=X), affine.reshape(5, 3, 2).max(-1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("call", ["glu(x)", "swiglu(x)", "maxout(x)"])
def test_what_does_not_divide_is_told(call: str) -> None:
    assert codes(model(f"output y = {call}", "x: [B, 5]")) == ["AX0319"]
