"""A training step of a case in PyTorch: eager, with a fused optimizer, or compiled with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from benchmarks.cases import THREADS, Case

from . import convolution, feedforward, published
from .base import Labelled, Peer
from .generative import DCGAN, DDPM
from .gpt import GPT, Encoder
from .recurrent import Recurrent

Step = Callable[[], float]
EAGER, FUSED, COMPILED = SIDES = ("torch", "torch-fused", "torch-compile")

NETS: Mapping[str, Callable[[Mapping[str, Any]], Peer]] = {
    "line": lambda _: feedforward.Regression(10, 1, True, "x", "y"),
    "mlp_small": lambda _: Labelled(feedforward.stack(64, 32, 10)),
    "mlp_large": lambda _: Labelled(feedforward.stack(784, 256, 128, 10)),
    "mlp_norm": lambda given: feedforward.normalised(given.get("dropout", 0.0)),
    "dense": lambda _: feedforward.Regression(5000, 5000, False, "image", "image"),
    "embedding": lambda _: feedforward.embedding(),
    "cnn": lambda _: Labelled(convolution.plain(28)),
    "digits_cnn": lambda given: Labelled(convolution.plain(8, given.get("dropout", 0.25))),
    "autoencoder": lambda _: convolution.Autoencoder(),
    "separable": lambda _: Labelled(convolution.separable()),
    "unet": lambda _: convolution.UNet(),
    "residual": lambda _: Labelled(convolution.residual()),
    "resnet18": lambda _: Labelled(published.resnet((2, 2, 2, 2), bottleneck=False)),
    "resnet50": lambda _: Labelled(published.resnet((3, 4, 6, 3), bottleneck=True)),
    "mobilenet_v2": lambda given: Labelled(published.mobilenet(given["dropout"], given.get("width", 32))),
    "convnext_tiny": lambda _: Labelled(published.convnext()),
    "lstm": lambda given: Recurrent("lstm", given["units"]),
    "gru": lambda given: Recurrent("gru", given["units"]),
    "transformer": lambda _: Encoder(),
    "gpt_small": lambda _: GPT(256, 64, 128, 4, 4),
    "gpt_large": lambda _: GPT(2048, 128, 256, 4, 8),
    "vae": lambda given: feedforward.VAE(given.get("drawn", True)),
    "dcgan": lambda given: DCGAN(given.get("drawn", True)),
    "ddpm": lambda given: DDPM(given.get("drawn", True)),
    "gcn": lambda _: feedforward.GCN(),
}
"""The net of each spec, by the arguments of the spec's model."""


def make_net(case: Case, *, plain: bool = False) -> Peer:
    """The net of a case; ``plain`` without draws."""
    return NETS[case.spec]({**case.arguments, **(case.plain if plain else {})})


def make_step(
    case: Case,
    side: str = EAGER,
    *,
    plain: bool = False,
    initial: Mapping[str, Any] | None = None,
    batch: Mapping[str, torch.Tensor] | None = None,
) -> Step:
    """A step on a batch that gives the loss before its update.

    Args:
        case: what to do.
        side: of ``SIDES``: as PyTorch is by default; with its fused implementation of the optimizer; with that and
            with ``torch.compile`` of the net and its losses.
        plain: nothing is drawn, neither dropout nor noise.
        initial: parameters in our layout, in our order; PyTorch's own initial values otherwise.
        batch: tensors by field; the case's batch otherwise.
    """
    torch.set_num_threads(THREADS)
    given = dict(batch) if batch else {name: torch.from_numpy(array) for name, array in case.batch().items()}
    net = make_net(case, plain=plain)
    if initial is not None:
        net.assign(initial)
    optimizer = make_optimizer(case, net, fused=side != EAGER)
    parts = net.parts()
    compute: Any = net
    if side == COMPILED:
        torch._functorch.config.donated_buffer = not parts  # of two losses both go backwards through the same graph
        compute = torch.compile(net)

    def step() -> float:
        optimizer.zero_grad()
        loss = compute(given)
        if parts:
            for number, (one, own) in enumerate(zip(loss, parts, strict=True)):
                one.backward(inputs=own, retain_graph=number + 1 < len(parts))
            loss = sum(loss)
        else:
            loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def make_optimizer(case: Case, net: Peer, *, fused: bool) -> torch.optim.Optimizer:
    """Of the case; as in specs, scales and shifts of normalisation do not decay."""
    chosen: Any = [parameter for parameter in net.parameters() if parameter.requires_grad]
    fast = fused or None
    if case.optimizer in ("sgd", "momentum"):
        return torch.optim.SGD(chosen, lr=case.lr, momentum=0.9 if case.optimizer == "momentum" else 0.0, fused=fast)
    betas = (case.beta1, 0.999)
    if case.optimizer == "adam":
        return torch.optim.Adam(chosen, lr=case.lr, betas=betas, fused=fast)
    norms = {
        id(p) for part in net.modules() if isinstance(part, nn.LayerNorm | nn.BatchNorm2d) for p in part.parameters()
    }
    groups = [{"params": [p for p in chosen if id(p) not in norms], "weight_decay": 0.05},
              {"params": [p for p in chosen if id(p) in norms], "weight_decay": 0.0}]  # fmt: skip
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=case.lr, betas=betas, fused=fast)
