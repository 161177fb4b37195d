"""Tables as what a source holds: columns by name, the matrix of those that are numbers, and the target.

What this module does not do: read files or cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import Diagnostic, did_you_mean, fail, make_error
from archonnx.grammar.source import Span

from .loader import KINDS, Fields, Loaded

NUMBERS = ("int", "float", "bool")
"""Kinds of columns that the matrix has."""


def table(
    columns: Mapping[str, Array | Diagnostic],
    where: str,
    rows: int,
    *,
    target: str | None = None,
    lines: npt.NDArray[np.int64] | None = None,
    apart: Sequence[str] = (),
    notes: Sequence[str] = (),
    files: Sequence[Path] = (),
    span: Span | None = None,
) -> Loaded:
    """Columns as fields, with ``data``, the matrix of the numbers and booleans among them, ``target`` and ``index``.

    A column of one of these names stays what it is.

    Args:
        columns: each as an array, or what is wrong with it.
        where: what messages call the table.
        rows: how many there are.
        target: the column that is ``target`` and not in the matrix; it may be absent.
        lines: the line of each row.
        apart: columns that are not in the matrix.
        notes: what was left out.
        files: what was read.
        span: the place of the spec that asked for it.
    """
    arrays = {name: column for name, column in columns.items() if not isinstance(column, Diagnostic)}
    problems = {name: column for name, column in columns.items() if isinstance(column, Diagnostic)}
    left = {target, *apart}
    matrix = tuple(name for name, array in arrays.items() if KINDS[array.dtype.kind] in NUMBERS and name not in left)
    made: Fields = {}
    wrong = next((problem for name, problem in problems.items() if name not in left), None)
    if wrong is None and matrix:
        made["data"] = stacked(arrays, matrix)
    elif wrong is not None and "data" not in columns:
        problems["data"] = wrong
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
        matrix=matrix if "data" in made and "data" not in arrays else (),
        target=target,
        problems=problems,
        made=frozenset(made.keys() - arrays.keys()),
        notes=tuple(notes),
        files=tuple(files),
    )


def stacked(columns: Mapping[str, Array], names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Columns side by side, f64[n, columns]."""
    return np.stack([columns[name].astype(np.float64) for name in names], axis=1)


def check_target(target: str | None, columns: Sequence[str], span: Span | None) -> None:
    """SpecError unless the target is one of the columns."""
    if target is not None and target not in columns:
        help = did_you_mean(target, columns) or f"columns: {', '.join(columns)}"
        fail("AX0604", f"there is no column `{target}`", span, help=help)
