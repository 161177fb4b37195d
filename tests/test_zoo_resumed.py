"""Generative, probabilistic and other trainings of the zoo, interrupted: they go on to the bit, and what they export is
what they compute.

A small one of each kind is tried always, all of them by ``make proof``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import archonnx
from archonnx.compiler.models import train_blocks
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.spec import Spec
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_tree
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.folders.run import Run
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.trainer import Trainer
from tests.test_zoo import SMALLER

ROOT = Path(__file__).parents[1] / "specs/zoo"
SMALL = ("enumerable_vae", "tiny_rbm", "maml")
"""One of each kind that is quick: with draws, with chains that are carried on, with tasks that are drawn anew."""


def trained_by_itself(path: Path) -> bool:
    return any(True for _ in train_blocks(read_tree(Source(path.name, path.read_text("utf-8"))).declarations))


SPECS = [
    path
    for kind in ("generative", "probabilistic", "training")
    for path in sorted((ROOT / kind).glob("*.arch"))
    if trained_by_itself(path)
]
EXAMPLES = {
    "dann": "",
    "rbm": "",
    "maml": "",
    "ddpm": """
fn ring(n: int) -> (x0: [n, 2]):
    angle: [n] ~ uniform(0, 2 * pi)
    return stack([cos(angle), sin(angle)], axis=-1)

train:
    data = generate(ring, n=256)
    minimize simple with adam(lr=2e-3)
""",
}
"""The hard programs of ``data/examples`` that are of these kinds, and what is added to one that has no program."""
MARKED = [pytest.param(path, id=path.stem, marks=() if path.stem in SMALL else pytest.mark.proof) for path in SPECS]


SEED = 2
"""Of what outputs draw: every whole number that is asked for alone is this one."""


class Stop(Observer):
    """Interrupts once, in the middle of the second epoch of the last program, or after its first step."""

    def __init__(self) -> None:
        self._last, self._steps, self.cut = False, 1, False

    def program(self, name: str, number: int, count: int) -> None:
        self._last = number == count

    def begin(self, epochs: int, steps: int, done: int = 0) -> None:
        self._steps = steps

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        if self._last and not self.cut and (epoch, step) == (2, (self._steps + 1) // 2):
            self.cut = True
            raise KeyboardInterrupt


def train(spec: Spec, **options: Any) -> Run:
    run = archonnx.train(spec, device="cpu", threads=1, **options)
    assert isinstance(run, Run)
    return run


@pytest.mark.parametrize("path", MARKED)
def test_it_goes_on_to_the_bit_and_exports_what_it_computes(path: Path, tmp_path: Path) -> None:
    check(archonnx.load(path, **SMALLER.get(path.stem, {})), tmp_path)


@pytest.mark.proof
@pytest.mark.parametrize("name", EXAMPLES)
def test_so_do_the_hard_programs(name: str, tmp_path: Path) -> None:
    text = (Path(__file__).parent / f"data/examples/{name}.arch").read_text("utf-8")
    if name == "maml":
        text = text.replace("n=20000", "n=200")
    check(parse_spec(Source(f"{name}.arch", text + EXAMPLES[name])), tmp_path)


def check(spec: Spec, folder: Path) -> None:
    """Train it as it is, and interrupted; then look at what it wrote."""
    few = {"epochs": 2}
    whole = train(spec, out=folder / "whole", settings=few)
    stop = Stop()
    cut = train(spec, out=folder / "cut", settings=few, observer=stop)
    assert stop.cut and cut.record["stopped"] == "interrupted"
    resumed = train(spec, resume=folder / "cut")
    for name, array in whole.parameters.items():
        np.testing.assert_array_equal(array, resumed.parameters[name], err_msg=name)
    assert [_timeless(line) for line in whole.history] == [_timeless(line) for line in resumed.history]
    assert whole.metrics == resumed.metrics
    check_files(spec, resumed)


def _timeless(line: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != "seconds"}


def check_files(spec: Spec, run: Run) -> None:
    """Every entry and the model itself, in onnxruntime alone and as the trainer computes it with the same weights."""
    model = elaborate(spec)
    untrained = replace(model, programs=())
    trainer = Trainer(untrained, seed=SEED, options=SessionOptions("cpu"), parameters=run.parameters, batch_size=2)
    files = {name: run.path / "entries" / f"{name}.onnx" for name in model.entries}
    for name, file in files.items():
        given, found = alone(file)
        seed = int(given.pop("seed", 0))
        compare(name, found, trainer.call(name, seed=seed, **given))
    if model.infer.outputs:
        given, found = alone(run.path / "model.onnx")
        assert given.pop("seed", SEED) == SEED
        compare("the model", found, trainer.predict(given))


def compare(name: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Two sessions may add up in another order; what is drawn from logits may jump, where it is on an edge."""
    assert found.keys() == expected.keys()
    for output, array in expected.items():
        assert np.isfinite(array).all()
        np.testing.assert_allclose(found[output], array, rtol=1e-3, atol=1e-3, err_msg=f"{name}: {output}")


def alone(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a file is given and what it gives in onnxruntime alone, for sizes of 2 and small numbers."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng, given = np.random.default_rng(0), {}
    for one in session.get_inputs():
        shape = [size if isinstance(size, int) else 2 for size in one.shape]
        if one.type == "tensor(int64)":
            given[one.name] = np.full(shape, 1 if shape else SEED, np.int64)
        elif one.type == "tensor(bool)":
            given[one.name] = rng.random(shape) < 0.5
        else:
            given[one.name] = rng.uniform(0.2, 0.8, shape).astype(np.float32)
    results = session.run(None, given)
    return given, {one.name: array for one, array in zip(session.get_outputs(), results, strict=True)}
