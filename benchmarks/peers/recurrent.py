"""The recurrent nets of ``benchmarks/specs`` in PyTorch: its own LSTM and GRU, and a linear layer on the last state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .base import Batch, Peer


def ordered(rows: Tensor, n: int) -> Tensor:
    """The rows of an LSTM's weights in the other order of its gates: PyTorch has i, f, g, o, and here is i, f, o, g.

    Those of other layers, which have no four parts of n rows, as they are.
    """
    if len(rows) != 4 * n:
        return rows
    i, f, third, fourth = rows.chunk(4)
    return torch.cat([i, f, fourth, third])


class Recurrent(Peer):
    """[B, T, n] to [B, 10]."""

    def __init__(self, kind: str, n: int) -> None:
        super().__init__()
        self.layer = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](n, n, batch_first=True)
        self.head = nn.Linear(n, 10)

    def forward(self, batch: Batch) -> Tensor:
        """Cross-entropy by the last state."""
        return cross_entropy(self.logits(batch["sequence"]), batch["label"])

    def logits(self, x: Tensor) -> Tensor:
        """Of the last state."""
        _, last = self.layer(x)
        result: Tensor = self.head((last[0] if isinstance(last, tuple) else last)[0])
        return result

    def assign(self, initial: Mapping[str, Any]) -> None:
        """Take our parameters. PyTorch has two biases where we have one: the second one stays 0 there."""
        given = {path: torch.from_numpy(array) for path, array in initial.items()}
        own = {path.removeprefix("layer."): array for path, array in given.items() if path.startswith("layer.")}
        head = {name: given[f"dense.{name}"] for name in ("W", "b")}
        inner = torch.zeros_like(self.layer.bias_hh_l0)
        moving = torch.zeros_like(inner)
        if "c" in own:  # of a GRU, the bias of the new state before the reset gate
            n = own["c"].shape[0]
            inner[2 * n :], moving[2 * n :] = own["c"], 1
        with torch.no_grad():
            n = self.layer.hidden_size
            self.layer.weight_ih_l0.copy_(ordered(own["W"].T, n))
            self.layer.weight_hh_l0.copy_(ordered(own["U"].T, n))
            self.layer.bias_ih_l0.copy_(ordered(own["b"], n))
            self.layer.bias_hh_l0.copy_(inner)
            self.head.weight.copy_(head["W"].T)
            self.head.bias.copy_(head["b"])
        if "c" in own:
            self.layer.bias_hh_l0.register_hook(lambda gradient: gradient * moving)
        else:
            self.layer.bias_hh_l0.requires_grad_(False)
