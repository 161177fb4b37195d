"""The tensors of a trace, one a row, and which of them are shown. What this module does not do: print them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from archonnx.compiler.ir.types import Array, DType
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.source import Span


@dataclass(frozen=True, slots=True)
class Row:
    """A named tensor of a trace.

    Attributes:
        name: as the spec calls it (``h``, ``dense.W``, ``x#2`` for a name's second value).
        kind: input, target, param, buffer, output, loss, metric, module or value.
        tensor: its number: names of one tensor have the same.
        dtype: its element type.
        value: what it is.
        gradient: of the loss for it; None where there is none.
        why: why there is none.
        span: where the name is given.
        place: the line of the model that leads there.
        inner: whether it is inside a block or fn that the model calls.
    """

    name: str
    kind: str
    tensor: int
    dtype: DType
    value: Array
    gradient: Array | None
    why: str
    span: Span
    place: Span
    inner: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """How a trace is printed.

    Attributes:
        deep: whether what blocks and fns compute inside is shown.
        only: patterns of names, such as ``h*``; all names unless given.
        elements: numbers of a tensor that is shown whole; larger ones are summed up.
        precision: significant digits.
        width: columns.
        color: whether to use the terminal's colours.
    """

    deep: bool = False
    only: Sequence[str] = ()
    elements: int = 32
    precision: int = 6
    width: int = 100
    color: bool = False


def chosen_rows(rows: Sequence[Row], layout: Layout, model: str) -> list[Row]:
    """The rows to show; SpecError if a pattern fits none.

    What a module gave is left out where the line gives it a name as well.

    Args:
        rows: all that there are.
        layout: which are wanted.
        model: whose they are, for the message.
    """
    shown = [row for row in rows if layout.deep or not row.inner]
    for pattern in layout.only:
        if not any(_fits(row, pattern) for row in rows):
            known = [row.name for row in rows]
            fail(
                "AX0607",
                f"no tensor of {model} is called `{pattern}`",
                None,
                help=did_you_mean(pattern, known) or f"there are {', '.join(row.name for row in shown)}",
            )
    if layout.only:
        return [row for row in rows if any(_fits(row, pattern) for pattern in layout.only)]
    named = {(line_number(row, layout.deep), row.tensor) for row in shown if row.kind != "module"}
    return [row for row in shown if row.kind != "module" or (line_number(row, layout.deep), row.tensor) not in named]


def _fits(row: Row, pattern: str) -> bool:
    return fnmatchcase(row.name, pattern) or fnmatchcase(row.name.partition("#")[0], pattern)


def line_number(row: Row, deep: bool) -> str:
    """The number of a row's line; in another file than the model's with its name."""
    span = row.span if deep else row.place
    line = span.source.line_column(span.start)[0]
    return str(line) if span.source is row.place.source else f"{span.source.name}:{line}"
