"""Columns of texts as rows of tokens: padded and truncated as said, never otherwise; counted; batched by length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archonnx
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.settings import Buckets
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.buckets import Bucketing
from tests.support.raw import refused

REVIEWS = [
    ("a good film, a very good film", "good"), ("dull", "bad"), ("very good", "good"), ("a dull film", "bad"),
    ("good and not long", "good"), ("bad", "bad"), ("good good", "good"), ("so dull", "bad"),
]  # fmt: skip
MOOD = """
model Mood(vocab: int, d: int = 8):
    input  ids: i64[B, T]
    input  count: i64[B]
    target good: i64[B]
    seen = float(arange(T)[none, :] < count[:, none])
    mean_word = sum(Embedding(vocab, d)(ids) * seen[:, :, none], axis=1) / max(float(count), 1.0)[:, none]
    logits = mean_word |> Dense(2)
    output probs = softmax(logits)
    loss objective = cross_entropy(logits, good)

train of Mood(vocab=size(known)):
    data = csv("reviews.csv")
    fit  cut = tokens(data.review, "words", length=6, pad="<pad>", truncate=true)
    fit  known = vocabulary(cut, unknown=true)
    feed ids = index(cut, known)
    feed count = lengths(cut)
    feed good = index(data.mood, ["bad", "good"])
    split = {train: 0.75, test: 0.25, by: order}
    epochs = 20
    batch_size = 4
    minimize objective with adam(lr=0.05)
