"""Optimizers, schedules, clipping, Newton's method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import DType
from tests.support.oracles.activations import sigmoid
from tests.support.oracles.onnx_training import OPERATORS
from tests.support.oracles.optimizers import OPTIMIZERS, SCHEDULES, Rule, trajectory

from ..facts import Measured, Row
from ..training import diabetes, train, trainer_of

ROW = Row(
    "1.7",
    "Gradient descent and its kin: momentum, adaptive rates, schedules, clipping, Newton's method",
    "003 6.1 to 6.6; 002 2.3",
    ("newton_quadratic", "newton_logistic", "diabetes_descent"),
)
STEPS = 20
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(6, 3)), RNG.normal(size=6)
START = {"w": np.array([0.5, -1.0, 0.25]), "b": np.array(0.3)}


def slopes(p: Mapping[str, Any]) -> dict[str, Any]:
    """The gradient of the mean squared error of ``x w + b``."""
    residual = X @ p["w"] + p["b"] - Y
    return {"w": 2 * (residual[:, None] * X).mean(0), "b": 2 * residual.mean()}


def steps_of(optimizers: Iterable[str], settings: str = "") -> list[list[dict[str, Any]]]:
    """The steps of each optimizer on parameters of its own, all in one graph."""
    written = list(optimizers)
    body, statements = [], []
    for i, optimizer in enumerate(written):
        body.append(f"    param w{i}: [3] = {START['w'].tolist()}")
        body.append(f"    param b{i}: [] = {float(START['b'])}, decay=false")
        body.append(f"    loss loss{i} = mse(sum(x * w{i}, axis=1) + b{i}, y)")
        statements.append(f"        minimize loss{i} over w{i}, b{i} with {optimizer}")
    model = "model Many():\n    input x: [B, 3]\n    target y: [B]\n" + "\n".join(body)
    text = f"{model}\n\ntrain:\n    {settings}\n    together:\n" + "\n".join(statements) + "\n"
    trainer = trainer_of(text, DType.f64, batch_size=len(X))
    history: list[list[dict[str, Any]]] = [[] for _ in written]
    for _ in range(STEPS):
        trainer.step({"x": X, "y": Y})
        values = trainer.parameters
        for i, states in enumerate(history):
            states.append({name: values[f"{name}{i}"] for name in START})
    return history


def gap(rules: Mapping[str, Rule]) -> float:
    """The largest difference between the steps on onnxruntime and those by hand, relative to the parameter's size."""
    worst = 0.0
    for states, rule in zip(steps_of(rules), rules.values(), strict=True):
        for state, expected in zip(states, trajectory(rule, START, slopes, STEPS), strict=True):
            for name in START:
                size = np.maximum(abs(expected[name]), 1e-3)
                worst = max(worst, float((abs(state[name] - expected[name]) / size).max()))
    return worst


@ROW.fact(f"{len(OPTIMIZERS)} settings of 10 optimizers: {STEPS} steps in float64 are those by hand, to 1e-9")
def by_hand() -> Measured:
    """Batch descent, momentum, Nesterov, AdaGrad, RMSProp, AdaDelta, Adam, AdamW, NAdam, RAdam, AdaMax, Lion."""
    worst = gap(OPTIMIZERS)
    return Measured(f"{worst:.0e}", worst <= 1e-9)


@ROW.fact("AdaGrad, momentum, Nesterov and Adam are ONNX's training operators, converted, to 1e-8")
def as_onnx() -> Measured:
    """ONNX's Adam corrects the bias after the quotient: its epsilon is ours times sqrt(1 - beta2^t)."""
    worst = gap(OPERATORS)
    return Measured(f"{worst:.0e}", worst <= 1e-8)


