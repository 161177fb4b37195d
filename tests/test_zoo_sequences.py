"""The Transformers of the zoo: what is true of them untrained, and small ones after a short training."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import elaborate
from benchmarks.catalogue.rows.transformers import bag_at_best, every_sentence
from benchmarks.catalogue.training import train
from tests.support.elaborated import model, outputs

GPT = {"vocabulary": 16, "context": 16, "d": 16, "depth": 1, "heads": 2, "dropout": 0.0}


@pytest.fixture(scope="module")
def translator() -> archonnx.Trainer:
    """Untrained, with such weights that it says many things."""
    trainer = archonnx.Trainer(
        archonnx.load("translation", d=16, depth=1, heads=2), batch_size=40, device="cpu", steps=100
    )
    rng = np.random.default_rng(0)
    for path, value in trainer.parameters.items():
        if value.ndim == 2:
            trainer.parameters[path] = rng.normal(0, 1, value.shape).astype(np.float32)
    return trainer


ENGLISH = every_sentence()[0][:: 18816 // 40][:40]


def test_greedy_decoding_agrees_with_the_words_before_each_given(translator: archonnx.Trainer) -> None:
    """Its own translation, given as the target, is what it finds most probable at each place."""
    said = translator.predict({"english": ENGLISH})["translated"]
    assert len({tuple(row) for row in said}) > 5
    ended = np.cumsum(said == 2, axis=1) - (said == 2) > 0
    assert not said[ended].any()
    assert translator.evaluate({"english": ENGLISH, "foreign": said})["right"] == 1.0


def test_padding_of_a_longer_batch_changes_no_translation(translator: archonnx.Trainer) -> None:
    longer = np.pad(ENGLISH, [(0, 0), (0, 3)])
    said = [translator.predict({"english": given})["translated"] for given in (ENGLISH, longer)]
    np.testing.assert_array_equal(*said)


def generator(name: str) -> str:
    """The declarations of a spec of the zoo, without its model and program."""
    return Path(archonnx.load(name).path or "").read_text("utf-8").partition("\nmodel ")[0]


def test_generated_sentences_are_translated_by_the_rules() -> None:
    english, foreign = every_sentence()
    rules = {tuple(a): tuple(b) for a, b in zip(english, foreign, strict=True)}
    assert len(rules) == 18816
    body = "s = sentences(300)\noutput english = s.english\noutput foreign = s.foreign"
    found = outputs(model(body, "x: [1]", generator("translation")))
    pairs = [(tuple(a), tuple(b)) for a, b in zip(found["english"], found["foreign"], strict=True)]
    assert len(set(pairs)) > 250 and all(rules[a] == b for a, b in pairs)


def test_generated_reviews_are_judged_by_the_rules() -> None:
    body = "s = reviews(300)\noutput words = s.words\noutput good = s.good"
    found = outputs(model(body, "x: [1]", generator("sentence_classifier")))
    for words, good in zip(found["words"], found["good"], strict=True):
        opinions, turned = [], False
        for word in words[words > 0]:
            turned = turned or word == 1
            if 2 <= word < 14:
                opinions.append((word < 8) != turned)
                turned = False
        assert len(opinions) == 3 and (sum(opinions) >= 2) == good
    assert 0.4 < found["good"].mean() < 0.6


def test_a_small_gpt_learns_to_copy_and_a_small_llama_to_count() -> None:
    copied = train("gpt2_small", settings={"epochs": 2}, **GPT)[-1]
    assert copied.metrics["valid"]["objective"] < math.log(16) - 0.2
    small = {"vocabulary": 100, "d": 16, "depth": 1, "heads": 2, "kv_heads": 1, "hidden": 32}
    counted = train("llama2_7b", settings={"epochs": 3}, **small)[-1]
    assert counted.metrics["test"]["objective"] < math.log(100) / 3


def test_the_best_of_any_bag_of_words() -> None:
    assert bag_at_best() == 0.8125


def test_the_matrix_of_the_embedding_gives_the_logits_of_gpt() -> None:
    program = elaborate(archonnx.load("gpt2_small", **GPT))
    assert [path for path, p in program.parameters.items() if 16 in p.shape and "embedding" in path] == ["embedding.W"]
    assert not any(path.startswith("dense") for path in program.parameters)
