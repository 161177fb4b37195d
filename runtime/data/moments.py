"""Dates and times as texts: those of ISO 8601, those in forms that a spec says, and the clocks that they go by.

What this module does not do: read columns (``cells`` does), or find forms out (``dressed`` does).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

PART = ".%f"
"""How parts of a second are written."""
ISO = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,](?P<part>\d+))?)?(?P<offset>Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII
)
Clock = Literal["local", "UTC", "offset"]
"""How dates are written: without an offset from UTC, all by it, or with offsets from it."""
OF_UTC = ("Z", "+00:00", "+0000", "-00:00", "-0000", "+00")


class OddCellError(Exception):
    """A cell that is not of the kind of its column, and why if that is not plain."""

    def __init__(self, cell: str, why: str | None = None) -> None:
        super().__init__(cell, why)
        self.cell, self.why = cell, why


def date(cell: str) -> datetime:
    """A moment in UTC, without its time zone."""
    match = ISO.fullmatch(cell)
    if match is None:
        raise OddCellError(cell)
    if match["part"] is not None and match["part"].strip("0"):
        raise OddCellError(cell, "a part of a second, which dates do not keep")
    try:
        moment = datetime.fromisoformat(cell)
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise OddCellError(cell, "a day or an hour that there is not") from None


def date_as(cell: str, form: str) -> datetime:
    """A moment in UTC that is written in another form than that of ISO 8601.

    A time of day is one of the first of January 1970; a month is its first day. Parts of a second are left out.
    """
    for way in dict.fromkeys((form, form.replace(PART, ""))):  # what is written with parts has none where they are 0
        try:
            moment = datetime.strptime(cell, way).replace(microsecond=0)
            moment = moment if "%Y" in way or "%y" in way else moment.replace(year=1970)
            return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
        except (ValueError, OverflowError):
            continue
    raise OddCellError(cell, f"which is no date by `{form}`")


def without_parts(cell: str) -> str:
    """The form that leaves parts of a second out, of a date of ISO 8601; nothing of others."""
    match = ISO.fullmatch(cell)
    if match is None or match["part"] is None or "," in cell:
        return ""
    return f"%Y-%m-%d{cell[10]}%H:%M:%S{PART}{'%z' if match['offset'] else ''}"


def clock_of(zone: object) -> Clock:
    """How dates of a time zone are written, as pandas, polars and Arrow name it."""
    return "local" if zone is None else "UTC" if str(zone) in ("UTC", "Etc/UTC", "+00:00") else "offset"


def check_offsets(cells: Iterable[str]) -> None:
    """OddCellError unless all dates have an offset from UTC, or none has."""
    zoned = {cell: match["offset"] is not None for cell in cells if (match := ISO.fullmatch(cell))}
    if len(set(zoned.values())) > 1:
        first = next(iter(zoned))
        odd = next(cell for cell, offset in zoned.items() if offset != zoned[first])
        has, lacks = ("an offset from UTC", "none") if zoned[odd] else ("no offset from UTC", "one")
        raise OddCellError(odd, f"which has {has}, where {first!r} has {lacks}")
