"""The small GPT of the zoo writes: as the whole model says, from one file, with prompts of any length and any number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import load
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.record import replace
from archonnx.runtime.export.models import inference_model
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import elaborate, initial
from tests.support.node import has_node, in_node

VOCAB = 16
SIZES = [(1, 1, 5), (3, 6, 4), (2, 4, 1)]
"""Rows, tokens of the prompt, new tokens."""
COLD = {"temperature": np.array(0, np.float32), "top_k": np.array(VOCAB), "top_p": np.array(1, np.float32)}


@pytest.fixture(scope="module", params=["learned", "rotary"])
def gpt(request: pytest.FixtureRequest) -> Trainer:
    """With weights of such a size that it writes all kinds of tokens."""
    of = replace(elaborate(load("gpt", positions=request.param)), programs=())
    rng = np.random.default_rng(3)
    weights = {path: a + rng.normal(0, 0.2, a.shape).astype(a.dtype) for path, a in initial(of).items()}
    return Trainer(of, seed=1, parameters=weights)


def prompt_of(rows: int, length: int) -> Array:
    return np.random.default_rng(10 * rows + length).integers(0, VOCAB, (rows, length))


def by_the_whole_model(gpt: Trainer, prompt: Array, new: int) -> Array:
    """The most probable token each time, of all tokens at once."""
    ids = prompt
    for _ in range(new):
        best = gpt.predict({"ids": ids})["probs"][:, -1].argmax(-1)
        ids = np.concatenate([ids, best[:, None]], 1)
    return ids


def test_one_file_writes_what_the_whole_model_says(gpt: Trainer, tmp_path: Path) -> None:
    path = tmp_path / "generate.onnx"
    onnx.save(inference_model(gpt.model, dict(gpt.parameters), entry="generate"), path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    written_tokens: set[int] = set()
    for rows, length, new in SIZES:
        prompt = prompt_of(rows, length)
        expected = by_the_whole_model(gpt, prompt, new)
        written_tokens.update(expected[:, length:].ravel().tolist())
        feeds = {"prompt": prompt, "new": np.array(new), "seed": np.array(1), **COLD}
        found = [session.run(None, feeds)[0], gpt.call("generate", prompt=prompt, new=new, **COLD)["generate"]]
        found += [in_node(path, feeds)["generate"]] if has_node() else []
        for written in found:
            np.testing.assert_array_equal(written, expected)
    assert len(written_tokens) > 3


def test_draws_repeat_and_differ(gpt: Trainer) -> None:
    """By seed; rows of one prompt differ, and so do the tokens of a row."""
    warm = {"prompt": np.zeros((40, 1), np.int64), "new": 8, "temperature": 2.0, "top_k": VOCAB, "top_p": 1.0}
    one, again, other = (gpt.call("generate", seed=seed, **warm)["generate"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any() and len(np.unique(one, axis=0)) > 20


def test_beams_have_the_scores_that_the_whole_model_gives(gpt: Trainer) -> None:
    prompt = prompt_of(2, 3)
    found = gpt.call("beam", prompt=prompt, new=4)
    assert found["tokens"].shape == (2, 4, 7) and (np.diff(found["scores"]) <= 0).all()
    for row, tokens in enumerate(found["tokens"]):
        p = np.log(gpt.predict({"ids": tokens})["probs"].astype(np.float64))
        chosen = np.take_along_axis(p[:, 2:-1], tokens[:, 3:, None], -1)[..., 0].sum(1)
        np.testing.assert_allclose(found["scores"][row], chosen, rtol=1e-3, atol=1e-3)
        greedy = by_the_whole_model(gpt, prompt[row : row + 1], 4)
        p = np.log(gpt.predict({"ids": greedy})["probs"].astype(np.float64))
        best = np.take_along_axis(p[:, 2:-1], greedy[:, 3:, None], -1).sum()
        assert found["scores"][row, 0] > best - 1e-3


FINE: dict[str, Any] = {"prompt": [[1, 2]], "new": 3, "temperature": 1.0, "top_k": 4, "top_p": 0.9}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "beyond the context": ({"new": 47}, r"AX0617.*2 tokens and 47 more are longer than the context of 48"),
    "a long prompt": ({"prompt": [[1] * 49], "new": 0}, r"AX0617.*49 tokens and 0 more"),
    "no prompt": ({"prompt": np.zeros((1, 0), np.int64)}, r"AX0617.*a prompt has a token at least"),
    "fewer than none": ({"new": -1}, r"AX0608.*`new` is a size"),
    "more than there are": ({"top_k": 17}, r"AX0617.*there are 16 tokens, and top_k is 17"),
    "none of them": ({"top_k": 0}, r"AX0617.*top_k is 0"),
    "a token that is not there": ({"prompt": [[1, 16]]}, "AX06"),
    "a text": ({"prompt": "one"}, "AX0608"),
    "one row without its axis": ({"prompt": [1, 2]}, "AX0608"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_written_is_said(gpt: Trainer, name: str) -> None:
    change, message = WRONG[name]
    with pytest.raises(SpecError) as caught:
        gpt.call("generate", **{**FINE, **change})
    assert caught.match(message)


def test_as_much_as_fits(gpt: Trainer) -> None:
    assert gpt.call("generate", **{**FINE, "new": 46})["generate"].shape == (1, 48)
    assert gpt.call("generate", **{**FINE, "new": 0})["generate"].tolist() == [[1, 2]]


def test_the_character_model_writes_what_it_says_of_all_characters() -> None:
    """Its elements are sums over the characters before them, which the cache keeps beside keys and values."""
    arguments = {"vocab": 12, "d": 16, "depth": 1, "heads": 2, "context": 20}
    of = replace(elaborate(load("char_gpt", **arguments)), programs=())
    rng = np.random.default_rng(4)
    weights = {path: a + rng.normal(0, 0.3, a.shape).astype(a.dtype) for path, a in initial(of).items()}
    model = Trainer(of, parameters=weights)
    for rows, length, new in [(1, 1, 9), (3, 6, 5)]:
        prompt = np.random.default_rng(rows).integers(0, 12, (rows, length))
        written = model.call("generate", prompt=prompt, new=new, temperature=0.0, top_p=1.0)["generate"]
        np.testing.assert_array_equal(written, by_the_whole_model(model, prompt, new))
