"""The quick facts of the catalogue hold, and its page tells of all of them."""

from pathlib import Path

import pytest

from benchmarks.catalogue.facts import Fact, rows

ROWS = list(rows())
QUICK = [pytest.param(fact, id=f"{row.number} {fact.claim}") for row in ROWS for fact in row.facts if not fact.slow]
PAGE = Path(__file__).parents[1] / "docs/catalogue.md"
ZOO = {path.stem for path in (Path(__file__).parents[1] / "specs/zoo").glob("*/*.*")}


@pytest.mark.parametrize("fact", QUICK)
def test_fact(fact: Fact):
    result = fact.measure()
    assert result.holds, result.value


def test_numbers_differ():
    numbers = [row.number for row in ROWS]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_row_is_complete(row):
    assert row.facts, "a row shows something"
    assert row.source[:3].isdigit(), "the document comes first"
    assert set(row.specs) <= ZOO
