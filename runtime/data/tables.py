"""Tables as what a source holds: columns by name, the matrix of those that are numbers, and the target.

What this module does not do: read files or cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import Diagnostic, did_you_mean, fail, listing, make_error
from archonnx.grammar.source import Span

from .loader import KINDS, Fields, Loaded
from .storage import blocks, storage

NUMBERS = ("int", "float", "bool")
"""Kinds of columns that the matrix has."""


def table(
    columns: Mapping[str, Array | Diagnostic],
    where: str,
    rows: int,
    *,
    target: str | None = None,
    lines: npt.NDArray[np.int64] | None = None,
    side_by_side: Sequence[str] | None = None,
    apart: Sequence[str] = (),
    notes: Sequence[str] = (),
    files: Sequence[Path] = (),
    span: Span | None = None,
    clocks: Mapping[str, str] | None = None,
) -> Loaded:
    """Columns as fields, with ``data``, the matrix of the numbers and booleans among them, ``target`` and ``index``.

    A column of one of these names stays what it is.

    Args:
        columns: each as an array, or what is wrong with it.
        where: what messages call the table.
        rows: how many there are.
        target: the column that is ``target`` and not in the matrix; it may be absent.
        lines: the line of each row.
        side_by_side: the columns that the matrix has, in order; all of numbers and booleans but the target if None.
        apart: columns that are not in the matrix unless ``side_by_side`` names them.
        notes: what was left out.
        files: what was read.
        span: the place of the spec that asked for it.
        clocks: how columns of dates are written.
    """
    arrays = {name: column for name, column in columns.items() if not isinstance(column, Diagnostic)}
    problems = {name: column for name, column in columns.items() if isinstance(column, Diagnostic)}
    made: Fields = {}
    matrix: tuple[str, ...] = ()
    if "data" not in columns:
        left = {target, *apart}
        wanted = [name for name in columns if name not in left] if side_by_side is None else side_by_side
        wrong = next((problems[name] for name in wanted if name in problems), None)
        numbers = [name for name in wanted if name in arrays and KINDS[arrays[name].dtype.kind] in NUMBERS]
        if wrong is None and side_by_side is not None:
            wrong = not_numbers(where, side_by_side, numbers, columns, span)
        if wrong is not None:
            problems["data"] = wrong
        elif numbers:
            matrix = tuple(numbers)
            made["data"] = stacked(arrays, matrix)
    if target is not None and target != "target":
        if "target" in columns:
            problems["target"] = make_error(
                "AX0604",
                f"{where}: `data.target` is the column `target` and, as the source says, `{target}`",
                span,
                help=f"say `data.{target}`, or rename the column `target`",
            )
            arrays.pop("target", None)
        elif target in problems:
            problems["target"] = problems[target]
        elif target in arrays:
            made["target"] = arrays[target]
    if "index" not in columns:
        made["index"] = np.arange(rows, dtype=np.int64)
    return Loaded(
        {**made, **arrays},
        where,
        lines,
        matrix=matrix,
        target=target,
        problems=problems,
        settled={"columns": list(matrix)} if matrix else {},
        made=frozenset(made.keys() - arrays.keys()),
        notes=tuple(notes),
        files=tuple(files),
        clocks=clocks or {},
    )


def not_numbers(
    where: str, wanted: Sequence[str], numbers: Sequence[str], columns: Iterable[str], span: Span | None
) -> Diagnostic | None:
    """What is wrong where ``data`` shall have columns that are not all columns of numbers."""
    are_numbers = {*numbers}
    name = next((name for name in wanted if name not in are_numbers), None)
    if name is None:
        return None
    there = [*columns]
    what = "which does not hold numbers" if name in there else "which is not there"
    headline = f"{where}: `data` is made of the columns {listing(wanted)}; `{name}` is one of them, {what}"
    return make_error("AX0604", headline, span, help=did_you_mean(name, there) if name not in there else None)


def stacked(columns: Mapping[str, Array], names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Columns side by side, f64[n, columns]."""
    rows = len(columns[names[0]])
    matrix = storage((rows, len(names)), np.float64, "the matrix of the columns")
    for begin, end in blocks(rows, matrix[:1].nbytes):
        for position, name in enumerate(names):
            matrix[begin:end, position] = columns[name][begin:end]
    return matrix


def check_target(target: str | None, columns: Sequence[str], where: str, span: Span | None) -> None:
    """SpecError unless the target is one of the columns."""
    if target is not None and target not in columns:
        help = did_you_mean(target, columns) or f"columns: {listing(columns)}"
        fail("AX0604", f"{where} has no column `{target}`", span, help=help)


def check_named(argument: str, named: Iterable[str], columns: Sequence[str], where: str, span: Span | None) -> None:
    """SpecError unless an argument of the source names columns that are there."""
    for name in named:
        if name not in columns:
            help = did_you_mean(name, columns) or f"columns: {listing(columns)}"
            fail("AX0604", f"`{argument}` names `{name}`, which is not a column of {where}", span, help=help)
