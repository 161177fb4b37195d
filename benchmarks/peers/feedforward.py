"""The nets of ``benchmarks/specs`` without convolutions in PyTorch."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from .base import Batch, Labelled, Peer


def stack(*sizes: int) -> nn.Sequential:
    """Linear layers with rectifiers between them."""
    layers: list[nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def normalised(rate: float) -> Peer:
    """784-512-512-10 with batch normalisation, and dropout above 0."""
    layers: list[nn.Module] = []
    for n, m in ((784, 512), (512, 512)):
        layers += [nn.Linear(n, m, bias=False), nn.BatchNorm1d(m), nn.ReLU(), *([nn.Dropout(rate)] if rate else [])]
    return Labelled(nn.Sequential(*layers, nn.Linear(512, 10)))


def embedding() -> Peer:
    """A row of a table, and a linear layer."""
    return Labelled(nn.Sequential(nn.Embedding(20_000, 64), nn.Linear(64, 10)), "ids")


class Regression(Peer):
    """One linear layer and the mean of squares."""

    def __init__(self, n: int, m: int, bias: bool, example: str, target: str) -> None:
        super().__init__()
        self.net, self.example, self.target = nn.Linear(n, m, bias), example, target

    def forward(self, batch: Batch) -> Tensor:
        """The loss."""
        return mse_loss(self.net(batch[self.example]), batch[self.target])


class VAE(Peer):
    """Two nets; what is between them is drawn, or moved by fixed numbers."""

    def __init__(self, drawn: bool, latent: int = 8, width: int = 128) -> None:
        super().__init__()
        self.encoder, self.decoder = stack(64, width, width, 2 * latent), stack(latent, width, width, 64)
        self.drawn = drawn

    def forward(self, batch: Batch) -> Tensor:
        """Minus the evidence lower bound."""
        image = batch["image"]
        mu, log_sigma = self.encoder(image).chunk(2, dim=-1)
        sigma = log_sigma.exp()
        noise = torch.randn_like(mu) if self.drawn else torch.arange(mu.numel()).float().sin().reshape(mu.shape)
        logits = self.decoder(mu + sigma * noise)
        error = binary_cross_entropy_with_logits(logits, image, reduction="none").sum(1)
        divergence = (0.5 * (sigma * sigma + mu * mu - 1) - log_sigma).sum(1)
        return (error + divergence).mean()


class GCN(Peer):
    """Two graph convolutions: gather, weigh, add to the targets."""

    def __init__(self, words: int = 500, hidden: int = 16, classes: int = 7) -> None:
        super().__init__()
        self.first, self.b1 = nn.Linear(words, hidden, bias=False), nn.Parameter(torch.zeros(hidden))
        self.second, self.b2 = nn.Linear(hidden, classes, bias=False), nn.Parameter(torch.zeros(classes))

    def assign(self, initial: dict[str, torch.Tensor]) -> None:  # type: ignore[override]
        """By their paths."""
        w1, b1, w2, b2 = (torch.from_numpy(array) for array in initial.values())
        with torch.no_grad():
            self.first.weight.copy_(w1.T), self.b1.copy_(b1), self.second.weight.copy_(w2.T), self.b2.copy_(b2)

    def forward(self, batch: Batch) -> Tensor:
        """Cross-entropy over all nodes."""
        h = torch.relu(self.heard(self.first(batch["text"]), batch) + self.b1)
        return nn.functional.cross_entropy(self.heard(self.second(h), batch) + self.b2, batch["label"])

    def heard(self, x: Tensor, batch: Batch) -> Tensor:
        """What every node's neighbours have, weighed and summed."""
        messages = x[batch["source"]] * batch["weight"][:, None]
        return torch.zeros_like(x).index_add(0, batch["target"], messages)
