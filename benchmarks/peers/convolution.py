"""The convolutional nets of ``benchmarks/specs`` in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from .base import Batch, Module, Peer


def plain(side: int, rate: float = 0.0) -> nn.Module:
    """Two convolutions of 32 and 64 channels over images of one channel."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), *([nn.Dropout(rate)] if rate else []), nn.Linear(64 * (side // 4) ** 2, 10),
    )  # fmt: skip


def norm(inputs: int, filters: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution padded alike on both sides, and batch normalisation."""
    conv = nn.Conv2d(inputs, filters, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(filters))


class Part(Module):
    """Of the residual net."""

    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        super().__init__()
        self.h = nn.Sequential(norm(inputs, filters, stride=stride), nn.ReLU(), norm(filters, filters))
        self.shortcut = nn.Identity() if inputs == filters else norm(inputs, filters, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.h(x) + self.shortcut(x))


def residual(width: int = 64) -> nn.Module:
    """ResNet-18 for small images."""
    parts: list[nn.Module] = [norm(3, width), nn.ReLU()]
    inputs = width
    for stage in range(4):
        filters = width * 2**stage
        parts += [Part(inputs, filters, 2 if stage > 0 else 1), Part(filters, filters, 1)]
        inputs = filters
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def separable(width: int = 32) -> nn.Module:
    """Depthwise and pointwise convolutions in turns."""
    parts: list[nn.Module] = [norm(3, width), nn.ReLU()]
    inputs = width
    for times, stride in ((2, 1), (4, 2), (4, 1), (8, 2), (8, 1)):
        filters = width * times
        parts += [norm(inputs, inputs, 3, stride, groups=inputs), nn.ReLU(), norm(inputs, filters, 1), nn.ReLU()]
        inputs = filters
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


class Autoencoder(Peer):
    """Convolutions down to 8x8 and transposed ones back."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(width, 3, 4, 2, 1),
        )  # fmt: skip

    def forward(self, batch: Batch) -> Tensor:
        """The mean of squares."""
        return mse_loss(self.net(batch["image"]), batch["image"])


class UNet(Peer):
    """A U-Net of three sizes."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()

        def pair(inputs: int, filters: int) -> nn.Sequential:
            return nn.Sequential(norm(inputs, filters), nn.ReLU(), norm(filters, filters), nn.ReLU())

        self.a, self.b, self.c = pair(1, width), pair(width, 2 * width), pair(2 * width, 4 * width)
        self.up_b, self.beside_b = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2), pair(4 * width, 2 * width)
        self.up_a, self.beside_a = nn.ConvTranspose2d(2 * width, width, 2, 2), pair(2 * width, width)
        self.last, self.pool = nn.Conv2d(width, 1, 1), nn.MaxPool2d(2)

    def forward(self, batch: Batch) -> Tensor:
        """Which pixels are bright?"""
        image = batch["image"]
        return binary_cross_entropy_with_logits(self.logits(image), (image > 0.5).float())

    def logits(self, x: Tensor) -> Tensor:
        """For every pixel."""
        a = self.a(x)
        b = self.b(self.pool(a))
        x = self.beside_b(torch.cat([b, self.up_b(self.c(self.pool(b)))], 1))
        x = self.beside_a(torch.cat([a, self.up_a(x)], 1))
        logits: Tensor = self.last(x)
        return logits
