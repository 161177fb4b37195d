"""One graph from the columns of the data to the outputs of a model: what is fed, put before what is inferred.

    columns -> numbers of texts, dates, pixels -> the feed -> fields, checked -> the model -> outputs, marked

What a training refuses, a graph cannot refuse: ONNX has no exception. A value that means nothing (a missing number, a
text that the vocabulary lacks, an id beyond the rows of a table) marks its row instead: there the outputs are NaN, and
integers ``MARK``. What this module does not do: write ONNX; texts come in as their numbers
(``Encoding``), which whoever writes it looks up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import reduce

import numpy as np

from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import Record, replace

from .feeding import INDEX, INSTEAD, ROWS, Encoding, Feeding
from .ir.bind import bind
from .ir.builder import Builder, current_builder
from .ir.dims import Dim
from .ir.facts import assuming
from .ir.graph import Graph, needed
from .ir.origin import Origin
from .ir.parts import cut, inline
from .ir.types import DType, TensorType
from .ir.value import Value
from .ops.compare import equal, is_nan, less, logical_and, logical_not, logical_or, not_equal
from .ops.elementwise import cast, where
from .ops.index import Gather, gather
from .ops.reduce import argmax, reduce_any
from .ops.shape import broadcast, constant, unsqueeze
from .ops.sizes import dim_value, iota
from .program import SEED, STEP, Field, ModelProgram
from .ranges import FieldRange, field_ranges

DENSE = 4
"""A vocabulary of integers is a table from its least to its greatest number if that has at most so many places for
each of its values."""
LEAST = int(np.iinfo(np.int64).min)
"""A date that is missing, as NumPy has it."""
MARK = -(2**31)
"""The integer that means nothing: no position in anything, and the same in runtimes that hold i64 as i32."""
FAILING = "a_row_means_nothing"
"""The node that fails, where an output cannot be marked."""


class Entering(Record):
    """How a column comes in.

    Attributes:
        kind: int, float, bool, text or date.
        dtype: of the numbers; None for texts.
        pixels: whether they are 0 to 255, and the model sees 0 to 1.
    """

    kind: str
    dtype: DType | None
    pixels: bool = False


class RawColumn(Record):
    """An input of the graph, as people have it: numbers of this type, or texts where it has none."""

    name: str
    input: str
    entering: Entering
    shape: tuple[Dim, ...]

    def __str__(self) -> str:
        dtype = self.entering.dtype or "string"
        return f"`{self.input}: {dtype}[{', '.join(map(str, self.shape))}]`"


class RawGraph(Record):
    """A model with its feed.

    Attributes:
        graph: from columns, statistics, parameters, and what it takes to draw, to the outputs. A column of texts is
            not among the inputs: its numbers are.
        columns: what people give, by the name of the column.
        texts: the inputs that are numbers of texts, by name.
        statistics: what was learned of the data, by the name of the input.
        parameters: their paths, by the name of the input.
    """

    graph: Graph
    columns: Mapping[str, RawColumn]
    texts: Mapping[str, Encoding]
    statistics: Mapping[str, str]
    parameters: Mapping[str, str]


def raw_graph(model: ModelProgram, feeding: Feeding, entering: Mapping[str, Entering]) -> RawGraph:
    """The graph from columns to the outputs of a model.

    Args:
        model: whose outputs.
        feeding: how its fields are made of columns.
        entering: how each column comes in.

    Raises:
        SpecError: the fields of the model do not have a row for each row of the data.
    """
    fields = {name: field for name, field in model.fields.items() if name in model.infer.inputs}
    fed = {name: feeding.feed.outputs[name] for name in fields}
    rows, sizes = _sizes(fields, fed)
    feed = bind(cut("feed", feeding.feed.nodes, feeding.feed.inputs, fed), {ROWS: rows})
    infer = bind(model.infer, sizes)
    inputs = _Inputs(feeding, Dim.of(rows), entering, {*infer.outputs, *({SEED, STEP} & {*infer.inputs})})
    builder = Builder()
    with assuming(infer.facts), builder.active():
        given = [inputs.of(name, value.type) for name, value in feed.inputs.items()]
        if not inputs.columns:
            fail("AX0513", "nothing that the model takes is made of a column of the data", None)
        values = dict(zip(feed.outputs, inline(feed, builder, given), strict=True))
        checks, columns = _Checks(infer, Dim.of(rows)), dict(zip(feed.inputs, given, strict=True))
        for name, read in _read(feed, fed).items():
            bad = [inputs.bad[one] for one in read if one in inputs.bad]
            for one in read:
                if one in inputs.columns and one not in feeding.handled[name] and _swallows(feed, one, name):
                    bad += [checks.by_row(mask) for mask in _swallowed(feed, columns, one, name, values[name])]
            title = feeding.numbered.get(name)
            below = feeding.encodings[title].size if title is not None else None
            values[name] = checks.field(fields[name], values[name], bad, below)
        rest = [values[n] if n in fields else inputs.parameter(n, value) for n, value in infer.inputs.items()]
        made = dict(zip(infer.outputs, inline(infer, builder, rest), strict=True))
        outputs = {name: checks.marked(made[name], read) for name, read in _read(infer, made).items()}
    graph = replace(builder.graph(infer.name, inputs.values, outputs), facts=infer.facts)
    return RawGraph(graph, inputs.columns, inputs.texts, inputs.statistics, inputs.parameters)


def _read(graph: Graph, outputs: Iterable[str]) -> dict[str, list[str]]:
    """The inputs on which each output depends."""
    found = {}
    for name in outputs:
        value = graph.outputs[name]
        read = {value, *(v for node in needed(graph.nodes, [value]) for v in node.inputs)}
        found[name] = [given for given, v in graph.inputs.items() if v in read]
    return found


# ---------------------------------------------------------------- sizes


def _sizes(fields: Mapping[str, Field], fed: Mapping[str, Value]) -> tuple[str, dict[str, int | str]]:
    """The model's dim that counts rows, and what its dims are: that one, or numbers."""
    pairs = [
        (name, dim, size)
        for name, value in fed.items()
        for dim, size in zip(fields[name].type.shape, _shape(fields[name], value), strict=True)
    ]
    counting = [(name, dim.symbol) for name, dim, size in pairs if size.symbol == ROWS]
    if not counting:
        fail("AX0513", "nothing that the model takes has a row for each row of the data", None)
    rows = next((symbol for _, symbol in counting if symbol is not None), None)
    if rows is None:
        name = counting[0][0]
        fail("AX0513", f"`{name}: {fields[name].type}` has a fixed number of rows, and data has any number", None)
    sizes: dict[str, int | str] = {}
    for name, dim, size in pairs:
        found: int | str | None = rows if size.symbol == ROWS else size.constant
        if dim.symbol is not None and found is not None and sizes.setdefault(dim.symbol, found) != found:
            fail("AX0513", f"dim {dim} is {sizes[dim.symbol]}, and {found} in what is fed to `{name}`", None)
    known = {symbol: Dim.of(size) for symbol, size in sizes.items()}
    for name, dim, size in pairs:
        if dim.substitute(known) != size.substitute({ROWS: Dim.of(rows)}):
            fail("AX0513", f"`{name}` is {fields[name].type}, and what is fed to it {fed[name].type}", None)
    return rows, sizes


