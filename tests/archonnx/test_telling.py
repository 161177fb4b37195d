"""What the command line says to people."""

from __future__ import annotations

import pytest

from archonnx.cli.telling import say


def test_what_names_say_does_not_act_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Colours, bells, the direction of writing: a column of a stranger's table may be called anything."""
    say("note: the column `\u202ex\x1b[31m\x07\u2028` is left out\nas is `größe`")
    assert capsys.readouterr().err == "note: the column `\ufffdx\ufffd[31m\ufffd\ufffd` is left out\nas is `größe`\n"
