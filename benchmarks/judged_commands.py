"""Wrong command lines, written down before any of them was run, and what a new user would think of what is said.

They stand in ``tests/mistakes/commands``: a heading, a command, a judgement, and with ``- mend: OLD => NEW`` the
command that the message says. What this module does not do: judge.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from re import DOTALL, MULTILINE, compile, findall
from tempfile import TemporaryDirectory

from archonnx.cli import main

from .judged_mistakes import FENCE, ROOT
from .judged_mistakes import PAGE as DOCS

PAGE = ROOT / "tests" / "mistakes" / "commands" / "commands.md"
SECTION = compile(r"(<!-- generated: commands -->\n).*?(<!-- end -->)", DOTALL)
TRAINED = "archonnx train net.arch --out runs/net-1 --device cpu"


@dataclass(frozen=True)
class WrongCommand:
    """A command line with a mistake in it.

    Attributes:
        name: what is wrong, in a few words.
        line: the command.
        verdict: ``good``, ``fair`` or ``bad``.
        mends: what the message says, as replacements.
    """

    name: str
    line: str
    verdict: str
    mends: tuple[tuple[str, str], ...]

    @property
    def mended(self) -> str:
        """The command after the message was followed."""
        line = self.line
        for old, new in self.mends:
            assert old in line, f"{self.name}: {old!r} is not in the command"
            line = line.replace(old, new, 1)
        return line


def commands() -> Iterator[WrongCommand]:
    """All of them, in the order of the page."""
    for part in PAGE.read_text("utf-8").split("\n### ")[1:]:
        ((_, _, line),) = FENCE.findall(part)
        mends = [tuple(text.split(" => ")) for text in findall(r"^- mend: (.*)$", part, MULTILINE)]
        (verdict,) = findall(r"^- verdict: (.*)$", part, MULTILINE)
        yield WrongCommand(part.partition("\n")[0], line.strip(), verdict, tuple((old, new) for old, new in mends))


def prepare(folder: Path) -> None:
    """The files of the page, and a run."""
    for _, name, body in FENCE.findall(PAGE.read_text("utf-8").split("\n### ")[0]):
        (folder / name).write_text(body, encoding="utf-8")
    status, said = run(TRAINED, folder)
    assert status == 0, said


def run(line: str, folder: Path) -> tuple[int, str]:
    """The exit status of a command, and what it prints."""
    printed, before = io.StringIO(), sys.argv
    sys.argv = shlex.split(line)
    try:
        with chdir(folder), redirect_stdout(printed), redirect_stderr(printed):
            main()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
    else:
        status = 0
    finally:
        sys.argv = before
    return status, printed.getvalue()


def table(folder: Path) -> list[str]:
    """A row for each: the command, what is said, the verdict, and the command that it leads to."""
    rows = ["| command | what is said | verdict | command that it leads to |", "| --- | --- | --- | --- |"]
    for one in commands():
        said = " ".join(_words(run(one.line, folder)[1])).replace("|", "\\|")
        rows.append(f"| `{one.line}` | {said} | {one.verdict} | {f'`{one.mended}`' if one.mends else ''} |")
    return rows


def _words(printed: str) -> Iterator[str]:
    """The message without its frame, and without the place in a spec."""
    for line in printed.splitlines():
        text = line.strip("│ \t")
        if text.startswith("error["):
            yield text.removeprefix("error[").replace("]", "", 1)
        elif text.startswith("help: "):
            yield f"({text.removeprefix('help: ')})"
        elif line.startswith("│") and text:
            yield text


def write() -> None:
    """Write the section of the page."""
    os.environ["COLUMNS"] = "400"
    with TemporaryDirectory() as folder:
        prepare(Path(folder))
        made = "\n".join(table(Path(folder)))
    text = DOCS.read_text("utf-8")
    DOCS.write_text(SECTION.sub(lambda m: f"{m[1]}{made.replace(folder, 'FOLDER')}\n{m[2]}", text), encoding="utf-8")


if __name__ == "__main__":
    write()
