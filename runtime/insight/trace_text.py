"""A trace as people read it, and as JSON: each line of the spec, and beneath it the tensors that it names.

What this module does not do: compute anything but the summary of a large tensor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array

from .trace_rows import Layout, Row, line_number

BOLD, DIM, PLAIN = "\033[1m", "\033[2m", "\033[0m"
GAP = 4
"""Columns between a value and its gradient."""
INDENT = 3
"""Columns between the margin and a value."""


def as_text(rows: Sequence[Row], loss: str | None, how: Layout) -> str:
    """Lines of the spec, each with the tensors that it names, their values, and beside them the gradients of a loss."""
    blocks: list[tuple[str, str, list[Row]]] = []
    for row in rows:
        place, text = line_number(row, how.deep), _source_line(row, how.deep)
        if not blocks or blocks[-1][0] != place:
            blocks.append((place, text, []))
        blocks[-1][2].append(row)
    margin = max((len(place) for place, _, _ in blocks), default=0)
    empty = f"{'':{margin}} |"
    column = _column(rows, how, margin)
    lines = []
    for place, text, members in blocks:
        lines.append(f"{_dim(f'{place:>{margin}} |', how)} {text}")
        for row in members:
            cells = _cells(loss, row, how, column, how.width - len(empty) - INDENT)
            lines += [f"{_dim(empty, how)}{'':{INDENT}}{line}".rstrip() for line in cells]
    return "\n".join(lines)


def _source_line(row: Row, deep: bool) -> str:
    span = row.span if deep else row.place
    return span.source.line(span.source.line_column(span.start)[0]).strip()


def _column(rows: Iterable[Row], how: Layout, margin: int) -> int:
    """Where gradients stand: beside the widest value that leaves them room."""
    room = (how.width - margin) // 2
    widths = [max(map(len, _left(row, how))) for row in rows if row.gradient is not None or row.why]
    return max((width for width in widths if width <= room), default=0) + GAP


def _cells(loss: str | None, row: Row, how: Layout, column: int, room: int) -> list[str]:
    left, right = _left(row, how), _right(loss, row, how)
    first = left[0].replace(row.name, _bold(row.name, how), 1)
    if not right:
        return [first, *left[1:]]
    if max(map(len, left)) > column - GAP or column + max(map(len, right)) > room:  # too wide to stand side by side
        return [first, *left[1:], *(f"  {line}" for line in right)]
    height = max(len(left), len(right))
    left, right = left + [""] * (height - len(left)), right + [""] * (height - len(right))
    lines = [f"{a:{column}}{b}" for a, b in zip(left, right, strict=True)]
    return [lines[0].replace(row.name, _bold(row.name, how), 1), *lines[1:]]


def _left(row: Row, how: Layout) -> list[str]:
    type_ = f"{row.dtype}[{', '.join(map(str, row.value.shape))}]"
    return _beside(f"{row.name}: {type_} = ", _numbers(row.value, how))


def _right(loss: str | None, row: Row, how: Layout) -> list[str]:
    label = f"d{loss}/d{row.name}"
    if row.gradient is not None:
        return _beside(f"{label} = ", _numbers(row.gradient, how))
    return [f"{label}: {row.why}"] if row.why else []


def _beside(label: str, lines: list[str]) -> list[str]:
    return [label + lines[0], *(" " * len(label) + line for line in lines[1:])]


def _numbers(array: Array, how: Layout) -> list[str]:
    """A small tensor as the language writes it; a large one in figures."""
    if array.size > how.elements or array.size == 0:
        return [summary(array, how.precision)]
    return _aligned(array, how) if array.ndim else [number_text(array.item(), how.precision)]


def _aligned(array: Array, how: Layout) -> list[str]:
    """A vector, a matrix, or a stack of them, with its columns aligned; rows that are too long are folded."""
    texts = np.array([number_text(number, how.precision) for number in array.ravel()], object).reshape(array.shape)
    widths = [max(len(text) for text in texts[..., i].ravel()) for i in range(array.shape[-1])]
    if sum(widths) + 2 * len(widths) > how.width // 2:
        widths = [0] * len(widths)  # rows are folded, and columns do not stand beneath each other
    rows = [
        "[" + ", ".join(f"{text:>{width}}" for text, width in zip(row, widths, strict=True)) + "]"
        for row in texts.reshape(-1, array.shape[-1])
    ]
    outer = array.shape[:-1]
    lines = []
    for number, row in enumerate(rows):
        index = np.unravel_index(number, outer)
        opened = _edges(index, [0] * len(outer))
        closed = _edges(index, [size - 1 for size in outer])
        end = "" if number == len(rows) - 1 else ","
        line = " " * (len(outer) - opened) + "[" * opened + row + "]" * closed + end
        lines += wrap(line, how.width // 2, subsequent_indent=" " * (len(outer) + 1), drop_whitespace=True) or [line]
    return lines


def _edges(index: Sequence[Any], edge: Sequence[int]) -> int:
    """How many of the last axes stand at their edge."""
    count = 0
    for position, at in zip(reversed(index), reversed(edge), strict=True):
        if int(position) != at:
            break
        count += 1
    return count


def number_text(number: Any, precision: int) -> str:
    """A number in as many significant digits; ``true`` and ``false``; no negative zero."""
    if isinstance(number, bool | np.bool_):
        return str(bool(number)).lower()
    if isinstance(number, np.integer):
        return str(int(number))
    return f"{float(number) + 0.0:.{precision}g}"


def summary(array: Array, precision: int = 6) -> str:
    """A large tensor in a line: ``(320 numbers: min -1.2, max 2.3, mean 0.01)``."""
    if array.size == 0:
        return "(no numbers)"
    if array.dtype == bool:
        return f"({array.size:,} values: {int(array.sum()):,} true)"
    finite = array[np.isfinite(array)]
    parts = []
    if finite.size:
        figures = (("min", finite.min()), ("max", finite.max()), ("mean", finite.mean(dtype=np.float64)))
        parts = [f"{name} {number_text(figure, min(precision, 4))}" for name, figure in figures]
    if missing := array.size - finite.size:
        parts.append(f"{missing:,} not finite")
    return f"({array.size:,} numbers: {', '.join(parts)})"


def _bold(text: str, how: Layout) -> str:
    return f"{BOLD}{text}{PLAIN}" if how.color else text


def _dim(text: str, how: Layout) -> str:
    return f"{DIM}{text}{PLAIN}" if how.color else text


# ---------------------------------------------------------------- JSON


def row_json(row: Row, how: Layout) -> dict[str, Any]:
    """A row for tools: small tensors as nested lists, large ones as figures; numbers that are not finite as text."""
    return {
        "name": row.name,
        "kind": row.kind,
        "source": row.span.source.name,
        "line": row.span.source.line_column(row.span.start)[0],
        "model_line": row.place.source.line_column(row.place.start)[0],
        "dtype": str(row.dtype),
        "shape": list(row.value.shape),
        "value": _array_json(row.value, how.elements),
        "gradient": _array_json(row.gradient, how.elements) if row.gradient is not None else None,
    }


def _array_json(array: Array, elements: int) -> Any:
    if array.size <= elements:
        return _listed(array.tolist())
    finite = array[np.isfinite(array)]
    figures = {"min": finite.min(), "max": finite.max(), "mean": finite.mean(dtype=np.float64)} if finite.size else {}
    return {name: float(figure) for name, figure in figures.items()} | {"not_finite": int(array.size - finite.size)}


def _listed(value: Any) -> Any:
    """Nested lists without NaN and infinities, which JSON does not have."""
    if isinstance(value, list):
        return [_listed(item) for item in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value
