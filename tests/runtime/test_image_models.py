"""All layers of images in one net: its gradients in onnxruntime against those in NumPy, and training."""

from __future__ import annotations

import numpy as np
import pytest

from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import loss_and_gradients, numbers, program

NET = """
model Net():
    input  image: [B, 2, 9, 8]
    target y: [B, 2, 9, 8]
    h = image |> Conv(4, 3, stride=2, padding=1) |> tanh
    h = h |> DepthwiseConv(3, padding=same, multiplier=2) |> Conv(6, kernel=1, groups=2) |> tanh
    a = h |> MaxPool(3, stride=2, padding=1) |> average_unpool(2)
    b = h |> LpPool(2, 2, stride=1) |> resize([6, 4], linear)
    c = h |> AveragePool(3, stride=1, padding=1) |> AdaptiveAveragePool([6, 4])
    d = h |> LocallyConnected(6, 2, padding=full) |> resize([6, 4], nearest)
    e = max_unpool(MaxPool(2, padding=[[1, 0], 0])(h), h, 2, padding=[[1, 0], 0]) |> resize([6, 4], nearest)
    up = concat([a, b, c, d, e], axis=1) |> pixel_shuffle(1) |> Upsample([1.5, 2], linear)
    out = up |> ConvTranspose(4, 3, padding=1) |> tanh |> Conv(2, 3, padding=circular)
    output out = out
    loss objective = mse(out, y)

train:
    minimize objective with adam(lr=0.01)
"""
X, Y = numbers(3, 2, 9, 8), np.tanh(numbers(3, 2, 9, 8, seed=1))


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer(program(NET), options=SessionOptions(device="cpu"), batch_size=3)


def test_gradients_are_those_of_numpy(trainer: Trainer) -> None:
    actual = trainer.gradients({"image": X, "y": Y})
    parameters = {path: np.asarray(array) for path, array in trainer.parameters.items()}
    expected = loss_and_gradients(program(NET), "objective", {"image": X, "y": Y, **parameters})
    assert set(actual) == set(parameters)
    for path, gradient in actual.items():
        np.testing.assert_allclose(gradient, expected[path], rtol=2e-3, atol=2e-5, err_msg=path)
        assert abs(gradient).max() > 1e-5, path


def test_it_learns(trainer: Trainer) -> None:
    losses = [trainer.step({"image": X, "y": Y})["objective"] for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]
