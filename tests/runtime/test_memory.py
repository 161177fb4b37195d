"""What a training takes of memory: no more after its second step, and less where values are computed again."""

from __future__ import annotations

from pathlib import Path

import pytest

from archonnx.compiler.pipeline import parse_spec
from archonnx.grammar.source import Source
from archonnx.memory import memory
from tests.support.peak import trained

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


def peaks(folder: Path, text: str, rows: int, steps: int) -> list[int]:
    """By how much a process grows in each step of a training of ``text``."""
    (folder / "net.arch").write_text(text)
    return trained(folder / "net.arch", {"B": rows}, steps=steps, threads=1)


def test_nothing_grows_after_the_second_step_and_computing_again_takes_less(tmp_path: Path) -> None:
    again = peaks(tmp_path, DEEP.replace("KEEP", "remat"), ROWS, 2)
    kept = peaks(tmp_path, DEEP.replace("KEEP", ""), ROWS, 4)
    assert max(kept) <= kept[1] * 1.03 + 2**20
    assert kept[1] <= kept[0] * 1.05, "the second step takes no more than the first"
    assert max(kept) - max(again) >= 3 * BLOCK, "of six blocks one is there at a time"


WIDE = """model Wide():
    input x: [B, 2000]
    target y: [B, 1]
    p = x |> Dense(2000) |> tanh |> Dense(2000) |> tanh |> Dense(1)
    loss objective = mse(p, y)

train:
    minimize objective with adam(lr=0.01)
"""


def test_what_an_optimizer_carries_is_there_once_and_is_predicted(tmp_path: Path) -> None:
    """Parameters, two means and a gradient of each; whole second sets would be three more."""
    grown = peaks(tmp_path, WIDE, 4, 5)
    told = memory(parse_spec(Source("wide.arch", WIDE)), dims={"B": 4})
    weights = told.parts["parameters"]
    assert weights == 4 * (2 * 2000 * 2001 + 2001)
    assert 3.9 * weights < grown[1] < 5.5 * weights
    assert max(grown) <= grown[1] * 1.03 + 2**20
    assert told.parts["their next values"] < 0.1 * weights
    assert told.total == pytest.approx(max(grown), rel=0.15)


def told_and_measured(spec: str, dims: str) -> tuple[int, int]:
    """Bytes that ``show --memory`` predicts, and by which a process grows."""
    sizes = {name: int(size) for name, _, size in (part.partition("=") for part in dims.split(","))}
    return memory(spec, dims=sizes).total, max(trained(spec, sizes))


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
