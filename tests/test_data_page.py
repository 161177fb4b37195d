"""docs/data.md is true: its commands and its code are executed in a folder with the table of wines.

What they print is what the page shows, but for times, and fractions that another machine rounds otherwise.
`pytest tests/test_data_page.py --update` writes what they print into the page.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from archonnx.compiler.sources import CsvSource
from archonnx.grammar import ast
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse
from tests.support.replayed import alike, shown

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/data.md"


def test_the_page_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    shutil.copy(ROOT / "specs/zoo/data/wines.csv", tmp_path)
    assert shown(PAGE, tmp_path, monkeypatch, request) > 15


@pytest.mark.parametrize(("one", "other", "same"), [
    ("loss 0.5012  1.5 s", "loss 0.5013  20 ms", True),
    ("loss 0.5", "loss 0.7", False),
    ("8 rows", "9 rows", False),
    ("wine.csv:8: 0.5", "wine.csv:9: 0.5", False),
    ("a 0.5", "b 0.5", False),
    ("0.5 of 2", "0.5", False),
])  # fmt: skip
def test_pages_are_alike_up_to_times_and_rounding(one: str, other: str, same: bool) -> None:
    assert alike(one, other) is same


def test_all_arguments_of_csv_and_all_transformations_are_named() -> None:
    page = PAGE.read_text("utf-8")
    arguments = {name for name in CsvSource.model_fields if name != "path"}
    assert {name for name in arguments if f"`{name}=" not in page} == set()
    path = ROOT / "specs/std/data.arch"
    names = {d.name for d in parse(Source(path.name, path.read_text("utf-8"))).declarations if isinstance(d, ast.Fn)}
    helpers = {"spread", "edges_reached", "civil"}
    assert {name for name in names - helpers if not re.search(rf"`{name}\b", page)} == set()
