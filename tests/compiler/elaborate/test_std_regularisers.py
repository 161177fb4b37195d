"""The library's penalties, constraints, noise and dropout against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.compiler.steps import initial_state
from tests.support.derivatives import check_gradient
from tests.support.elaborated import (
    SEED,
    codes,
    expression,
    initial,
    model,
    numbers,
    output,
    program,
    run_steps,
    train_step,
)  # fmt: skip

X = numbers(5, 4)
KERNELS = numbers(3, 2, 5, seed=4)


def gram(w: Array) -> Array:
    return w.T @ w if w.shape[1] <= w.shape[0] else w @ w.T


def off(w: Array) -> float:
    """Squared distance of the smaller Gram matrix from the identity."""
    return float(((gram(w) - np.eye(min(w.shape))) ** 2).sum())


def sparsity(a: Array, share: float) -> float:
    """Divergence of the mean activity of each sigmoid unit from a share."""
    means = (1 / (1 + np.exp(-a))).mean(axis=0)
    return float((share * np.log(share / means) + (1 - share) * np.log((1 - share) / (1 - means))).sum())


@pytest.mark.parametrize(("call", "expected"), [
    ("l2(x)", (X**2).sum()),
    ("l2(x, 0.1)", 0.1 * (X**2).sum()),
    ("l1(x, weight=0.1)", 0.1 * abs(X).sum()),
    ("elastic_net(x)", 0.5 * abs(X).sum() + 0.25 * (X**2).sum()),
    ("elastic_net(x, 0.1, l1_share=0.9)", 0.09 * abs(X).sum() + 0.005 * (X**2).sum()),
    ("elastic_net(x, 0.1, l1_share=0)", 0.05 * (X**2).sum()),
    ("activity(x)", (X**2).sum(-1).mean()),
    ("activity(x, 0.1, power=1)", 0.1 * abs(X).sum(-1).mean()),
    ("activity(x, power=3)", (abs(X) ** 3).sum(-1).mean()),
    ("kl_sparsity(sigmoid(x), 0.2)", sparsity(X, 0.2)),
    ("kl_sparsity(sigmoid(x), share=0.5, weight=3)", 3 * sparsity(X, 0.5)),
    ("orthogonality(x)", off(X)),
    ("orthogonality(transpose(x), 0.5)", 0.5 * off(X)),
])  # fmt: skip
def test_penalties(call: str, expected: float) -> None:
    np.testing.assert_allclose(expression(call, "x: [5, 4]", x=X), expected, rtol=1e-5)
    check_gradient(call.replace("(x", "(w"), "", X, {}, "")


def test_a_unit_that_is_always_silent_costs_a_finite_amount() -> None:
    silent = np.zeros((3, 1), np.float32)
    assert 0.5 < expression("kl_sparsity(x)", "x: [3, 1]", x=silent) < 1
    assert codes(model("output y = kl_sparsity(x, share=0)")) == ["AX0319"]


def test_penalties_of_modules_go_over_their_parameters() -> None:
    of = program(
        model("net = Dense(2)\ny = net(x)\noutput z = l2(net, 0.5) + l1(net) + orthogonality(net, 2) + 0 * sum(y)")
    )
    w, b = numbers(4, 2, seed=5), numbers(2, seed=6)
    expected = 0.5 * ((w**2).sum() + (b**2).sum()) + abs(w).sum() + abs(b).sum() + 2 * off(w)
    np.testing.assert_allclose(output(of, {"net.W": w, "net.b": b}, x=X), expected, rtol=1e-5)


def test_orthogonality_of_kernels_takes_filters_as_rows() -> None:
    actual = expression("orthogonality(x)", "x: [3, 2, 5]", x=KERNELS)
    np.testing.assert_allclose(actual, off(KERNELS.reshape(3, 10)), rtol=1e-5)


def test_max_norm_bounds_each_unit() -> None:
    w = expression("max_norm(x, 3)", "x: [5, 4]", x=X)
    norms = np.linalg.norm(X, axis=0)
    np.testing.assert_allclose(w, X * np.minimum(1, 3 / norms), rtol=1e-5)
    assert norms.max() > 3 > norms.min(), "some are beyond, some not"
    kernels = expression("max_norm(x)", "x: [3, 2, 5]", x=KERNELS)
    assert np.linalg.norm(kernels.reshape(3, -1), axis=1).max() <= 3 + 1e-5
    np.testing.assert_array_equal(expression("max_norm(x, 0.1)", "x: [B]", x=X[0]), X[0])
    np.testing.assert_array_equal(expression("max_norm(x)", "x: [5, 4]", x=0 * X), 0 * X)


def test_max_norm_as_a_statement_of_a_program() -> None:
    train = "\ntrain:\n    minimize objective with sgd(lr=1.0)\n    update net = map(max_norm(limit=0.5), net)\n"
    of = program(model("target y: [B, 2]\nnet = Dense(2)\nloss objective = mse(net(x), 9 * y)", after=train))
    constrain = train_step(of, 1)
    (state,) = run_steps(constrain, {"net.W": 3 * X[:4, :2], "net.b": np.float32([7, 8])}, {}, 1)
    assert np.linalg.norm(state["net.W"], axis=0) == pytest.approx(0.5)
    assert state["net.b"].tolist() == [7, 8]


# ---------------------------------------------------------------- noise


def trained(body: str, inputs: str, after: str = "", **values: Array) -> Array:
    """The loss ``objective`` as a training step computes it: the body's ``r``, squared up with an unknown ``y``."""
    text = model(
        f"param p: [] = 0\n{body}\nloss objective = mean(r) + p",
        inputs,
        after="\ntrain:\n    minimize objective with sgd(lr=0.0)\n",
    )
    step = train_step(program(text))
    given = {**initial(program(text)), **initial_state(step), "seed": SEED, "step": 3, **values}
    return interpret(step.graph, {name: given[name] for name in step.graph.inputs})["objective"]


