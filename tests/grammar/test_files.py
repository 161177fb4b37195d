"""What is not an ordinary file is not opened; what cannot be read is told where it was asked for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from archonnx.compiler.pipeline import elaborate, load
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.spec import MAX_BYTES

SPEC = "model M():\n    input x: [B]\n    output y = x\n"
NAMES = {
    "a folder": "it is a folder",
    "a pipe": "it is a pipe",
    "a socket": "it is a socket",
    "a device": "it is a device",
    "a large file": "it has 8,589,934,592 bytes",
    "a circle": None,
    "nothing": "No such file",
}


def make(what: str, path: Path) -> None:
    """Put something of a kind at a path."""
    match what:
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case "a socket":
            socket.socket(socket.AF_UNIX).bind(os.path.relpath(path))
        case "a device":
            path.symlink_to("/dev/zero")
        case "a large file":
            with path.open("wb") as file:
                file.truncate(2**33)
        case "a circle":
            path.symlink_to(path)


def refused(spec: str | Path) -> Diagnostic:
    """The one finding about a spec."""
    with pytest.raises(SpecError) as caught:
        elaborate(load(spec))
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.parametrize("what", NAMES)
def test_what_is_no_ordinary_file_is_not_read(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(what, tmp_path / "odd.arch")
    for found in (refused("odd.arch"), refused(tmp_path / "odd.arch")):
        assert found.code == "AX0601" and (NAMES[what] or "odd.arch") in found.headline
    if what != "a device":  # which lies outside the folder of the spec
        (tmp_path / "main.arch").write_text(f'from "odd.arch" import f\n{SPEC}')
        found = refused("main.arch")
        assert found.code == "AX0601" and found.span is not None and found.span.text == '"odd.arch"'


@pytest.mark.parametrize("name", ["a\\u0000b", "x" * 5000, "x/" * 3000])
def test_names_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    (tmp_path / "main.arch").write_text(f'from "{name}.arch" import f\n{SPEC}')
    found = refused(tmp_path / "main.arch")
    assert found.code in ("AX0601", "AX0223") and found.span is not None and len(found.headline) < 500
    for suffix in ("", ".arch"):
        given = refused(name.replace("\\u0000", "\0") + suffix)
        assert given.code == "AX0601" and len(given.headline) < 500


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    comment = "#" * (2**20 - len(SPEC) - 1)
    (tmp_path / "a.arch").write_text(f"{SPEC}{comment}\n")
    assert load(tmp_path / "a.arch").file.declarations
    (tmp_path / "b.arch").write_text("\n" * (MAX_BYTES + 1))
    assert "1,048,576 characters" in refused(tmp_path / "b.arch").headline
