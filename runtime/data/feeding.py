"""From loaded data to the fields of a model: what is learned of the train part, and the fields of any rows.

What this module does not do: say how (``compiler.feeding`` does), or load, split and batch data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from archonnx.compiler.combining import combined, keeps_rows
from archonnx.compiler.feeding import INDEX, INSTEAD, ROWS, Encoding, Feeding, Sample, Texts, narrowed
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.program import Field
from archonnx.grammar.diagnostics import Report, fail
from archonnx.grammar.source import Span
from archonnx.runtime.pieces import Pieces

from .loader import Loaded
from .parts import Indices
from .storage import blocks, in_blocks, is_much, storage
from .tokenising import rows_of_tokens
from .values import Values

Keys = tuple[str | int, ...]
"""The values of a column, in order."""
POINTER = 8
"""Bytes that an array of objects takes for each."""
ROWS_TRIED = 64
"""So many rows are looked at to see whether a row's fields depend on other rows."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was learned of the train part.

    Attributes:
        keys: the values of columns in order, by the name of the column and what fills it.
        statistics: arrays by name.
    """

    keys: Mapping[tuple[str, str | None], Keys] = field(default_factory=dict)
    statistics: Mapping[str, Array] = field(default_factory=dict)

    def learn(self, texts: Texts) -> Keys:
        """The values of a column, which are known; SpecError if they are not."""
        if texts.key not in self.keys:
            fail("AX0611", f"the run is damaged: it does not remember the values of `{texts.key[0]}`", None)
        return self.keys[texts.key]


def sample_of(loaded: Loaded, float_type: DType, *, counted: bool = False) -> Sample:
    """What feeds are elaborated for. ``counted``: for these rows alone, as for fields that are given whole."""
    types: dict[str, TensorType | None] = {}
    texts: dict[str, tuple[int, ...]] = {}
    for name, array in loaded.fields.items():
        if name in loaded.made and name != INDEX:
            continue
        if array.dtype.kind == "O" and array.ndim > 1:
            texts[name] = array.shape[1:]
        dtype = None if array.dtype.kind == "O" else _dtype(array, float_type)
        rows = array.shape[0] if counted else ROWS
        types[name] = None if dtype is None else TensorType.of(dtype, rows, *array.shape[1:])
    types |= {name: TensorType.of(_dtype(array, float_type), *array.shape) for name, array in loaded.whole.items()}
    whole = frozenset(loaded.whole)
    return Sample(loaded.where, types, loaded.matrix, loaded.target, loaded.problems, texts, whole)


def _dtype(array: Array, float_type: DType) -> DType:
    """Columns are the model's float, i64 or bool, whatever the file held; dates are seconds since 1970."""
    return {"b": DType.bool, "f": float_type}.get(array.dtype.kind, DType.i64)


class Learner:
    """Learns vocabularies of the train part as they are asked for, and keeps them."""

    def __init__(
        self, loaded: Loaded, train: Indices, known: Mapping[tuple[str, str | None], Keys] | None = None
    ) -> None:
        self._loaded, self._train = loaded, train
        self.keys: dict[tuple[str, str | None], Keys] = dict(known or {})

    def __call__(self, texts: Texts) -> Keys:
        if texts.key not in self.keys:
            self.keys[texts.key] = self._learned(texts)
        return self.keys[texts.key]

    def _learned(self, texts: Texts) -> Keys:
        column, filled, tokens = texts.column, texts.filled, texts.tokens
        if tokens is not None and tokens.from_file:
            return self._loaded.tokenizers.vocabulary(tokens.cut, None)
        if tokens is not None:
            seen: set[Any] = set()
            for rows in in_blocks(self._train, tokens.length * POINTER):
                seen.update(rows_of_tokens(self._loaded, column, filled, tokens, rows).ravel().tolist())
            return tokens.keys(seen)
        kin = self._loaded.kin if column in self._loaded.kin else (column,)
        if column in self._loaded.kin and self._loaded.alphabet is not None:
            return self._loaded.alphabet
        columns = [self._loaded.fields[name] for name in kin]
        parts = (column[rows].ravel() for column in columns for rows in in_blocks(self._train, column[:1].nbytes))
        if all(column.dtype.kind != "O" for column in columns):
            return tuple(np.unique(np.concatenate([np.unique(part) for part in parts])).tolist())
        found = {text for part in parts for text in set(part.tolist())}
        return tuple(sorted({filled if text == "" and filled is not None else text for text in found} - {""}))


