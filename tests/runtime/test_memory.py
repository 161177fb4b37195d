"""What a training takes of memory: no more after its second step, and less where values are computed again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archonnx.compiler.pipeline import parse_spec
from archonnx.grammar.source import Source
from archonnx.memory import memory
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import program
from tests.support.peak import resident

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
STATE = ("parameters", "optimizer state", "their next values")
BLOCK = ROWS * 64 * 4 * (4 + 4 + 1)
"""Bytes that a block keeps: two layers of width 256 and its sum."""


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


WIDE = """model Wide():
    input x: [B, 1500]
    target y: [B, 1]
    p = x |> Dense(1500) |> tanh |> Dense(1500) |> tanh |> Dense(1)
    loss objective = mse(p, y)

train:
    minimize objective with adam(lr=0.01)
"""


def test_what_an_optimizer_carries_is_there_once_and_is_predicted() -> None:
    """Parameters, two means and a gradient of each; whole second sets would be three more."""
    before, ones = resident("VmRSS"), np.ones((4, 1500), np.float32)
    trainer = Trainer(program(WIDE), options=SessionOptions(device="cpu", threads=1))
    grown = [peak(lambda: trainer.step({"x": ones, "y": ones[:, :1]})) - before for _ in range(5)]
    weights = 4 * sum(array.size for array in trainer.parameters.values())
    assert 3.9 * weights < grown[1] < 4.7 * weights + 20e6
    assert max(grown) <= grown[1] * 1.03 + 2**20
    told = memory(parse_spec(Source("wide.arch", WIDE)), dims={"B": 4})
    assert told.parts["their next values"] < 0.1 * weights
    assert told.total == pytest.approx(max(grown), rel=0.15)


def told_and_measured(spec: str, dims: str) -> tuple[int, int]:
    """Bytes that ``show --memory`` predicts, and by which a process grows."""
    sizes = {name: int(size) for name, _, size in (part.partition("=") for part in dims.split(","))}
    command = [sys.executable, "-m", "tests.support.peak", spec, dims]
    measured = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return memory(spec, dims=sizes).total, int(measured.stdout)


def test_a_convolutional_net_takes_what_is_predicted() -> None:
    told, measured = told_and_measured("digits_cnn", "B=1024")
    assert told == pytest.approx(measured, rel=0.15)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("spec", "dims"),
    [
        ("vae", "B=2048"),
        ("char_gpt", "B=32,T=64"),
        ("co2_transformer", "B=256"),
        ("sentence_classifier", "B=64,T=64"),
        ("resnet18", "B=4"),
        ("mobilenet_v2", "B=2"),
        ("residual_mlp", "B=2048"),
        ("spelled_digits", "B=256"),
    ],
)
def test_specs_of_the_zoo_take_what_is_predicted(spec: str, dims: str) -> None:
    told, measured = told_and_measured(spec, dims)
    assert told == pytest.approx(measured, rel=0.15)


def test_the_parts_add_up_and_what_is_computed_again_is_not_held() -> None:
    kept, again = (
        memory(parse_spec(Source("deep.arch", DEEP.replace("KEEP", how))), dims={"B": 512}) for how in ("", "remat")
    )
    assert kept.total == sum(kept.parts.values())
    assert {name: kept.parts[name] for name in STATE} == {name: again.parts[name] for name in STATE}
    alive = "results and gradients, at most at once"
    assert kept.parts[alive] - again.parts[alive] >= 3 * BLOCK * 512 // ROWS
    assert any("deep.arch:2" in place for place in kept.holders)
