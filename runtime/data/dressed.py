"""Numbers and dates that are written as people read them: ``$1,234.50``, ``12 %``, ``65 yr``, ``3/16/2024``.

Such cells are neither read as numbers nor passed over: the message says how the source is told what they are. What this
module does not do: read them (``cells`` does, once it is told).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime

import numpy as np
import numpy.typing as npt

TIMES = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
"""How times of day are written."""
FORMATS = (
    "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%m-%d-%Y", "%d-%m-%Y", "%Y.%m.%d",
    "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
    "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M",
    "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S",
    "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M:%S UTC",
    "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %I:%M %p", "%d/%m/%Y %I:%M:%S %p",
    "%a, %d %b %Y %H:%M:%S %z",
    "%Y-%m", "%Y/%m", "%m/%Y", "%m.%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y",
    *TIMES,
)  # fmt: skip
"""How dates are usually written besides ISO 8601."""
CLASSES = 10
"""So many different texts, or fewer, may be classes although there is a number in each: `2 rooms`, `3 rooms`."""
_CURRENCY = "$€£¥₹"
_GROUPED = {
    ".": re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?", re.ASCII),
    ",": re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?", re.ASCII),
}
_PLAIN = {".": re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII), ",": re.compile(r"[+-]?(?:\d+,?\d*|,\d+)", re.ASCII)}
_MARKED = re.compile(
    rf"(?P<sign>[+-]?)(?P<before>[{_CURRENCY}]?) ?(?P<number>[+-]?[\d.,]+) ?(?P<behind>[%{_CURRENCY}]?)", re.ASCII
)
_MEASURED = re.compile(r"(?P<number>[+-]?[\d.,]+) ?(?P<unit>[^\W\d_]{1,12})")
_TIME = r"\d\d?:\d\d(?::\d\d)?(?: ?[AP]M)?"
_MONTH = r"\d{4}[-/]\d\d|\d\d?[/.]\d{4}|[A-Z][a-z]{2,8}[ -]\d{2,4}"
_DAY = r"\d{1,4}[./ -][\w]{1,9}[./ -]\d{1,4}|[A-Z][a-z]{2,8} \d{1,2}, \d{4}"
_DATED = re.compile(
    rf"(?:[A-Z][a-z]{{2}}, )?(?:{_DAY})(?: {_TIME})?(?: UTC| [+-]\d{{4}})?|{_TIME}|{_MONTH}", re.ASCII | re.IGNORECASE
)


def left_out(cells: Collection[str], decimal: str) -> str | None:
    """The characters without which all cells are numbers, where that is what they seem to be; None otherwise.

    >>> left_out(["$1,234.50", "$7"], "."), left_out(["12 %", "7.5 %"], "."), left_out(["1.2.3"], ".")
    ('$,', '%', None)
    """
    gone: dict[str, None] = {}
    units = set()
    for cell in cells:
        match = _MARKED.fullmatch(cell)
        if match is None:
            measured = _MEASURED.fullmatch(cell)
            if measured is None:
                return None
            units.add(measured["unit"])
            number = measured["number"]
        else:
            units.add("")
            gone |= dict.fromkeys(match["before"] + match["behind"])
            number = match["number"]
        if _PLAIN[decimal].fullmatch(number) is None:
            if _GROUPED[decimal].fullmatch(number) is None:
                return None
            gone["," if decimal == "." else "."] = None
    if len(units) != 1:
        return None
    (unit,) = units
    if unit and len(cells) <= CLASSES:
        return None
    gone |= dict.fromkeys(unit)
    return "".join(gone) or None


def grouped(cells: Collection[str], decimal: str) -> bool:
    """Whether cells have separators of thousands, each before three digits: ``1,234`` for a decimal point."""
    return all(_GROUPED[decimal].fullmatch(cell) for cell in cells)


def formats(cells: Collection[str], tried: Collection[str] = ()) -> list[str]:
    """The usual ways of writing dates by which all cells are dates; of many, those of them that are ``tried``.

    >>> formats(["3/16/2024", "1/2/2024"]), formats(["1/2/2024"]), formats(["a/b/c"])
    (['%m/%d/%Y'], ['%m/%d/%Y', '%d/%m/%Y'], [])
    """
    if not all(map(_DATED.fullmatch, cells)):
        return []
    return [form for form in FORMATS if all(_is_date(cell, form) for cell in tried or cells)]


def are_days(numbers: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> bool:
    """Whether numbers, of which some differ, are all days of 1900 to 2099 as in ``20240316``.

    One number in 30 between the first and the last of these is such a day, so that other numbers are hardly ever.

    >>> are_days(np.array([20240228, 20240301])), are_days(np.array([20240228, 20240300]))
    (True, False)
    """
    if not len(numbers) or numbers.min() < 19000101 or numbers.max() > 20991231 or numbers.min() == numbers.max():
        return False
    days = numbers.astype(np.int64)
    month, day = days // 100 % 100, days % 100
    return bool(np.all((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (numbers == days)))


def _is_date(cell: str, form: str) -> bool:
    try:
        datetime.strptime(cell, form)
    except ValueError:
        return False
    return True
