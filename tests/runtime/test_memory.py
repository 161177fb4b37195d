"""What a training takes of memory: no more after its second step, and less where values are computed again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import program

CLEAR = Path("/proc/self/clear_refs")
pytestmark = pytest.mark.skipif(not CLEAR.exists(), reason="the peak of a process is read off Linux")
DEEP = """block Residual(w: int)(x: [B, w]) -> [B, w]:
    return x + (x |> Dense(4 * w) |> tanh |> Dense(4 * w) |> tanh |> Dense(w))

model Deep():
    input x: [B, 64]
    target y: [B, 1]
    blocks = [KEEP(Residual(64)) for i in range(6)]
    p = x |> blocks |> Dense(1)
    loss objective = mse(p, y)

train:
    minimize objective with adam(lr=0.01)
"""
ROWS = 1024
BLOCK = ROWS * 64 * 4 * (4 + 4 + 1)
"""Bytes that a block keeps: two layers of width 256 and its sum."""


def resident(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) * 1024


def peaks(text: str, steps: int) -> list[int]:
    """By how much a step at most exceeds what there was before the first, for each."""
    trainer, draw = Trainer(program(text), options=SessionOptions(device="cpu", threads=1)), np.random.default_rng(0)
    batch = {"x": draw.normal(size=(ROWS, 64)).astype(np.float32), "y": np.zeros((ROWS, 1), np.float32)}
    return [peak(lambda: trainer.step(batch)) for _ in range(steps)]


def peak(run: Callable[[], object]) -> int:
    CLEAR.write_text("5")
    run()
    return resident("VmHWM")


def test_nothing_grows_after_the_second_step_and_computing_again_takes_less() -> None:
    before = resident("VmRSS")
    again = [found - before for found in peaks(DEEP.replace("KEEP", "remat"), 2)]
    kept = [found - before for found in peaks(DEEP.replace("KEEP", ""), 4)]
    assert max(kept) <= kept[1] * 1.03 + 2**20
    assert kept[1] <= kept[0] * 1.05, "the second step takes no more than the first"
    assert max(kept) - max(again) >= 3 * BLOCK, "of six blocks one is there at a time"
