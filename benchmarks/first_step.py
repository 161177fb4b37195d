"""A process that trains ``digits_cnn`` from its data, as a user would start it, and ends after the first step.

``python -m benchmarks.first_step archonnx`` runs the command line; ``... torch`` does the same work in PyTorch.
"""

from __future__ import annotations

import os
import sys


def ours() -> None:
    """``archonnx train digits_cnn``, ended from inside by the observer of its first step."""
    from archonnx.cli import main, progress

    progress.Lines.step = lambda *_: os._exit(0)  # type: ignore[method-assign]
    sys.argv = ["archonnx", "train", "digits_cnn", "--out", "run", "--threads", "2"]
    main()


def torch() -> None:
    """The same network, data and batch in PyTorch."""
    import numpy as np
    from sklearn.datasets import load_digits
    from torch import from_numpy

    from .cases import CASES
    from .peers import steps

    case = CASES["digits_cnn"]
    digits = load_digits()
    rows = np.random.default_rng(0).permutation(len(digits.target))[: case.batch_size]
    images = (digits.data[rows].reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    steps.make_step(case, batch={"image": from_numpy(images), "label": from_numpy(digits.target[rows])})()


if __name__ == "__main__":
    {"archonnx": ours, "torch": torch}[sys.argv[1]]()
