"""One graph from the columns of the data to the outputs of a model: what is fed, put before what is inferred.

    columns -> numbers of texts, dates, pixels -> the feed -> fields, checked -> the model -> outputs, marked

What a training refuses, a graph cannot refuse: ONNX has no exception. A value that means nothing (a missing number, a
text that the vocabulary lacks, an id beyond the rows of a table) marks its row instead: there the outputs are NaN, and
integers ``marks.MARK``. What this module does not do: write ONNX; texts come in as their numbers
(``Encoding``), which whoever writes it looks up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import Record, replace

from .feeding import INDEX, LENGTH, ROWS, Encoding, Feeding
from .ir.bind import bind
from .ir.builder import Builder
from .ir.dims import Dim
from .ir.facts import assuming
from .ir.graph import Graph, needed
from .ir.origin import Origin
from .ir.parts import cut, inline
from .ir.types import DType, TensorType
from .ir.value import Value
from .marks import Checks, swallowed, swallows
from .ops.compare import equal, less, logical_and
from .ops.elementwise import cast, where
from .ops.index import gather
from .ops.reduce import argmax, reduce_any
from .ops.shape import constant, unsqueeze
from .ops.sizes import iota
from .program import SEED, STEP, Field, ModelProgram

DENSE = 4
"""A vocabulary of integers is a table from its least to its greatest number if that has at most so many places for
each of its values."""
LEAST = int(np.iinfo(np.int64).min)
"""A date that is missing, as NumPy has it."""


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
    rows, sizes, length = _sizes(fields, fed)
    feed = bind(cut("feed", feeding.feed.nodes, feeding.feed.inputs, fed), {ROWS: rows, **length})
    infer = bind(model.infer, sizes)
    inputs = _Inputs(feeding, Dim.of(rows), entering, {*infer.outputs, *({SEED, STEP} & {*infer.inputs})})
    builder = Builder()
    with assuming(infer.facts), builder.active():
        given = [inputs.of(name, value.type) for name, value in feed.inputs.items()]
        if not inputs.columns:
            fail("AX0513", "nothing that the model takes is made of a column of the data", None)
        values = dict(zip(feed.outputs, inline(feed, builder, given), strict=True))
        checks, columns = Checks(infer, Dim.of(rows)), dict(zip(feed.inputs, given, strict=True))
        for name, read in _read(feed, fed).items():
            bad = [inputs.bad[one] for one in read if one in inputs.bad]
            for one in read:
                if one in inputs.columns and one not in feeding.handled[name] and swallows(feed, one, name):
                    bad += [checks.by_row(mask) for mask in swallowed(feed, columns, one, name, values[name])]
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


def _sizes(
    fields: Mapping[str, Field], fed: Mapping[str, Value]
) -> tuple[str, dict[str, int | str], dict[str, int | str]]:
    """The model's dim that counts rows, what its dims are (that one, or numbers), and what ``LENGTH`` is of them."""
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
    open_ = [dim for _, dim, size in pairs if size.symbol == LENGTH]
    length: dict[str, int | str] = {}
    if open_ and (found_length := open_[0].constant or open_[0].symbol) is not None:
        length[LENGTH] = found_length
    bound = {ROWS: Dim.of(rows)} | {symbol: Dim.of(size) for symbol, size in length.items()}
    for name, dim, size in pairs:
        if dim.substitute(known) != size.substitute(bound):
            fail("AX0513", f"`{name}` is {fields[name].type}, and what is fed to it {fed[name].type}", None)
    return rows, sizes, length


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
            return self._numbers(name, encoding, type_)
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

    def _numbers(self, title: str, encoding: Encoding, type_: TensorType) -> Value:
        """The numbers of the values of a column in a table; 0 where a value is not there and must be."""
        if encoding.tokens is not None:
            fail(
                "AX0513",
                f"`{encoding.column}` is cut into {encoding.tokens.unit}, and no operator of ONNX does that",
                None,
                help="leave `--raw` out: then what is exported takes the fields of the model",
            )
        if self._entering[encoding.column].dtype is None:
            self._entered(encoding.column, type_.shape)
            name = self._free(title)
            self.texts[name] = encoding
            numbers = self._add(name, Value(type_, title, Origin(f"`{title}`")))
        else:
            numbers = looked_up(cast(self._input(encoding.column, type_.shape), DType.i64), encoding)
        if encoding.unknown:
            return numbers
        lacking = less(numbers, 0)
        self.bad[title] = lacking if lacking.rank == 1 else reduce_any(lacking, list(range(1, lacking.rank)))
        return where(lacking, 0, numbers)


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
    hits = equal(unsqueeze(x, x.rank), constant(keys))
    return where(reduce_any(hits, [x.rank]), argmax(cast(hits, DType.f32), x.rank), other)
