"""Wrong command lines: each is refused, and the message says the command that works (``tests/mistakes/commands``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.judged_commands import WrongCommand, commands, prepare, run

EVERY = list(commands())
OFTEN = 4
"""Each so manyth is run in the usual suite, and all by ``make proof``."""
SOME = [pytest.param(c, marks=() if n % OFTEN == 0 else pytest.mark.proof, id=c.name) for n, c in enumerate(EVERY)]
ELSEWHERE = ("cuda",)
"""What a machine may not have."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("commands")
    prepare(made)
    return made


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")


@pytest.mark.parametrize("wrong", SOME)
def test_it_is_refused_and_told_what_works(wrong: WrongCommand, folder: Path) -> None:
    status, said = run(wrong.line, folder)
    assert status in (1, 2) and "internal error" not in said, said
    assert all(new in said for _, new in wrong.mends), said


@pytest.mark.proof
@pytest.mark.parametrize("wrong", [c for c in EVERY if c.mends], ids=lambda wrong: wrong.name)
def test_the_command_that_is_told_works(wrong: WrongCommand, folder: Path) -> None:
    if not any(word in wrong.mended for word in ELSEWHERE):
        status, said = run(wrong.mended, folder)
        assert status == 0, said
