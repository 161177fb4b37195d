"""What is typed or given to the command line by anybody: a diagnostic in the end, whatever it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from archonnx import cli
from archonnx.cli.arrays import raw_inputs, read_arrays
from archonnx.cli.options import literal
from archonnx.grammar.diagnostics import SpecError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1000", 1000), ("-3", -3), ("+3", 3), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("inf", float("inf")),
        ("1_000", "1_000"), ("1_0.5", "1_0.5"), ("１２", "１２"), ("٣", "٣"), ("0x10", "0x10"), ("true", True), ("none", None),
    ],
)  # fmt: skip
def test_numbers_are_those_of_the_language(text: str, value: Any) -> None:
    """``1_000`` is a name to the language; Python's ``int`` takes it for a number, and digits of other scripts too."""
    read = literal(text)
    assert read == value and type(read) is type(value)


def test_what_has_no_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x.npz", "x.csv", "x.json", "x.npy"):
        os.mkfifo(tmp_path / name)
        for given in (name, f"x={name}"):
            with pytest.raises(SpecError) as caught:
                read_arrays(given, {})
            assert "is a pipe" in caught.value.diagnostics[0].headline
            with pytest.raises(SpecError) as caught:
                raw_inputs([given])
            assert "is a pipe" in caught.value.diagnostics[0].headline


def test_too_little_memory_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def greedy(arguments: list[str]) -> None:
        raise MemoryError("Unable to allocate 14.6 TiB")

    monkeypatch.setattr(cli, "_run", greedy)
    monkeypatch.setattr(sys, "argv", ["archonnx", "train", "x"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    said = capsys.readouterr().err
    assert stop.value.code == cli.WRONG
    assert said.startswith("error[AX0660]: there is not enough memory") and "14.6 TiB" in said