"""


def write(folder: Path, spec: str = MOOD, rows: Any = REVIEWS) -> archonnx.Spec:
    (folder / "m.arch").write_text(spec)
    (folder / "reviews.csv").write_text("review,mood\n" + "".join(f'"{text}",{mood}\n' for text, mood in rows))
    return archonnx.load(folder / "m.arch")


def wrong(folder: Path, spec: str = MOOD, rows: Any = REVIEWS) -> str:
    with pytest.raises(SpecError) as caught:
        archonnx.train(write(folder, spec, rows), folder / "run", device="cpu")
    return "\n".join(f"{d.code} {d.headline}\n{d.help or ''}" for d in caught.value.diagnostics)


# ---------------------------------------------------------------- from a column to rows


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> archonnx.Run:
    folder = tmp_path_factory.mktemp("mood")
    return archonnx.train(write(folder), folder / "run", device="cpu")


def test_rows_are_the_words_with_what_pads_as_number_0(run: archonnx.Run) -> None:
    memory = run.memory
    assert memory is not None
    (((name, filled), known),) = memory.fitted.keys.items()
    assert name == 'tokens(review, "words", length=6, pad="<pad>", truncate=true)' and filled is None
    words = {word for text, _ in REVIEWS[:6] for word in text.replace(",", " ,").split()[:6]}
    assert known == ("<pad>", *sorted(words)) and run.arguments == {"vocab": len(known) + 1}
    fields = run.inputs_of({"review": ["film good", "so a zebra, so good film film"]}).fields
    number = {word: at for at, word in enumerate(known)}
    other = len(known)
    assert fields["ids"].tolist() == [
        [number["film"], number["good"], 0, 0, 0, 0],
        [other, number["a"], other, number[","], other, number["good"]],
    ]
    assert fields["count"].tolist() == [2, 6]


def test_what_was_learned_is_used_on_new_texts(run: archonnx.Run, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text('review\n"a very good film"\n"dull, dull"\n')
    assert run.predict(tmp_path / "new.csv")["probs"].argmax(axis=1).tolist() == [1, 0]
    assert run.metrics["train"]["objective"] == pytest.approx(run.evaluate("train")["objective"])


def test_characters_and_bytes(tmp_path: Path) -> None:
    spec = MOOD.replace('"words", length=6, pad="<pad>", truncate=true', '"characters", length=40, pad="end"')
    run = archonnx.train(write(tmp_path, spec), tmp_path / "run", settings={"epochs": 1}, device="cpu")
    fields = run.inputs_of({"review": ["bad"]}).fields
    assert run.memory is not None
    known = next(iter(run.memory.fitted.keys.values()))
    assert [known[i] for i in fields["ids"][0]] == ["b", "a", "d", *["end"] * 37] and known[0] == "end"
    spec = spec.replace('"characters"', '"bytes"').replace(", unknown=true", "")
    run = archonnx.train(write(tmp_path, spec), tmp_path / "bytes", settings={"epochs": 1}, device="cpu")
    assert run.arguments == {"vocab": 257}
    assert run.inputs_of({"review": ["é"]}).fields["ids"][0].tolist() == [*"é".encode(), *[256] * 38]


def test_a_missing_text_is_refused_unless_it_is_filled(run: archonnx.Run, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="`review` has no value"):
        run.predict({"review": ["good", ""]})
    spec = MOOD.replace("tokens(data.review", 'tokens(fill(data.review, "so bad")')
    other = archonnx.train(write(tmp_path, spec), tmp_path / "run", settings={"epochs": 1}, device="cpu")
    ids = other.inputs_of({"review": ["", "so bad"]}).fields["ids"]
    assert ids[0].tolist() == ids[1].tolist()


def test_a_raw_export_says_what_it_cannot_do(run: archonnx.Run) -> None:
    code, headline = refused(run, run.path.parent / "raw.onnx")
    assert (code, headline) == ("AX0513", "`review` is cut into words, and no operator of ONNX does that")


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((', pad="<pad>"', ""), "AX0631 reviews.csv: lines 3, 4, 5, 6, 7: `review` has fewer words than the 6 of a row: 1"),
        ((", truncate=true", ""), "AX0631 reviews.csv:2: `review` has more words than the 6 of a row: 8"),
        ((", unknown=true", ""), 'AX0631 reviews.csv:9: `review` has "so", which the train part does not have'),
        (('"<pad>"', '"film"'), 'AX0306 what pads must not be a token itself, and "film" is among words'),
        (('"<pad>"', '""'), "AX0306 what pads has a name"),
        (('"words"', '"word"'), 'AX0306 texts are cut into characters, words, bytes, or what a tokenizer.json says, not "word"'),
        (("length=6", "length=0"), "AX0306 a row has at least one token, not 0"),
        (("tokens(data.review", "tokens(data.index"), "AX0306 a column of texts is cut into tokens"),
        (("lengths(cut)", "lengths(data.review)"), "AX0306 tokens are counted, as in `lengths(tokens(data.text, ...))`"),
        (("index(cut, known)", "index(cut, vocabulary(data.review))"), 'AX0306 `review` is padded with "<pad>", which the'),
        (("index(cut, known)", 'index(fill(cut, "x"), known)'), "AX0306 texts are filled before they are cut"),
        (("    epochs", "    buckets = {by: count, dim: S, at: [2]}\n    epochs"), "AX0702 `buckets.dim` is `S`, which is"),
        (("    epochs", "    buckets = {by: cuont, dim: T, at: [2]}\n    epochs"), "AX0702 `buckets.by` is `cuont`, which"),
        (("    epochs", "    buckets = {by: ids, dim: T, at: [2]}\n    epochs"), "and a length is an integer for each example"),
        (("    epochs", "    buckets = {by: count, dim: T, at: [4, 2]}\n    epochs"), "bounds grow, as in [16, 32, 64]"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    assert change[0] in MOOD
    assert says in wrong(tmp_path, MOOD.replace(*change))


# ---------------------------------------------------------------- buckets

Lengths = st.lists(st.integers(0, 9), min_size=1, max_size=30)
TYPES = {
    "ids": TensorType.of(DType.i64, "B", "T"),
    "pairs": TensorType.of(DType.i64, "B", "T", "T"),
    "count": TensorType.of(DType.i64, "B"),
}


def examples(lengths: list[int], at: list[int]) -> Examples:
    count = np.array(lengths)
    there = np.arange(9) < count[:, None]
    ids = np.where(there, 1 + np.arange(9), 0)
    fields = {"ids": ids, "pairs": ids[:, :, None] * ids[:, None, :], "count": count}
    return Examples(fields, TYPES, (), Bucketing(Buckets(by="count", dim="T", at=at), fields, TYPES))


@given(lengths=Lengths, at=st.sets(st.integers(1, 12), min_size=1), size=st.integers(1, 7), epoch=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_batches_of_an_epoch_have_every_example_once_and_no_more_padding_than_their_bucket(
    lengths: list[int], at: set[int], size: int, epoch: int
) -> None:
    data, rows = examples(lengths, sorted(at)), np.arange(len(lengths))
    order = data.order(rows, size, 0, epoch)
    assert sorted(order.tolist()) == rows.tolist() and (order == data.order(rows, size, 0, epoch)).all()
    seen = 0
    for count, batch in data.steps(order, size):
        assert count == min(size, len(lengths) - seen)
        longest = int(batch["count"].max())
        bound = min([*(b for b in at if longest <= b), 9])
        assert batch["ids"].shape == (count, bound) and batch["pairs"].shape == (count, bound, bound)
        assert ((batch["ids"] > 0).sum(axis=1) == batch["count"]).all()  # nothing but padding is cut off
        seen += count
    full = next(data.batches(rows, "all"))[1]
    assert full["ids"].shape == (len(lengths), 9)  # what is measured is not cut
    assert (data.order(rows, size, 0, epoch, shuffle=False) == rows).all()


def test_examples_of_like_length_are_in_a_batch() -> None:
    data = examples([1, 9] * 8, [3])
    widths = [batch["ids"].shape[1] for _, batch in data.steps(data.order(np.arange(16), 4, 0, 1), 4)]
    assert sorted(widths) == [3, 3, 9, 9]
    orders = {tuple(data.order(np.arange(16), 4, 0, epoch).tolist()) for epoch in range(1, 7)}
    assert len(orders) == 6
    firsts = [next(data.steps(data.order(np.arange(16), 4, 0, epoch), 4))[1]["ids"].shape[1] for epoch in range(1, 9)]
    assert {*firsts} == {3, 9}  # no bucket always comes first


def test_a_length_that_no_row_has(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="`count` of example 1 is 10, and `ids` has 9 places for T"):
        examples([1, 10], [3])


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [("by", "ids", "an integer for each"), ("by", "x", "an integer for"), ("dim", "S", "no field")],
)
def test_buckets_from_outside_the_spec(tmp_path: Path, key: str, value: str, says: str) -> None:
    cut = MOOD.replace("    epochs", "    buckets = {by: count, dim: T, at: [2, 4]}\n    epochs")
    with pytest.raises(SpecError, match=f"`buckets.{key}` is `{value}`, which .*{says}"):
        archonnx.train(write(tmp_path, cut), tmp_path / "run", settings={f"buckets.{key}": value}, device="cpu")


def test_buckets_train_what_the_full_length_trains(tmp_path: Path) -> None:
    """The mean of a text's own words does not know of padding; one batch holds all, so only the width differs."""
    spec = MOOD.replace("batch_size = 4", "batch_size = all").replace("train: 0.75, test: 0.25", "train: 2, valid: 6")
    rows = [("good film", "good"), ("dull", "bad"), *REVIEWS[2:]]
    cut = spec.replace("    epochs", "    buckets = {by: count, dim: T, at: [2, 4]}\n    epochs")
    for folder in ("full", "cut"):
        (tmp_path / folder).mkdir()
    full = archonnx.train(write(tmp_path / "full", spec, rows), tmp_path / "full/run", device="cpu")
    short = archonnx.train(write(tmp_path / "cut", cut, rows), tmp_path / "cut/run", device="cpu")
    for name, array in full.parameters.items():
        np.testing.assert_allclose(short.parameters[name], array, rtol=1e-4, atol=1e-5)
    assert short.metrics["valid"] == pytest.approx(full.metrics["valid"], rel=1e-4)
