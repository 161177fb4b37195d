"""``archonnx check --fix``: a diff of edits that were tried, and the same file but for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from archonnx.cli import fixing
from archonnx.cli.checking import check_specs, fix_first
from archonnx.compiler.lints.levels import Levels
from archonnx.grammar.source import Source

WRONG = """\
# of digits
model Net():
    inputs x: [B, 8]   # eight
    h = x |> Dnse(4) |> reluu

    output y = h |> Dense(2, bais=False)
    los l = mean(y)
"""
RIGHT = """\
# of digits
model Net():
    input x: [B, 8]   # eight
    h = x |> Dense(4) |> relu

    output y = h |> Dense(2, bias=false)
    loss l = mean(y)
"""
YAML = 'model: Net\ninputs: {x: "[B, 8]"}  # eight\nlayers:\n  - Dnse: 4\n  - {Dense: 2, as: y}\noutputs: {p: y}\n'


def test_fixes_uncover_others_until_all_is_right() -> None:
    text, done = fixing.fixed(Source("net.arch", WRONG), None, {}, Levels())
    assert text == RIGHT and len(done) == 6


def test_a_spec_that_is_right_is_left_alone() -> None:
    assert fixing.fixed(Source("net.arch", RIGHT), None, {}, Levels()) == (RIGHT, [])


@pytest.mark.parametrize(("mark", "end"), [(b"", "\n"), (fixing.BOM, "\r\n")], ids=["unix", "windows"])
@pytest.mark.parametrize(("name", "wrong", "right"), [("n.arch", WRONG, RIGHT), ("n.yaml", YAML, None)])
def test_only_what_is_edited_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mark: bytes, end: str, name: str, wrong: str, right: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(mark + wrong.replace("\n", end).encode())
    fix_first([str(path)], {}, ((), ()), None, yes=True)
    right = right or wrong.replace("Dnse", "Dense")
    assert path.read_bytes() == mark + right.replace("\n", end).encode()
    told = capsys.readouterr()
    gone = [line[1:] for line in told.out.splitlines() if line.startswith("-") and not line.startswith("---")]
    assert gone == [a for a, b in zip(wrong.splitlines(), right.splitlines(), strict=True) if a != b]
    assert f"changed {path}" in told.err
    assert check_specs([str(path)], {})


def test_without_a_yes_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "n.arch"
    path.write_text(WRONG)
    fix_first([str(path)], {}, ((), ()), None, yes=False)  # nobody is at a terminal
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", lambda question: "n")
    fix_first([str(path)], {}, ((), ()), None, yes=False)
    assert path.read_text() == WRONG
    monkeypatch.setattr("builtins.input", lambda question: "y")
    fix_first([str(path)], {}, ((), ()), None, yes=False)
    assert path.read_text() == RIGHT


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "n.arch"
    path.write_text(WRONG)
    done = subprocess.run(
        [sys.executable, "-m", "archonnx", "check", str(path), "--fix", "--yes"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "+    input x: [B, 8]   # eight" in done.stdout and ": ok (Net" in done.stdout
    assert path.read_text() == RIGHT
