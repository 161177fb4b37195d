"""The same training steps in PyTorch, eager, as its users write them.

What this module does not do: use archonnx. PyTorch is not a dependency of the project.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from .cases import THREADS, Case
from .peer_convolution import NETS, assign
from .peer_generative import generative_step
from .peer_gpt import GPT
from .peer_recurrent import Recurrent

Step = Callable[[], float]
GPTS = {"gpt_small": (256, 64, 128, 4, 4), "gpt_large": (2048, 128, 256, 4, 8)}
"""Vocabulary, context, width, layers, heads."""


def network(case: Case, dropout: float = 0.25) -> Any:
    """The network of a case."""
    if case.name in NETS:
        return NETS[case.name][0]()
    if case.name in GPTS:
        return GPT(*GPTS[case.name])
    if "units" in case.arguments:
        return Recurrent(case.name.partition("_")[0], case.arguments["units"])
    if case.name.startswith("mlp"):
        sizes = {"mlp_small": (64, 32, 10), "mlp_large": (784, 256, 128, 10)}[case.name]
        layers: list[nn.Module] = []
        for n, m in pairwise(sizes):
            layers += [nn.Linear(n, m), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
    side = case.shape[-1] // 4
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), *([nn.Dropout(dropout)] if case.name == "digits_cnn" else []), nn.Linear(64 * side * side, 10),
    )  # fmt: skip


def make_step(
    case: Case,
    *,
    fused: bool = False,
    plain: bool = False,
    initial: Mapping[str, Any] | None = None,
    batch: Mapping[str, torch.Tensor] | None = None,
) -> Step:
    """A step on a batch that gives the loss before its update.

    Args:
        case: what to do.
        fused: use PyTorch's fused implementation of the optimizer, which is not its default.
        plain: nothing is drawn, neither dropout nor noise.
        initial: parameters in our layout, in our order; PyTorch's own initial values otherwise.
        batch: tensors by field; the case's batch otherwise.
    """
    torch.set_num_threads(THREADS)
    given = batch or {name: torch.from_numpy(array) for name, array in case.batch().items()}
    if case.name in ("dcgan", "ddpm"):
        return generative_step(case.name, case.lr, given, fused, not plain, initial)
    model = network(case, 0.0 if plain else 0.25)
    if isinstance(model, GPT | Recurrent) and initial is not None:
        model.assign(initial)
    elif initial is not None:
        (assign if case.name in NETS else _assign)(model, initial)
    kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[case.optimizer]
    optimizer = kind(model.parameters(), lr=case.lr, fused=fused or None)
    example, label = ("ids", "next") if case.vocabulary else (case.example, "label")

    def of_labels(scores: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return cross_entropy(scores.flatten(0, -2), batch[label].flatten())

    loss_of = NETS[case.name][1] if case.name in NETS else of_labels

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of(model(given[example]), given)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def _assign(model: nn.Sequential, initial: Mapping[str, Any]) -> None:
    """Our matrices are [inputs, units], PyTorch's [units, inputs]; kernels agree."""
    with torch.no_grad():
        for parameter, array in zip(model.parameters(), initial.values(), strict=True):
            tensor = torch.from_numpy(array)
            parameter.copy_(tensor.T if tensor.ndim == 2 else tensor)
