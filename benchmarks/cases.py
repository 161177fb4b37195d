"""The training steps that are measured: a spec, a batch, and what a peer needs to know to do the same arithmetic."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

SPECS = Path(__file__).parent / "specs"
THREADS = 2
CLASSES = 10
NODES, EDGES, WORDS = 2_700, 24_000, 500
"""Of the graph: the size of Kipf and Welling's Cora, with as many edges as eight neighbours a node and loops give."""

Arrays = dict[str, Any]
Optimizer = Literal["sgd", "momentum", "adam", "adamw"]
SPELLED: Mapping[Optimizer, str] = {
    "sgd": "sgd(lr={lr})",
    "momentum": "sgd(lr={lr}, momentum=0.9)",
    "adam": "adam(lr={lr}, beta1={beta1})",
    "adamw": "adamw(lr={lr}, beta1={beta1}, weight_decay=0.05)",
}
"""Of each optimizer, the expression of a spec."""


@dataclass(frozen=True, slots=True)
class Case:
    """One training step.

    Attributes:
        name: also that of the peer's network.
        title: for people.
        spec: a file, or a name from the zoo. Its optimizer is replaced by that of the case.
        batch_of: the batch, drawn by a generator.
        batch_size: examples in a batch.
        optimizer: which one; with momentum 0.9, or a weight decay of 0.05.
        lr: its learning rate.
        beta1: that of Adam.
        overhead: whether its arithmetic is so little (below a million products) that a step costs what its overhead is.
        plain: arguments that take all draws out of the model, so that losses can be compared.
        arguments: of the model.
        losses: of the spec; what a step gives is their sum.
    """

    name: str
    title: str
    spec: str
    batch_of: Callable[[np.random.Generator, int], Arrays]
    batch_size: int
    optimizer: Optimizer
    lr: float
    beta1: float = 0.9
    overhead: bool = False
    plain: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    losses: tuple[str, ...] = ("objective",)

    def batch(self) -> Arrays:
        """A batch of noise, always the same."""
        return self.batch_of(np.random.default_rng(0), self.batch_size)

    def path(self) -> Path | str:
        """Its own spec's file, or the name of a spec of the zoo."""
        own = SPECS / f"{self.spec}.arch"
        return own if own.exists() else self.spec

    def text(self, spec: str) -> str:
        """The text of its spec, with its own optimizer."""
        spelled = SPELLED[self.optimizer].format(lr=self.lr, beta1=self.beta1)
        return re.sub(r"(minimize \w+ (?:over \w+ )?with ).*", lambda found: found[1] + spelled, spec)


def images(*shape: int, labels: bool = True, name: str = "image") -> Callable[[np.random.Generator, int], Arrays]:
    """Noise of a shape, with a label for each example."""

    def draw(generator: np.random.Generator, count: int) -> Arrays:
        batch = {name: generator.random((count, *shape), dtype=np.float32)}
        return batch | ({"label": generator.integers(0, CLASSES, count)} if labels else {})

    return draw


def tokens(vocabulary: int, length: int) -> Callable[[np.random.Generator, int], Arrays]:
    """Tokens, with the next one of each as its label."""

    def draw(generator: np.random.Generator, count: int) -> Arrays:
        drawn = generator.integers(0, vocabulary, (count, length + 1))
        return {"ids": np.ascontiguousarray(drawn[:, :-1]), "next": np.ascontiguousarray(drawn[:, 1:])}

    return draw


def numbers(generator: np.random.Generator, count: int) -> Arrays:
    """Ten numbers, and one that depends on them."""
    x = generator.normal(size=(count, 10)).astype(np.float32)
    return {"x": x, "y": x.sum(axis=1, keepdims=True)}


def words(generator: np.random.Generator, count: int) -> Arrays:
    """A word of 20,000 for each example, and its class."""
    return {"ids": generator.integers(0, 20_000, count), "label": generator.integers(0, CLASSES, count)}


def graph(generator: np.random.Generator, nodes: int) -> Arrays:
    """Edges between random nodes, each node with itself, weighed as Kipf and Welling do, and words of each node."""
    loops = np.arange(nodes)
    source = np.concatenate([generator.integers(0, nodes, EDGES - nodes), loops])
    target = np.concatenate([generator.integers(0, nodes, EDGES - nodes), loops])
    degree = np.bincount(target, minlength=nodes)
    weight = (1 / np.sqrt(degree[source] * degree[target])).astype(np.float32)
    text = (generator.random((nodes, WORDS)) < 0.05).astype(np.float32)
    return {"text": text, "source": source, "target": target, "weight": weight,
            "label": generator.integers(0, 7, nodes)}  # fmt: skip


