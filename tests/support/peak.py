"""By how much a process grows that trains: ``python -m tests.support.peak SPEC B=64,T=32`` prints it, step by step.

A figure is the largest resident set of a process (Linux's VmHWM) during a step, over what it was before there was a
trainer. ``trained`` asks a fresh process, since what a process has freed before, it takes again without growing.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx  # noqa: F401 - what is imported on the way must not count
import onnxruntime  # noqa: F401

from archonnx.compiler.pipeline import elaborate, load
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer

ROOT = Path(__file__).parents[2]


def resident(key: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) * 1024


def trained(spec: str | Path, dims: dict[str, int], *, steps: int = 6, threads: int = 2) -> list[int]:
    """Bytes that each step of a training of ``spec`` (a name of the zoo or a file) holds at most, in a fresh process."""
    sizes = ",".join(f"{name}={size}" for name, size in dims.items())
    command = [sys.executable, "-m", "tests.support.peak", str(spec), sizes, str(steps), str(threads)]
    asked = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return [int(found) for found in json.loads(asked.stdout)]


def grown(spec: str, dims: dict[str, int], steps: int, threads: int) -> list[int]:
    """Train a little on numbers that mean nothing; labels are 0."""
    model = elaborate(load(spec))
    gc.collect()
    before = resident("VmRSS")
    trainer = Trainer(model, options=SessionOptions(device="cpu", threads=threads), total=1_000, per_epoch=1_000)
    draw, batch, found = np.random.default_rng(0), {}, []
    for name in trainer.runner.fields:
        type_ = model.fields[name].type
        shape = [dim.evaluate(dims) for dim in type_.shape]
        batch[name] = (draw.normal(size=shape) if type_.dtype.is_float else np.zeros(shape)).astype(type_.dtype.numpy)
    for _ in range(steps):
        Path("/proc/self/clear_refs").write_text("5")
        trainer.step(batch)
        found.append(resident("VmHWM") - before)
    return found


if __name__ == "__main__":
    sizes = {name: int(size) for name, _, size in (part.partition("=") for part in sys.argv[2].split(","))}
    print(json.dumps(grown(sys.argv[1], sizes, *(int(count) for count in sys.argv[3:5]))))
