"""Labels, ids and positions among the arrays that a model is given: each names something, or is refused.

Exported models carry what they take for indices in their metadata, as JSON. What this module does not do: find out
which fields are used as indices (``compiler.ranges`` does), or look at types (``batch`` does).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archonnx.compiler import ops  # noqa: F401 - graphs are read by the ops that are registered
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.parse import parse_dim, parse_graph
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.ir.types import Array, TensorType, batch_symbol
from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.compiler.ranges import FieldRange, model_ranges
from archonnx.grammar.diagnostics import Report, fail
from archonnx.runtime.assumptions import bound_dims

METADATA_KEY = "archonnx.ranges"
"""In the metadata of ONNX models: a JSON list of ``{"field": "id", "count": "10", "noun": "rows", "user": "..."}``."""
SHOWN = 4
"""So many different numbers that are out of range are shown."""


class Given(NamedTuple):
    """Where the arrays come from, for messages.

    Attributes:
        row: the words for a row of a field: ``line 7 of people.csv``.
        expression: of what a field is made, in the words of the spec: ``data.grade``; None where it is given as it is.
        again: whether they are new data of a model that is trained already.
    """

    row: Callable[[str, int], str] = lambda field, row: f"row {row}"
    expression: Callable[[str], str | None] = lambda field: None
    again: bool = False


ANYWHERE = Given()


class RangeCheck:
    """What a graph takes for indices, ready to be asked about arrays; a good array costs one pass over its numbers.

    Args:
        ranges: those of the graph.
        types: of its fields: their shapes tell the sizes of dims. A range over any other dim is left aside.
    """

    def __init__(self, ranges: Sequence[FieldRange], types: Mapping[str, TensorType]) -> None:
        self._types = types
        self._ranges: dict[str, list[FieldRange]] = {}
        for r in ranges:
            self._ranges.setdefault(r.field, []).append(r)
        self._least = {name: _least(of_field) for name, of_field in self._ranges.items()}

    def __call__(self, arrays: Mapping[str, Array], given: Given = ANYWHERE) -> None:
        """SpecError with every field that holds a number out of range, and where.

        Args:
            arrays: by field, of their types; others may be among them, and fields missing.
            given: where the arrays come from.
        """
        bad = [name for name, least in self._least.items() if name in arrays and not _below(arrays[name], least)]
        if not bad:
            return
        report = Report()
        sizes = bound_dims({name: (type_, arrays[name].shape) for name, type_ in self._types.items() if name in arrays})
        for name in bad:
            for r in sorted(self._ranges[name], key=lambda r: r.count.constant or 0):
                if r.count.symbols() <= sizes.keys() and _refused(r, arrays[name], sizes, given, report):
                    break
        report.finish()


def check_set(model: ModelProgram, program: TrainProgram, fed: Mapping[str, Array], given: Given = ANYWHERE) -> None:
    """SpecError where the data of a train program holds indices out of range: all examples, before the first step.

    Args:
        model: whose fields the arrays are.
        program: whose data they are.
        fed: by field, all examples of each.
        given: where they come from.
    """
    types = {name: field.type for name, field in model.fields.items()}
    counting = batch_symbol({name: type_ for name, type_ in types.items() if name not in program.whole})
    without_rows = {name: type_ for name, type_ in types.items() if counting not in type_.symbols()}
    RangeCheck(model_ranges(model), without_rows)(fed, given)


def _least(ranges: Iterable[FieldRange]) -> int:
    """A bound below which every number is good; 0 where a range is over a symbolic dim."""
    return min(r.count.constant or 0 for r in ranges)


def _below(array: Array, bound: int) -> bool:
    """Whether all numbers are from 0 up to the bound, which is not included."""
    if not array.size:
        return True
    unsigned = _UNSIGNED.get(array.dtype)  # where what is negative is huge
    numbers = array if unsigned is None else array.view(unsigned)
    return bool(numbers.item(numbers.argmax()) < bound)  # for small arrays in a third of the time of `max`


_UNSIGNED = {np.dtype(f"i{size}"): np.dtype(f"u{size}") for size in (1, 4, 8)}


def _refused(r: FieldRange, array: Array, sizes: Mapping[str, int], given: Given, report: Report) -> bool:
    """Whether the array holds a number out of this range; if so, it is reported."""
    count = r.count.evaluate(sizes)
    indices = _selected(r.selection, r.field, array, sizes)
    outside = (indices < 0) | (indices >= count)
    if not outside.any():
        return False
    places = _selected(r.selection, r.field, np.arange(array.size).reshape(array.shape), sizes)[outside]
    at = np.unravel_index(int(places.min()), array.shape)
    wrong = indices[outside]
    found = np.unique(wrong)
    shown = ", ".join(map(str, found[:SHOWN])) + (", ..." if len(found) > SHOWN else "")
    wanted = f"0 to {count - 1}" if count > 1 else "0 alone" if count else "nothing"
    user = f"{r.user or 'the model'} takes {wanted}, one for each of its {count} {r.noun}"
    report.error(
        "AX0630",
        f"`{r.field}` is {array[at]}{_place(r.field, at, given)}: {user}",
        r.span,
        notes=[f"out of range: {shown}; that is {wrong.size} of {indices.size} numbers"] if indices.size > 1 else [],
        help=_help(r, indices, count, given),
    )
    return True


def _selected(selection: Graph | None, field: str, array: Array, sizes: Mapping[str, int]) -> npt.NDArray[Any]:
    """The elements of a field that are indices."""
    return array if selection is None else interpret(selection, {field: array}, sizes)["indices"]


def _place(field: str, at: Sequence[Any], given: Given) -> str:
    """Where an element stands: its row, and its place within it."""
    if not at:
        return ""
    row, *rest = map(int, at)
    return f" in {given.row(field, row)}" + (f" at {rest}" if rest else "")


def _help(r: FieldRange, indices: npt.NDArray[Any], count: int, given: Given) -> str:
    if given.again:
        return f"the run was trained with {count} {r.noun}: leave such rows out, or train with data that has them"
    lowest, highest = int(indices.min()), int(indices.max())
    expression = given.expression(r.field)
    if lowest == 1 and highest == count:
        less = f"`feed {r.field} = {expression} - 1`" if expression else f"`{r.field} - 1`"
        return f"if they are counted from 1, count them from 0: {less}"
    if lowest < 0 and highest < count:
        if r.noun != "classes":
            return f"{lowest} names none of its {r.noun}: give what is missing a number of its own"
        masked = f"`where({r.field} >= 0, ..., 0.0)` around their losses"
        return f"leave such rows out, or mask them in the model: `max({r.field}, 0)` as the label, {masked}"
    return f"mend the data, or let there be {highest + 1} {r.noun}"


# ---------------------------------------------------------------- metadata


def as_metadata(ranges: Sequence[FieldRange]) -> dict[str, str]:
    """Metadata of an ONNX model; none where no field is used as an index."""
    listed = [
        {"field": r.field, "count": str(r.count), "noun": r.noun, "user": r.user}
        | ({} if r.selection is None else {"selection": print_graph(r.selection, origins=False)})
        for r in ranges
    ]
    return {METADATA_KEY: json.dumps(listed)} if listed else {}


def from_metadata(metadata: Mapping[str, str]) -> tuple[FieldRange, ...]:
    """The ranges that a model's metadata records."""
    try:
        return tuple(_read(item) for item in json.loads(metadata.get(METADATA_KEY, "[]")))
    except (ValueError, TypeError, KeyError, SyntaxError, StopIteration, AttributeError, AssertionError) as error:
        fail("AX0611", f"the model's metadata `{METADATA_KEY}` are damaged: {error}", None)


def _read(item: Mapping[str, str]) -> FieldRange:
    selection = item.get("selection")
    return FieldRange(
        item["field"],
        parse_dim(item["count"]),
        item["noun"],
        item["user"],
        selection=None if selection is None else parse_graph(selection),
    )
