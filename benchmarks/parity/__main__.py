"""Compare every kind of layer and write docs/parity.md; 1 if one differs by more than the tolerance."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from benchmarks import page

TOLERANCE = 1e-4
METHOD = f"""\
Each row trains a small net with one kind of layer in it, followed by a linear classifier, for ten steps on random
batches: by archonnx in float32 on the stock onnxruntime, and by PyTorch in float64 as an oracle, from the same initial
parameters, in the same layout. Layers are trained by SGD with momentum; optimizers train a net of dense layers.
Differences are the largest of all steps (relative, of the loss), of all parameters and buffers after the last step
(relative to the largest number of the tensor, or to 0.01 where all are smaller), and of all probabilities of the
trained net in use, where some layers do something else. None may exceed {TOLERANCE:g}."""


def main() -> int:
    """Compare, print and write."""
    if find_spec("torch") is None:
        print("this compares with PyTorch: install it first (`.venv/bin/pip install torch`)")
        return 2
    from .cases import CASES, optimized
    from .peer import OPTIMIZERS, compare

    rows, failed = [], []
    for case in (*CASES, *map(optimized, OPTIMIZERS)):
        found = compare(case)
        numbers = [f"{number:.1e}" for number in (found.loss, found.parameters, found.outputs)]
        holds = found.worst <= TOLERANCE
        print(f"{case.name}: {', '.join(numbers)}{'' if holds else ': DIFFERS'}", flush=True)
        rows.append([case.name, *numbers, "yes" if holds else "**no**"])
        failed += [] if holds else [case.name]
    table = page.table(["layer or optimizer", "loss", "parameters", "outputs", "equal"], rows)
    packages = ("numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "torch")
    heading = ["# Training steps beside PyTorch's", "Written by `python -m benchmarks.parity`.", METHOD]
    print(page.write("parity.md", [*heading, table, page.circumstances(packages)]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
