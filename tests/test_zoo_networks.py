"""Small variants of the published networks learn what they are shown: a few steps on one batch make the loss small."""

from typing import Any

import numpy as np
import pytest

import archonnx

SMALL: dict[str, dict[str, Any]] = {
    "alexnet": {"size": 64, "width": 4, "hidden": 16},
    "vgg16": {"size": 32, "width": 8, "hidden": 64},
    "inception_v1": {"size": 32, "width": 16},
    "resnet18": {"size": 32, "width": 4},
    "densenet121": {"size": 32, "growth": 4, "depths": [2, 2]},
    "mobilenet_v2": {"size": 32, "width": 8},
    "convnext_tiny": {"size": 32, "width": 8},
    "unet": {"size": 44, "width": 4, "depth": 2},
}
"""By name, with their arguments: narrower, for smaller images, and where that saves time with fewer layers."""


LONG = ("convnext_tiny", "inception_v1")
"""Those that take a proof's time."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.proof] * (name in LONG)) for name in SMALL])
def test_a_small_variant_learns(name: str):
    arguments = SMALL[name]
    spec = archonnx.load(name, **arguments) if name == "unet" else archonnx.load(name, classes=3, **arguments)
    trainer = archonnx.Trainer(spec, batch_size=6, device="cpu")
    rng, size = np.random.default_rng(0), arguments["size"]
    if name == "unet":
        mask = np.zeros((6, size, size), np.int64)
        mask[:, 16:28, 16:28] = 1
        batch = {"image": (mask + rng.normal(0, 0.1, mask.shape))[:, None].astype(np.float32), "mask": mask}
    else:
        image = rng.normal(size=(6, 3, size, size)).astype(np.float32)
        batch = {"image": image, "label": np.array([0, 1, 2, 0, 1, 2])}
    losses = [trainer.step(batch)["objective"] for _ in range(12)]
    assert np.isfinite(losses).all()
    assert min(losses[3:]) < losses[0]
