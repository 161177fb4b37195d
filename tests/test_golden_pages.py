"""Golden pages as pages: each is short, says what it shows, and is read by a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.golden import GOLDEN, LONGEST

PAGES = sorted(GOLDEN.rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_a_page_is_short_and_begins_with_what_it_shows(page: Path) -> None:
    text = page.read_text("utf-8")
    assert len(text.splitlines()) <= LONGEST, "split the page by topic"
    assert re.match(r"# .+\n\n(?!#|```)\S", text), "a title, and a sentence on what the page shows"


def test_every_page_is_read_by_a_test() -> None:
    sources = "".join(path.read_text("utf-8") for path in Path(__file__).parent.rglob("test_*.py"))
    patterns = set(re.findall(r'"([a-z_*]+(?:/[a-z_*]+)*\.md)"', sources))
    assert set(PAGES) == {page for pattern in patterns for page in GOLDEN.glob(pattern)}


def test_messages_say_what_a_thing_is_not() -> None:
    """`x` is not an int, rather than `x` is no int; "there is no `x`" is right."""
    shown = [
        line for page in PAGES for line in page.read_text("utf-8").splitlines() if re.match(r"error|help|note", line)
    ]
    assert shown
    assert [line for line in shown if re.search(r"(?<!there )\b(is|are) no (?!longer|more)\w", line)] == []
