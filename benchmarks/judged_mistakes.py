"""Likely mistakes, written down before any of them was run, and what a new user would think of what is said of them.

They stand in ``tests/mistakes``, a page for each topic: a heading, a fenced spec (``data`` behind it where the data is
opened as well), the files it reads, and a judgement. ``- mend: OLD => NEW`` is what the help says, done;
``- mend: fix`` says that the edits which are offered do it.
``python -m benchmarks.judged_mistakes`` writes their section of ``docs/mistakes.md``. What this module does not do:
judge.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from archonnx.cli.checking import check_specs, of_data
from archonnx.compiler.checking import examined
from archonnx.compiler.lints.levels import Levels
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "tests" / "mistakes").glob("*.md"))
PAGE = ROOT / "docs" / "mistakes.md"
SECTION = re.compile(r"(<!-- generated: judged -->\n).*?(<!-- end -->)", re.DOTALL)
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FOUND = ("good", "fair", "bad")
"""Verdicts on what is found: it says what to do, it leaves that to the reader, or it leads astray."""
VERDICTS = (*FOUND, "silent", "right")
"""And on what is not: a mistake that passes, and what turned out to be none."""


MOST = 8
"""Edits of one spec that are applied at most."""


@dataclass(frozen=True)
class Mistake:
    """A spec with a mistake in it.

    Attributes:
        topic: its page.
        name: what is wrong, in a few words.
        spec: the text.
        kind: ``arch`` or ``yaml``.
        data: whether its data is opened as well.
        files: what it reads, by name.
        verdict: one of ``VERDICTS``.
        why: why nothing can be said of it.
        mends: what the help says, as replacements.
        fixed: whether the edits that are offered do it.
    """

    topic: str
    name: str
    spec: str
    kind: str
    data: bool
    files: Mapping[str, str]
    verdict: str
    why: str
    mends: Sequence[tuple[str, str]]
    fixed: bool

    @property
    def helped(self) -> bool:
        """Whether the help works when it is applied."""
        return self.fixed or bool(self.mends)

    @property
    def mended(self) -> str:
        """The spec after its help was followed."""
        text = self.spec
        for old, new in self.mends:
            assert old in text, f"{self.name}: {old!r} is not in the spec"
            text = text.replace(old, new)
        return text


def mistakes() -> Iterator[Mistake]:
    """All of them, in the order of the pages."""
    for page in PAGES:
        for part in page.read_text("utf-8").split("\n### ")[1:]:
            fences = FENCE.findall(part)
            kind, option, spec = fences[0]
            said = dict(re.findall(r"^- (verdict|why): (.*)$", part, re.MULTILINE))
            lines = re.findall(r"^- mend: (.*)$", part, re.MULTILINE)
            mends = [_mend(line) for line in lines if line != "fix"]
            files = {name: body for _, name, body in fences[1:]}
            name, data = part.partition("\n")[0], option == "data"
            yield Mistake(
                page.stem, name, spec, kind, data, files, said["verdict"], said.get("why", ""), mends, "fix" in lines
            )


def _mend(line: str) -> tuple[str, str]:
    old, _, new = line.partition(" =>")
    return _unescaped(old), _unescaped(new.removeprefix(" "))


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\t", "\t")


def edited(mistake: Mistake) -> tuple[str, list[Diagnostic]]:
    """The text after the first edit that is offered was applied, again and again, and what is found in it then."""
    path, text = Path(f"net.{mistake.kind}"), mistake.spec
    with TemporaryDirectory() as folder, chdir(folder):
        _write(mistake.files)
        for _ in range(MOST):
            source = Source(path.name, text)
            found = examined(source, path, {}, Levels())
            if mistake.data and not any(diagnostic.severity == "error" for diagnostic in found):
                found = [*found, *of_data(source, path, {}, None)]
            fix = next((diagnostic.fixes[0] for diagnostic in found if diagnostic.fixes), None)
            if fix is None:
                break
            text = fix.applied()
    return text, found


def _write(files: Mapping[str, str]) -> None:
    """The files of a mistake: texts as they are, archives of arrays from JSON."""
    for name, body in files.items():
        if name.endswith(".npz"):
            arrays: dict[str, Any] = {key: np.array(rows, np.float32) for key, rows in json.loads(body).items()}
            np.savez(name, **arrays)
        else:
            Path(name).write_text(body, encoding="utf-8")


def told(mistake: Mistake, spec: str | None = None) -> list[dict[str, Any]]:
    """What ``check``, with ``--data`` where it needs that, finds in a mistake, or in another text in its place."""
    with TemporaryDirectory() as folder, chdir(folder):
        _write(mistake.files)
        path = f"net.{mistake.kind}"
        Path(path).write_text(mistake.spec if spec is None else spec, encoding="utf-8")
        printed = io.StringIO()
        with redirect_stdout(printed):
            try:
                check_specs([path], {}, "json", data=mistake.data)
            except SpecError as error:
                return [{"code": d.code, "severity": d.severity, "headline": d.headline} for d in error.diagnostics]
        return [json.loads(line) for line in printed.getvalue().splitlines()]


def section() -> str:
    """The counts and the table of the page."""
    every = list(mistakes())
    wrong = [m for m in every if m.verdict != "right"]
    counts, helped = Counter(m.verdict for m in every), sum(m.helped for m in wrong)
    edits = sum(m.fixed for m in wrong)
    found = sum(counts[verdict] for verdict in FOUND)
    lines = [
        f"Of {len(every)} specs {counts['right']} turned out to be right. Of the other {len(wrong)}, {found} are found "
        f"before anything runs ({counts['good']} good, {counts['fair']} fair, {counts['bad']} bad), and "
        f"{counts['silent']} pass in silence. {helped} have a help that works when it is applied; "
        f"of {edits} it is an edit, which `check --fix` and an editor apply.",
        "",
    ]
    for topic in dict.fromkeys(m.topic for m in every):
        lines += [
            f"### {topic.capitalize()}",
            "",
            "| mistake | what is said first | verdict | help |",
            "| --- | --- | --- | --- |",
        ]
        lines += [_row(m) for m in every if m.topic == topic] + [""]
    return "\n".join(lines)


def _row(mistake: Mistake) -> str:
    first = next(iter(told(mistake)), None)
    said = f"{first['code']}: {first['headline']}" if first else mistake.why or "it means what it says"
    cells = [
        mistake.name.replace("-", " "),
        said.replace("|", "\\|"),
        mistake.verdict,
        "an edit" if mistake.fixed else "works" if mistake.mends else "",
    ]
    return f"| {' | '.join(cells)} |"


def write() -> None:
    """Write the section of the page."""
    text = PAGE.read_text("utf-8")
    made = section()
    PAGE.write_text(SECTION.sub(lambda m: f"{m[1]}{made}{m[2]}", text), encoding="utf-8")


if __name__ == "__main__":
    write()
