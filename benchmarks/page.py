"""Writing the dated pages of docs/: tables, and the machine on which their figures were taken."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from archonnx.runtime.device.tuning import processor

DOCS = Path(__file__).parents[1] / "docs"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are of numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def circumstances(packages: Sequence[str]) -> str:
    """When, on what and with what the figures of a page were taken."""
    versions = [f"Python {platform.python_version()}"]
    for name in packages:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    date = datetime.now(UTC).date().isoformat()
    machine = f"{processor()}, {os.cpu_count()} cores, {platform.system()}"
    return f"Taken on {date} on {machine}, with {', '.join(versions)}."


def write(name: str, parts: Sequence[str]) -> Path:
    """Write a page of docs/ from its paragraphs and tables."""
    path = DOCS / name
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def put(name: str, part: str, text: str) -> None:
    """Write a part of a page of docs/, which stands between its mark, ``<!-- measured: PART -->``, and an end."""
    path = DOCS / name
    before, begin, rest = path.read_text("utf-8").partition(f"<!-- measured: {part} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if begin and end:
        path.write_text(f"{before}{begin}{text}\n{end}{after}", encoding="utf-8")
