"""The character model of the zoo: what it writes step by step is what the whole model says of all that stands before."""

from __future__ import annotations

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import elaborate
from archonnx.grammar.record import replace
from archonnx.runtime.training.trainer import Trainer

SMALL = {"vocab": 11, "context": 24, "d": 16, "depth": 2, "heads": 2}


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    spec = archonnx.load("char_gpt", **SMALL)
    made = Trainer(replace(elaborate(spec), programs=()), seed=3)
    draw = np.random.default_rng(0)
    for name, array in made.parameters.items():  # sharp, and so that a character is not most like itself
        wide = 2.0 if name.startswith(("embedding", "place")) else 0.3
        made.runner.write(name, (array + draw.normal(0, wide, array.shape)).astype(np.float32))
    return made


@pytest.mark.parametrize("prompt", [1, 2, 6])
def test_greedy_continuations_are_those_of_the_whole_model(trainer: Trainer, prompt: int) -> None:
    given = np.random.default_rng(prompt).integers(0, 11, (3, prompt))
    known = given
    for _ in range(12):
        last = trainer.predict({"ids": known})["probs"][:, -1]
        known = np.concatenate([known, last.argmax(axis=-1)[:, None]], axis=1)
    arguments = {"prompt": given, "new": 12, "temperature": np.float32(0), "top_p": np.float32(1)}
    np.testing.assert_array_equal(trainer.call("generate", **arguments)["generate"], known)
    assert len(np.unique(known[:, prompt:])) > 2


def test_a_character_sees_none_that_comes_later(trainer: Trainer) -> None:
    ids = np.random.default_rng(1).integers(0, 11, (1, 20))
    whole = trainer.predict({"ids": ids})["probs"]
    np.testing.assert_allclose(trainer.predict({"ids": ids[:, :9]})["probs"], whole[:, :9], rtol=1e-4, atol=1e-6)
