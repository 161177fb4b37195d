"""Measure the facts of the catalogue.

Without arguments it measures all rows and writes docs/catalogue.md; else it measures the rows that are named, by number
(``1.5``) or by subject (``losses``), and writes nothing, unless ``--write`` is given: then these rows alone are
written anew, each with its date.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from datetime import UTC, datetime

from benchmarks import page

from .facts import Measured, Row, chosen

INTRODUCTION = """\
The systems of the zoo, and the facts that each shows. *Source* is the section of the lecture notes that describes the
system ([sources.md](sources.md)). A figure is what the command measured when it wrote this page; a fact that did not
hold would say **no**. The tests measure all facts as well, except those that take long."""


def section(row: Row, measured: list[tuple[str, Measured]]) -> list[str]:
    """The part of the page on one row."""
    specs = ", ".join(f"`{name}`" for name in row.specs)
    lines = [f"## {row.number} {row.title}", f"Source: {row.source}." + (f" Specs: {specs}." if specs else "")]
    table = [[claim, result.value, "yes" if result.holds else "**no**"] for claim, result in measured]
    pictures = [f"![{one.caption}](pictures/{one.name}.png)\n\n{one.caption}" for one in row.pictures]
    return [*lines, page.table(["fact", "measured", "holds"], table), *pictures]


def draw(row: Row) -> None:
    """Write the pictures of a row, each number a square of four by four, with a line between."""
    import numpy as np
    from PIL import Image

    for one in row.pictures:
        grey = np.pad(np.clip(one.draw(), 0, 1), [(0, 0), (0, 0), (0, 1), (0, 1)], constant_values=0.5)
        sheet = grey.transpose(0, 2, 1, 3).reshape(grey.shape[0] * grey.shape[2], -1)[:-1, :-1]
        pixels = (255 * sheet).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)
        path = page.DOCS / "pictures" / f"{one.name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path, optimize=True)


def measure(row: Row) -> list[tuple[str, Measured]]:
    """Measure all facts of a row, and print them as they come."""
    measured = []
    for fact in row.facts:
        begin = time.perf_counter()
        result = fact.measure()
        took = time.perf_counter() - begin
        verdict = "holds" if result.holds else "FAILS"
        print(f"{row.number}  {fact.claim}: {result.value}: {verdict}, {took:.1f} s", flush=True)
        measured.append((fact.claim, result))
    return measured


def with_sections(text: str, sections: dict[str, str]) -> str:
    """A page with these sections, by the numbers of their rows, new or in place of what it had."""
    head, *parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    *parts, last = parts
    kept, mark, circumstances = last.partition("\n\nTaken on ")
    known = {part.split()[1]: part.strip() for part in (*parts, kept)} | sections
    ordered = sorted(known, key=lambda number: tuple(map(int, number.split("."))))
    return "\n\n".join([head.strip(), *(known[number] for number in ordered)]) + mark + circumstances


def main(wanted: list[str]) -> int:
    """Measure. The exit status is 1 if a fact does not hold, 2 if a row does not exist."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catalogue", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the rows that are named anew in the page")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="by number or subject; all unless given")
    given = parser.parse_args(wanted)
    writing, wanted = given.write, given.rows
    try:
        rows = chosen(wanted)
    except LookupError as error:
        print(error)
        return 2
    results = [(row, measure(row)) for row in rows.values()]
    for row in rows.values() if writing or not wanted else ():
        draw(row)
    if not wanted:
        parts = [part for row, measured in results for part in section(row, measured)]
        packages = ("numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "scikit-learn")
        heading = [
            "# The catalogue",
            "Written by `python -m benchmarks.catalogue`, which is part of `make proof`.",
            INTRODUCTION,
        ]
        print(page.write("catalogue.md", [*heading, *parts, page.circumstances(packages)]))
    elif writing:
        path, date = page.DOCS / "catalogue.md", datetime.now(UTC).date().isoformat()
        new = {r.number: "\n\n".join([*section(r, seen), f"Measured on {date}."]) for r, seen in results}
        path.write_text(with_sections(path.read_text("utf-8"), new), "utf-8")
    return 0 if all(result.holds for _, measured in results for _, result in measured) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
