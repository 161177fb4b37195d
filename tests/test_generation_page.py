"""docs/generation.md is true: its commands and its code are executed, and print what the page shows.

`pytest tests/test_generation_page.py --update` writes what they print into the page.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.replayed import shown

PAGE = Path(__file__).parents[1] / "docs/generation.md"


def test_the_page_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    assert shown(PAGE, tmp_path, monkeypatch, request) > 10