ONES = np.ones((400, 50), np.float32)


@pytest.mark.parametrize(("block", "mean"), [
    ("Dropout(0.3)", 1.0),
    ("Dropout(0.3, scale=test_time)", 0.7),
    ("SpatialDropout(0.3)", 1.0),
    ("SpatialDropout(0.3, scale=test_time)", 0.7),
    ("DropPath(0.3)", 1.0),
    ("DropPath(0.3, test_time)", 0.7),
    ("GaussianNoise(0.5)", 1.0),
])  # fmt: skip
def test_the_mean_in_training_is_the_output_in_use(block: str, mean: float) -> None:
    in_training = trained(f"r = x |> {block}", "x: [400, 50]", x=ONES)
    in_use = output(model(f"output y = x |> {block}"), x=ONES[:, :4])
    assert in_training == pytest.approx(mean, abs=0.1)
    np.testing.assert_allclose(in_use, mean, rtol=1e-6)


def test_noise_has_its_spread_in_training_alone() -> None:
    assert trained("r = (GaussianNoise(0.5)(x) - x) ** 2", "x: [400, 50]", x=ONES) == pytest.approx(0.25, rel=0.05)
    assert trained("r = (GaussianNoise(0)(x) - x) ** 2", "x: [400, 50]", x=ONES) == 0


@pytest.mark.parametrize(
    ("block", "axes"), [("Dropout(0.5)", ()), ("SpatialDropout(0.5)", (2, 3)), ("DropPath(0.5)", (1, 2, 3))]
)
def test_what_is_dropped_together(block: str, axes: tuple[int, ...]) -> None:
    """Deviations within a group that is dropped as a whole, and between groups."""
    keep = f"{list(axes)}"
    within = f"r = (y - mean(y, axis={keep}, keep=true)) ** 2" if axes else "r = 0 * y"
    x = np.ones((30, 20, 3, 4), np.float32)
    assert trained(f"y = x |> {block}\n{within}", "x: [30, 20, 3, 4]", x=x) == pytest.approx(0, abs=1e-12)
    assert trained(f"y = x |> {block}\nr = (y - mean(y)) ** 2", "x: [30, 20, 3, 4]", x=x) == pytest.approx(1, abs=0.2)


def test_weight_noise_is_drawn_for_each_parameter_in_training_alone() -> None:
    body = "net = Dense(50, init=zeros)\nplain = net(x)\nloud = weight_noise(net, 0.5)\n"
    given = {"x": ONES[:, :2]}
    both = f"{body}r = stack([mean(loud.W ** 2), mean(loud.b ** 2), mean(loud.W[0] * loud.b) + 0 * sum(plain)])"
    assert trained(f"{both}[0]", "x: [400, 2]", **given) == pytest.approx(0.25, rel=0.4)
    assert trained(f"{both}[1]", "x: [400, 2]", **given) == pytest.approx(0.25, rel=0.5)
    assert abs(trained(f"{both}[2]", "x: [400, 2]", **given)) < 0.15, "the draws of two parameters are independent"
    silent = output(model(f"{body}output y = loud(x) - plain", "x: [B, 2]"), x=ONES[:, :2])
    np.testing.assert_array_equal(silent, 0 * silent)


@pytest.mark.parametrize("call", ["Dropout(1.0)", "Dropout(-0.1)", "DropPath(2)"])
def test_a_rate_is_a_probability_below_1(call: str) -> None:
    assert codes(model(f"output y = x |> {call}")) == ["AX0319"]
