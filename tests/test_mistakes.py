"""Likely mistakes are found before anything runs, and their helps work: ``tests/mistakes``, ``docs/mistakes.md``."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.judged_mistakes import FOUND, PAGE, VERDICTS, Mistake, edited, mistakes, told

EVERY = list(mistakes())
LATER = ("arrays", "layers", "loops", "scores", "silent", "specs_in_yaml", "tables")
FIRST, LATEST = 3, 6
"""Of the first and of the later pages each so manyth is asked in the usual suite, and all by ``make proof``."""
ASKED = [
    pytest.param(m, marks=pytest.mark.proof if n % (LATEST if m.topic in LATER else FIRST) else (), id=m.name)
    for n, m in enumerate(EVERY)
]


@pytest.mark.parametrize("mistake", ASKED)
def test_it_is_found_and_its_help_works(mistake: Mistake) -> None:
    found = told(mistake)
    assert bool(found) == (mistake.verdict in FOUND), found
    if mistake.fixed:
        text, left = edited(mistake)
        assert text != mistake.spec and left == [], left
    if mistake.mends:
        left = told(mistake, mistake.mended)
        codes = {finding["code"] for finding in found}
        assert [f for f in left if f["severity"] == "error" or f["code"] in codes] == []


def test_nine_in_ten_are_found_and_few_lead_astray() -> None:
    wrong = [mistake for mistake in EVERY if mistake.verdict != "right"]
    counts = Counter(mistake.verdict for mistake in wrong)
    assert len(wrong) >= 100 and set(counts) <= set(VERDICTS)
    assert sum(counts[verdict] for verdict in FOUND) >= 0.9 * len(wrong)
    assert sum(mistake.helped for mistake in wrong) >= 0.8 * len(wrong)
    assert all(mistake.why for mistake in wrong if mistake.verdict == "silent")


def test_the_page_lists_them_all() -> None:
    page = PAGE.read_text("utf-8")
    assert all(f"| {mistake.name.replace('-', ' ')} |" in page for mistake in EVERY)
    assert "run `python -m benchmarks.judged_mistakes`" not in page
