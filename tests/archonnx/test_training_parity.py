"""Ten training steps of the zoo's digit classifiers equal the same steps written out in NumPy, weights copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import archonnx
from tests.support import numpy_nets
from tests.support.numpy_nets import Adam, Sgd

NETS = {"digits_mlp": (numpy_nets.mlp, (64,)), "digits_cnn": (numpy_nets.cnn, (1, 8, 8))}
OPTIMIZERS = {
    "sgd(lr=0.1)": lambda: Sgd(0.1),
    "sgd(lr=0.05, momentum=0.9)": lambda: Sgd(0.05, 0.9),
    "adam(lr=1e-3)": lambda: Adam(1e-3),
}


def spec_with(name: str, optimizer: str, folder: Path) -> Path:
    """The zoo's spec with another optimizer."""
    source = Path(archonnx.load(name).path or "").read_text()
    assert "adam(lr=1e-3)" in source
    path = folder / f"{name}.arch"
    path.write_text(source.replace("adam(lr=1e-3)", optimizer))
    return path


def batches(shape: tuple[int, ...], steps: int, size: int) -> list[dict[str, Any]]:
    """Consecutive batches of the digits."""
    digits = load_digits()
    image = (digits.data / 16).reshape(-1, *shape)
    rows = [slice(i * size, (i + 1) * size) for i in range(steps)]
    return [{"image": image[part].astype(np.float32), "label": digits.target[part]} for part in rows]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", NETS)
def test_ten_steps_equal_numpy(name: str, optimizer: str, tmp_path: Path) -> None:
    net, shape = NETS[name]
    trainer = archonnx.Trainer(archonnx.load(spec_with(name, optimizer, tmp_path), dropout=0.0), batch_size=32, seed=3)
    weights = {path: np.asarray(array, np.float64) for path, array in trainer.parameters.items()}
    update = OPTIMIZERS[optimizer]()
    for batch in batches(shape, steps=10, size=32):
        expected, gradients = net(weights, batch["image"].astype(np.float64), batch["label"])
        update(weights, gradients)
        losses = trainer.step(batch)
        assert losses["objective"] == pytest.approx(expected, rel=1e-4)
    for path, array in trainer.parameters.items():
        np.testing.assert_allclose(array, weights[path], rtol=1e-4, atol=1e-4, err_msg=path)


@pytest.mark.parametrize("name", NETS)
def test_gradients_equal_numpy(name: str) -> None:
    net, shape = NETS[name]
    trainer = archonnx.Trainer(archonnx.load(name, dropout=0.0), batch_size=32, seed=1)
    weights = {path: np.asarray(array, np.float64) for path, array in trainer.parameters.items()}
    (batch,) = batches(shape, steps=1, size=32)
    _, expected = net(weights, batch["image"].astype(np.float64), batch["label"])
    for path, gradient in trainer.gradients(batch, loss="objective").items():
        np.testing.assert_allclose(gradient, expected[path], rtol=1e-3, atol=1e-6, err_msg=path)


def test_weights_can_be_copied_in() -> None:
    first, second = (archonnx.Trainer("digits_mlp", batch_size=8, seed=s) for s in (0, 1))
    (batch,) = batches((64,), steps=1, size=8)
    for path, array in first.parameters.items():
        second.parameters[path] = array
    np.testing.assert_array_equal(
        first.predict({"image": batch["image"]})["probs"], second.predict({"image": batch["image"]})["probs"]
    )
