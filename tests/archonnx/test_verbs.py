"""A verb is a file in the folder of verbs, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from archonnx.cli import verbs
from archonnx.cli.app import build
from archonnx.cli.verb import VERBS, Group, all_verbs

TOY = '''"""A verb that somebody adds."""

import typer

from archonnx.cli.verb import Group, verb


@verb("double", Group.specs)
def double(number: int) -> None:
    """Say a number twice."""
    typer.echo(f"{number} {number}")
'''


def test_a_file_in_the_folder_is_a_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy_verb.py").write_text(TOY)
    monkeypatch.setattr(verbs, "__path__", [*verbs.__path__, str(tmp_path)])
    try:
        app = build()
        assert CliRunner().invoke(app, ["double", "21"]).stdout == "21 21\n"
        assert "Say a number twice." in CliRunner().invoke(app, ["--help"]).stdout
    finally:
        VERBS.pop("double", None)


def test_every_file_in_the_folder_has_a_verb_and_every_verb_a_help() -> None:
    found = all_verbs()
    files = {Path(path).stem for folder in verbs.__path__ for path in Path(folder).glob("*.py")} - {"__init__"}
    assert {one.run.__module__.rpartition(".")[2] for one in found} == files
    assert all(one.run.__doc__ for one in found)
    assert {one.group for one in found} == set(Group)
