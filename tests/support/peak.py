"""By how much a process grows that trains: ``python -m tests.support.peak SPEC B=64,T=32`` prints the bytes.

It is the largest resident set of a process (Linux's VmHWM) during six steps, over what it was before there was a trainer.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
import onnx  # noqa: F401 - what is imported on the way must not count
import onnxruntime  # noqa: F401

from archonnx.compiler.pipeline import elaborate, load
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer


def resident(key: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) * 1024


def grown(spec: str, dims: dict[str, int], steps: int = 6) -> int:
    """Train a little on numbers that mean nothing; labels are 0."""
    model = elaborate(load(spec))
    gc.collect()
    before = resident("VmRSS")
    trainer = Trainer(model, options=SessionOptions(device="cpu", threads=2), total=1_000, per_epoch=1_000)
    draw, batch = np.random.default_rng(0), {}
    for name in trainer.runner.fields:
        type_ = model.fields[name].type
        shape = [dim.evaluate(dims) for dim in type_.shape]
        batch[name] = (draw.normal(size=shape) if type_.dtype.is_float else np.zeros(shape)).astype(type_.dtype.numpy)
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(steps):
        trainer.step(batch)
    return resident("VmHWM") - before


if __name__ == "__main__":
    sizes = {name: int(size) for name, _, size in (part.partition("=") for part in sys.argv[2].split(","))}
    print(grown(sys.argv[1], sizes))