def learned(
    feeding: Feeding, loaded: Loaded, keys: Learner | Fitted, train: Indices, *, together: bool = False
) -> Fitted:
    """The statistics of the train part.

    One whose expression does not deal with missing values is that of the rows that have all that it reads.

    Args:
        feeding: says what they are.
        loaded: the data.
        keys: the vocabularies.
        train: the rows to learn from.
        together: whether the rows are one example: then all of them are known, and none is left out.
    """
    values, known = Values(loaded), Fitted(keys.keys)
    for name, statistic in feeding.statistics.items():
        rows = np.arange(len(loaded.fields[INDEX])) if together else train
        for column in statistic.columns:
            if not together and column not in statistic.handled and column not in loaded.whole:
                rows = rows[~values.missing(column)[rows]]
        columns = ", ".join(f"`{column}`" for column in statistic.columns)
        if not len(rows):
            fail("AX0631", f"{loaded.where}: no row of the train part has a value in each of {columns}", None)
        array = _statistic(statistic.graph, feeding, known, loaded, rows)[name]
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            fail("AX0631", f"{loaded.where}: what is learned of {columns} (`{name}`) is not finite", None)
        known = Fitted(known.keys, {**known.statistics, name: array})
    return Fitted(keys.keys, {name: array for name, array in known.statistics.items() if feeding.statistics[name].kept})


def _statistic(graph: Graph, feeding: Feeding, known: Fitted, loaded: Loaded, rows: Indices) -> Mapping[str, Array]:
    """What these rows come to: of many numbers block by block, if it is made of means, sums and extremes of blocks.

    Of few it is computed at once, in the floats of the model; sums of blocks are added up in f64.
    """
    width = _width(graph, loaded)
    if is_much(width * len(rows)):
        how = combined(graph, ROWS)
        if not how.together:
            pieces = Pieces(how)
            for some in in_blocks(rows, width):
                given = inputs(how.batch, feeding, known, loaded, some)
                pieces.add(len(some), interpret(how.batch, given, {ROWS: len(some)}))
            return {
                name: np.asarray(array, graph.outputs[name].type.dtype.numpy) for name, array in pieces.made({}).items()
            }
    return interpret(graph, inputs(graph, feeding, known, loaded, rows), {ROWS: len(rows)})


def _width(graph: Graph, loaded: Loaded) -> int:
    """Bytes of a row of all that a graph reads and gives."""
    read = [value for value in (*graph.inputs.values(), *graph.outputs.values()) if ROWS in value.type.symbols()]
    return sum(value.type.dtype.numpy.itemsize * _elements(value.type) for value in read)


def _elements(type_: TensorType) -> int:
    """Elements of a tensor with one row."""
    return prod(max(1, dim.evaluate(dict.fromkeys(dim.symbols(), 1))) for dim in type_.shape)


def inputs(
    graph: Graph, feeding: Feeding, fitted: Fitted, loaded: Loaded, rows: Indices | None = None
) -> dict[str, Array]:
    """What a graph reads: columns in these rows (in all, if None), and what was learned."""
    given: dict[str, Array] = {}
    report = Report()
    for name, value in graph.inputs.items():
        if name in feeding.statistics:
            given[name] = fitted.statistics[name]
            continue
        encoding = feeding.encodings.get(name)
        with report.collecting():
            if encoding is not None:
                given[name] = _numbers(encoding, loaded, rows)
            else:
                given[name] = _column(name, value.type.dtype, loaded, rows)
    report.finish()
    return given


def _numbers(encoding: Encoding, loaded: Loaded, rows: Indices | None) -> Array:
    column = loaded.fields[encoding.column]
    at = np.arange(len(column)) if rows is None else rows
    values = column[at]
    if encoding.tokens is not None:
        values = rows_of_tokens(loaded, encoding.column, encoding.filled, encoding.tokens, at)
    numbers = encoded(values, encoding)
    unseen = np.flatnonzero((numbers < 0).reshape(len(numbers), -1).any(axis=1))
    if len(unseen):
        Values(loaded).fail_unseen(encoding, at[unseen], values[unseen])
    return numbers


def _column(name: str, wanted: DType, loaded: Loaded, rows: Indices | None) -> Array:
    if name in loaded.whole:
        return loaded.whole[name]
    array = loaded.fields[name]
    if array.dtype.kind == "M":
        Values(loaded).refuse_no_date(name)
    elif array.dtype.kind == "u":
        Values(loaded).refuse_wide(name)
    elif array.dtype.kind == "f" and not wanted.is_float:
        Values(loaded).refuse_missing(name)
    part = array if rows is None else array[rows]
    if array.dtype.kind == "M":
        return part.astype("datetime64[s]").astype(np.int64)
    return part.astype(np.int64) if array.dtype.kind == "u" else part


