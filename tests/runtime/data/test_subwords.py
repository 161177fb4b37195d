"""Tokenizers of Hugging Face: texts are cut as their package cuts them, and a run keeps the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.grammar.diagnostics import SpecError
from tests.support.raw import exported, outputs

from .test_text import BOOK, LETTERS
from .test_tokens import MOOD, write, wrong

tokenizers: Any = pytest.importorskip("tokenizers")
HERE = MOOD.replace('"words", length=6', '"tok.json", length=12').replace(", unknown=true", "")


def save(path: Path, *, merged: int = 290) -> Any:
    """A byte pair encoding that was learned of the book, which begins each text with a token of its own."""
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers

    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<start>", "<pad>"]
    made.train_from_iterator(
        [BOOK], trainers.BpeTrainer(vocab_size=merged, special_tokens=special, initial_alphabet=alphabet)
    )
    made.post_processor = processors.TemplateProcessing(single="<start> $A", special_tokens=[("<start>", 0)])
    made.enable_truncation(2)  # what it cuts off is what the spec says
    made.save(str(path))
    made.no_truncation()
    return made


@pytest.fixture(scope="module")
def mood(tmp_path_factory: pytest.TempPathFactory) -> tuple[archonnx.Run, Any]:
    folder = tmp_path_factory.mktemp("mood")
    made = save(folder / "tok.json")
    run = archonnx.train(write(folder, HERE), folder / "run", settings={"epochs": 2}, device="cpu")
    save(folder / "tok.json", merged=260)  # somebody writes another one: the run has kept its own
    return run, made


def test_the_numbers_are_those_of_the_package(mood: tuple[archonnx.Run, Any]) -> None:
    run, made = mood
    texts = ["the cat sat on the dog", "é", "a very very long text that has more than twelve tokens"]
    fields = run.inputs_of({"review": texts}).fields
    for row, count, text in zip(fields["ids"].tolist(), fields["count"].tolist(), texts, strict=True):
        ids = made.encode(text).ids[:12]
        assert row == [*ids, *[1] * (12 - len(ids))] and count == len(ids) and row[0] == 0
    assert run.arguments == {"vocab": made.get_vocab_size()}
    assert run.evaluate("train")["objective"] == pytest.approx(run.metrics["train"]["objective"])


def test_a_long_text_has_the_tokens_of_the_package_without_those_that_begin_it(tmp_path: Path) -> None:
    made = save(tmp_path / "tok.json")
    (tmp_path / "book.txt").write_text(BOOK)
    spec = LETTERS.replace('"book.txt")', '"book.txt", tokens="tok.json")').replace(", unknown=true", "")
    (tmp_path / "m.arch").write_text(spec)
    run = archonnx.train(archonnx.load(tmp_path / "m.arch"), tmp_path / "run", settings={"epochs": 1}, device="cpu")
    assert run.arguments == {"vocab": made.get_vocab_size()}
    (tmp_path / "tok.json").unlink()
    ids = made.encode(BOOK, add_special_tokens=False).ids
    rows = np.array(ids[: len(ids) // 16 * 16]).reshape(-1, 16)
    probs = run.predict(tmp_path / "book.txt")["probs"]
    np.testing.assert_array_equal(probs, run.predict_fields({"ids": rows})["probs"])
    np.testing.assert_array_equal(probs, run.predict({"ids": [BOOK]})["probs"])
    texts = np.array([[made.id_to_token(number) for number in row] for row in rows.tolist()], dtype=object)
    np.testing.assert_allclose(outputs(exported(run), {"ids": texts})["probs"], probs, rtol=1e-5)


def test_a_file_that_is_no_tokenizer(tmp_path: Path) -> None:
    assert "AX0601 there is no file `tok.json` beside the spec" in wrong(tmp_path, HERE)
    (tmp_path / "tok.json").write_text("{}")
    assert "AX0604 tok.json is not a tokenizer of Hugging Face's `tokenizers`" in wrong(tmp_path, HERE)
    (tmp_path / "tok.json").write_bytes(b"\xff\xfe")
    assert "AX0604 tok.json is not UTF-8 text" in wrong(tmp_path, HERE)
    assert "AX0601 `../tok.json` lies outside" in wrong(tmp_path, HERE.replace("tok.json", "../tok.json"))


def test_what_pads_is_a_token_of_the_file(tmp_path: Path) -> None:
    save(tmp_path / "tok.json")
    said = wrong(tmp_path, HERE.replace("<pad>", "[PAD]"))
    assert '`review` is padded with "[PAD]", which the vocabulary lacks\npad with a token of tok.json' in said
    alone = HERE.replace("<pad>", "pad").replace("feed ids = index(cut, known)", "feed ids = data.index[:, none]")
    assert 'AX0604 tok.json has no token "pad"' in wrong(tmp_path, alone)


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "tok.json", merged=270)
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(SpecError, match="AX0619") as caught:
        archonnx.train(write(tmp_path, HERE), tmp_path / "run", device="cpu")
    assert "archonnx[text]" in str(caught.value.diagnostics[0].help)
