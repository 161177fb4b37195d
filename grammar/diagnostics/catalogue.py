"""Every diagnostic code: what it means, an example, the way out. ``archonnx explain AX0301`` prints a page of it.

The entries are plain data, one module a family (``codes_syntax`` and so on), each with a tuple ``CODES``; to add a
code, add an entry there and run ``make docs``. Nothing here finds mistakes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from textwrap import indent

FAMILIES = {
    "general": "General",
    "syntax": "Syntax",
    "names": "Names and arguments",
    "types": "Types and shapes",
    "gradients": "Gradients",
    "onnx": "ONNX",
    "run": "Data and runs",
    "config": "Settings",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding.

    Attributes:
        code: ``AX`` and four digits; the first two are the family.
        slug: The same in words, for people who talk about it.
        summary: One line.
        meaning: What is wrong, and why it is refused.
        example: A spec, or part of one, with the mistake; empty where no spec can show it.
        language: Of the example: ``arch`` or ``yaml``.
        fix: The way out.
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


@cache
def catalogue() -> dict[str, Code]:
    """All codes in order, by their names."""
    entries: list[Code] = []
    for family in FAMILIES:
        entries.extend(_codes(family))
    return {entry.code: entry for entry in sorted(entries, key=lambda entry: entry.code)}


def _codes(family: str) -> tuple[Code, ...]:
    codes: tuple[Code, ...] = import_module(f".codes_{family}", __package__).CODES
    return codes


def explain(code: str) -> str | None:
    """The page of a code, for a terminal; None where there is no such code."""
    entry = catalogue().get(code.upper())
    if entry is None:
        return None
    example = f"\nExample:\n\n{indent(entry.example.rstrip(), '    ')}\n" if entry.example else ""
    return f"{entry.code} {entry.slug} ({entry.severity})\n{entry.summary}\n\n{entry.meaning}\n{example}\n{entry.fix}\n"


def reference() -> str:
    """The catalogue as a Markdown page."""
    lines = [
        "# Diagnostics",
        "",
        "Every finding of archonnx has a code; `archonnx explain CODE` prints its entry. This page is generated from",
        "`grammar/diagnostics/codes_*.py` by `python -m archonnx.grammar.diagnostics.catalogue docs/diagnostics.md`.",
    ]
    for family, title in FAMILIES.items():
        if _codes(family):
            lines += ["", f"## {title}"]
        for entry in _codes(family):
            severity = "" if entry.severity == "error" else f" ({entry.severity})"
            lines += ["", f"### {entry.code} {entry.slug}{severity}", "", f"**{entry.summary}**", "", entry.meaning]
            if entry.example:
                lines += ["", f"```{entry.language}", entry.example.rstrip(), "```"]
            lines += ["", entry.fix]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
