"""The baseline of models of a text: Witten-Bell n-grams, against figures by hand and as probabilities of any history."""

from __future__ import annotations

from fractions import Fraction
from hashlib import sha256
from math import log2
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import archonnx
from benchmarks.ngrams import UNKNOWN, WittenBell, bits_of, bits_per_character, held_from, table
from benchmarks.topics_text import FOLDER, TEXT, in_a_row
from tests.runtime.data.test_text import BOOK, LETTERS

SHA256 = "cdd532691bef1d7d8f76fb101a0e5e1859cdc9d708557cb09dcb80338fb2eedf"


def test_by_hand() -> None:
    # of "aab": a twice, b once, two different, and an alphabet of three with the unknown one
    one = WittenBell([*"aab"], 1)
    assert [one.probability([], x) for x in ("a", "b", UNKNOWN)] == pytest.approx([8 / 15, 1 / 3, 2 / 15])
    # after a: a once, b once; after b nothing was seen, which says nothing
    two = WittenBell([*"aab"], 2)
    assert [two.probability(["a"], x) for x in ("a", "b", UNKNOWN)] == pytest.approx([31 / 60, 25 / 60, 4 / 60])
    assert [two.probability(["b"], x) for x in ("a", "b")] == pytest.approx([8 / 15, 1 / 3])
    assert two.probability([UNKNOWN], "a") == pytest.approx(8 / 15)
    # held out: b after the last b of the train part, a after b, and z, which is unknown, after a
    bits = -sum(log2(p) for p in (Fraction(1, 3), Fraction(8, 15), Fraction(4, 60))) / 3
    assert bits_per_character("aab", "baz", 2) == pytest.approx(bits)


@given(train=st.text("abc", min_size=1, max_size=30), history=st.text("abcd", max_size=4), order=st.integers(1, 4))
def test_probabilities_of_all_characters_are_one(train: str, history: str, order: int) -> None:
    model = WittenBell([*train], order)
    symbols = [*sorted(set(train)), UNKNOWN]
    known = [c if c in train else UNKNOWN for c in history]
    assert sum(model.probability(known, symbol) for symbol in symbols) == pytest.approx(1)


def test_a_text_that_repeats_itself_is_foretold_by_long_histories() -> None:
    lines = table("abcd" * 60, "a.txt")
    assert lines[0] == "a.txt: 216 characters learned from, 24 held out" and len(lines) == 7
    bits = [float(line.split()[2]) for line in lines[1:]]
    assert bits[0] == pytest.approx(2, abs=0.05) and max(bits[1:]) < 0.2
    assert [line.endswith("best") for line in lines[1:]].count(True) == 1


# ---------------------------------------------------------------- a model beside them


def test_every_character_of_a_model_counts_once(tmp_path: Path) -> None:
    """The model of the test looks at one character, so that windows make no difference."""
    (tmp_path / "book.txt").write_text(BOOK)
    (tmp_path / "m.arch").write_text(LETTERS)
    run = archonnx.train(archonnx.load(tmp_path / "m.arch"), tmp_path / "run", settings={"epochs": 1}, device="cpu")
    assert run.texts is not None
    numbers = run.texts.numbers(BOOK)
    probs = run.predict_fields({"ids": numbers[None, :-1]})["probs"][0]
    each = -np.log2(probs[np.arange(len(numbers) - 1), numbers[1:]])
    for start in (100, 101, len(BOOK) - 3):
        assert bits_of(run, BOOK, start, context=16) == pytest.approx(each[start - 1 :].mean(), rel=1e-5)


# ---------------------------------------------------------------- the text of the zoo


def test_the_text_is_the_one_whose_figures_are_known() -> None:
    content = (FOLDER / TEXT).read_bytes()
    assert sha256(content).hexdigest() == SHA256
    assert len(content.decode()) == 377_090 and held_from(377_090) == 339_381


def test_a_paragraph_stands_in_the_first_topic_that_has_it() -> None:
    shared = "A paragraph that is long enough to be told from a title."
    topics = {"b": f"Title\n\n{shared}\n\nmore", "a": f"Title\n\n{shared}\n", "c": f"{shared}\n\n"}
    assert in_a_row(topics) == f"Title\n\n{shared}\n\n\nTitle\n\nmore\n"
