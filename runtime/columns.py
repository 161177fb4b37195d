"""A table as plain text. What this module does not do: draw one on a terminal (the command line does, with rich)."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def columns(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Rows as lines, their cells in columns: those of ``left`` by number to the left, the others to the right.

    >>> print(columns([["", "loss"], ["train", "0.25"], ["test", "12.5"]]))
           loss
    train  0.25
    test   12.5
    """
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        placed = [cell.ljust(width) if i in left else cell.rjust(width) for i, (cell, width) in enumerate(cells)]
        lines.append("  ".join(placed).rstrip())
    return "\n".join(lines)
