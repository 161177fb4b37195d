"""Mixed precision beside f32 and beside torch's autocast, on the CPU: ``python -m benchmarks.mixed`` (needs torch).

It prints how far gradients in bf16 are from those in f32, ours and torch's, from the same parameters on the same batch,
and what trainings of the zoo reach in both. What this does not do: say how long anything takes on a GPU.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import archonnx
from archonnx.compiler.mixed import Precision
from archonnx.compiler.pipeline import parse_spec
from archonnx.grammar.source import Source

NETS = {
    "MLP 64-128-128-10": """
model Mlp():
    input image: [B, 1, 8, 8]
    target label: i64[B]
    logits = image |> flatten |> Dense(128) |> relu |> Dense(128) |> relu |> Dense(10)
    loss objective = cross_entropy(logits, label)
train:
    minimize objective with sgd(lr=0.1)
""",
    "CNN of two convolutions": """
model Cnn():
    input image: [B, 1, 8, 8]
    target label: i64[B]
    hidden = image |> Conv(16, 3) |> relu |> Conv(32, 3, stride=2) |> relu
    logits = hidden |> flatten |> Dense(10)
    loss objective = cross_entropy(logits, label)
train:
    minimize objective with sgd(lr=0.1)
""",
}
TRAINED, SEEDS = ("digits_mlp", "digits_cnn"), 3
SIZE = 256
"""Examples in the batch."""


def main() -> None:
    """Print both tables."""
    argparse.ArgumentParser(prog="python -m benchmarks.mixed", description=__doc__).parse_args()
    print("| gradients | ours from ours in f32 | torch's from torch's in f32 | ours from torch's | in f32 |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, text in NETS.items():
        print(f"| {name} | {' | '.join(f'{apart:.1e}' for apart in distances(text))} |")
    print("\n| test accuracy | f32 | bf16 |\n| --- | --- | --- |")
    for spec in TRAINED:
        reached = [" ".join(f"{accuracy:.4f}" for accuracy in accuracies(spec, p)) for p in ("f32", "bf16")]
        print(f"| {spec} | {' | '.join(reached)} |")


def distances(text: str) -> list[float]:
    """How far all gradients together are: bf16 from f32 here, and in torch; ours from torch's in bf16, and in f32."""
    digits = load_digits()
    images = (digits.images[:SIZE, None] / 16).astype(np.float32)
    batch = {"image": images, "label": digits.target[:SIZE].astype(np.int64)}
    ours: dict[str, Any] = {}
    for precision in ("f32", "bf16"):
        spec = parse_spec(Source("net.arch", text))
        trainer = archonnx.Trainer(spec, SIZE, device="cpu", precision=precision)
        ours[precision] = trainer.gradients(batch)
    parameters = dict(trainer.parameters)
    theirs = {mixed: in_torch(parameters, batch, mixed) for mixed in (False, True)}
    return [
        apart(ours["bf16"], ours["f32"]),
        apart(theirs[True], theirs[False]),
        apart(ours["bf16"], theirs[True]),
        apart(ours["f32"], theirs[False]),
    ]


def apart(found: dict[str, Any], wanted: dict[str, Any]) -> float:
    """The length of the difference of all tensors as one vector, in proportion."""
    difference = sum(float(((found[name] - array) ** 2).sum()) for name, array in wanted.items())
    return float(np.sqrt(difference / sum(float((array**2).sum()) for array in wanted.values())))


def in_torch(parameters: dict[str, Any], batch: dict[str, Any], mixed: bool) -> dict[str, Any]:
    """The gradients of the same net by torch: kernels of four axes are convolutions, those of two layers."""
    import torch
    from torch.nn import functional

    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in parameters.items()}
    paths = list(dict.fromkeys(name.rpartition(".")[0] for name in tensors))
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        x = torch.tensor(batch["image"])
        for place, path in enumerate(paths):
            weight, bias = tensors[f"{path}.W"], tensors.get(f"{path}.b")
            if weight.ndim == 4:
                x = functional.conv2d(x, weight, bias, stride=1 + place)
            else:
                x = functional.linear(x.flatten(1), weight.T, bias)
            x = x if place == len(paths) - 1 else functional.relu(x)
    functional.cross_entropy(x.float(), torch.tensor(batch["label"])).backward()
    return {name: tensor.grad.numpy() for name, tensor in tensors.items() if tensor.grad is not None}


def accuracies(spec: str, precision: Precision) -> list[float]:
    """The accuracy on the test part of trainings with several seeds."""
    with tempfile.TemporaryDirectory() as folder:
        runs = archonnx.train(spec, Path(folder) / "runs", seeds=SEEDS, precision=precision, device="cpu")
        return [run.metrics["test"]["accuracy"] for run in runs]


if __name__ == "__main__":
    main()
