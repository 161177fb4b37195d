"""The steps of ``benchmarks/specs/dcgan.arch`` and ``ddpm.arch`` in PyTorch.

Both nets of the DCGAN learn from one forward pass, as ours do, so each of the two losses goes backwards to its own
parameters, before either optimizer steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

LATENT, WIDTH = 16, 32
STEPS, FEATURES, CLASSES = 100, 64, 10


def generative_step(
    name: str, lr: float, batch: Mapping[str, Tensor], fused: bool, drawn: bool, initial: Mapping[str, Any] | None
) -> Callable[[], float]:
    """A step that gives its losses, summed; see ``peer.make_step``. If not ``drawn``, draws are fixed numbers."""
    make = {"dcgan": _dcgan, "ddpm": _ddpm}[name]
    return make(lr, batch, fused, drawn, initial)


def _assign(modules: Iterator[nn.Module], initial: Mapping[str, Any]) -> None:
    """Our parameters in our order. Matrices are transposed, embeddings and kernels are not; statistics are left out."""
    own = (torch.from_numpy(array) for path, array in initial.items() if "running" not in path)
    with torch.no_grad():
        for module in modules:
            for parameter in module.parameters(recurse=False):
                given = next(own)
                parameter.copy_(given.T if isinstance(module, nn.Linear) and given.ndim == 2 else given)
    assert next(own, None) is None


def _waves(*shape: int) -> Tensor:
    """Fixed numbers in place of draws."""
    return torch.arange(torch.Size(shape).numel()).float().sin().reshape(shape)


# ---------------------------------------------------------------- DCGAN


def _dcgan(
    lr: float, batch: Mapping[str, Tensor], fused: bool, drawn: bool, initial: Mapping[str, Any] | None
) -> Callable[[], float]:
    generator = nn.Sequential(
        nn.Linear(LATENT, 8 * WIDTH), nn.Unflatten(1, (2 * WIDTH, 2, 2)), nn.BatchNorm2d(2 * WIDTH), nn.ReLU(),
        nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(),
        nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, WIDTH, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * WIDTH), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(8 * WIDTH, 1),
    )  # fmt: skip
    if initial is not None:
        _assign(iter([*generator, *discriminator]), initial)
    nets = (generator, discriminator)
    optimizers = [torch.optim.Adam(net.parameters(), lr, betas=(0.5, 0.999), fused=fused or None) for net in nets]
    image, size = batch["image"], len(batch["image"])
    real, none, one = torch.full((size, 1), 0.9), torch.zeros(size, 1), torch.ones(size, 1)

    def step() -> float:
        for optimizer in optimizers:
            optimizer.zero_grad()
        z = torch.randn(size, LATENT) if drawn else _waves(size, LATENT)
        said = discriminator(generator(z))
        true = binary_cross_entropy_with_logits(discriminator(image), real)
        d_loss = true + binary_cross_entropy_with_logits(said, none)
        g_loss = binary_cross_entropy_with_logits(said, one)
        g_loss.backward(inputs=list(generator.parameters()), retain_graph=True)
        d_loss.backward(inputs=list(discriminator.parameters()))
        for optimizer in optimizers:
            optimizer.step()
        return float((d_loss + g_loss).item())

    return step


# ---------------------------------------------------------------- DDPM


class _Residual:
    """Two convolutions beside the identity, told of time and class between them."""

    def __init__(self, c: int, width: int) -> None:
        self.first, self.one = nn.GroupNorm(8, c), nn.Conv2d(c, width, 3, padding=1)
        self.told = nn.Linear(FEATURES, width)
        self.second, self.two = nn.GroupNorm(8, width), nn.Conv2d(width, width, 3, padding=1)
        self.beside = nn.Identity() if c == width else nn.Conv2d(c, width, 1)
        self.act = nn.SiLU()
        self.modules = [self.first, self.one, self.told, self.second, self.two, self.beside]

    def __call__(self, x: Tensor, e: Tensor) -> Tensor:
        y: Tensor = self.one(self.act(self.first(x))) + self.told(e)[:, :, None, None]
        result: Tensor = self.two(self.act(self.second(y))) + self.beside(x)
        return result


class _UNet:
    """The noise in x."""

    def __init__(self, width: int = 24) -> None:
        rate = 10000.0 ** (-2 * torch.arange(FEATURES // 2) / FEATURES)
        angle = torch.arange(STEPS)[:, None] * rate
        self.places = torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(STEPS, FEATURES)
        self.time = nn.Sequential(nn.Linear(FEATURES, FEATURES), nn.SiLU(), nn.Linear(FEATURES, FEATURES))
        self.label = nn.Embedding(CLASSES + 1, FEATURES)
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.a, self.b = _Residual(width, width), _Residual(width, 2 * width)
        self.c, self.d = _Residual(2 * width, 2 * width), _Residual(3 * width, width)
        self.norm, self.last = nn.GroupNorm(8, width), nn.Conv2d(width, 1, 3, padding=1)
        self.pool, self.enlarge, self.act = nn.AvgPool2d(2), nn.Upsample(scale_factor=2), nn.SiLU()
        inner = [module for part in (self.a, self.b, self.c, self.d) for module in part.modules]
        self.modules = [*self.time, self.label, self.first, *inner, self.norm, self.last]
        """In the order of our parameters."""

    def __call__(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        e = self.act(self.time(self.places[t]) + self.label(label))
        a = self.a(self.first(x), e)
        b = self.c(self.b(self.pool(a), e), e)
        y: Tensor = self.last(self.act(self.norm(self.d(torch.cat([a, self.enlarge(b)], dim=1), e))))
        return y


def _ddpm(
    lr: float, batch: Mapping[str, Tensor], fused: bool, drawn: bool, initial: Mapping[str, Any] | None
) -> Callable[[], float]:
    net = _UNet()
    if initial is not None:
        _assign(iter(net.modules), initial)
    optimizer = torch.optim.Adam(nn.ModuleList(net.modules).parameters(), lr, fused=fused or None)
    image, label, size = batch["image"], batch["label"], len(batch["image"])
    alpha_bar = torch.cumprod(1 - torch.linspace(1e-3, 0.1, STEPS), 0)

    def step() -> float:
        optimizer.zero_grad()
        t = torch.randint(STEPS, (size,)) if drawn else torch.arange(size) % STEPS
        eps = torch.randn_like(image) if drawn else _waves(*image.shape)
        a = alpha_bar[t][:, None, None, None]
        loss = mse_loss(net(a.sqrt() * image + (1 - a).sqrt() * eps, t, label), eps)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step
