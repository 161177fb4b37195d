"""The training steps that are measured: a spec, a batch, and what a peer needs to know to do the same arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

SPECS = Path(__file__).parent / "specs"
THREADS = 2
CLASSES = 10


@dataclass(frozen=True, slots=True)
class Case:
    """One training step.

    Attributes:
        name: also that of the peer's network.
        title: for people.
        spec: a file, or a name from the zoo.
        shape: of one example.
        batch_size: examples in a batch.
        optimizer: the optimizer of the spec, with its defaults for all but the learning rate.
        lr: its learning rate.
        plain: arguments that take all draws out of the model, so that losses can be compared.
        vocabulary: an example holds tokens below this number, and each place has the next one as its label; 0 of
            images, which have one label.
        arguments: of the model.
        example: the name of the field of an example that is no tokens.
        losses: of the spec; what a step gives is their sum.
        labelled: whether an example has a label.
    """

    name: str
    title: str
    spec: str
    shape: tuple[int, ...]
    batch_size: int
    optimizer: Literal["adam", "sgd"]
    lr: float
    plain: Mapping[str, Any] = field(default_factory=dict)
    vocabulary: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    example: str = "image"
    losses: tuple[str, ...] = ("objective",)
    labelled: bool = True

    def batch(self) -> dict[str, Any]:
        """A batch of noise with labels, always the same."""
        generator = np.random.default_rng(0)
        if self.vocabulary:
            tokens = generator.integers(0, self.vocabulary, (self.batch_size, self.shape[0] + 1))
            return {"ids": np.ascontiguousarray(tokens[:, :-1]), "next": np.ascontiguousarray(tokens[:, 1:])}
        images = generator.random((self.batch_size, *self.shape), dtype=np.float32)
        labels = {"label": generator.integers(0, CLASSES, self.batch_size)} if self.labelled else {}
        return {self.example: images, **labels}


def _own(name: str) -> str:
    return str(SPECS / f"{name}.arch")


CASES = {case.name: case for case in (
    Case("mlp_small", "MLP 64-32-10, batch 32, Adam", _own("mlp_small"), (64,), 32, "adam", 1e-3),
    Case("mlp_large", "MLP 784-256-128-10, batch 128, Adam", _own("mlp_large"), (784,), 128, "adam", 1e-3),
    Case("cnn", "CNN 32-64 channels, 28x28, batch 64, SGD", _own("cnn"), (1, 28, 28), 64, "sgd", 1e-2),
    Case("digits_cnn", "`digits_cnn` of the zoo (dropout), batch 64, Adam", "digits_cnn", (1, 8, 8), 64, "adam", 1e-3,
         {"dropout": 0.0}),
    Case("gpt_small", "GPT d128, 4 layers, T64, vocabulary 256, batch 16, Adam", _own("gpt_small"), (64,), 16, "adam",
         1e-3, vocabulary=256),
    Case("gpt_large", "GPT d256, 4 layers, T128, vocabulary 2048, batch 8, SGD", _own("gpt_large"), (128,), 8, "sgd",
         1e-2, vocabulary=2048),
    *(Case(f"{kind}_{size}", f"{kind.upper()} of {n} units, T64, batch {batch}, SGD", _own(kind), (64, n), batch, "sgd",
           1e-2, arguments={"units": n}, example="sequence")
      for kind in ("lstm", "gru") for size, n, batch in (("small", 32, 8), ("large", 128, 32))),
    Case("dcgan", "DCGAN of 8x8 digits, both nets from one forward pass, batch 64, Adam", _own("dcgan"), (1, 8, 8), 64,
         "adam", 1e-3, {"drawn": False}, losses=("d_loss", "g_loss"), labelled=False),
    Case("residual", "ResNet-18 for small images, batch 32, SGD", _own("residual"), (3, 32, 32), 32, "sgd", 1e-3),
    Case("separable", "Depthwise-separable CNN, 32x32, batch 32, SGD", _own("separable"), (3, 32, 32), 32, "sgd", 1e-3),
    Case("unet", "U-Net of 16 to 64 channels, 64x64, batch 8, Adam", _own("unet"), (1, 64, 64), 8, "adam", 1e-3,
         labelled=False),
    Case("autoencoder", "Convolutional autoencoder, 32x32, batch 32, Adam", _own("autoencoder"), (3, 32, 32), 32,
         "adam", 1e-3, labelled=False),
    Case("ddpm", "DDPM of 8x8 digits, U-Net of width 24, batch 64, Adam", _own("ddpm"), (1, 8, 8), 64, "adam", 1e-3,
         {"drawn": False}),
)}  # fmt: skip