@ROW.fact(f"{len(SCHEDULES)} settings of 12 schedules: the rates of {STEPS} steps are those by hand, to 1e-9")
def rates() -> Measured:
    """A parameter whose gradient is 1 moves by the rate."""
    lines = [f"    param w{i}: [] = 0\n    loss loss{i} = w{i} * mean(x)" for i in range(len(SCHEDULES))]
    steps = [f"        minimize loss{i} over w{i} with sgd(lr={s})" for i, s in enumerate(SCHEDULES)]
    text = "model Rates():\n    input x: [B]\n" + "\n".join(lines) + "\n\ntrain:\n    together:\n" + "\n".join(steps)
    trainer = trainer_of(text + "\n", DType.f64, batch_size=len(X))
    worst, before = 0.0, np.zeros(len(SCHEDULES))
    for t in range(1, STEPS + 1):
        trainer.step({"x": np.ones(6)})
        after = np.array([trainer.parameters[f"w{i}"] for i in range(len(SCHEDULES))])
        worst = max(worst, float(abs(before - after - [rate(t) for rate in SCHEDULES.values()]).max()))
        before = after
    return Measured(f"{worst:.0e}", worst <= 1e-9)


@ROW.fact("Nesterov's gradient is taken at w + beta v, to 1e-9; the form that adds the velocity twice goes elsewhere")
def nesterov() -> Measured:
    """In the place where the gradient is taken, `sgd(nesterov=true)` is the original; 003 6.3.2 prints another step."""
    lr, beta = 0.1, 0.9
    ours = steps_of([f"sgd({lr}, momentum={beta}, nesterov=true)"])[0]
    w, v = np.append(START["w"], START["b"]), np.zeros(4)
    twice, u = w.copy(), np.zeros(4)

    def slope(at: Any) -> Any:
        g = slopes({"w": at[:3], "b": at[3]})
        return np.append(g["w"], g["b"])

    worst, apart = 0.0, 0.0
    for state in ours:
        v = beta * v - lr * slope(w + beta * v)
        w = w + v
        ahead = np.append(state["w"], state["b"])
        worst = max(worst, float(abs(ahead - (w + beta * v)).max()))
        shifted = twice + u
        u = beta * u - lr * slope(shifted)
        twice = shifted + u
        apart = max(apart, float(abs(twice - w).max()))
    return Measured(f"{worst:.0e}; the printed form up to {apart:.1f} away", worst <= 1e-9 and apart > 0.1)


@ROW.fact("clipping bounds each step: every element by clip_value, the norm of all together by clip_norm")
def clipping() -> Measured:
    """With a rate of 1 a step is a gradient."""
    largest = {}
    for setting in ("clip_value = 0.25", "clip_norm = 0.25"):
        (states,) = steps_of(["sgd(1.0)"], setting)
        points = [np.append(state["w"], state["b"]) for state in [START, *states]]
        moves = np.diff(points, axis=0)
        size = abs(moves).max() if "value" in setting else np.linalg.norm(moves, axis=1).max()
        largest[setting] = float(size)
    shown = ", ".join(f"{setting.partition(' ')[0]} 0.25: {size:.6f}" for setting, size in largest.items())
    return Measured(f"largest: {shown}", all(abs(size - 0.25) < 1e-9 for size in largest.values()))


@ROW.fact("weight decay leaves parameters with decay=false alone: adamw, sgd and lion move them as without it")
def decay() -> Measured:
    """Two parameters with one constant gradient, of which one decays: with and without decay in the optimizer."""
    text = "model Decay():\n    input x: [B, 3]\n    target y: [B]\n"
    lines, steps = [], []
    for i, optimizer in enumerate(f"{o}(0.1, weight_decay={d})" for o in ("adamw", "sgd", "lion") for d in (0, 0.5)):
        lines.append(f"    param b{i}: [] = 2, decay=false\n    param w{i}: [] = 2")
        lines.append(f"    loss loss{i} = mean(y) * (b{i} + w{i}) + 0 * sum(x)")
        steps.append(f"        minimize loss{i} over b{i}, w{i} with {optimizer}")
    text += "\n".join(lines) + "\n\ntrain:\n    together:\n" + "\n".join(steps) + "\n"
    trainer = trainer_of(text, DType.f64, batch_size=len(X))
    for _ in range(STEPS):
        trainer.step({"x": X, "y": Y})
    p = trainer.parameters
    same = all(p[f"b{i}"] == p[f"b{i + 1}"] for i in (0, 2, 4))
    shrunk = all(float(p[f"w{i}"]) > float(p[f"w{i + 1}"]) for i in (0, 2, 4))
    return Measured("to the bit" if same else "they differ", bool(same and shrunk))


