"""The work of ``archonnx check --fix``: the fixes of findings, together, as a diff; written if that is wanted.

A file is written whole or not at all, and keeps its line ends, its comments and its layout: only what an edit names
changes. What this module does not do: find anything, or make an edit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Any

from archonnx.compiler.checking import examined
from archonnx.compiler.elaborate.training.deciding import UNDECIDED
from archonnx.compiler.lints.levels import Levels
from archonnx.grammar.diagnostics import Diagnostic, Edit, fail
from archonnx.grammar.diagnostics.fixes import edited, overlap
from archonnx.grammar.source import Source
from archonnx.grammar.spec import SUFFIXES, read_file
from archonnx.runtime.files import write_atomically

from .telling import say

ROUNDS = 30
"""A fix may uncover a mistake that has a fix too: so often at most."""
WithData = Callable[[Source, Path], list[Diagnostic]]
"""What is wrong with the data of a text, where the text is right."""
BOM = b"\xef\xbb\xbf"


def fix_specs(
    specs: Sequence[str],
    arguments: Mapping[str, Any],
    levels: Levels,
    dtype: str | None,
    *,
    yes: bool,
    with_data: WithData | None = None,
) -> None:
    """Show what fixes would change in each file, and change it: ``yes`` without a question, else if the answer is."""
    for name in specs:
        path = Path(name)
        if path.suffix not in SUFFIXES:
            fail("AX0601", f"`{name}` is not a file of yours that can be changed", None, help="give the path of a spec")
        source = read_file(path)
        text, done = fixed(source, path, arguments, levels, dtype, with_data)
        if not done:
            say(f"{name}: there is nothing to fix that could be tried")
            continue
        print("".join(_difference(source.text, text, name)), end="", flush=True)
        for diagnostic in done:
            say(f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.headline}: {diagnostic.fixes[0].text}")
        if yes or _wanted(f"change {name}?"):
            write_atomically(path, _as_before(path, text))
            say(f"changed {name}")


def _difference(before: str, after: str, name: str) -> list[str]:
    lines = unified_diff(before.splitlines(True), after.splitlines(True), name, f"{name} (fixed)")
    return [line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in lines]


def fixed(
    source: Source,
    path: Path | None,
    arguments: Mapping[str, Any],
    levels: Levels,
    dtype: str | None = None,
    with_data: WithData | None = None,
) -> tuple[str, list[Diagnostic]]:
    """The text with all fixes that are beyond doubt, and the findings that they answer: ``with_data`` finds more.

    Where several fixes of one finding are right, none is taken: which is meant, people know.
    """

    def look(text: str) -> list[Diagnostic]:
        read = Source(source.name, text)
        found = examined(read, path, arguments, levels, dtype)
        if with_data is None or path is None:
            return found
        known = [one for one in found if UNDECIDED not in one.headline]  # the data says it
        if any(one.severity == "error" for one in known):
            return found
        return [*known, *with_data(read, path)]

    text, done = source.text, list[Diagnostic]()
    found = look(text)
    for _ in range(ROUNDS):
        sure = [d for d in found if len(d.fixes) == 1]
        if not sure:
            break
        together = _apart(sure)
        after, after_found = _apply(text, together, look)
        if len(together) > 1 and len(after_found) > len(found) - len(together):  # they were tried one by one
            together = together[:1]
            after, after_found = _apply(text, together, look)
        if after == text:
            break
        text, found = after, after_found
        done += together
    return text, done


def _apply(text: str, diagnostics: Sequence[Diagnostic], look: Any) -> tuple[str, list[Diagnostic]]:
    edits = [edit for diagnostic in diagnostics for edit in diagnostic.fixes[0].edits]
    after = edited(Source("", text), edits)
    return after, look(after)


def _apart(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Those of several whose fixes change different places."""
    kept: list[Diagnostic] = []
    edits: list[Edit] = []
    for diagnostic in diagnostics:
        more = [*edits, *diagnostic.fixes[0].edits]
        places = {(edit.span.start, edit.span.end) for edit in more}
        if not overlap(more) and len(places) == len(more):
            kept.append(diagnostic)
            edits = more
    return kept


def _as_before(path: Path, text: str) -> bytes:
    """The bytes of a text with the line ends and the mark at the start that the file has."""
    old = path.read_bytes()
    lines = text.replace("\n", "\r\n") if old.count(b"\r\n") * 2 > old.count(b"\n") else text
    return (BOM if old.startswith(BOM) else b"") + lines.encode()


def _wanted(question: str) -> bool:
    """Whether somebody at a terminal says yes; nobody elsewhere does."""
    if not sys.stdin.isatty():
        say("nothing is changed: `--yes` changes it without a question")
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
