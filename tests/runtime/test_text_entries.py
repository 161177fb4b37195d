"""Entries that take and give texts: a text stands for the numbers that its tokens have in the run."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import archonnx
from archonnx.cli.app import app
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.folders.texts import TextNumbers
from tests.runtime.data.test_text import BOOK, LETTERS
from tests.runtime.data.test_tokens import MOOD, write

ENTRIES = """
    entry echo(prompt: i64[1, P]) -> i64[1, P]:
        return prompt

    entry counted(prompt: i64[P], times: i64[]) -> (again: i64[P], sizes: i64[], shares: [P]):
        return prompt, 3 * times, float(prompt)

    entry pairs(prompt: i64[B, P]) -> i64[B, P]:
        return prompt

    entry twice(prompt: i64[B, P]) -> i64[B, 2, P]:
        return stack([prompt, flip(prompt, axis=1)], axis=1)
"""


def run_of(folder: Path, spec: str) -> archonnx.Run:
    (folder / "book.txt").write_text(BOOK)
    (folder / "m.arch").write_text(spec.replace("\ntrain of", f"{ENTRIES}\ntrain of"))
    return archonnx.train(archonnx.load(folder / "m.arch"), folder / "run", settings={"epochs": 1}, device="cpu")


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> archonnx.Run:
    return run_of(tmp_path_factory.mktemp("letters"), LETTERS.replace(", unknown=true", ""))


def called(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["call", *arguments])
    return result.exit_code, result.output


def test_a_text_is_numbered_as_in_the_training(letters: archonnx.Run) -> None:
    assert letters.memory is not None and letters.texts is not None
    known = letters.memory.fitted.keys["ids", None]
    ids = [[known.index(c) for c in "the dog"]]
    assert letters.call("echo", prompt="the dog")["echo"].tolist() == ids
    assert letters.call("echo", prompt=ids)["echo"].tolist() == ids
    assert letters.texts.text(np.array(ids)) == "the dog"
    assert pickle.loads(pickle.dumps(letters)).call("echo", prompt="the dog")["echo"].tolist() == ids


def test_the_command_takes_and_shows_texts(letters: archonnx.Run, tmp_path: Path) -> None:
    run = str(letters.path)
    assert called(run, "echo", "--set", "prompt=the dog") == (0, "the dog\n")
    assert called(run, "echo", "--set", 'prompt=" sat "') == (0, " sat \n")
    code, shown = called(run, "counted", "--set", "prompt=cat", "--set", "times=2", "--out", str(tmp_path / "o.npz"))
    assert code == 0 and shown.startswith("cat\n")
    with np.load(tmp_path / "o.npz") as held:
        assert {*held.files} == {"sizes", "shares"} and held["sizes"] == 6
    code, shown = called(run, "echo", "--input", "prompt=[[1, 2]]")
    assert (code, shown) == (0, "echo.0,echo.1\n1,2\n")  # numbers stay numbers


@pytest.mark.parametrize(
    ("given", "shown"),
    [("the ", "the "), (" at", " at"), ('"at"', "at"), ('[" a", "on"]', " a\non"), ("[[1, 2]]", None), ("", None)],
)
def test_blanks_quotes_and_lists_on_the_command_line(letters: archonnx.Run, given: str, shown: str | None) -> None:
    assert letters.texts is not None
    code, output = called(str(letters.path), "pairs", "--set", f"prompt={given}")
    assert code == 0
    assert output == (f"{shown}\n" if shown is not None else "\n" if given == "" else "pairs.0,pairs.1\n1,2\n")


def test_what_looks_like_a_number_is_a_text_where_tokens_are_taken(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("it was true in 2024 that 7. of 31 had none. " * 9)
    spec = LETTERS.replace("\ntrain of", f"{ENTRIES}\ntrain of")
    (tmp_path / "m.arch").write_text(spec)
    spec = archonnx.load(tmp_path / "m.arch")
    run = archonnx.train(spec, tmp_path / "run", settings={"epochs": 1}, device="cpu")
    for text in ("2024", "true", "none", "7.", "31"):
        assert called(str(run.path), "echo", "--set", f"prompt={text}") == (0, f"{text}\n")


def test_files_say_what_numbers_stand_for(letters: archonnx.Run, tmp_path: Path) -> None:
    """Those of the run, and those that are exported by either way; nothing of runs without texts."""
    assert letters.memory is not None
    letters.export(tmp_path / "api.onnx", entry="echo")
    result = CliRunner().invoke(app, ["export", str(letters.path), "--graph", "echo", "-o", str(tmp_path / "cli.onnx")])
    assert result.exit_code == 0
    inside = [letters.path / "model.onnx", letters.path / "entries/echo.onnx"]
    for path in (*inside, tmp_path / "api.onnx", tmp_path / "cli.onnx"):
        said = {one.key: one.value for one in onnx.load(path).metadata_props}
        tokens = list(letters.memory.fitted.keys["ids", None])
        assert json.loads(said["archonnx.tokens"]) == {
            "cut": "characters", "tokens": tokens, "unknown": False, "pad": None
        }  # fmt: skip


def test_several_texts_are_rows_and_deeper_results_are_shown_row_by_row(letters: archonnx.Run) -> None:
    found = letters.call("pairs", prompt=["the", "dog"])
    assert found["pairs"].shape == (2, 3) and letters.texts is not None
    assert [letters.texts.text(row) for row in found["pairs"]] == ["the", "dog"]
    with pytest.raises(SpecError, match="`prompt` differ in length: 3, 5 tokens"):
        letters.call("pairs", prompt=["the", "a dog"])
    assert called(str(letters.path), "twice", "--set", 'prompt=["the", "dog"]') == (0, "the\neht\ndog\ngod\n")


def test_what_the_training_does_not_have_is_refused(letters: archonnx.Run) -> None:
    with pytest.raises(SpecError, match='"z" in "a zoo" is nothing that the train part has'):
        letters.call("echo", prompt="a zoo")
    with pytest.raises(SpecError, match="AX0608"):
        letters.call("counted", prompt="cat", times="cat")


def test_a_run_that_numbers_no_texts_takes_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.arange(8.0), ids=np.arange(8))
    spec = f"""