@ROW.fact("Newton's method solves a quadratic in one step: on diabetes, gap to least squares at most 1e-4")
def quadratic() -> Measured:
    """From drawn parameters, in the graph of one step."""
    x, y = diabetes()
    ones = np.hstack([x, np.ones((len(x), 1))])
    best = np.linalg.lstsq(ones, y, rcond=None)[0]
    done = train("newton_quadratic")[-1]
    found = np.append(done.trainer.parameters["net.W"], done.trainer.parameters["net.b"])
    distance = float(abs(found - best).max())
    return Measured(f"{distance:.0e} after {done.trainer.runner.executed} step", distance <= 1e-4)


@ROW.fact("Newton's method on logistic regression: slope below 1e-4 after 6 steps, 1e-6 after 7; descent: over 1,000")
def logistic() -> Measured:
    """Breast cancer, ten columns; the slope is the largest element of the gradient."""
    steepest = {}
    for epochs in (6, 7):
        done = train("newton_logistic", settings={"epochs": epochs})[-1]
        steepest[epochs] = _slope(done.trainer.parameters)
    descent = _descent(1e-6)
    shown = ", ".join(f"{n} steps: {size:.0e}" for n, size in steepest.items())
    holds = steepest[6] < 1e-4 and steepest[7] < 1e-6 and descent > 1000
    return Measured(f"{shown}; descent: {descent:,} steps", holds)


def _cancer() -> tuple[Any, Any]:
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    x = ((x - x.mean(0)) / x.std(0))[:, :10]
    return np.hstack([x, np.ones((len(x), 1))]), y


def _gradient(theta: Any, x: Any, y: Any) -> Any:
    return x.T @ (sigmoid(x @ theta) - y) / len(x) + 2e-3 * theta


def _slope(parameters: Mapping[str, Any]) -> float:
    theta = np.append(parameters["net.W"], parameters["net.b"]).astype(np.float64)
    return float(abs(_gradient(theta, *_cancer())).max())


def _descent(slope: float) -> int:
    """Steps of gradient descent, at the largest rate that is sure to fall, until the slope is as small."""
    x, y = _cancer()
    rate = 1 / (np.linalg.eigvalsh(x.T @ x / len(x)).max() / 4 + 2e-3)
    theta = np.zeros(x.shape[1])
    for step in range(1, 100_000):
        g = _gradient(theta, x, y)
        if abs(g).max() < slope:
            return step
        theta = theta - rate * g
    return 100_000


@ROW.fact("batch, mini-batch (32) and stochastic (1) descent come within 1% of least squares on diabetes", slow=True)
def batches() -> Measured:
    """The same model, 100 epochs, at a rate for each size; noise keeps the smaller batches off the minimum."""
    x, y = diabetes()
    best = np.linalg.lstsq(x, y, rcond=None)[1][0] / len(y)
    excess = {}
    for size, rate in (("all", 0.1), (32, 0.01), (1, 0.0003)):
        done = train("diabetes_descent", settings={"batch_size": size}, lr=rate)[-1]
        excess[size] = done.metrics["train"]["objective"] / best - 1
    shown = ", ".join(f"{size}: {share:.2%}" for size, share in excess.items())
    return Measured(f"excess of the error: {shown}", max(excess.values()) <= 0.01)