def encoded(values: Array, encoding: Encoding) -> npt.NDArray[np.int64]:
    """The numbers of a column's values; -1 for what is not there."""
    other = len(encoding.keys) if encoding.unknown else -1
    table: dict[Any, int] = {key: number for number, key in enumerate(encoding.keys)}
    if encoding.filled is not None and encoding.tokens is None:
        table[""] = table.get(encoding.filled, other)
    numbers = [table.get(value, other) for value in values.ravel().tolist()]
    return np.array(numbers, dtype=np.int64).reshape(values.shape)


def fed(
    feeding: Feeding, fitted: Fitted, loaded: Loaded, fields: Mapping[str, Field], spans: Mapping[str, Span | None]
) -> dict[str, Array]:
    """Fields of the model for all rows, in their dtypes; SpecError with the values that mean nothing.

    Args:
        feeding: how they are made.
        fitted: what was learned.
        loaded: the rows.
        fields: those that are wanted.
        spans: where the spec says it, by field.
    """
    graph = narrowed(feeding.feed, list(fields))
    count, width = len(loaded.fields[INDEX]), _width(graph, loaded)
    if not is_much(width * count) or not keeps_rows(graph, ROWS):
        return _fed(graph, feeding, fitted, loaded, fields, spans, count)
    columns = {name: column for name in fields if (column := _unchanged(graph, name, feeding, loaded)) is not None}
    made: dict[str, Array] = {}
    for begin, end in blocks(count, width):
        for name, array in _fed(graph, feeding, fitted, loaded.part(begin, end), fields, spans, count).items():
            if ROWS not in graph.outputs[name].type.symbols():
                made[name] = array
                continue
            if name not in made:
                kept = name in columns and columns[name].dtype == array.dtype
                made[name] = columns[name] if kept else storage((count, *array.shape[1:]), array.dtype, loaded.where)
            if made[name] is not columns.get(name):
                made[name][begin:end] = array
    return made


def _unchanged(graph: Graph, name: str, feeding: Feeding, loaded: Loaded) -> Array | None:
    """The column that a field is, as it is, if it is one."""
    value = graph.outputs[name]
    found = next((column for column, read in graph.inputs.items() if read is value), None)
    if found is None or found not in loaded.fields or found in feeding.encodings:
        return None
    column = loaded.fields[found]
    return column if column.flags.c_contiguous else None


def _fed(
    graph: Graph,
    feeding: Feeding,
    fitted: Fitted,
    loaded: Loaded,
    fields: Mapping[str, Field],
    spans: Mapping[str, Span | None],
    count: int,
) -> dict[str, Array]:
    """The same of rows that are computed together, of ``count``."""
    values, report = Values(loaded), Report()
    given = inputs(graph, feeding, fitted, loaded)
    arrays = interpret(graph, given, {ROWS: len(loaded.fields[INDEX])})
    names = {value: name for name, value in graph.inputs.items()}
    arrays |= {name: given[names[value]] for name, value in graph.outputs.items() if names.get(value) in given}
    rowed = {name: array for name, array in arrays.items() if ROWS in graph.outputs[name].type.symbols()}
    wide = {name: np.broadcast_to(array[:0].dtype.type(), (count, *array.shape[1:])) for name, array in rowed.items()}
    check_shapes(arrays | wide if len(loaded.fields[INDEX]) < count else arrays, fields, spans)
    for name, array in arrays.items():
        with report.collecting():
            sources, handled = feeding.sources[name], feeding.handled[name]
            arrays[name] = values.fitting(array, fields[name], sources, spans.get(name), handled)
    report.finish()
    for name in fields:
        with report.collecting():
            _refuse_swallowed(feeding, name, given, values, fields[name], spans.get(name))
    report.finish()
    return arrays


def _refuse_swallowed(
    feeding: Feeding, name: str, given: Mapping[str, Array], values: Values, wanted: Field, span: Span | None
) -> None:
    """SpecError if a missing value becomes a value: NaN is not larger than 18, and so would be 18 at most.

    Fields are computed as if other values stood in place of the missing ones; if they are others, the value matters.
    """
    graph = narrowed(feeding.feed, [name])
    rowed = [column for column in graph.inputs if ROWS in graph.inputs[column].type.symbols()]
    for column in rowed:
        if given[column].dtype.kind != "f" or column in feeding.handled[name]:
            continue
        rows = np.flatnonzero(values.missing(column))
        if not len(rows):
            continue
        part = {**given, **{other: given[other][rows] for other in rowed}}
        held = part[column]
        fields = []
        for instead in (np.nan, *INSTEAD):
            part[column] = np.where(np.isnan(held), instead, held)
            with np.errstate(all="ignore"):
                fields.append(interpret(graph, {n: part[n] for n in graph.inputs}, {ROWS: len(rows)})[name])
        changed = [_rows_that_differ(fields[0], other) for other in fields[1:]]
        at = rows[np.logical_or.reduce(changed)]
        if len(at):
            values.fail_missing(column, at, wanted, span)


