"""Columns of a table of texts, gathered part by part, so that its cells need not be in memory all at once.

A part of a column that holds nothing but usual numbers is kept as numbers. Where another part of it does not, its cells
are asked for again. What this module does not do: read files, or decide what a column is (``cells`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from archonnx.compiler.ir.types import Array

from .cells import plain_numbers

PART = 20_000
"""Rows of a part, of a table with few columns."""
CELLS = 500_000
"""Cells of a part, of a table with many."""
KNOWN = 10_000
"""Different cells of a column that are kept once, however often they occur."""
AS_NUMBERS = (None, "int", "float")
"""Kinds of columns for which cells can be numbers."""


class Gathered:
    """The columns of a table.

    Args:
        names: of the columns.
        kinds: what those must be of which it is known.
        plain: whether numbers are written as usual: with a decimal point, and missing ones in no way of their own.
    """

    def __init__(self, names: Sequence[str], kinds: Mapping[str, str], *, plain: bool) -> None:
        self._numbers = [plain and kinds.get(name) in AS_NUMBERS for name in names]
        self._parts: list[list[Array | list[str]]] = [[] for _ in names]
        self._known: list[dict[str, str]] = [{} for _ in names]
        self.rows_of_a_part = max(1, min(PART, CELLS // max(1, len(names))))

    def add(self, rows: Sequence[Sequence[str]]) -> None:
        """The next rows, each with a cell for every column."""
        for position, column in enumerate(zip(*rows, strict=True)):
            cells = [cell.strip() for cell in column]
            numbers = plain_numbers(cells, None) if self._numbers[position] else None
            if numbers is None:
                self._numbers[position] = False
                cells = self._shared(position, cells)
            self._parts[position].append(cells if numbers is None else numbers)

    def _shared(self, position: int, cells: list[str]) -> list[str]:
        """The same cells, where equal ones are one object."""
        known = self._known[position]
        return [known.setdefault(cell, cell) for cell in cells] if len(known) < KNOWN else cells

    def columns(
        self, again: Callable[[Collection[int]], Mapping[int, list[str]]], kinds: Sequence[str | None]
    ) -> list[Array | list[str]]:
        """Each column: as i64 or f64 where it holds nothing but usual numbers, else its cells.

        Args:
            again: gives the cells of columns anew, by their positions.
            kinds: what each must be, None where that is to be found out.
        """
        half = [at for at, parts in enumerate(self._parts) if not _of_one_kind(parts, kinds[at])]
        cells = again(half) if half else {}
        return [cells[at] if at in cells else self._joined(at) for at in range(len(self._parts))]

    def _joined(self, position: int) -> Array | list[str]:
        parts, self._parts[position] = self._parts[position], []
        numbers = [part for part in parts if not isinstance(part, list)]
        if numbers:
            return np.concatenate(numbers)  # integers and floats are floats
        return [cell for part in parts if isinstance(part, list) for cell in part]


def _of_one_kind(parts: Sequence[Array | list[str]], kind: str | None) -> bool:
    """Whether parts are all numbers, or all cells; integers where they must be that."""
    numbers = [part for part in parts if not isinstance(part, list)]
    if kind == "int" and any(part.dtype.kind == "f" for part in numbers):
        return False
    return len(numbers) in (0, len(parts))
