"""Golden files: Markdown pages that are read by people and checked by tests.

A page is about one topic, has at most ``LONGEST`` lines and begins with a heading and a sentence on what it shows. A
case is a heading, a sentence on what it shows, sources in fences that open with ```` ```arch ```` (and perhaps a file
name after it), and the expected text in a fence that opens with ```` ```text ````. A source without a file name is
called after the folder of its page: on the pages of ``diagnostics/run`` it is ``run.arch``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
LONGEST = 400
"""The lines that a page may have."""

_FENCE = re.compile(r"^```(?P<kind>\w+)(?: (?P<name>\S+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (?P<title>.+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One case of a page; ``sources`` maps file names to texts, in order."""

    path: Path
    title: str
    sources: dict[str, str]
    expected: str

    @property
    def source(self) -> str:
        """The first source."""
        return next(iter(self.sources.values()))

    def rewrite(self, actual: str) -> None:
        """Write what came out as the expected text of this case, and leave the rest of the page as it is."""
        page = self.path.read_text(encoding="utf-8")
        start = page.index(f"## {self.title}\n")
        fence = next(match for match in _FENCE.finditer(page, start) if match["kind"] == "text")
        body = actual.rstrip("\n") + "\n"
        self.path.write_text(page[: fence.start("body")] + body + page[fence.end("body") :], encoding="utf-8")


Golden = Callable[[Case, str], None]


def read_cases(path: Path) -> list[Case]:
    """The cases of a page."""
    page = path.read_text(encoding="utf-8")
    headings = list(_HEADING.finditer(page))
    ends = [*(heading.start() for heading in headings[1:]), len(page)]
    parts = zip(headings, ends, strict=True)
    return [_case(path, heading["title"], page[heading.end() : end]) for heading, end in parts]


def _case(path: Path, title: str, text: str) -> Case:
    fences = list(_FENCE.finditer(text))
    sources = {
        fence["name"] or f"{path.parent.name}.arch": fence["body"] for fence in fences if fence["kind"] != "text"
    }
    expected = [fence["body"].rstrip("\n") for fence in fences if fence["kind"] == "text"]
    assert sources and len(expected) == 1, f"{path.name}: {title} needs a source and one expected text"
    return Case(path, title, sources, expected[0])


def golden_cases(*patterns: str) -> pytest.MarkDecorator:
    """Parametrise a test's ``case`` with the cases of all pages that match, such as ``syntax/*.md``."""
    cases = [case for pattern in patterns for path in sorted(GOLDEN.glob(pattern)) for case in read_cases(path)]
    assert cases, f"no golden cases match {patterns}"
    return pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.path.stem}-{case.title}") for case in cases])