SMALL, DRAWN = {"size": 64, "classes": CLASSES}, {"drawn": False}
MLP = "MLP 784-256-128-10, batch 128"
CASES = {case.name: case for case in (
    Case("linear", "Linear regression 10-1, batch 32, SGD", "line", numbers, 32, "sgd", 1e-2, overhead=True),
    Case("mlp_small", "MLP 64-32-10, batch 32, Adam", "mlp_small", images(64), 32, "adam", 1e-3, overhead=True),
    Case("mlp_large", f"{MLP}, Adam", "mlp_large", images(784), 128, "adam", 1e-3),
    Case("mlp_sgd", f"{MLP}, SGD", "mlp_large", images(784), 128, "sgd", 1e-2),
    Case("mlp_momentum", f"{MLP}, momentum", "mlp_large", images(784), 128, "momentum", 1e-2),
    Case("mlp_adamw", f"{MLP}, AdamW", "mlp_large", images(784), 128, "adamw", 1e-3),
    Case("mlp_norm", "MLP with BatchNorm, 784-512-512-10, batch 128, Adam", "mlp_norm", images(784), 128, "adam", 1e-3),
    Case("mlp_dropout", "The same with dropout", "mlp_norm", images(784), 128, "adam", 1e-3,
         arguments={"dropout": 0.5}, plain={"dropout": 0.0}),
    Case("dense", "Dense 5000x5000, batch 2, Adam", "dense", images(5000, labels=False), 2, "adam", 1e-5),
    Case("embedding", "Embedding 20,000x64, batch 64, Adam", "embedding", words, 64, "adam", 1e-3),
    Case("cnn", "CNN 32-64 channels, 28x28, batch 64, SGD", "cnn", images(1, 28, 28), 64, "sgd", 1e-2),
    Case("digits_cnn", "`digits_cnn` of the zoo (dropout), batch 64, Adam", "digits_cnn", images(1, 8, 8), 64, "adam",
         1e-3, plain={"dropout": 0.0}),
    Case("autoencoder", "Convolutional autoencoder, 32x32, batch 32, Adam", "autoencoder",
         images(3, 32, 32, labels=False), 32, "adam", 1e-3),
    Case("separable", "Depthwise-separable CNN, 32x32, batch 32, SGD", "separable", images(3, 32, 32), 32, "sgd", 1e-3),
    Case("unet", "U-Net of 16 to 64 channels, 64x64, batch 8, Adam", "unet", images(1, 64, 64, labels=False), 8, "adam",
         1e-4),
    Case("resnet18", "ResNet-18, 32x32, batch 32, momentum", "resnet18", images(3, 32, 32), 32, "momentum", 1e-5,
         arguments={"size": 32, "classes": CLASSES}),
    Case("residual", "ResNet-18 for small images, batch 32, SGD", "residual", images(3, 32, 32), 32, "sgd", 1e-4),
    Case("resnet50", "ResNet-50, 64x64, batch 8, momentum", "resnet50", images(3, 64, 64), 8, "momentum", 1e-8,
         arguments=SMALL),
    Case("mobilenet_v2", "MobileNetV2, 64x64, batch 16, momentum", "mobilenet_v2", images(3, 64, 64), 16, "momentum",
         1e-5, arguments={**SMALL, "dropout": 0.2}, plain={"dropout": 0.0}),
    Case("convnext_tiny", "ConvNeXt-T, 64x64, batch 8, AdamW", "convnext_tiny", images(3, 64, 64), 8, "adamw", 1e-5,
         arguments=SMALL),
    *(Case(f"{kind}_{size}", f"{kind.upper()} of {n} units, T{t}, batch {batch}, SGD", kind,
           images(t, n, name="sequence"), batch, "sgd", 1e-2, arguments={"units": n, "length": t})
      for kind in ("lstm", "gru") for size, n, t, batch in (("small", 32, 64, 8), ("large", 128, 64, 32))),
    Case("transformer", "Transformer, 2 layers, d128, T64, batch 16, Adam", "transformer", tokens(256, 64), 16, "adam",
         1e-4),
    Case("gpt_small", "GPT d128, 4 layers, T64, vocabulary 256, batch 16, Adam", "gpt_small", tokens(256, 64), 16,
         "adam", 1e-4),
    Case("gpt_large", "GPT d256, 4 layers, T128, vocabulary 2048, batch 8, SGD", "gpt_large", tokens(2048, 128), 8,
         "sgd", 1e-2),
    Case("vae", "VAE 64-128-128-8, batch 64, Adam", "vae", images(64, labels=False), 64, "adam", 1e-3, plain=DRAWN),
    Case("dcgan", "DCGAN of 8x8 digits, both nets from one forward pass, batch 64, Adam", "dcgan",
         images(1, 8, 8, labels=False), 64, "adam", 1e-3, 0.5, plain=DRAWN, losses=("d_loss", "g_loss")),
    Case("ddpm", "DDPM of 8x8 digits, U-Net of width 24, batch 64, Adam", "ddpm", images(1, 8, 8), 64, "adam", 1e-3,
         plain=DRAWN),
    Case("gcn", f"GCN of two layers on {NODES:,} nodes, {EDGES:,} edges, Adam", "gcn", graph, NODES, "adam", 1e-2),
)}  # fmt: skip


def case_named(name: str) -> Case:
    """A case, or with ``NAME:OPTIMIZER`` that case with another optimizer.

    Raises:
        KeyError: there is none.
    """
    case, _, optimizer = name.partition(":")
    if not optimizer:
        return CASES[case]
    chosen = {str(one): one for one in SPELLED}[optimizer]
    return replace(CASES[case], name=name, title=f"{CASES[case].title}, with {optimizer}", optimizer=chosen)


def argument(name: str) -> Case:
    """``case_named`` for a command line."""
    try:
        return case_named(name)
    except KeyError:
        known = f"workloads are {', '.join(CASES)}; optimizers {', '.join(SPELLED)}"
        raise argparse.ArgumentTypeError(f"there is no workload {name!r}: {known}") from None
