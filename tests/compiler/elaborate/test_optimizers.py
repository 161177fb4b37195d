"""Training statements against steps computed by hand in float64."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import train_steps
from archonnx.compiler.steps import initial_state
from tests.support.elaborated import codes, findings, initial, model, numbers, outputs, program, run_steps, train_step
from tests.support.oracles.onnx_training import OPERATORS
from tests.support.oracles.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    adam,
    nadam,
    radam,
    rmsprop,
    sgd,
    trajectory,
    warmup_cosine,
)
from tests.support.pointwise import run

X, Y = numbers(6, 3), numbers(6, seed=1)
START = {"w": numbers(3, seed=2), "b": np.float32(0.3)}
BODY = "param w: [3] = 0\nparam b: [] = 0, decay=false\nloss objective = mse(sum(x * w, axis=1) + b, y)"
STEPS = 4

Parameters = dict[str, Any]


def slopes(p: Parameters) -> Parameters:
    """The gradient of the mean squared error of ``x w + b``."""
    residual = X @ p["w"] + p["b"] - Y
    return {"w": 2 * (residual[:, None] * X).mean(0), "b": 2 * residual.mean()}


def history(written: str, steps: int, settings: str = "", float_type: DType = DType.f32) -> list[Parameters]:
    """Parameters after each step of an optimizer."""
    after = f"\ntrain:\n    {settings}\n    minimize objective with {written}\n"
    of = program(model("target y: [B]\n" + BODY, "x: [B, 3]", after=after), float_type=float_type)
    dtype = float_type.numpy
    given = {name: np.asarray(value, dtype) for name, value in {**START, "x": X, "y": Y}.items()}
    return run_steps(train_step(of), {name: given[name] for name in START}, given, steps)


@pytest.mark.parametrize("written", OPTIMIZERS)
def test_steps_by_hand(written: str) -> None:
    expected = list(trajectory(OPTIMIZERS[written], START, slopes, 12))
    for actual, wanted in zip(history(written, 12, float_type=DType.f64), expected, strict=True):
        for name in START:
            np.testing.assert_allclose(actual[name], wanted[name], rtol=1e-9, atol=1e-12)
    for actual, wanted in zip(history(written, STEPS), expected, strict=False):
        for name in START:
            np.testing.assert_allclose(actual[name], wanted[name], rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("written", OPERATORS)
def test_steps_of_onnx(written: str) -> None:
    """ONNX's training operators, by its reference implementation."""
    expected = trajectory(OPERATORS[written], START, slopes, 12)
    for actual, wanted in zip(history(written, 12, float_type=DType.f64), expected, strict=True):
        for name in START:
            np.testing.assert_allclose(actual[name], wanted[name], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("written", SCHEDULES)
def test_rates_by_hand(written: str) -> None:
    after = f"\ntrain:\n    minimize objective with sgd(lr={written})\n"
    of = program(model("param w: [] = 0\nloss objective = w * mean(x)", "x: [B]", after=after))
    steps = run_steps(train_step(of), {"w": np.float32(0)}, {"x": np.ones(3, np.float32)}, 12)
    rates = -np.diff([0.0, *(state["w"] for state in steps)])
    np.testing.assert_allclose(rates, [SCHEDULES[written](t) for t in range(1, 13)], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("limit", [0.05, 1e3])
def test_clip_norm_scales_all_gradients_together(limit: float) -> None:
    def clipped(p: Parameters) -> Parameters:
        g = slopes(p)
        norm = np.sqrt(sum(np.sum(v**2) for v in g.values()))
        return {name: v * min(1, limit / norm) for name, v in g.items()}

    after = f"\ntrain:\n    clip_norm = {limit}\n    minimize objective with sgd(lr=1.0)\n"
    of = program(model("target y: [B]\n" + BODY, "x: [B, 3]", after=after))
    history = run_steps(train_step(of), START, {"x": X, "y": Y}, STEPS)
    for actual, expected in zip(history, trajectory(sgd(1.0), START, clipped, STEPS), strict=True):
        np.testing.assert_allclose(actual["w"], expected["w"], rtol=2e-3, atol=2e-5)


def test_clip_value_bounds_each_element_before_the_norm() -> None:
    def clipped(p: Parameters) -> Parameters:
        g = {name: np.clip(v, -3.0, 3.0) for name, v in slopes(p).items()}
        norm = np.sqrt(sum(np.sum(v**2) for v in g.values()))
        return {name: v * min(1, 4 / norm) for name, v in g.items()}

    first = slopes({name: np.float64(value) for name, value in START.items()})
    assert abs(first["w"]).max() > 3 > abs(first["w"]).min(), "some are beyond, some not"
    steps = history("sgd(lr=0.1)", STEPS, "clip_norm = 4\n    clip_value = 3")
    for actual, expected in zip(steps, trajectory(sgd(0.1), START, clipped, STEPS), strict=True):
        np.testing.assert_allclose(actual["w"], expected["w"], rtol=2e-3, atol=2e-5)


def test_steps_know_how_many_there_are() -> None:
    after = "\ntrain:\n    minimize objective with sgd(lr=warmup_cosine(1.0, steps_per_epoch, steps))\n"
    of = program(model("param w: [] = 0\nloss objective = w * mean(x)", "x: [B]", after=after))
    (step,) = train_steps(of, of.programs[0], 6, 2)
    history = run_steps(step, {"w": np.float32(0)}, {"x": np.ones(3, np.float32)}, 6)
    rates = -np.diff([0.0, *(state["w"] for state in history)])
    np.testing.assert_allclose(rates, [warmup_cosine(1.0, 2, 6)(t) for t in range(1, 7)], atol=1e-6)


def test_frozen_parameters_are_constants() -> None:
    after = "\ntrain:\n    minimize objective with sgd(lr=0.1)\n"
    body = "param a: [] = 1, trainable=false\nparam w: [] = 2\nloss objective = a * w * mean(x)"
    step = train_step(program(model(body, "x: [B]", after=after)))
    assert set(step.carried) >= {"w"} and "a" not in step.carried and set(step.constants) == {"a"}


def test_states_belong_to_the_statement() -> None:
    after = "\ntrain:\n    minimize first with adam\n    minimize second with adam\n"
    of = program(model("param w: [] = 1\nloss first = w * mean(x)\nloss second = w * w", "x: [B]", after=after))
    one, two = train_steps(of, of.programs[0], None, None)
    assert set(one.initial).isdisjoint(two.initial)
    assert one.minimized == ("first",) and two.minimized == ("second",)


def test_an_optimizer_of_ones_own() -> None:
    before = (
        "optimizer lion(lr: float = 0.1, beta: float = 0.9)(p: [...S], g: [...S], t: i64[]) -> [...S]:\n"
        "    state m: [...S] = 0\n    state count: i64[] = 5\n"
        "    step = sign(beta * m + (1 - beta) * g)\n    m = beta * m + (1 - beta) * g\n    count = count + 1\n"
        "    return p - lr * step / f32(count)\n"
    )
    of = program(
        model(
            "param w: [2] = 0\nloss objective = sum(w) * mean(x)",
            "x: [B]",
            before,
            "\ntrain:\n    minimize objective with lion\n",
        )
    )
    history = run_steps(train_step(of), initial(of), {"x": np.ones(2, np.float32)}, 2)
    np.testing.assert_allclose(history[-1]["w"], -0.1 * (1 / 6 + 1 / 7) * np.ones(2), rtol=1e-5)


@pytest.mark.parametrize(("train", "code"), [
    ("minimize loss1 with adam", "AX0218"),
    ("minimize objective with relu", "AX0306"),
    ("minimize objective with adam(rate=1)", "AX0202"),
    ('minimize objective with adam(lr="fast")', "AX0306"),
    ("minimize objective with adam(lr=warmup_cosine)", "AX0306"),
    ("minimize objective with adam(lr=warmup_cosine(1, 2))", "AX0203"),
    ("epoch = 3", "AX0701"),
    ("epochs = 0", "AX0702"),
    ("batch_size = half", "AX0702"),
    ("split = {train: 0.8, valid: 0.1}", "AX0702"),
    ('data = cvs("a.csv")', "AX0705"),
    ("feed z = data.z", "AX0706"),
    ("output y = 3", "AX0212"),
    ("epochs = 3\n    epochs = 4", "AX0205"),
])  # fmt: skip
def test_refused(train: str, code: str) -> None:
    text = model("param w: [] = 1\nloss objective = w * mean(x)", "x: [B]", after=f"\ntrain:\n    {train}\n")
    assert codes(text) == [code]


def test_mistakes_of_a_train_block_are_told_together() -> None:
    train = "    epoch = 3\n    batch_size = 0\n    feed z = data.z\n    data = cvs(1)\n"
    text = model("param w: [] = 1\nloss objective = w * mean(x)", "x: [B]", after=f"\ntrain:\n{train}")
    assert sorted(f.code for f in findings(text)) == ["AX0701", "AX0702", "AX0705", "AX0706"]


# ---------------------------------------------------------------- Newton's method


def newton(text: str, parameters: Parameters, fields: Parameters) -> Parameters:
    """Parameters after one step of ``update net = newton_step(...)`` in float64."""
    (state,) = run_steps(train_step(program(text, float_type=DType.f64)), parameters, fields, 1)
    return state


@pytest.mark.parametrize("damping", [0.0, 0.5])
def test_a_newton_step_by_hand(damping: float) -> None:
    """Logistic regression: H = X^T diag(q (1 - q)) X / n, with a column of ones for the bias."""
    after = f"\ntrain:\n    update net = newton_step(objective, net, {damping})\n"
    text = model("target y: [B, 1]\nnet = Dense(1)\nloss objective = bce_logits(net(x), y)", "x: [B, 3]", after=after)
    x, y = X.astype(np.float64), (Y[:, None] > 0).astype(np.float64)
    start = np.array([0.1, -0.2, 0.3, 0.05])
    got = newton(text, {"net.W": start[:3, None], "net.b": start[3:]}, {"x": x, "y": y})
    ones = np.hstack([x, np.ones((6, 1))])
    q = 1 / (1 + np.exp(-ones @ start))
    slope = ones.T @ (q - y[:, 0]) / 6
    curvature = ones.T @ ((q * (1 - q))[:, None] * ones) / 6 + damping * np.eye(4)
    expected = start - np.linalg.solve(curvature, slope)
    np.testing.assert_allclose(np.append(got["net.W"], got["net.b"]), expected, rtol=1e-9)


def test_the_hessian_of_a_module_is_that_of_its_parameters() -> None:
    body = "net = MLP([2, 1], activation=tanh)\ny = net(x)\nh = module_hessian(sum(y * y), net)\n"
    body += "output symmetric = h - transpose(h)\noutput last = h[-1, -1]"
    results = outputs(model(body, "x: [6, 3]"), x=X)
    np.testing.assert_allclose(results["symmetric"], np.zeros((11, 11)), atol=1e-4)
    np.testing.assert_allclose(results["last"], 2 * 6)  # the last bias: sum (w h + b)^2


def _first_steps(written: str, where: str, numbers_of_steps: list[int], slope: float) -> list[float]:
    """How far a parameter at 0 moves in one step of that number, from states of 0, in f32."""
    after = f"\ntrain:\n    minimize objective with {written}\n"
    of = program(model("param w: [] = 0\nloss objective = w * mean(x)", "x: [B]", after=after))
    step = train_step(of)
    given: dict[str, Any] = {"x": np.full(2, slope), "w": 0.0, **initial_state(step)}
    (count,) = (name for name in step.initial if name.endswith("/t"))
    return [float(run(step.graph, {**given, count: t - 1}, where)["next/w"]) for t in numbers_of_steps]


BETAS = [0.9, 0.999, 0.9999, 0.99999, 0.999999, 0.99999999]
CORRECTED = {"adam": adam, "adamw": lambda **a: adam(**a, weight_decay=0.01), "nadam": nadam, "radam": radam}


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("beta2", BETAS)
@pytest.mark.parametrize("name", CORRECTED)
def test_corrections_of_running_means_keep_their_digits(name: str, beta2: float, where: str) -> None:
    """1 - beta ** t in f32 is 0.14% off for 0.99999 and 0 for 0.99999999; the length that radam asks is off by whole
    steps, so that it adapts too early. In f64 by hand, with 1 - beta ** t by expm1."""
    numbers = [1, 2, 3, 5, 6, 7, 10, 100, 10_000]
    rule = CORRECTED[name](lr=1.0, beta2=beta2)
    expected = [float(rule(t, np.zeros(()), np.asarray(0.5), {}, True)) for t in numbers]
    actual = _first_steps(f"{name}(lr=1.0, beta2={beta2})", where, numbers, 0.5)
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("dtype", [DType.f32, DType.f64])
@pytest.mark.parametrize("beta", [0.5, *BETAS])
def test_the_averaged_length_of_radam_in_fractions(beta: float, dtype: DType, where: str) -> None:
    graph = program(model(f"output length = averaged_length({beta}, t)", "t: i64[]"), float_type=dtype).infer
    exact = Fraction(beta)
    for t in (1, 2, 3, 4, 5, 6, 10, 60, 400):
        length = 2 / (1 - exact) - 1 - 2 * t * exact**t / (1 - exact**t)
        assert run(graph, {"t": t}, where)["length"] == pytest.approx(
            float(length), rel=1e-6 if dtype is DType.f32 else 1e-8
        )


@pytest.mark.parametrize("name", ["adam", "adamw", "nadam", "radam", "adamax"])
def test_beta1_of_zero_is_no_mean(name: str) -> None:
    assert np.isfinite(_first_steps(f"{name}(lr=1.0, beta1=0.0)", "numpy", [1, 2, 1000], 0.5)).all()


@pytest.mark.parametrize("eps_in_root", ["true", "false"])
def test_a_centred_variance_never_cancels(eps_in_root: str) -> None:
    """A gradient of 100 plus noise of 0.01: G - m^2 of f32 has no digits of the variance, which is 1e-4."""
    of = program(
        model(
            "param w: [] = 0\nloss objective = w * mean(x)",
            "x: [B]",
            after=f"\ntrain:\n    minimize objective with rmsprop(1.0, 0.9, 1e-3, centred=true, eps_in_root={eps_in_root})\n",
        )
    )
    step = train_step(of)
    noise = np.random.default_rng(0).normal(size=200)
    rule, by_hand = rmsprop(1.0, 0.9, 1e-3, centred=True, in_root=eps_in_root == "true"), {}
    state: dict[str, Any] = {"w": np.float32(0), **initial_state(step)}
    w = np.zeros(())
    for t, shift in enumerate(noise, 1):
        g = np.float32(100 + 0.01 * shift)
        result = run(
            step.graph,
            {name: {**state, "x": np.full(1, g), "step": t - 1}[name] for name in step.graph.inputs},
            "numpy",
        )
        moved, before = float(result["next/w"] - state["w"]), w
        w = rule(t, w, np.asarray(g, np.float64), by_hand, True)
        if t > 150:  # by then the start is forgotten
            assert moved == pytest.approx(float(w - before), rel=0.02)
        state = {name: result[f"next/{name}"] for name in step.carried} | {"w": np.float32(0)}
        w = np.zeros(())


@pytest.mark.parametrize(
    "states", ["state h: [...S] = 0\n    state h: [...S] = 1", "for i in [0, 1]:\n        state h: [...S] = i"]
)
def test_a_state_is_declared_once(states: str) -> None:
    optimizer = f"optimizer o()(p: [...S], g: [...S], t: i64[]) -> [...S]:\n    {states}\n    return p - g * h\n"
    loss = "loss l = mean(Dense(1)(x))"
    assert codes(model(loss, before=optimizer, after="\ntrain:\n    minimize l with o\n")) == ["AX0205"]


@pytest.mark.parametrize("name", ["seed", "step"])
def test_results_are_not_named_like_what_draws_take(name: str) -> None:
    assert codes(model(f"output {name} = x")) == codes(model(f"loss {name} = mean(x)")) == ["AX0205"]
