"""The nets of ``benchmarks/specs/dcgan.arch`` and ``ddpm.arch`` in PyTorch.

Both nets of the DCGAN learn from one forward pass, as ours do, so each of the two losses goes backwards to its own
parameters, before either optimizer steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from .base import Batch, Module, Peer

LATENT, WIDTH = 16, 32
STEPS, FEATURES, CLASSES = 100, 64, 10


def _waves(*shape: int) -> Tensor:
    """Fixed numbers in place of draws."""
    return torch.arange(torch.Size(shape).numel()).float().sin().reshape(shape)


class DCGAN(Peer):
    """The losses of the discriminator and of the generator; if not ``drawn``, noise is fixed."""

    def __init__(self, drawn: bool) -> None:
        super().__init__()
        self.drawn = drawn
        self.generator = nn.Sequential(
            nn.Linear(LATENT, 8 * WIDTH), nn.Unflatten(1, (2 * WIDTH, 2, 2)), nn.BatchNorm2d(2 * WIDTH), nn.ReLU(),
            nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(),
            nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Conv2d(1, WIDTH, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * WIDTH), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(8 * WIDTH, 1),
        )  # fmt: skip

    def parts(self) -> Sequence[list[Any]]:
        """Those of the discriminator, and those of the generator."""
        return [*self.discriminator.parameters()], [*self.generator.parameters()]

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Both losses."""
        image = batch["image"]
        size = len(image)
        z = torch.randn(size, LATENT) if self.drawn else _waves(size, LATENT)
        said, seen = self.discriminator(self.generator(z)), self.discriminator(image)
        real, none, one = torch.full((size, 1), 0.9), torch.zeros(size, 1), torch.ones(size, 1)
        d_loss = binary_cross_entropy_with_logits(seen, real) + binary_cross_entropy_with_logits(said, none)
        return d_loss, binary_cross_entropy_with_logits(said, one)


class _Residual(Module):
    """Two convolutions beside the identity, told of time and class between them."""

    def __init__(self, c: int, width: int) -> None:
        super().__init__()
        self.first, self.one = nn.GroupNorm(8, c), nn.Conv2d(c, width, 3, padding=1)
        self.told = nn.Linear(FEATURES, width)
        self.second, self.two = nn.GroupNorm(8, width), nn.Conv2d(width, width, 3, padding=1)
        self.beside = nn.Identity() if c == width else nn.Conv2d(c, width, 1)
        self.act = nn.SiLU()

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        y: Tensor = self.one(self.act(self.first(x))) + self.told(e)[:, :, None, None]
        result: Tensor = self.two(self.act(self.second(y))) + self.beside(x)
        return result


class DDPM(Peer):
    """A U-Net that guesses the noise in an image; if not ``drawn``, noise and times are fixed."""

    def __init__(self, drawn: bool, width: int = 24) -> None:
        super().__init__()
        self.drawn = drawn
        rate = 10000.0 ** (-2 * torch.arange(FEATURES // 2) / FEATURES)
        angle = torch.arange(STEPS)[:, None] * rate
        self.places = torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(STEPS, FEATURES)
        self.alpha_bar = torch.cumprod(1 - torch.linspace(1e-3, 0.1, STEPS), 0)
        self.time = nn.Sequential(nn.Linear(FEATURES, FEATURES), nn.SiLU(), nn.Linear(FEATURES, FEATURES))
        self.label = nn.Embedding(CLASSES + 1, FEATURES)
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.a, self.b = _Residual(width, width), _Residual(width, 2 * width)
        self.c, self.d = _Residual(2 * width, 2 * width), _Residual(3 * width, width)
        self.norm, self.last = nn.GroupNorm(8, width), nn.Conv2d(width, 1, 3, padding=1)
        self.pool, self.enlarge, self.act = nn.AvgPool2d(2), nn.Upsample(scale_factor=2), nn.SiLU()

    def forward(self, batch: Batch) -> Tensor:
        """The mean of squares between the noise and the guess."""
        image, size = batch["image"], len(batch["image"])
        t = torch.randint(STEPS, (size,)) if self.drawn else torch.arange(size) % STEPS
        eps = torch.randn_like(image) if self.drawn else _waves(*image.shape)
        a = self.alpha_bar[t][:, None, None, None]
        return mse_loss(self.noise(a.sqrt() * image + (1 - a).sqrt() * eps, t, batch["label"]), eps)

    def noise(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        """That in x."""
        e = self.act(self.time(self.places[t]) + self.label(label))
        a = self.a(self.first(x), e)
        b = self.c(self.b(self.pool(a), e), e)
        y: Tensor = self.last(self.act(self.norm(self.d(torch.cat([a, self.enlarge(b)], dim=1), e))))
        return y
