"""The quick facts of the catalogue hold, and each row is found by its number and by its subject."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import page
from benchmarks.catalogue.__main__ import draw, section
from benchmarks.catalogue.facts import Fact, Row, chosen, rows

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


def test_pictures_are_drawn_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each number is a square of four by four; there is a line between pictures."""
    row = Row("0.0", "Corners", "003 1")
    row.picture("corners", "A light corner.")(lambda: np.eye(2).reshape(1, 1, 2, 2).repeat(3, axis=1))
    monkeypatch.setattr(page, "DOCS", tmp_path)
    draw(row)
    shown = np.asarray(Image.open(tmp_path / "pictures" / "corners.png"))[::4, ::4]
    np.testing.assert_array_equal(shown, [[255, 0, 127, 255, 0, 127, 255, 0], [0, 255, 127, 0, 255, 127, 0, 255]])
    assert section(row, [])[-1].startswith("![A light corner.](pictures/corners.png)")


def test_pictures_of_the_page_are_there():
    assert all((page.DOCS / "pictures" / f"{one.name}.png").exists() for row in ROWS for one in row.pictures)