def _shape(field: Field, value: Value) -> tuple[Dim, ...]:
    if value.rank != field.type.rank:
        fail("AX0513", f"`{field.name}` is {field.type}, and what is fed to it {value.type}", None)
    return value.shape


# ---------------------------------------------------------------- inputs


class _Inputs:
    """The inputs of the graph, and what the feed reads of them.

    Attributes:
        values: by name.
        bad: for what the feed reads, in which rows it means nothing; what always means something is not there.
    """

    def __init__(self, feeding: Feeding, rows: Dim, entering: Mapping[str, Entering], taken: Collection[str]) -> None:
        self._feeding, self._rows, self._entering, self._taken = feeding, rows, entering, {*taken}
        self.values: dict[str, Value] = {}
        self.columns: dict[str, RawColumn] = {}
        self.texts: dict[str, Encoding] = {}
        self.statistics: dict[str, str] = {}
        self.parameters: dict[str, str] = {}
        self.bad: dict[str, Value] = {}

    def of(self, name: str, type_: TensorType) -> Value:
        """What the feed reads under this name."""
        if name in self._feeding.statistics:
            title = self._free(name)
            self.statistics[title] = name
            return self._add(title, Value(type_, name, Origin(f"`{name}`, learned of the data")))
        if (encoding := self._feeding.encodings.get(name)) is not None:
            return self._numbers(name, encoding)
        if name == INDEX and name not in self._entering:
            return iota(self._rows)
        return self._column(name, type_)

    def parameter(self, path: str, value: Value) -> Value:
        """A parameter, or what the model takes to draw."""
        title = path if path in (SEED, STEP) else self._free(path)
        self.parameters[title] = path
        return self._add(title, value)

    def _free(self, name: str, prefix: str = "model") -> str:
        while name in self._taken:
            name = f"{prefix}.{name}"
        self._taken.add(name)
        return name

    def _add(self, title: str, value: Value) -> Value:
        self.values[title] = value
        return value

    def _entered(self, name: str, shape: tuple[Dim, ...]) -> RawColumn:
        if name not in self.columns:
            self.columns[name] = RawColumn(name, self._free(name, "data"), self._entering[name], shape)
        return self.columns[name]

    def _input(self, name: str, shape: tuple[Dim, ...]) -> Value:
        column = self._entered(name, shape)
        assert column.entering.dtype is not None
        if column.input in self.values:
            return self.values[column.input]
        origin = Origin(f"column `{name}` of the data")
        return self._add(column.input, Value(TensorType(column.entering.dtype, shape), name, origin))

    def _column(self, name: str, type_: TensorType) -> Value:
        """Numbers, truth values or dates, as the feed has them."""
        given = self._input(name, type_.shape)
        if self._entering[name].kind == "date":
            self.bad[name] = equal(given, constant(np.array(LEAST), DType.i64))
        if self._entering[name].pixels:
            given = cast(given, DType.f32) / 255.0
        return cast(given, type_.dtype)

    def _numbers(self, title: str, encoding: Encoding) -> Value:
        """The numbers of the values of a column in a table; 0 where a value is not there and must be."""
        if self._entering[encoding.column].dtype is None:
            self._entered(encoding.column, (self._rows,))
            name = self._free(title)
            self.texts[name] = encoding
            type_ = TensorType(DType.i64, (self._rows,))
            numbers = self._add(name, Value(type_, title, Origin(f"`{title}`")))
        else:
            numbers = looked_up(cast(self._input(encoding.column, (self._rows,)), DType.i64), encoding)
        if encoding.unknown:
            return numbers
        self.bad[title] = less(numbers, 0)
        return where(self.bad[title], 0, numbers)


