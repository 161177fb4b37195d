"""What means nothing in a row of data, and how an exported graph says so: it marks what is made of it.

A training refuses such values; what is here finds the same ones by ops. What this module does not do: read columns
(``raw`` does).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

import numpy as np

from .feeding import INSTEAD
from .ir.builder import current_builder
from .ir.dims import Dim
from .ir.graph import Graph, needed
from .ir.parts import cut, inline
from .ir.types import DType
from .ir.value import Value
from .ops.compare import is_nan, less, logical_and, logical_not, logical_or, not_equal
from .ops.elementwise import cast, where
from .ops.index import Gather
from .ops.reduce import reduce_any
from .ops.shape import broadcast, constant, unsqueeze
from .ops.sizes import dim_value
from .program import Field
from .ranges import FieldRange, field_ranges

MARK = -(2**31)
"""The integer that means nothing: no position in anything, and the same in runtimes that hold i64 as i32."""
FAILING = "a_row_means_nothing"
"""The node that fails, where an output cannot be marked."""


class Checks:
    """Finds the rows of fields that mean nothing, and marks them in the outputs.

    For each field there are truth values: one for each row, or a single one for all.
    """

    def __init__(self, infer: Graph, rows: Dim) -> None:
        self._rows = rows
        self._ranges = field_ranges(infer, infer.inputs)
        self._bad: dict[str, list[Value]] = {}

    def field(self, field: Field, value: Value, bad: Iterable[Value], below: int | None = None) -> Value:
        """What is fed to a field in its dtype; integers that mean nothing are 0, so that nothing fails on their way.

        Args:
            field: the field.
            value: what is fed to it.
            bad: in which rows the columns mean nothing of which it is made.
            below: what its numbers are certainly below, none being negative.
        """
        dtype, masks = field.type.dtype, _misfits(value, field.type.dtype)
        made = cast(value, dtype)
        ranges = [r for r in self._ranges if r.field == field.name and not _holds(r, below)]
        masks += [_outside(made, r) for r in ranges if r.selection is None]
        if masks and not dtype.is_float:
            made = _cleared(made, reduce(logical_or, masks))
        parts = [_outside(_selected(r, made), r) for r in ranges if r.selection is not None]
        self._bad[field.name] = [*bad, *(self.by_row(mask) for mask in (*masks, *parts))]
        return made

    def by_row(self, mask: Value) -> Value:
        """Whether something in a row is true; in all rows, where the first axis does not count them."""
        axes = range(1, mask.rank) if self._has_rows(mask) else range(mask.rank)
        return reduce_any(mask, list(axes)) if axes else mask

    def _has_rows(self, value: Value) -> bool:
        return value.rank > 0 and value.shape[0] == self._rows

    def marked(self, output: Value, read: Iterable[str]) -> Value:
        """An output that says nothing where what it is made of means nothing.

        Args:
            output: as the model gives it.
            read: what it depends on.
        """
        bad = list(dict.fromkeys(mask for name in read for mask in self._bad.get(name, ())))
        if not bad:
            return output
        if not self._has_rows(output):
            bad = [reduce_any(mask) if mask.rank else mask for mask in bad]
        some = reduce(logical_or, bad)
        number = mark(output.type.dtype)
        if number is None:
            return _failing(output, some)
        if some.rank and output.rank > 1:
            some = unsqueeze(some, range(1, output.rank))
        return where(some, constant(np.array(number), output.type.dtype), output)


def mark(dtype: DType) -> float | int | None:
    """What an output of this type is in a row that means nothing; None where every number may mean something."""
    if dtype.is_float:
        return np.nan
    least = int(np.iinfo(np.dtype(dtype.numpy.name)).min) if dtype.is_integer else 0
    return max(least, MARK) if least < 0 else None


PASSES_ON = frozenset({
    "add", "sub", "mul", "div", "neg", "sqrt", "exp", "log", "cast", "broadcast", "reshape", "transpose", "unsqueeze",
    "squeeze", "concat", "split", "slice",
})  # fmt: skip
"""Ops whose results are NaN where one of their floats is, in every runtime."""


def swallows(feed: Graph, column: str, field: str) -> bool:
    """Whether a missing value of a column may become a value on its way to a field, as it does in a comparison."""
    reached = {feed.inputs[column]}
    if not feed.inputs[column].type.dtype.is_float:
        return False
    for node in needed(feed.nodes, [feed.outputs[field]]):
        if not reached.isdisjoint(node.inputs):
            if node.op.name not in PASSES_ON or any(not value.type.dtype.is_float for value in node.outputs):
                return True
            reached.update(node.outputs)
    return False


def swallowed(feed: Graph, columns: Mapping[str, Value], column: str, field: str, value: Value) -> list[Value]:
    """Where a field would be another if something stood in place of what a column misses, as the training finds it."""
    part = cut("part", feed.nodes, feed.inputs, {field: feed.outputs[field]})
    given, masks = columns[column], []
    for instead in INSTEAD:
        tried = {**columns, column: where(is_nan(given), instead, given)}
        (other,) = inline(part, current_builder(), [tried[name] for name in part.inputs])
        differs = not_equal(value, other)
        if value.type.dtype.is_float:
            differs = logical_and(differs, logical_not(logical_and(is_nan(value), is_nan(other))))
        masks.append(differs)
    return masks


def _cleared(value: Value, mask: Value) -> Value:
    """0 or false where the mask is true; onnxruntime has no `Where` of truth values, nor of u64."""
    dtype = value.type.dtype
    if dtype is DType.bool:
        return logical_and(value, logical_not(mask))
    held = DType.i64 if dtype is DType.u64 else dtype
    return cast(where(mask, constant(np.array(0), held), cast(value, held)), dtype)


def _misfits(value: Value, dtype: DType) -> list[Value]:
    """Where a value is missing, or would not be itself in a dtype."""
    given, masks = value.type.dtype, []
    if given.is_float:
        masks.append(is_nan(value))
    if dtype is DType.bool and given is not DType.bool:
        masks.append(logical_and(not_equal(value, 0), not_equal(value, 1)))
    if not dtype.is_integer or given in (dtype, DType.bool):
        return masks
    if given.is_float:
        masks.append(not_equal(cast(cast(value, DType.i64), given), value))
    if dtype is not DType.i64:
        limits, whole = np.iinfo(np.dtype(dtype.numpy.name)), cast(value, DType.i64)
        least, most = (constant(np.array(n, np.int64)) for n in (limits.min, min(limits.max, 2**63 - 1)))
        masks.append(logical_or(less(whole, least), less(most, whole)))
    return masks


def _holds(r: FieldRange, below: int | None) -> bool:
    """Whether numbers below this are certainly in range."""
    count = r.count.constant
    return below is not None and count is not None and below <= count


def _selected(r: FieldRange, value: Value) -> Value:
    assert r.selection is not None
    return inline(r.selection, current_builder(), [value])[0]


def _outside(indices: Value, r: FieldRange) -> Value:
    return logical_or(less(indices, 0), indices >= dim_value(r.count, indices.type.dtype))


def _failing(output: Value, bad: Value) -> Value:
    """An output that has no mark: the graph reads beyond the end of a tensor, which onnxruntime refuses on the CPU."""
    beyond = cast(reduce_any(bad) if bad.rank else bad, DType.i64)
    nothing = current_builder().add(
        Gather(), constant(np.zeros(1), output.type.dtype), unsqueeze(beyond, 0), name=FAILING
    )
    if output.type.dtype is DType.bool:
        return logical_or(*broadcast(output, nothing))
    return output + nothing