model Line():
    input x: [B]
    param w: [] = 1
    loss objective = mean((x - w) ** 2)
{ENTRIES}
train:
    data = npz("d.npz")
    epochs = 1
    minimize objective with sgd(lr=0.1)
"""
    (tmp_path / "m.arch").write_text(spec)
    run = archonnx.train(archonnx.load(tmp_path / "m.arch"), tmp_path / "run", device="cpu")
    assert run.texts is None and not run._open.token_metadata
    assert "archonnx.tokens" not in {one.key for one in onnx.load(run.path / "entries/echo.onnx").metadata_props}
    with pytest.raises(SpecError, match="`prompt` is given as a text, and the run numbers no texts"):
        run.call("echo", prompt="cat")


@pytest.mark.parametrize(("cut", "shown"), [("words", "the é dog".replace("é", "�")), ("bytes", "the é dog")])
def test_words_and_bytes(tmp_path: Path, cut: str, shown: str) -> None:
    spec = LETTERS.replace('"book.txt")', f'"book.txt", tokens={cut})')
    if cut == "bytes":
        spec = spec.replace("Letters(vocab=size(letters))", "Letters(vocab=256)")
        spec = "\n".join(line for line in spec.splitlines() if not line.strip().startswith(("feed", "fit")))
    run = run_of(tmp_path, spec)
    assert run.texts is not None and run.texts.text(run.call("echo", prompt="the é dog")["echo"]) == shown


def test_tokens_of_a_column_number_prompts_as_well(tmp_path: Path) -> None:
    spec = write(tmp_path, MOOD.replace("\ntrain of", f"{ENTRIES}\ntrain of"))
    run = archonnx.train(spec, tmp_path / "run", settings={"epochs": 1}, device="cpu")
    assert run.texts is not None and run.texts.pad == "<pad>"
    ids = run.inputs_of({"review": ["a good film"]}).fields["ids"]
    assert run.call("echo", prompt="a good film")["echo"].tolist() == [ids[0][:3].tolist()]
    assert run.texts.text(ids) == "a good film"  # what pads is no text


KEYS: Any = (*"abc ", "é")


@given(st.text(st.sampled_from(KEYS)))
def test_a_text_is_its_numbers_again(text: str) -> None:
    how = TextNumbers("characters", KEYS)
    assert how.text(how.numbers(text)) == text
    more = TextNumbers("characters", KEYS, unknown=True)
    assert more.text(more.numbers(text + "z")) == text + "\N{REPLACEMENT CHARACTER}"
