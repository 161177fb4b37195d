"""docs/generation.md is true: its commands and its code are executed, and print what the page shows.

`pytest tests/test_generation_page.py --update` writes what they print into the page.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.replayed import alike, replayed

PAGE = Path(__file__).parents[1] / "docs/generation.md"


def test_the_page_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    actual, count = replayed(PAGE, tmp_path, monkeypatch)
    before = PAGE.read_text("utf-8")
    if request.config.getoption("--update"):
        PAGE.write_text(actual, "utf-8")
    elif not alike(actual, before):
        assert actual == before
    assert count > 10
