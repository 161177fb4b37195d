"""ResNets, MobileNetV2 and ConvNeXt-T, as the zoo has them, in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .base import Module
from .convolution import norm

CLASSES = 10


class Residual(Module):
    """relu(h(x) + shortcut(x)), of two 3x3 convolutions, or of a bottleneck of three."""

    def __init__(self, inputs: int, filters: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        out = 4 * filters if bottleneck else filters
        if bottleneck:
            first, *rest = norm(inputs, filters, 1), norm(filters, filters, 3, stride), norm(filters, out, 1)
        else:
            first, *rest = norm(inputs, filters, 3, stride), norm(filters, filters)
        same = inputs == out and stride == 1
        self.h = nn.Sequential(first, *(layer for one in rest for layer in (nn.ReLU(), one)))
        self.shortcut = nn.Identity() if same else norm(inputs, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.h(x) + self.shortcut(x))


def resnet(depths: Sequence[int], bottleneck: bool, width: int = 64) -> nn.Module:
    """He et al. 2016, table 1."""
    parts: list[nn.Module] = [norm(3, width, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = width
    for stage, depth in enumerate(depths):
        for i in range(depth):
            filters = width * 2**stage
            parts.append(Residual(inputs, filters, 2 if stage and not i else 1, bottleneck))
            inputs = 4 * filters if bottleneck else filters
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, CLASSES))


class Inverted(Module):
    """1x1 to more channels, 3x3 channel by channel, 1x1 back."""

    def __init__(self, inputs: int, filters: int, expand: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expand
        parts = [norm(inputs, inner, 1), nn.ReLU6()] if expand > 1 else []
        parts += [norm(inner, inner, 3, stride, groups=inner), nn.ReLU6(), norm(inner, filters, 1)]
        self.h, self.same = nn.Sequential(*parts), inputs == filters and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.h(x)
        return x + h if self.same else h


def mobilenet(rate: float, width: int = 32) -> nn.Module:
    """Sandler et al. 2018, table 2; all widths are proportional to that of the first layer."""
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    parts: list[nn.Module] = [norm(3, width, 3, 2), nn.ReLU6()]
    inputs, last = width, 1280 * width // 32
    for expand, filters, depth, stride in stages:
        for i in range(depth):
            parts.append(Inverted(inputs, filters * width // 32, expand, 1 if i else stride))
            inputs = filters * width // 32
    dropped = [nn.Dropout(rate)] if rate else []
    parts += [norm(inputs, last, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), *dropped]
    return nn.Sequential(*parts, nn.Linear(last, CLASSES))


class ChannelNorm(nn.LayerNorm):  # type: ignore[misc]
    """Layer normalisation over the channels of each place, as torchvision does it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(Module):
    """x + gamma h(x)."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((c, 1, 1), 1e-6))
        self.h = nn.Sequential(
            nn.Conv2d(c, c, 7, padding=3, groups=c), ChannelNorm(c, eps=1e-6),
            nn.Conv2d(c, 4 * c, 1), nn.GELU(), nn.Conv2d(4 * c, c, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * self.h(x)


def convnext(width: int = 96) -> nn.Module:
    """Liu et al. 2022."""
    parts: list[nn.Module] = [nn.Conv2d(3, width, 4, 4), ChannelNorm(width, eps=1e-6)]
    for stage, depth in enumerate((3, 3, 9, 3)):
        c = width * 2**stage
        parts += [ChannelNorm(c // 2, eps=1e-6), nn.Conv2d(c // 2, c, 2, 2)] if stage else []
        parts += [ConvNeXtBlock(c) for _ in range(depth)]
    last = nn.LayerNorm(8 * width, eps=1e-6)
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last, nn.Linear(8 * width, CLASSES))
