"""Texts as data: cut into tokens, numbered by what the train part has, and the same from the training to the raw file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archonnx
from archonnx.cli.arrays import as_csv
from archonnx.compiler.program import DataSource
from archonnx.compiler.sources import source_arguments
from archonnx.compiler.tokens import joined, starts, tokens_of
from archonnx.grammar.diagnostics import Report, SpecError
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.sources import load_file, load_source
from tests.support.programs import WHOLE
from tests.support.raw import exported, outputs, session

BOOK = "The cat sat on the mat.\nThe dog sat on the cat!\n" * 12
LETTERS = """
model Letters(vocab: int):
    input  ids: i64[B, T]
    target next: i64[B, T]
    logits = Embedding(vocab, 8)(ids) |> Dense(vocab)
    output probs = softmax(logits)
    output likely = argmax(logits, axis=-1)
    loss   objective = cross_entropy(logits, next)

train of Letters(vocab=size(letters)):
    data = windows(text("book.txt"), context=16)
    fit  letters = vocabulary(data.ids, unknown=true)
    feed ids  = index(data.ids, letters)
    feed next = index(data.next, letters)
    split = {train: 0.9, test: 0.1, by: order}
    epochs = 2
    minimize objective with adam(lr=0.05)
"""


def load(folder: Path, content: str | bytes, *, context: int | None = None, **arguments: Any) -> Loaded:
    (folder / "book.txt").write_bytes(content.encode() if isinstance(content, str) else content)
    report = Report()
    given = source_arguments("text", ["book.txt"], arguments, WHOLE, report)
    report.finish()
    assert given is not None
    if context is None:
        return load_source(DataSource("data", "text", given, WHOLE), folder)
    rows = {"kind": "text", "arguments": given}
    around = source_arguments("windows", [rows], {"context": context}, WHOLE, report)
    report.finish()
    assert around is not None
    return load_source(DataSource("data", "windows", around, WHOLE), folder)


def refused(folder: Path, content: str | bytes, **arguments: Any) -> str:
    with pytest.raises(SpecError) as caught:
        load(folder, content, **arguments)
    (found,) = caught.value.diagnostics
    return "\n".join([found.code, found.headline, *found.notes, found.help or ""])


# ---------------------------------------------------------------- tokens


@given(st.text())
def test_characters_and_bytes_are_the_text_again(text: str) -> None:
    assert joined(tokens_of(text, "characters"), "characters") == text
    assert joined(tokens_of(text, "bytes"), "bytes") == text.encode("utf-8", "replace").decode()


@given(st.text(st.sampled_from("ab _9.,!é\n\t ")))
def test_words_leave_out_white_space_and_nothing_else(text: str) -> None:
    words = tokens_of(text, "words")
    assert "".join(map(str, words)) == "".join(text.split())
    assert all(text[at:].startswith(str(word)) for word, at in zip(words, starts(text, "words"), strict=True))
    assert tokens_of(joined(words, "words"), "words") == words


def test_a_row_is_a_token_with_its_line(tmp_path: Path) -> None:
    loaded = load(tmp_path, "Ä b\n\nc")
    assert loaded.fields["ids"].tolist() == ["Ä", " ", "b", "\n", "\n", "c"] and loaded.tokens == "characters"
    assert loaded.lines is not None and loaded.lines.tolist() == [1, 1, 1, 1, 2, 3]
    words = load(tmp_path, "one, two\nthree", tokens="words")
    assert words.fields["ids"].tolist() == ["one", ",", "two", "three"]
    assert words.lines is not None and words.lines.tolist() == [1, 1, 1, 2]
    numbers = load(tmp_path, b"\xff\n\x00", tokens="bytes")
    assert numbers.fields["ids"].tolist() == [255, 10, 0] and numbers.fields["ids"].dtype == np.uint8
    assert numbers.lines is not None and numbers.lines.tolist() == [1, 1, 2]


def test_a_text_in_another_encoding_and_one_with_a_mark_of_its_order(tmp_path: Path) -> None:
    assert load(tmp_path, "Ä€".encode("cp1252"), encoding="cp1252").fields["ids"].tolist() == ["Ä", "€"]
    assert load(tmp_path, b"\xef\xbb\xbfab").fields["ids"].tolist() == ["a", "b"]
    assert load_file(tmp_path / "book.txt").fields["ids"].tolist() == ["a", "b"]


def test_what_is_not_text_is_named_with_its_place(tmp_path: Path) -> None:
    said = refused(tmp_path, b"ab\ncd\xe9 f")
    assert "AX0603\nbook.txt:2: byte 3 of the line, 0xE9, is not UTF-8" in said
    assert "byte 5 of the file" in said and '`encoding="cp1252"`' in said and "tokens=bytes" in said
    assert 'encoding="utf-16"' in refused(tmp_path, "text".encode("utf-16"))
    said = refused(tmp_path, b"a-!!", encoding="punycode")  # which does not say where
    assert said.startswith("AX0603\nbook.txt is not punycode")
    assert "book.txt has no characters" in refused(tmp_path, "")
    assert "book.txt has no words" in refused(tmp_path, " \n", tokens="words")


def test_the_file_is_the_one_that_the_spec_names(tmp_path: Path) -> None:
    known = hashlib.sha256(b"this one").hexdigest()
    assert len(load(tmp_path, "this one", sha256=known).fields["ids"]) == 8
    said = refused(tmp_path, "that one", sha256=known)
    assert said.startswith("AX0633") and known in said and hashlib.sha256(b"that one").hexdigest() in said
    assert "AX0702" in refused(tmp_path, "this one", sha256="12")


# ---------------------------------------------------------------- windows


@given(text=st.text(st.sampled_from("abc"), min_size=1, max_size=40), context=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_every_token_but_the_first_is_foretold_once(
    tmp_path_factory: pytest.TempPathFactory, text: str, context: int
) -> None:
    folder = tmp_path_factory.mktemp("text")
    count = (len(text) - 1) // context
    if not count:
        said = refused(folder, text, context=context)
        assert f"a window takes {context} + 1 characters, and there are {len(text)} in a row" in said
        return
    loaded = load(folder, text, context=context)
    ids, following = loaded.fields["ids"], loaded.fields["next"]
    assert ids.shape == following.shape == (count, context)
    assert (
        "".join(ids.ravel()) == text[: count * context] and "".join(following.ravel()) == text[1 : count * context + 1]
    )
    assert loaded.kinds == {"ids": "text", "next": "text"} and loaded.tokens == "characters"


def test_windows_of_numbers_may_foretell_each_next_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x\n" + "\n".join(map(str, range(8))))
    rows = {"kind": "csv", "arguments": {"path": "t.csv"}}
    around = source_arguments("windows", [rows], {"context": 3, "stride": 2}, WHOLE, Report())
    assert around is not None
    fields = load_source(DataSource("data", "windows", around, WHOLE), tmp_path).fields
    assert fields["x"].tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert fields["x_next"].tolist() == [[1, 2, 3], [3, 4, 5], [5, 6, 7]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "say how many rows a window has"),
        ({"context": 3, "length": 3}, "`length` and `horizon` are of other windows"),
        ({"context": 3, "horizon": 2}, "`length` and `horizon` are of other windows"),
        ({"context": 0}, "context"),
    ],
)
def test_a_window_has_one_length(arguments: dict[str, Any], says: str) -> None:
    report = Report()
    assert source_arguments("windows", [{"kind": "text", "arguments": {}}], arguments, WHOLE, report) is None
    assert says in " ".join(d.headline for d in report.diagnostics)


# ---------------------------------------------------------------- from the training to the raw file


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> archonnx.Run:
    folder = tmp_path_factory.mktemp("letters")
    (folder / "book.txt").write_text(BOOK + "Ümlauts, in the last tenth alone: ÄÖÜ." * 2)
    (folder / "m.arch").write_text(LETTERS)
    return archonnx.train(archonnx.load(folder / "m.arch"), folder / "run", device="cpu")


def test_the_vocabulary_is_that_of_the_train_part_and_decides_the_model(run: archonnx.Run) -> None:
    memory = run.memory
    assert memory is not None
    known = memory.fitted.keys["ids", None]
    cut_at = (len(run.rows("train"))) * 16 + 1
    assert known == tuple(sorted({*BOOK[:cut_at]})) and run.arguments == {"vocab": len(known) + 1}
    assert run.classes == {"probs": (*known, "unknown"), "likely": (*known, "unknown")}


def test_new_texts_are_cut_and_numbered_as_in_the_training(run: archonnx.Run, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("The cat sat on the dog, not on the mat.")
    by_file = run.predict(tmp_path / "new.txt")["probs"]
    rows = [[*"The cat sat on t"], [*"he dog, not on t"]]
    in_memory = run.predict({"ids": ["The cat sat on ", "the dog, not on the mat."]})
    np.testing.assert_array_equal(by_file, in_memory["probs"])
    known = run.classes["probs"]
    numbers = np.array([[known.index(c) if c in known else len(known) - 1 for c in row] for row in rows])
    np.testing.assert_array_equal(by_file, run.predict_fields({"ids": numbers})["probs"])


def test_the_raw_file_takes_characters(run: archonnx.Run, tmp_path: Path) -> None:
    file = exported(run)
    rows = np.array([[*"The cat sat on §"], [*"the dog Ä on the"]], dtype=object)
    made, wanted = outputs(file, {"ids": rows}), run.predict({"ids": ["The cat sat on §the dog Ä on the"]})
    np.testing.assert_allclose(made["probs"], wanted["probs"], rtol=1e-5)
    np.testing.assert_array_equal(made["likely"], wanted["likely"])


def test_the_raw_file_takes_any_number_of_characters(run: archonnx.Run, tmp_path: Path) -> None:
    file = run.export(tmp_path / "raw.onnx", raw=True)
    (given,) = session(file).get_inputs()
    assert (given.name, given.type, given.shape) == ("ids", "tensor(string)", ["B", "T"])
    rows = np.array([[*"The c"]], dtype=object)
    assert run.texts is not None
    wanted = run.predict_fields({"ids": run.texts.numbers("The c")[None]})["probs"]
    np.testing.assert_allclose(outputs(file, {"ids": rows})["probs"], wanted, rtol=1e-5)


def test_a_raw_file_is_tried_without_the_data_as_well(run: archonnx.Run, tmp_path: Path) -> None:
    path = run.path.parent / "book.txt"
    path.rename(tmp_path / "book.txt")
    try:
        assert run.export(tmp_path / "raw.onnx", raw=True).is_file()
    finally:
        (tmp_path / "book.txt").rename(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archonnx.runtime.data.loaders.text.MAX_BYTES", 3)
    assert "book.txt has more than 3 bytes" in refused(tmp_path, "four")


def test_a_changed_text_is_noticed(run: archonnx.Run) -> None:
    path = run.path.parent / "book.txt"
    before = path.read_text()
    assert run.evaluate("test")["objective"] == pytest.approx(run.metrics["test"]["objective"])
    try:
        path.write_text(before.replace("dog", "god", 1))
        with pytest.raises(SpecError, match=r"book\.txt is not what it was in the training"):
            run.evaluate("test")
    finally:
        path.write_text(before)


def test_a_character_that_the_train_part_lacks_is_refused_unless_it_has_a_number(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(BOOK + "é" * 50)
    (tmp_path / "m.arch").write_text(LETTERS.replace(", unknown=true", ""))
    with pytest.raises(SpecError) as caught:
        archonnx.train(archonnx.load(tmp_path / "m.arch"), tmp_path / "run", device="cpu")
    said = [(d.code, d.headline, d.help) for d in caught.value.diagnostics]
    assert said and {code for code, _, _ in said} == {"AX0631"}
    assert "book.txt: lines" in said[0][1] and 'is "é", which the train part does not have' in said[0][1]
    assert "unknown=true" in str(said[0][2])


def test_bytes_are_numbers_that_need_no_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes(BOOK.encode() + b"\xff\xfe")
    spec = LETTERS.replace('"book.txt")', '"book.txt", tokens=bytes)').replace(
        "Letters(vocab=size(letters))", "Letters(vocab=256)"
    )
    spec = "\n".join(line for line in spec.splitlines() if not line.strip().startswith(("feed", "fit")))
    (tmp_path / "m.arch").write_text(spec)
    run = archonnx.train(archonnx.load(tmp_path / "m.arch"), tmp_path / "run", device="cpu")
    rows = np.frombuffer(b"The cat sat on t", np.uint8)[None]
    made = outputs(exported(run), {"ids": rows})["probs"]
    (tmp_path / "new.txt").write_bytes(rows.tobytes())
    np.testing.assert_allclose(made, run.predict(tmp_path / "new.txt")["probs"], rtol=1e-5)
    np.testing.assert_allclose(made, run.predict({"ids": rows})["probs"], rtol=1e-5)


def test_results_of_several_places_and_classes_are_named_by_both() -> None:
    probs = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    lines = as_csv({"p": probs, "k": np.array([[0, 1, 1], [1, 0, 0]])}, {"p": ["a", "b"], "k": ["a", "b"]}).splitlines()
    assert lines[0] == "p.0.a,p.0.b,p.1.a,p.1.b,p.2.a,p.2.b,k.0,k.1,k.2"
    assert lines[1] == "0.0,1.0,2.0,3.0,4.0,5.0,a,b,b"
