"""Every citation has an entry in docs/sources.md: sections of lecture notes, and papers by authors and year."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/sources.md").read_text(encoding="utf-8")
CITING = [
    path
    for pattern in ("*.md", "*.py", "*.arch", "*.lark")
    for folder in ("", "archonnx/", "grammar/", "compiler/", "runtime/", "specs/", "benchmarks/", "docs/", "tests/")
    for path in sorted(ROOT.glob(f"{folder}**/{pattern}" if folder else pattern))
    if path.name != "test_sources.py"
]

SECTIONS = re.compile(r"(?<![\w.,])(00[0-4])((?:(?:,| to| and)? (?!00\d)\d{1,2}(?:\.\d{1,2})*(?![\d.]*\d))+)")
HEADING = re.compile(r"(?<![\w.,])(00[01]), ([A-Za-z][a-z]+(?: [a-z]+)*)")
NAME = r"(?:van den |van |von |Van )?[A-Z][\w’'-]+"
MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?:uary|ruary|ch|il|e|y|ust|tember|ober|ember)?\b"
PAPER = re.compile(rf"\b(?!{MONTH})({NAME}(?: et al\.|(?:, {NAME})*(?: and {NAME})+)?),? \(?((?:1[789]|20)\d\d)\b")


def cited_sections(text: str) -> Iterator[str]:
    """Sections such as ``003 6.5.2``, also those of lists: ``003 3.1, 3.4; 004 04`` are three."""
    for match in SECTIONS.finditer(text):
        yield from (f"{match[1]} {section}" for section in re.findall(r"\d+(?:\.\d+)*", match[2]))
    yield from (f"{match[1]} {match[2].capitalize()}" for match in HEADING.finditer(text))


def cited_papers(text: str) -> Iterator[str]:
    """Papers such as ``He et al. 2016``, without the parentheses that may stand around the year."""
    yield from (f"{match[1]} {match[2]}" for match in PAPER.finditer(text))


def listed_sections() -> set[str]:
    """The sections of the page; ``15.4.2 to 15.4.5`` are four."""
    found = set()
    for notes, part in re.findall(r"^### (\d{3})\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL):
        for entry in re.findall(r"^\| ([^|]+?) \|", part, re.MULTILINE):
            first, _, last = entry.partition(" to ")
            chapter, _, number = first.rpartition(".")
            numbers = range(int(number), int(last.rpartition(".")[2]) + 1) if last else []
            found |= {f"{notes} {first}", *(f"{notes} {chapter}.{each}" for each in numbers)}
    return found


def listed_papers() -> set[str]:
    part = PAGE.partition("## Papers and books\n")[2]
    return set(re.findall(r"^\| (.+? \d{4}) \|", part, re.MULTILINE))


def citing(path: Path) -> str:
    """The text of a file, with its lines joined: a citation may be broken over two."""
    return " ".join(path.read_text(encoding="utf-8").replace("\n# ", "\n").split())


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("(003 6.5.2; Adam)", ["003 6.5.2"]),
        ("003 3.1, 3.4, 4; 004 04.", ["003 3.1", "003 3.4", "003 4", "004 04"]),
        ("002 4, 004 14", ["002 4", "004 14"]),
        ("003 6.1 to 6.6; 001, weight initialization", ["003 6.1", "003 6.6", "001 Weight initialization"]),
        ("within 20,000 5 times, 0.001 0.1", []),
    ],
)
def test_sections_are_found(text: str, sections: list[str]) -> None:
    assert list(cited_sections(text)) == sections


@pytest.mark.parametrize(
    ("text", "papers"),
    [
        ("as by He et al. 2016, figure 5", ["He et al. 2016"]),
        ("as Zou and Hastie (2005) do", ["Zou and Hastie 2005"]),
        ("(Friedman, Hastie and Tibshirani 2000)", ["Friedman, Hastie and Tibshirani 2000"]),
        ("(von Mises and Pollaczek-Geiringer 1929; Golub and Van Loan 2013)",
         ["von Mises and Pollaczek-Geiringer 1929", "Golub and Van Loan 2013"]),
        ("usual since 2017, on 2048 rows", []),
        ("in Mar 2024, since January 1970", []),
    ],
)  # fmt: skip
def test_papers_are_found(text: str, papers: list[str]) -> None:
    assert list(cited_papers(text)) == papers


def test_every_cited_section_is_listed() -> None:
    listed = listed_sections()
    missing = {s: path.name for path in CITING for s in cited_sections(citing(path)) if s not in listed}
    assert missing == {}


def test_every_cited_paper_is_listed_and_every_listed_one_is_cited() -> None:
    cited = {paper: path.name for path in CITING if path.name != "sources.md" for paper in cited_papers(citing(path))}
    assert sorted(cited.keys() ^ listed_papers()) == []
