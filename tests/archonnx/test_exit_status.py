"""The exit status of the command line, and the report of a bug, which holds nothing of its user."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from typer.testing import CliRunner

from archonnx import cli
from archonnx.cli.app import app
from archonnx.cli.bug_report import report, write_report
from archonnx.grammar.record import fields

SECRET = "salaries-of-berta"


def fail_somewhere(text: Any) -> NoReturn:
    """As a bug would, in the package and beyond it, with what was given in the message."""
    try:
        fields(text)
    except AttributeError as error:
        raise KeyError(f"/home/berta/{SECRET}: {text}") from error
    raise AssertionError


def main(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["archonnx", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert isinstance(stop.value.code, int)
    return stop.value.code


def test_a_bug_leaves_a_report_and_says_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(name: object, *given: object) -> NoReturn:
        raise RuntimeError(f"cannot read {name}")

    monkeypatch.setattr("archonnx.cli.verbs.show.key_values", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    arguments = ["show", f"{SECRET}.arch", "--arg", f"name={SECRET}", "--depth", "7", f"--dims=B={SECRET}"]
    assert main(arguments, monkeypatch) == cli.BUG == 70
    said = capsys.readouterr().err
    (file,) = tmp_path.iterdir()
    assert f"What helps to find it is in {file}" in said and "internal error" in said
    text = file.read_text("utf-8")
    assert "command    archonnx show VALUE --arg VALUE --depth VALUE --dims" in text
    assert "builtins.RuntimeError, raised" in text and re.search(r"^  archonnx\.cli\.verbs\.show:\d+ in ", text, re.M)
    assert "archonnx 0" in text and "numpy " in text
    assert SECRET not in text and "/" not in text and "berta" not in text


def test_of_a_chain_of_errors_the_kinds_and_the_modules_are_told() -> None:
    try:
        fail_somewhere("secret")
    except KeyError as error:
        text = report(error, ["train", "x=y", "--out=/home/berta", "-o", "berta"])
    assert "builtins.KeyError, raised" in text and "archonnx train VALUE --out -o VALUE" in text
    assert re.search(r"^which came of\nbuiltins.AttributeError, raised$", text, re.M)
    assert re.search(r"^  archonnx\.grammar\.record:\d+ in fields$", text, re.M)
    assert SECRET not in text and "berta" not in text and "secret" not in text
    assert "(something else)" in text, "this module is no library that everybody has"


def test_where_nothing_can_be_written_there_is_no_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert write_report(ValueError(), []) is None


def test_the_help_and_a_page_say_what_the_statuses_mean() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    page = (Path(__file__).parents[2] / "docs" / "tools.md").read_text("utf-8")
    for status in map(str, (0, cli.WRONG, 2, cli.BUG, cli.INTERRUPTED)):
        assert re.search(rf"\b{status}\b", shown[shown.index("Exit status") :])
        assert re.search(rf"^\| {status} \||: {status} Ctrl-C", page, re.M)


@pytest.mark.parametrize("name", ["x" * 300, "d/" * 3000 + "x"], ids=["one name", "a path"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["compile", "-o", "build"],
        ["export", "-o", "m.onnx"],
        ["show"],
        ["trace"],
        ["train", "xor", "--resume"],
        ["train", "xor", "--tensorboard"],
    ],
    ids=" ".join,
)
def test_what_no_file_can_be_called_is_said(
    arguments: list[str], name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, name], monkeypatch) == cli.WRONG
    said = capsys.readouterr().err
    assert "error[AX" in said and len(said) < 1_000
    assert list(tmp_path.iterdir()) == []
