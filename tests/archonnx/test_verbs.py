"""A verb is a file in the folder of verbs, and nothing else."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archonnx.cli import verbs
from archonnx.cli.app import build
from archonnx.cli.verb import VERBS, Group, all_verbs
from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.grammar.source import Source

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


def test_the_library_is_shown_as_it_is_written() -> None:
    """What `archonnx std NAME` prints is a declaration that a spec can take over as it stands."""
    listed = CliRunner().invoke(build(), ["std"]).stdout
    assert "std/optimizers.arch\n" in listed and "adam" in listed
    place, _, text = CliRunner().invoke(build(), ["std", "adam"]).stdout.partition("\n")
    assert place.startswith("# std/optimizers.arch:")
    own = text + "\n\nmodel M():\n    input x: [B]\n    param w: [] = 0\n    loss l = w * mean(x)\n\n"
    own += "train:\n    minimize l with adam(lr=0.1)\n"
    (step,) = train_steps(model := elaborate(parse_spec(Source("own.arch", own))), model.programs[0])
    assert {name.split("/")[1] for name in step.initial} == {"t", "m", "v"}


def test_a_name_that_the_library_does_not_have_gets_the_nearest() -> None:
    result = CliRunner().invoke(build(), ["std", "adma"])
    assert result.exit_code == 2 and "the library has no `adma`" in result.output


@pytest.mark.parametrize("name", [one.name for one in all_verbs()])
def test_examples_stand_in_the_help_as_they_are_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    docstring = inspect.cleandoc(VERBS[name].run.__doc__ or "")
    examples = [line.strip() for line in docstring.splitlines() if line.startswith(("    ", "archonnx "))]
    shown = [line.strip() for line in CliRunner().invoke(build(), [name, "--help"]).stdout.splitlines()]
    assert [line for line in examples if line not in shown] == []
