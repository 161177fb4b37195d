"""What draws digits, trained once for all facts, and a net that reads digits, which judges them.

FID is Frechet's distance of the reader's features, in place of those of an Inception net, which knows no digits.
What this module does not do: claim anything (``rows`` does).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.programs import run_programs
from archonnx.runtime.training.trainer import Trainer

from .training import model_of, train, trainer_of

READER = """
model Reader():
    input  image: [B, 1, 8, 8]
    target label: i64[B]
    x = image |> Conv(32, padding=same) |> relu |> Conv(32, padding=same) |> relu |> MaxPool(2)
    x = x |> Conv(64, padding=same) |> relu |> MaxPool(2) |> flatten
    output features: [B, 32] = x |> Dense(32)
    logits = features |> tanh |> Dense(10)
    output probs: [B, 10] = softmax(logits)
    loss objective = cross_entropy(logits, label)
    metric accuracy = accuracy(logits, label)

train:
    data = sklearn("digits")
    feed image = reshape(data.data, [-1, 1, 8, 8]) / 8 - 1
    feed label = data.target
    split = {train: 0.8, test: 0.2, stratify: label, seed: 0}
    epochs = 15
    batch_size = 64
    minimize objective with adam(lr=cosine_decay(3e-3, steps))
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """A digits net: images are ``[n, 1, 8, 8]``, from -1 to 1."""

    trainer: Trainer
    accuracy: float
    """On the fifth of the digits that it has not seen."""

    def says(self, images: Any) -> Any:
        """The class of each image, ``[n]``."""
        return self.trainer.predict({"image": images})["probs"].argmax(axis=1)

    def features(self, images: Any) -> Any:
        """``[n, 32]``."""
        return self.trainer.predict({"image": images})["features"]


@cache
def reader() -> Reader:
    """The same in every fact."""
    last = run_programs(model_of(READER), Path(), changes={}, options=SessionOptions("cpu"))[-1]
    return Reader(last.trainer, last.metrics["test"]["accuracy"])


@cache
def digits() -> tuple[Any, Any]:
    """``[1797, 1, 8, 8]`` from -1 to 1, and ``[1797]``, in an order that is drawn."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x.reshape(-1, 1, 8, 8) / 8 - 1).astype(np.float32)[order], y[order]


@cache
def trained(spec: str) -> Trainer:
    """A spec of the zoo after its training, with seed 0."""
    return train(spec)[-1].trainer


def measured(call: str, **arrays: Any) -> Any:
    """The value of a call of the library, such as ``mmd(x, y)``, on arrays by name; axis 0 of each is its own."""
    inputs = "".join(
        f"    input {name}: [{', '.join([f'N{i}', *map(str, array.shape[1:])])}]\n"
        for i, (name, array) in enumerate(arrays.items())
    )
    given = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    return trainer_of(f"model Call():\n{inputs}    output result = {call}\n").predict(given)["result"]


def fid(images: Any, others: Any) -> float:
    """Frechet's distance of the features of two sets of images."""
    found = reader()
    return float(measured("frechet(x, y)", x=found.features(images), y=found.features(others)))
