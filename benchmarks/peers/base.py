"""What all peers have: a loss of a batch, and parameters in the order of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

Batch = Mapping[str, Tensor]


class Module(nn.Module):  # type: ignore[misc]  # PyTorch is not there where types are checked
    """A part of a net, which declares its parts in the order of ours."""


class Peer(Module):
    """``forward`` takes a batch by its fields, and gives the loss, or several."""

    def parts(self) -> Sequence[list[Any]]:
        """The parameters of each loss, where there are several; none where all are of the one."""
        return ()

    def assign(self, initial: Mapping[str, Any]) -> None:
        """Our parameters, in our order: matrices of linear layers are transposed; buffers are left out."""
        assign(self, {path: array for path, array in initial.items() if "running" not in path})


class Labelled(Peer):
    """Cross-entropy of what a net gives for a field."""

    def __init__(self, net: nn.Module, example: str = "image", label: str = "label") -> None:
        super().__init__()
        self.net, self.example, self.label = net, example, label

    def forward(self, batch: Batch) -> Tensor:
        """The loss."""
        scores = self.net(batch[self.example])
        return cross_entropy(scores.flatten(0, -2), batch[self.label].flatten())


def assign_statistics(net: nn.Module, given: Mapping[str, Any]) -> None:
    """Our running means and variances to the batch normalisations, in order."""
    own = iter([array for path, array in given.items() if "running" in path])
    for part in net.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            for buffer in (part.running_mean, part.running_var):
                buffer.copy_(torch.from_numpy(next(own)))


def assign(net: nn.Module, given: Mapping[str, Any]) -> None:
    """Arrays to the parameters of all parts, in order."""
    own = iter(given.values())
    with torch.no_grad():
        for part in net.modules():
            for parameter in part.parameters(recurse=False):
                tensor = torch.from_numpy(next(own))
                turned = isinstance(part, nn.Linear) and tensor.ndim == 2
                parameter.copy_(tensor.T if turned else tensor.reshape(parameter.shape))
    assert next(own, None) is None, "there are more parameters than theirs"
