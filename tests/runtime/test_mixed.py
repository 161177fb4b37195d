"""Training with ``precision = bf16``: near what f32 gives, kept in the run, and used again when it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import ml_dtypes
import numpy as np
from sklearn.datasets import load_digits

import archonnx
from archonnx.compiler.ir.types import Array
from archonnx.runtime.folders.run import Run

ROUNDING = 2.0**-9
"""The most that a number changes by which bf16 is given, relatively: of 8 bits half the last one."""


def trainer(precision: Literal["f32", "bf16"]) -> archonnx.Trainer:
    return archonnx.Trainer("digits_cnn", 64, device="cpu", threads=1, precision=precision)


def batch(number: int) -> dict[str, Array]:
    digits = load_digits()
    rows = slice(64 * number, 64 * (number + 1))
    images = (digits.images[rows] / 16).astype(np.float32)
    return {"image": images.reshape(-1, 1, 8, 8), "label": digits.target[rows].astype(np.int64)}


def test_gradients_differ_by_the_rounding_of_their_products() -> None:
    """Every factor is rounded at random, so that a gradient is off by little more than one rounding, and is off."""
    exact, mixed = (trainer(precision).gradients(batch(0)) for precision in ("f32", "bf16"))
    for name, gradient in exact.items():
        apart = np.linalg.norm(mixed[name] - gradient) / np.linalg.norm(gradient)
        assert ROUNDING / 32 < apart < 8 * ROUNDING, (name, apart)


def test_losses_follow_those_of_f32_and_parameters_keep_their_digits() -> None:
    exact, mixed = trainer("f32"), trainer("bf16")
    for number in range(20):
        given = batch(number)
        wanted, found = exact.step(given)["objective"], mixed.step(given)["objective"]
        assert found != wanted and abs(found - wanted) < 4 * ROUNDING * wanted
    for parameter in mixed.parameters.values():
        assert (parameter != parameter.astype(ml_dtypes.bfloat16).astype(np.float32)).any()


def test_a_training_keeps_its_precision_and_goes_on_with_it(tmp_path: Path) -> None:
    options = {"device": "cpu", "threads": 1}
    small = {"epochs": 2, "split.train": 0.5, "split.valid": 0.25, "split.test": 0.25}
    whole = archonnx.train("digits_mlp", tmp_path / "whole", settings=small, precision="bf16", **options)
    plain = archonnx.train("digits_mlp", tmp_path / "plain", settings=small, **options)
    archonnx.train("digits_mlp", tmp_path / "part", settings={**small, "epochs": 1}, precision="bf16", **options)
    resumed = archonnx.train(None, resume=tmp_path / "part", settings={"epochs": 2}, **options)
    assert Run(tmp_path / "part").settings.precision == "bf16"
    for name, parameter in whole.parameters.items():
        np.testing.assert_array_equal(resumed.parameters[name], parameter)
    assert any((plain.parameters[name] != parameter).any() for name, parameter in whole.parameters.items())
    losses = [run.metrics["test"]["objective"] for run in (plain, whole)]
    assert abs(losses[1] - losses[0]) < 0.05 * losses[0]
