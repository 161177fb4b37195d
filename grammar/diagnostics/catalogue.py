"""Every diagnostic code: what it means, an example, the way out. ``archonnx explain AX0301`` prints its page.

A code is a file, ``pages/AX0301.md``: to add one, write the file and run ``make docs``. A stage that reports a finding
names its code and needs nothing from here; the pages are read when somebody asks for them.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from textwrap import indent

from archonnx.grammar.record import Record

PAGES = Path(__file__).with_name("pages")
FAMILIES = {
    "AX00": "General",
    "AX01": "Syntax",
    "AX02": "Names and arguments",
    "AX03": "Types and shapes",
    "AX04": "Gradients",
    "AX05": "ONNX",
    "AX06": "Data and runs",
    "AX07": "Settings",
    "AX08": "What was probably not meant",
}
"""The subjects of codes, by how they begin."""

_CODE = re.compile(r"AX\d{4}")
_PAGE = re.compile(
    r"# (?P<code>AX\d{4}) (?P<slug>[a-z0-9]+(?:-[a-z0-9]+)*)(?: \((?P<severity>warning)\))?\n"
    r"\n(?P<summary>\S[^\n]*)\n"
    r"\n## Meaning\n\n(?P<meaning>\S(?:(?!\n#).)*)\n"
    r"(?:\n## Example\n\n```(?P<language>arch|yaml)\n(?P<example>.+?\n)```\n)?"
    r"\n## Fix\n\n(?P<fix>\S(?:(?!\n#).)*)\n",
    re.DOTALL,
)
_LINE_END = re.compile(r"(?<!\n)\n(?!\n)")
"""The end of a line inside a paragraph."""


class Page(Record):
    """What there is to say about one kind of finding.

    Attributes:
        code: ``AX`` and four digits; the first two are the family.
        slug: the same in words, for people who talk about it.
        summary: one line.
        meaning: what is wrong, and why it is refused.
        fix: the way out.
        example: a spec, or part of one, with the mistake; empty where no spec can show it.
        language: of the example: ``arch`` or ``yaml``.
        severity: ``error`` or ``warning``.
    """

    code: str
    slug: str
    summary: str
    meaning: str
    fix: str
    example: str = ""
    language: str = "arch"
    severity: str = "error"


def read_page(text: str) -> Page:
    """The page that a text in Markdown holds: lines of a paragraph are joined.

    Raises:
        ValueError: it has another form than the others.
    """
    found = _PAGE.fullmatch(text)
    if found is None:
        raise ValueError("a page is `# CODE slug`, a line, `## Meaning`, `## Example` (if there is one) and `## Fix`")
    given = {name: value for name, value in found.groupdict().items() if value is not None}
    return Page(**given | {name: _LINE_END.sub(" ", given[name]) for name in ("meaning", "fix")})


@cache
def page(code: str) -> Page | None:
    """The page of a code; None where there is no such code."""
    path = PAGES / f"{code}.md"
    return read_page(path.read_text(encoding="utf-8")) if _CODE.fullmatch(code) and path.is_file() else None


@cache
def catalogue() -> dict[str, Page]:
    """All pages in the order of their codes, by code."""
    codes = sorted(path.stem for path in PAGES.glob("*.md"))
    return {code: found for code in codes if (found := page(code)) is not None}


def explain(code: str) -> str | None:
    """The page of a code, for a terminal; None where there is no such code."""
    found = page(code.upper())
    if found is None:
        return None
    example = f"\nExample:\n\n{indent(found.example.rstrip(), '    ')}\n" if found.example else ""
    return f"{found.code} {found.slug} ({found.severity})\n{found.summary}\n\n{found.meaning}\n{example}\n{found.fix}\n"


def reference() -> str:
    """The catalogue as one page in Markdown."""
    lines = [
        "# Diagnostics",
        "",
        "Every finding of archonnx has a code; `archonnx explain CODE` prints its entry. This page is generated from",
        "`grammar/diagnostics/pages/` by `python -m archonnx.grammar.diagnostics.catalogue docs/diagnostics.md`.",
    ]
    for family, title in FAMILIES.items():
        pages = [found for code, found in catalogue().items() if code.startswith(family)]
        if pages:
            lines += ["", f"## {title}"]
        for found in pages:
            severity = "" if found.severity == "error" else f" ({found.severity})"
            lines += ["", f"### {found.code} {found.slug}{severity}", "", f"**{found.summary}**", "", found.meaning]
            if found.example:
                lines += ["", f"```{found.language}", found.example.rstrip(), "```"]
            lines += ["", found.fix]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
