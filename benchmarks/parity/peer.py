"""The same ten steps in both: from the same parameters, on the same batches."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

import archonnx

from .cases import CLASSES, Case, linear

STEPS, BATCH = 10, 16
SMALL = 0.01
"""Differences are relative to at least this: the bias of attention's keys has gradient 0 and holds rounding errors."""

OPTIMIZERS: dict[str, Callable[[list[torch.Tensor]], torch.optim.Optimizer]] = {
    "sgd(lr=0.05, momentum=0.9)": partial(torch.optim.SGD, lr=0.05, momentum=0.9),
    "sgd(lr=0.05, momentum=0.9, nesterov=true)": partial(torch.optim.SGD, lr=0.05, momentum=0.9, nesterov=True),
    "sgd(lr=0.05, weight_decay=0.1)": partial(torch.optim.SGD, lr=0.05, weight_decay=0.1),
    "adagrad(lr=0.05)": partial(torch.optim.Adagrad, lr=0.05),
    "rmsprop(lr=1e-3, rho=0.99)": partial(torch.optim.RMSprop, lr=1e-3, alpha=0.99),
    "rmsprop(lr=1e-3, rho=0.99, momentum=0.5, centred=true)": partial(
        torch.optim.RMSprop, lr=1e-3, alpha=0.99, momentum=0.5, centered=True
    ),
    "adadelta(lr=1)": partial(torch.optim.Adadelta, lr=1.0),
    "adam(lr=1e-3)": partial(torch.optim.Adam, lr=1e-3),
    "adam(lr=1e-3, amsgrad=true)": partial(torch.optim.Adam, lr=1e-3, amsgrad=True),
    "adamw(lr=1e-3, weight_decay=0.1)": partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.1),
    "radam(lr=1e-3)": partial(torch.optim.RAdam, lr=1e-3),
    "adamax(lr=1e-3)": partial(torch.optim.Adamax, lr=1e-3),
}
"""The optimizers of specs, each with its counterpart."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far ten steps lie apart.

    Attributes:
        loss: the largest relative difference of a step's loss.
        parameters: the largest difference of a parameter after the last step, relative to the largest number of its
            tensor, or to ``SMALL``.
        outputs: the largest difference of a probability of the trained net in use.
    """

    loss: float
    parameters: float
    outputs: float

    @property
    def worst(self) -> float:
        """The largest of all."""
        return max(self.loss, self.parameters, self.outputs)


def batches(case: Case) -> list[dict[str, np.ndarray[Any, Any]]]:
    """Batches of random inputs and labels, the same for both."""
    rng = np.random.default_rng(7)
    size = (BATCH, *case.shape)
    return [
        {
            "x": rng.normal(size=size).astype(np.float32)
            if case.integers is None
            else rng.integers(0, case.integers, size),
            "label": rng.integers(0, CLASSES, BATCH),
        }
        for _ in range(STEPS)
    ]


def compare(case: Case) -> Difference:
    """Train both and compare the losses of all steps, all parameters and buffers after them, and what they predict."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parity.arch"
        path.write_text(case.spec(), encoding="utf-8")
        spec = archonnx.load(path)
        trainer = archonnx.Trainer(spec, batch_size=BATCH, device="cpu", seed=3)
    trained = {name for name, parameter in archonnx.compile(spec).parameters.items() if not parameter.buffer}
    weights = {
        name: torch.tensor(np.asarray(value, np.float64), requires_grad=name in trained)
        for name, value in trainer.parameters.items()
    }
    optimizer = OPTIMIZERS[case.optimizer]([weights[name] for name in sorted(trained)])
    data, losses = batches(case), []
    for batch in data:
        ours = trainer.step(batch)["objective"]
        theirs = cross_entropy(_logits(case, weights, batch, training=True), torch.from_numpy(batch["label"]))
        optimizer.zero_grad()
        theirs.backward()
        optimizer.step()
        losses.append(abs(ours - theirs.item()) / abs(theirs.item()))
    apart = [_apart(value, weights[name].detach().numpy()) for name, value in trainer.parameters.items()]
    with torch.no_grad():
        expected = torch.softmax(_logits(case, weights, data[0], training=False), dim=-1).numpy()
    outputs = np.abs(trainer.predict({"x": data[0]["x"]})["probs"] - expected).max()
    return Difference(max(losses), max(apart), float(outputs))


def _logits(case: Case, weights: dict[str, torch.Tensor], batch: dict[str, Any], *, training: bool) -> torch.Tensor:
    x = torch.from_numpy(batch["x"])
    features = case.network(weights, x.double() if case.integers is None else x, training)
    return linear(weights, "head", features.flatten(1))


def _apart(ours: Any, theirs: Any) -> float:
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), SMALL))
