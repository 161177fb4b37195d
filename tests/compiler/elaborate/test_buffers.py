"""Buffers and ``update``: in program order, in training alone, where their site is evaluated; never trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.ir.types import Array
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import codes, initial, loss_and_gradients, measures, model, numbers, output, program
from tests.support.entries import entry_value

CPU = SessionOptions(device="cpu", threads=1)
X = numbers(4, 3)
NORM = """
block Norm(momentum: float = 0.9)(x: [B, n]) -> [B, n]:
    \"\"\"Batch normalisation without scale and shift.\"\"\"
    buffer mean_: [n] = 0
    buffer var: [n] = 1
    buffer count: i64[] = 0
    if training:
        m = mean(x, axis=0)
        v = mean((x - m) ** 2, axis=0)
        update mean_ = momentum * mean_ + (1 - momentum) * m
        update var = momentum * var + (1 - momentum) * v
        update count = count + 1
        return (x - m) / sqrt(v + 1e-5)
    return (x - mean_) / sqrt(var + 1e-5)
"""
TRAIN = "\ntrain:\n    minimize l with sgd(lr=0.1)\n"


def trained(body: str, before: str = NORM, train: str = TRAIN, inputs: str = "x: [B, 3]") -> Trainer:
    return Trainer(program(model(body, inputs, before, train)), options=CPU)


def test_batch_normalisation_against_numpy() -> None:
    body = "norm = Norm()\nw = Dense(1)\nz = norm(x)\noutput y = z\nloss l = mean(w(z) ** 2)"
    ours = trained(body)
    mean, var = np.zeros(3), np.ones(3)
    for number in range(5):
        x = numbers(4 + number, 3, seed=number)
        weights = {path: array.astype(np.float64) for path, array in ours.parameters.items()}
        z = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
        losses = ours.step({"x": x})
        expected = ((z @ weights["w.W"] + weights["w.b"]) ** 2).mean()
        np.testing.assert_allclose(losses["l"], expected, rtol=1e-4)
        mean, var = 0.9 * mean + 0.1 * x.mean(0), 0.9 * var + 0.1 * x.var(0)
        np.testing.assert_allclose(ours.parameters["norm.mean_"], mean, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(ours.parameters["norm.var"], var, rtol=1e-4)
        assert ours.parameters["norm.count"] == number + 1
    np.testing.assert_allclose(ours.predict({"x": X})["y"], (X - mean) / np.sqrt(var + 1e-5), rtol=1e-3, atol=1e-5)


def test_no_gradient_passes_through_an_update() -> None:
    body = "param w: [3] = 1\nbuffer seen: [3] = 0\nupdate seen = x[0] * w\nloss l = sum(seen * w)"
    of = program(model(body, "x: [4, 3]"))
    gradients = loss_and_gradients(of, "l", {"w": np.ones(3), "seen": np.full(3, 9.0), "x": X})
    assert set(gradients) == {"w"}
    np.testing.assert_allclose(gradients["w"], X[0], rtol=1e-6)  # of the updated buffer, as a constant


def test_updates_chain_in_program_order() -> None:
    body = "buffer a: [] = 1\nparam w: [] = 1\nfirst = a\nupdate a = a + 1\nsecond = a\nupdate a = a * 10\nthird = a\n"
    body += "loss l = w * mean(x) + first + 100 * second + 10000 * third"
    ours = trained(body)
    value, last = 1.0, 0.0
    for _ in range(3):
        last = ours.step({"x": np.zeros((2, 3), np.float32)})["l"]
        expected = value + 100 * (value + 1) + 10000 * ((value + 1) * 10)
        np.testing.assert_allclose(last, expected, rtol=1e-6)
        value = (value + 1) * 10
        np.testing.assert_allclose(ours.parameters["a"], value)


def test_each_application_updates() -> None:
    before = "block Count()(x: [B, n]) -> [B, n]:\n"
    before += "    buffer times: [] = 0\n    update times = times + 1\n    return x\n"
    body = "c = Count()\nparam w: [] = 1\nfor _ in range(3):\n    x = c(x)\n"
    body += "loss l = mean(x) * w\noutput y = x + c.times"
    ours = trained(body, before)
    for number in range(1, 4):
        ours.step({"x": X})
        assert ours.parameters["c.times"] == 3 * number
    np.testing.assert_allclose(ours.predict({"x": X})["y"], X + 9)


def test_evaluation_entries_and_gradients_read_and_do_not_update() -> None:
    body = "norm = Norm()\nz = norm(x)\noutput y = z\nparam w: [] = 1\nloss l = mean(z * w)\n"
    body += "entry e(z: [R, 3]) -> [R, 3]:\n    return norm(z)"
    of = program(model(body, "x: [B, 3]", NORM, TRAIN))
    state = {**initial(of), "norm.mean_": np.full(3, 0.5), "norm.var": np.full(3, 4.0)}
    expected = (X - 0.5) / np.sqrt(4 + 1e-5)
    np.testing.assert_allclose(output(of, state, x=X), expected, rtol=1e-5)
    np.testing.assert_allclose(entry_value(of, "e", state, z=X), expected, rtol=1e-5)
    np.testing.assert_allclose(measures(of, state, x=X)["l"], expected.mean(), rtol=1e-4)
    assert not any(name.startswith("next/") for name in gradient_graph(of, "l").outputs)


@pytest.mark.parametrize(("use", "setting"), [("frozen(norm)(x)", ""), ("norm(x)", "freeze = [norm]")])
def test_a_frozen_module_is_judged_and_its_buffers_stay(use: str, setting: str) -> None:
    train = f"\ntrain:\n    {setting}\n    minimize l with sgd(lr=0.1)\n"
    ours = trained(f"norm = Norm()\nparam w: [] = 1\nloss l = mean({use} ** 2 * w)", train=train)
    for _ in range(2):
        losses = ours.step({"x": X})
    weight = 1 - 0.1 * (X.astype(np.float64) ** 2).mean() / (1 + 1e-5)
    np.testing.assert_allclose(losses["l"], (X.astype(np.float64) ** 2).mean() * weight, rtol=1e-4)
    np.testing.assert_array_equal(ours.parameters["norm.mean_"], np.zeros(3))
    assert ours.parameters["norm.count"] == 0


def test_every_statement_updates_the_buffers_that_its_loss_computes() -> None:
    body = "a = Norm(0.5)\nb = Norm(0.5)\nparam w: [] = 1\n"
    body += "loss l = mean(a(x) ** 2) * w\nloss m = mean(b(2 * x) ** 2) * w"
    ours = trained(body, train="\ntrain:\n    minimize l with sgd\n    repeat 2:\n        minimize m with sgd\n")
    ours.step({"x": X})
    assert (ours.parameters["a.count"], ours.parameters["b.count"]) == (1, 2)
    np.testing.assert_allclose(ours.parameters["a.mean_"], X.mean(0) / 2, rtol=1e-5)
    np.testing.assert_allclose(ours.parameters["b.mean_"], 2 * X.mean(0) * 3 / 4, rtol=1e-5)
    together = trained(body, train="\ntrain:\n    together:\n        minimize l with sgd\n")
    together.step({"x": X})
    np.testing.assert_allclose(together.parameters["a.mean_"], X.mean(0) / 2, rtol=1e-5)
    np.testing.assert_array_equal(together.parameters["b.mean_"], np.zeros(3))


def test_initial_values_dtypes_and_names() -> None:
    body = "buffer a: [3] = [1, 2, 3]\nbuffer b: i64[2] = 7\nbuffer d: f64[] = 0.5\n"
    body += "output y = x * a\noutput k = b\noutput e = d"
    of = program(model(body, "x: [B, 3]"))
    values: dict[str, Array] = initial(of)
    assert {path: (p.buffer, p.trainable, str(p.type)) for path, p in of.parameters.items()} == {
        "a": (True, False, "f32[3]"),
        "b": (True, False, "i64[2]"),
        "d": (True, False, "f64[]"),
    }
    assert values["b"].tolist() == [7, 7] and values["d"] == 0.5


def test_a_counter_drives_a_rate() -> None:
    """Something anneals with the steps of training, and keeps its last value in use."""
    body = "buffer age: i64[] = 0\nupdate age = age + 1\nheat = 1 / (1 + f32(age))\nparam w: [] = 0\n"
    ours = trained(body + "loss l = w * heat + 0 * mean(x)\noutput y = heat * ones([B]) + 0 * x[:, 0]")
    for number in range(1, 4):
        before: Any = ours.parameters["w"]
        ours.step({"x": X})
        np.testing.assert_allclose(before - ours.parameters["w"], 0.1 / (1 + number), rtol=1e-4)
    np.testing.assert_allclose(ours.predict({"x": X})["y"], np.full(4, 0.25), rtol=1e-6)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("update seen = 1\noutput y = x", "AX0221"),
        ("param w: [] = 1\nupdate w = 2\noutput y = x * w", "AX0221"),
        ("buffer seen: [3] = 0\nupdate seen = x\nloss l = mean(x)", "AX0307"),
        ("buffer seen: [3] = 0\nseen = 1\noutput y = x", "AX0204"),
        ("buffer seen: [B] = 0\noutput y = x", "AX0315"),
        ("norm = Norm()\ny = norm(x)\nupdate norm.count = 3\noutput z = y", "AX0221"),
    ],
)
def test_refused(body: str, code: str) -> None:
    assert codes(model(body, "x: [4, 3]" if "mean(x)" in body else "x: [B, 3]", NORM)) == [code]