def looked_up(x: Value, encoding: Encoding) -> Value:
    """The numbers of integers in a table, i64 like ``x``; -1 for what is not there, or the number of the unknown.

    A table over all integers from the least to the greatest key, if it has few gaps; else a comparison with each key.
    """
    keys = np.array(encoding.keys, np.int64)
    other = len(keys) if encoding.unknown else -1
    if not len(keys):
        return x * 0 + other
    low, high = int(keys.min()), int(keys.max())
    if high - low < DENSE * len(keys):
        table = np.full(high - low + 2, other)
        table[keys - low] = np.arange(len(keys))
        inside = logical_and(x >= low, x <= high)
        return gather(constant(table), where(inside, x - low, high - low + 1), 0)
    hits = equal(unsqueeze(x, 1), constant(keys))
    return where(reduce_any(hits, [1]), argmax(cast(hits, DType.f32), 1), other)


# ---------------------------------------------------------------- what means nothing


class _Checks:
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


PASSES_ON = frozenset(
    [
        "add",
        "sub",
        "mul",
        "div",
        "neg",
        "sqrt",
        "exp",
        "log",
        "cast",
        "broadcast",
        "reshape",
        "transpose",
        "unsqueeze",
        "squeeze",
        "concat",
        "split",
        "slice",
    ]
)
"""Ops whose results are NaN where one of their floats is, in every runtime."""


def _swallows(feed: Graph, column: str, field: str) -> bool:
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


def _swallowed(feed: Graph, columns: Mapping[str, Value], column: str, field: str, value: Value) -> list[Value]:
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
        least, most = (constant(np.array(n, np.int64)) for n in (limits.min, min(limits.max, -(LEAST + 1))))
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
