"""Losses and metrics as JSON has them: one that is not a number is ``null``, an infinite one ``"inf"`` or ``"-inf"``.

JSON itself has none of the three; what Python writes for them, other readers refuse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping


def to_json(figures: Mapping[str, float]) -> dict[str, float | str | None]:
    """Figures by name, as they are written."""
    return {name: _written(value) for name, value in figures.items()}


def from_json(written: Mapping[str, float | str | None]) -> dict[str, float]:
    """What ``to_json`` gave; figures that Python's own JSON wrote are read as well."""
    return {name: math.nan if value is None else float(value) for name, value in written.items()}


def _written(value: float) -> float | str | None:
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else str(float(value))
