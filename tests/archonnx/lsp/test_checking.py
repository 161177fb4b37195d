"""A check beside that of the command line, and how it ends before its end."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from archonnx.cli.checking import check_specs
from archonnx.grammar.diagnostics import Report, render_report
from archonnx.lsp.background import Checker
from archonnx.lsp.checking import Check, Checked
from archonnx.lsp.document import Document

GOOD = "model M():\n    input x: [B, 8]\n    output y = x |> Dense(4)\n"
TEXTS = {
    "a name": GOOD.replace("Dense", "Dens"),
    "syntax": GOOD.replace("):", ")"),
    "a shape": GOOD.replace("Dense(4)", "reshape([3, 5])"),
    "a warning": GOOD.replace("    output", "    input unused: [B]\n    output"),
    "names that look alike": GOOD.replace("x", "\u0445", 1),
    "nothing": GOOD,
}
COSTLY = "model M():\n    input x: [B]\n    y = [[i * j for i in range(9999)] for j in range(9999)]\n    output o = x\n"


@pytest.mark.parametrize("what", TEXTS)
def test_it_finds_what_the_command_line_finds(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.arch").write_text(TEXTS[what], "utf-8")
    monkeypatch.chdir(tmp_path)
    check_specs(["m.arch"], {}, "concise")
    printed = capsys.readouterr()
    found = Check(TEXTS[what], "m.arch", tmp_path / "m.arch").run().diagnostics
    assert render_report(Report(list(found)), "concise").strip() == (printed.out + printed.err).strip()
    assert bool(found) == (what != "nothing")


def test_a_file_of_blocks_needs_no_model() -> None:
    block = "block Half(n: int)(x: [B, n]) -> [B, n]:\n    return x / 2\n"
    assert Check(block, "half.arch").run().diagnostics == ()
    assert Check("", "empty.arch").run().diagnostics == ()
    assert [one.code for one in Check(block + block, "half.arch").run().diagnostics] == ["AX0205"]


def test_a_check_that_is_stopped_ends_at_once() -> None:
    check = Check(COSTLY, "costly.arch")
    found: list[Checked] = []
    thread = threading.Thread(target=lambda: found.append(check.run()))
    thread.start()
    time.sleep(0.1)
    check.stop()
    begin = time.perf_counter()
    thread.join(20)
    assert [one.code for one in found[0].diagnostics] == ["AX0229"]
    assert time.perf_counter() - begin < 5  # it would have gone on for about as long


def test_a_text_that_changes_is_not_told_of_and_its_check_is_stopped() -> None:
    told: list[tuple[str, bool]] = []
    failed: list[Exception] = []

    async def typing() -> None:
        checker = Checker(lambda uri, found: told.append((uri, found.done)), failed.append, dict)
        checker.ask(Document("file:///a.arch", COSTLY), 0)
        await asyncio.sleep(0.1)  # it is under way
        checker.ask(Document("file:///a.arch", TEXTS["a name"]), 0)
        checker.ask(Document("file:///b.arch", GOOD), 0)
        checker.ask(Document("file:///c.arch", GOOD), 0)
        checker.forget("file:///c.arch")
        while len(told) < 3:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(typing(), 30))
    assert told == [("file:///a.arch", False), ("file:///a.arch", True), ("file:///b.arch", True)]
    assert failed == []


def test_every_value_of_an_expression_is_seen_and_where_it_came_from() -> None:
    text = GOOD.replace("    output", "    for i in range(3):\n        x = x + i\n    output")
    seen = Check(text, "m.arch").run().seen
    at = text.index("x + i")
    assert [one.what for one in seen[at, at + 5]] == ["f32[B, 8]"]
    assert [one.what for one in seen[at + 4, at + 5]] == ["the int 0", "the int 1", "the int 2"]
    assert seen[at, at + 5][0].origin == "`+` at m.arch:4:13"


def test_what_is_found_is_told_before_fixes_are_tried() -> None:
    early: list[Checked] = []
    last = Check(TEXTS["a name"], "m.arch").run(early.append)
    (first,) = early
    assert [(one.code, one.help, one.fixes) for one in first.diagnostics] == [("AX0201", None, ())]
    assert [(one.code, len(one.fixes)) for one in last.diagnostics] == [("AX0201", 1)]
    assert (first.done, last.done) == (False, True)
    Check(GOOD, "m.arch").run(early.append)
    assert early == [first]
