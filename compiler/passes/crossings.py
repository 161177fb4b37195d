"""Where two forms of the same are equally fast: sizes at which rules change from one to the other.

``crossings.json`` has what ``python -m benchmarks.crossings`` has measured, where, and when. A machine may have its own
(``runtime.device.tuning``). The rules ask here each time, so all graphs of a process are put by the same numbers. What
this module does not do: measure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from archonnx.grammar.record import Record, fields

FILE = Path(__file__).with_name("crossings.json")
LARGEST = 2**31
"""No size is beyond it."""


class Crossings(Record):
    """The sizes.

    Attributes:
        patch_rows: places of all examples together up to which convolutions are products of patches.
        columns: likewise, up to which those with kernels of one element are products.
        columns_back: likewise, for the gradient of their input.
        sum_elements: elements from which on rows are added by a product.
    """

    patch_rows: int
    columns: int
    columns_back: int
    sum_elements: int

    def as_json(self) -> dict[str, int]:
        """By name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Crossings:
        """What ``as_json`` gave; ValueError where it is something else."""
        names = [field.name for field in fields(Crossings)]
        if sorted(values) != sorted(names):
            raise ValueError(f"these are no crossings: {sorted(values)}")
        if not all(type(value) is int and 0 <= value <= LARGEST for value in values.values()):
            raise ValueError("a crossing is a size")
        return Crossings(**values)


@cache
def standard() -> Crossings:
    """Those that were measured for everybody."""
    return Crossings.from_json(json.loads(FILE.read_text("utf-8"))["crossings"])


_chosen: list[Crossings] = []


def crossings() -> Crossings:
    """Those of this process."""
    return _chosen[-1] if _chosen else standard()


@contextmanager
def using(chosen: Crossings) -> Iterator[None]:
    """Put graphs by these meanwhile."""
    _chosen.append(chosen)
    try:
        yield
    finally:
        _chosen.pop()