def _rows_that_differ(one: Array, other: Array) -> Array:
    same = (one == other) | ((one != one) & (other != other))
    return np.asarray(~same.reshape(len(same), -1).all(axis=1))


def check_rows(
    feeding: Feeding, fitted: Fitted, loaded: Loaded, fields: Mapping[str, Field], spans: Mapping[str, Span | None]
) -> None:
    """SpecError if the fields of a row depend on the other rows: then they would be others in a prediction."""
    count = len(loaded.fields[INDEX])
    some = np.random.default_rng(0).permutation(count)[:ROWS_TRIED]
    report = Report()
    for name in fields:
        graph = narrowed(feeding.feed, [name])
        if ROWS not in graph.outputs[name].type.symbols():
            continue
        given = inputs(graph, feeding, fitted, loaded, np.sort(some))
        shuffled = np.random.default_rng(1).permutation(len(some))[: max(1, len(some) - 1)]
        again = inputs(graph, feeding, fitted, loaded, np.sort(some)[shuffled])
        one = interpret(graph, given, {ROWS: len(some)})[name]
        other = interpret(graph, again, {ROWS: len(shuffled)})[name]
        if one.ndim == 0 or len(one) != len(some) or not _alike(one[shuffled], other):
            with report.collecting():
                fail(
                    "AX0708",
                    f"what is fed to `{name}` in a row depends on other rows, which a prediction does not have",
                    spans.get(name),
                    help="learn it once: `fit NAME = ...`; or say that the rows are one example: `feed whole`",
                )
    report.finish()


def _alike(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return False
    return np.allclose(one, other, rtol=1e-4, atol=1e-6, equal_nan=True)


ANY_NUMBER = "a name in its type in place of the number, as `B`, is any number of examples"
TEXTS = "a column of texts is compared as a whole: its texts are numbered by `index(data.kind, vocabulary(data.kind))`"


def check_shapes(arrays: Mapping[str, Array], fields: Mapping[str, Field], spans: Mapping[str, Span | None]) -> None:
    """SpecError unless fed arrays have the shapes of their fields, and a dim one size in all of them."""
    report = Report()
    sizes: dict[str, tuple[int, str]] = {}
    for name, array in arrays.items():
        with report.collecting():
            _measure(array, fields[name], spans.get(name), sizes)
    report.finish()
    for name, array in arrays.items():  # composite dims last: a field may have one before another tells what is in it
        with report.collecting():
            _check_composite(array, fields[name], spans.get(name), sizes)
    report.finish()


def _measure(array: Array, wanted: Field, span: Span | None, sizes: dict[str, tuple[int, str]]) -> None:
    """Keep the sizes of the dims that the array tells; a diagnostic if they differ from those of an earlier field."""
    if array.ndim != wanted.type.rank:
        said = f"`{wanted.name}` is {wanted.type}, and the data given for it is {_given(array)}"
        compared = array.ndim == 0 and span is not None and re.search(r'(?:==|!=)\s*"', span.text) is not None
        single = array.ndim == wanted.type.rank + 1 > 1 and array.shape[-1] == 1
        named = f"declare it `{str(wanted.type)[:-1]}, 1]`, or feed it without that axis"
        fail("AX0708", said, span, help=TEXTS if compared else named if single else None)
    for size, dim in zip(array.shape, wanted.type.shape, strict=True):
        if (symbol := dim.symbol) is not None:
            known = sizes.setdefault(symbol, (size, wanted.name))
            if known[0] != size:
                fail("AX0708", f"dim {symbol} is {known[0]} in `{known[1]}` and {size} in `{wanted.name}`", span)


def _check_composite(array: Array, wanted: Field, span: Span | None, sizes: Mapping[str, tuple[int, str]]) -> None:
    """A diagnostic unless the array has the sizes of the dims that are numbers, or follow of those that are known."""
    known = {name: Dim.of(size) for name, (size, _) in sizes.items()}
    for axis, (size, dim) in enumerate(zip(array.shape, wanted.type.shape, strict=True)):
        number = dim.substitute(known).constant
        if number is not None and number != size:
            fail(
                "AX0708",
                f"axis {axis} of `{wanted.name}` is {number}, and the data given for it has {size}",
                span,
                notes=[f"the data is {_given(array)}, and `{wanted.name}` is {wanted.type}"],
                help=ANY_NUMBER if axis == 0 and dim.constant is not None else None,
            )


def _given(array: Array) -> str:
    return f"{array.dtype}[{', '.join(map(str, array.shape))}]"
