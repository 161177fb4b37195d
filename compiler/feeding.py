"""From the columns of a data source to the fields of a model, as one typed graph that is cut in two.

    fit    the columns of the train part -> statistics, one after the other: what has no row of its own, as a mean
    feed   columns and statistics -> the fields of the model, row by row

Texts are not tensors: what a graph sees of a column of texts are its ``encodings``, the numbers of its values in a
table.
What this module does not do: elaborate (``elaborate.training.feeds`` does), or touch data.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from archonnx.grammar.diagnostics import Diagnostic
from archonnx.grammar.record import Record, replace

from .ir.graph import Graph, needed
from .ir.types import TensorType
from .ir.value import Value
from .tokens import Tokens

ROWS = "rows"
"""The dim that counts the rows of the data."""
LENGTH = "tokens"
"""The dim of rows of tokens of a text where a file may take any number of them."""
INDEX = "index"
"""The field that numbers the rows, from 0."""
DATA, TARGET = "data", "target"
"""Fields that are made of columns: the matrix of the numeric ones, and another name of one."""

INSTEAD = (-1e30, 0.0, 1e30)
"""What is tried in place of a missing value, to see whether anything depends on it."""


class Sample(Record):
    """What feeds are elaborated for: the columns of a source, and how to read the values that stand in them.

    Attributes:
        where: what messages call the source.
        types: of its fields, whose first axis is ``ROWS``; None for texts.
        matrix: the columns that ``data`` stacks.
        target: the column that ``target`` is another name of.
        problems: what is wrong with columns that cannot be used.
        texts: what a row holds of columns of texts that hold several, by name: sizes, or ``LENGTH``.
        whole: those of the types that have no ``ROWS``, as the edges of a graph.
    """

    where: str
    types: Mapping[str, TensorType | None]
    matrix: tuple[str, ...] = ()
    target: str | None = None
    problems: Mapping[str, Diagnostic] = {}
    texts: Mapping[str, tuple[int | str, ...]] = {}
    whole: frozenset[str] = frozenset()

    @property
    def names(self) -> list[str]:
        """Everything that ``data.NAME`` may name."""
        made = [DATA] * bool(self.matrix) + [TARGET] * (self.target is not None)
        return list(dict.fromkeys([*self.types, *made]))


class Encoding(Record):
    """A column as numbers: for each value its position among ``keys``.

    What is none of them has the number ``len(keys)`` where ``unknown``, and is refused otherwise. A missing text
    stands for ``filled`` where that is given. With ``tokens`` the values are those of each text, in a row.
    """

    column: str
    keys: tuple[str | int, ...]
    unknown: bool = False
    filled: str | None = None
    tokens: Tokens | None = None

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.keys) + self.unknown

    @property
    def names(self) -> tuple[str, ...]:
        """What the numbers stand for."""
        return (*map(str, self.keys), *["unknown"] * self.unknown)


class Texts(Record):
    """What a vocabulary is learned of: a column of texts or integers.

    Attributes:
        column: its name.
        filled: what stands where a text is missing.
        tokens: how its texts are cut, if their tokens are the values.
    """

    column: str
    filled: str | None = None
    tokens: Tokens | None = None

    @property
    def key(self) -> tuple[str, str | None]:
        """What a run calls the vocabulary."""
        return (self.column if self.tokens is None else self.tokens.of(self.column)), self.filled


class Statistic(Record):
    """What is learned of the train part: a tensor without rows.

    Attributes:
        graph: from columns, and from statistics that were learned before it, to the tensor.
        columns: those that are read.
        handled: those of them whose missing values the expression deals with itself.
        kept: whether a run keeps it: not where other statistics alone need it.
    """

    graph: Graph
    columns: tuple[str, ...]
    handled: frozenset[str]
    kept: bool


class Feeding(Record):
    """How fields are made of columns.

    Attributes:
        statistics: what is learned, by name and in order: each may need those before it.
        feed: from columns and statistics to fields.
        encodings: those inputs of the graphs that are columns by a table.
        numbered: the encoding, by the name of its input, of fields that are such a column.
        sizes: arguments of the model that the data decides.
        sources: for each field the columns that it is made of; those that were only learned from are none of them.
        handled: for each field the columns whose missing values its expression deals with itself.
    """

    statistics: Mapping[str, Statistic]
    feed: Graph
    encodings: Mapping[str, Encoding]
    numbered: Mapping[str, str]
    sizes: Mapping[str, object]
    sources: Mapping[str, tuple[str, ...]]
    handled: Mapping[str, frozenset[str]]

    def __repr__(self) -> str:
        return f"<feeding: {len(self.statistics)} statistics, {len(self.feed.outputs)} fields>"

    def columns(self, fields: Collection[str]) -> tuple[str, ...]:
        """The columns that these fields are made of."""
        return tuple(dict.fromkeys(column for name in fields for column in self.sources[name]))

    def only(self, fields: Collection[str]) -> Feeding:
        """How these fields are made, and what is learned for them."""
        feed = narrowed(self.feed, fields)
        read = set(feed.inputs)
        for name, statistic in reversed(list(self.statistics.items())):
            read |= set(statistic.graph.inputs) if name in read else set()
        return replace(self, feed=feed, statistics={name: s for name, s in self.statistics.items() if name in read})


def cut(graph: Graph, encodings: Mapping[str, Encoding], names: Mapping[Value, str]) -> Feeding:
    """A graph from columns to fields, cut where something has no row any more.

    Args:
        graph: is cut.
        encodings: its inputs that are columns by a table.
        names: what the spec calls some of its values.

    Returns:
        What is learned, and how fields are made of it; ``numbered`` and ``sizes`` are empty.
    """
    rowless = _rowless(graph)
    direct = _cut_off(graph, {str(number): value for number, value in enumerate(rowless)}, "feed", graph.outputs)
    read = {*direct.inputs.values(), *direct.outputs.values()}
    found: dict[str, Value] = {}
    for value in rowless:
        title = names.get(value) or ("statistic" if value in read else "on the way")
        found[_free(title, (*graph.inputs, *found))] = value
    statistics: dict[str, Statistic] = {}
    for name, value in found.items():
        earlier = {other: found[other] for other in statistics}
        own = _cut_off(graph, earlier, name, {name: value})
        names_of = _ColumnNames(own, earlier, encodings)
        kept = value in read or value in names
        statistics[name] = Statistic(own, names_of(value), names_of.handled(value), kept)
    feed = _cut_off(graph, found, "feed", graph.outputs)
    sources, handled = {}, {}
    for name, value in graph.outputs.items():
        learned = value in rowless  # then it is made of what it was learned from, and of nothing else
        names_of = _ColumnNames(graph if learned else feed, {} if learned else found, encodings)
        sources[name], handled[name] = names_of(value), names_of.handled(value)
    return Feeding(statistics, feed, encodings, {}, {}, sources, handled)


def _rowless(graph: Graph) -> dict[Value, None]:
    """What depends on the data, has no rows, and is read where there are rows, or is an output; in order."""
    dependent = set(graph.inputs.values())
    found: dict[Value, None] = {}
    for node in graph.nodes:
        if ROWS not in node.op.symbols() and dependent.isdisjoint(node.inputs):
            continue
        dependent.update(node.outputs)
        if any(map(_has_rows, node.outputs)):
            found |= {value: None for value in node.inputs if value in dependent and not _has_rows(value)}
    return found | {value: None for value in graph.outputs.values() if value in dependent and not _has_rows(value)}


def _cut_off(graph: Graph, known: Mapping[str, Value], name: str, outputs: Mapping[str, Value]) -> Graph:
    """The part of a graph that makes these values of columns and of values that are known."""
    values = set(known.values())
    rest = [node for node in graph.nodes if values.isdisjoint(node.outputs)]
    return narrowed(Graph(name, {**graph.inputs, **known}, tuple(rest), outputs), outputs)


def narrowed(graph: Graph, outputs: Collection[str]) -> Graph:
    """The part of a graph that these outputs need."""
    kept = {name: graph.outputs[name] for name in outputs}
    nodes = needed(graph.nodes, kept.values())
    read = {*kept.values(), *(value for node in nodes for value in node.inputs)}
    given = {name: value for name, value in graph.inputs.items() if value in read}
    return Graph(graph.name, given, tuple(nodes), kept)


def _has_rows(value: Value) -> bool:
    return ROWS in value.type.symbols()


def _free(name: str, taken: Collection[str]) -> str:
    """A name that nothing else has."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}.{number}"
    return free


class _ColumnNames:
    """The columns that values of a graph are made of; what is known when the graph is computed is no column."""

    def __init__(self, graph: Graph, known: Collection[str], encodings: Mapping[str, Encoding]) -> None:
        given = {name: value for name, value in graph.inputs.items() if name not in known}
        self._nodes = graph.nodes
        self._names = {value: encodings[name].column if name in encodings else name for name, value in given.items()}

    def __call__(self, value: Value) -> tuple[str, ...]:
        read = {value, *(v for node in needed(self._nodes, [value]) for v in node.inputs)}
        return tuple(dict.fromkeys(column for v, column in self._names.items() if v in read))

    def handled(self, value: Value) -> frozenset[str]:
        """The columns whose missing values are asked for (``isnan``) on the way to a value."""
        asked = [node.inputs[0] for node in needed(self._nodes, [value]) if node.op.name == "is_nan"]
        return frozenset(column for v in asked for column in self(v))
