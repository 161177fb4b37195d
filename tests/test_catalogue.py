"""The quick facts of the catalogue hold, and each row is found by its number and by its subject."""

from pathlib import Path

import pytest

from benchmarks.catalogue.facts import Fact, chosen, rows

ROWS = list(rows().values())
QUICK = [pytest.param(fact, id=f"{row.number} {fact.claim}") for row in ROWS for fact in row.facts if not fact.slow]
ZOO = {path.stem for path in (Path(__file__).parents[1] / "specs/zoo").glob("*/*.*")}


@pytest.mark.parametrize("fact", QUICK)
def test_fact(fact: Fact):
    result = fact.measure()
    assert result.holds, result.value


def test_numbers_differ():
    numbers = [row.number for row in ROWS]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("name", rows())
def test_a_row_is_found_by_its_number_and_by_its_subject(name: str):
    row = rows()[name]
    assert chosen([name]) == chosen([row.number]) == {name: row}


def test_a_row_that_is_not_there():
    with pytest.raises(LookupError, match=r"no row 9\.9, loses; there are 1\.1 linear_models, "):
        chosen(["1.1", "loses", "9.9"])
    assert list(chosen([]).values()) == ROWS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_row_is_complete(row):
    assert row.facts, "a row shows something"
    assert row.source[:3].isdigit(), "the document comes first"
    assert set(row.specs) <= ZOO
