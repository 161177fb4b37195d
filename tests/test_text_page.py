"""docs/text.md is true: its commands and its code are executed in a folder with the text of the zoo.

What they print is what the page shows, but for times, and fractions that another machine rounds otherwise.
`pytest tests/test_text_page.py --update` writes what they print into the page.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from archonnx.compiler.sources import TextSource, WindowsSource
from tests.support.replayed import shown

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/text.md"


def test_the_page_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    shutil.copy(ROOT / "specs/zoo/sequences/python_topics.txt", tmp_path / "book.txt")
    assert shown(PAGE, tmp_path, monkeypatch, request) > 5


def test_all_arguments_of_the_source_are_named() -> None:
    page = PAGE.read_text("utf-8")
    assert {name for name in TextSource.model_fields if name != "path" and f"`{name}=" not in page} == set()
    assert {
        name for name in ("context", "stride") if name in WindowsSource.model_fields and f"{name}=" not in page
    } == set()
