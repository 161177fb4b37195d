"""Buffers: carried by steps, saved and restored like parameters, and never followed by a gradient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import parse_spec
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.programs import run_programs
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import program

CPU = SessionOptions(device="cpu", threads=1)
CENTRED = """block Centre()(x: [B, n]) -> [B, n]:
    buffer seen: [n] = 0
    update seen = 0.9 * seen + 0.1 * mean(x, axis=0)
    return x - seen

model Centred():
    input x: [B, 3]
    target y: [B, 1]
    output p = x |> Centre |> Dense(1)
    loss objective = mse(p, y)

train:
    data = generate(points, n=40)
    epochs = 6
    batch_size = 8
    split = {train: 0.5, valid: 0.5}
    minimize objective with sgd(lr=0.05)
    early_stopping = {monitor: valid.objective, patience: 9}

fn points(n: int) -> (x: [n, 3], y: [n, 1]):
    x: [n, 3] ~ normal(1.5, 1)
    return x, sum(x, axis=1, keep=true)
"""
SEEN = "centre.seen"


def test_a_running_mean_equals_numpy_and_has_no_gradient() -> None:
    trainer = Trainer(program(CENTRED), options=CPU)
    rng, seen = np.random.default_rng(0), np.zeros(3)
    for rows in (5, 9, 5, 2):
        x = rng.normal(size=(rows, 3)).astype(np.float32)
        batch = {"x": x, "y": np.zeros((rows, 1), np.float32)}
        assert set(trainer.gradients(batch)) == {"dense.W", "dense.b"}
        before = trainer.parameters[SEEN]
        trainer.evaluate(batch)
        np.testing.assert_array_equal(trainer.parameters[SEEN], before)  # only training updates it
        trainer.step(batch)
        seen = 0.9 * seen + 0.1 * x.mean(axis=0)
        np.testing.assert_allclose(trainer.parameters[SEEN], seen, rtol=1e-5)
    weights = {path: array.astype(np.float64) for path, array in trainer.parameters.items()}
    np.testing.assert_allclose(
        trainer.predict({"x": x})["p"], (x - seen) @ weights["dense.W"] + weights["dense.b"], rtol=1e-4
    )


def test_a_run_keeps_them_and_they_are_flagged(tmp_path: Path) -> None:
    spec = parse_spec(Source("centred.arch", CENTRED))
    run = archonnx.train(spec, tmp_path / "run", device="cpu")
    assert list(run.parameters) == [SEEN, "dense.W", "dense.b"]
    assert np.all(run.parameters[SEEN] > 0.3)
    assert {path: info.buffer for path, info in archonnx.compile(spec).parameters.items()} == {
        SEEN: True,
        "dense.W": False,
        "dense.b": False,
    }


def test_early_stopping_restores_them_too() -> None:
    model = program(CENTRED)
    (whole,) = run_programs(model, Path(), options=CPU)
    best = 1 + int(np.argmin([epoch.valid["objective"] for epoch in whole.outcome.history]))
    assert whole.outcome.best == best < 6
    (short,) = run_programs(model, Path(), options=CPU, changes={"epochs": best})
    for path in (SEEN, "dense.W"):
        np.testing.assert_array_equal(whole.trainer.parameters[path], short.trainer.parameters[path])
    assert whole.outcome.snapshot is not None  # from which the training would go on
    assert not np.array_equal(whole.outcome.snapshot.tensors[SEEN], whole.trainer.parameters[SEEN])
    assert whole.metrics["valid"]["objective"] == pytest.approx(whole.outcome.history[best - 1].valid["objective"])
