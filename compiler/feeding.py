"""From the columns of a data source to the fields of a model, as one typed graph that is cut in two.

    fit    the columns of the train part -> statistics: what has no row of its own, as a mean
    feed   columns and statistics -> the fields of the model, row by row

Texts are not tensors: what a graph sees of a column of texts are its ``encodings``, the numbers of its values in a
table.
What this module does not do: elaborate (``elaborate.training.feeds`` does), or touch data.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from archonnx.grammar.diagnostics import Diagnostic
from archonnx.grammar.record import Record

from .ir.graph import Graph, needed
from .ir.types import TensorType
from .ir.value import Value

ROWS = "rows"
"""The dim that counts the rows of the data."""
INDEX = "index"
"""The field that numbers the rows, from 0."""
DATA, TARGET = "data", "target"
"""Fields that are made of columns: the matrix of the numeric ones, and another name of one."""


class Sample(Record):
    """What feeds are elaborated for: the columns of a source, and how to read the values that stand in them.

    Attributes:
        where: what messages call the source.
        types: of its fields, whose first axis is ``ROWS``; None for texts.
        matrix: the columns that ``data`` stacks.
        target: the column that ``target`` is another name of.
        problems: what is wrong with columns that cannot be used.
    """

    where: str
    types: Mapping[str, TensorType | None]
    matrix: tuple[str, ...] = ()
    target: str | None = None
    problems: Mapping[str, Diagnostic] = {}

    @property
    def names(self) -> list[str]:
        """Everything that ``data.NAME`` may name."""
        made = [DATA] * bool(self.matrix) + [TARGET] * (self.target is not None)
        return list(dict.fromkeys([*self.types, *made]))


class Encoding(Record):
    """A column as numbers: for each value its position among ``keys``.

    What is none of them has the number ``len(keys)`` where ``unknown``, and is refused otherwise. A missing text
    stands for ``filled`` where that is given.
    """

    column: str
    keys: tuple[str | int, ...]
    unknown: bool = False
    filled: str | None = None

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.keys) + self.unknown

    @property
    def names(self) -> tuple[str, ...]:
        """What the numbers stand for."""
        return (*map(str, self.keys), *["unknown"] * self.unknown)


class Feeding(Record):
    """How fields are made of columns.

    Attributes:
        fit: from columns (of the train part) to statistics.
        feed: from columns and statistics to fields.
        encodings: those inputs of the graphs that are columns by a table.
        numbered: the encoding, by the name of its input, of fields that are such a column.
        sizes: arguments of the model that the data decides.
        sources: for each output of both graphs the columns that it depends on; of what was learned, a field does not.
        handled: for each output of both graphs the columns whose missing values its expression deals with itself.
    """

    fit: Graph
    feed: Graph
    encodings: Mapping[str, Encoding]
    numbered: Mapping[str, str]
    sizes: Mapping[str, object]
    sources: Mapping[str, tuple[str, ...]]
    handled: Mapping[str, frozenset[str]]

    def __repr__(self) -> str:
        return f"<feeding: {len(self.fit.outputs)} statistics, {len(self.feed.outputs)} fields>"

    def columns(self, fields: Collection[str]) -> tuple[str, ...]:
        """The columns that these fields are made of."""
        return tuple(dict.fromkeys(column for name in fields for column in self.sources[name]))


def cut(graph: Graph, encodings: Mapping[str, Encoding], names: Mapping[Value, str]) -> Feeding:
    """A graph from columns to fields, cut where something has no row any more.

    Args:
        graph: is cut.
        encodings: its inputs that are columns by a table.
        names: what the spec calls some of its values.

    Returns:
        The two graphs; ``numbered`` and ``sizes`` are empty.
    """
    rowless = _rowless(graph)
    rest = [node for node in graph.nodes if rowless.keys().isdisjoint(node.outputs)]
    nodes = tuple(needed(rest, graph.outputs.values()))
    read = {*graph.outputs.values(), *(value for node in nodes for value in node.inputs)}
    statistics: dict[str, Value] = {}
    for value in rowless:
        if value in read or value in names:
            statistics[_free(names.get(value) or "statistic", (*graph.inputs, *statistics))] = value
    learned = set(statistics.values())
    fit = Graph("fit", graph.inputs, tuple(needed(graph.nodes, learned)), statistics)
    feed = Graph("feed", {**graph.inputs, **statistics}, nodes, graph.outputs)
    direct = Graph("feed", graph.inputs, feed.nodes, {n: v for n, v in graph.outputs.items() if v not in learned})
    sources: dict[str, tuple[str, ...]] = {}
    handled: dict[str, frozenset[str]] = {}
    for part, outputs in ((graph, {**graph.outputs, **statistics}), (direct, direct.outputs)):
        sources |= _sources(part, outputs, encodings)
        handled |= {name: _handled(part, value, encodings) for name, value in outputs.items()}
    return Feeding(fit, feed, encodings, {}, {}, sources, handled)


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


def _has_rows(value: Value) -> bool:
    return ROWS in value.type.symbols()


def _free(name: str, taken: Collection[str]) -> str:
    """A name that nothing else has."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}.{number}"
    return free


def _sources(
    graph: Graph, outputs: Mapping[str, Value], encodings: Mapping[str, Encoding]
) -> dict[str, tuple[str, ...]]:
    """The columns that each output depends on."""
    names = {value: encodings[name].column if name in encodings else name for name, value in graph.inputs.items()}
    found = {}
    for name, value in outputs.items():
        read = {value, *(v for node in needed(graph.nodes, [value]) for v in node.inputs)}
        found[name] = tuple(dict.fromkeys(column for v, column in names.items() if v in read))
    return found


def _handled(graph: Graph, value: Value, encodings: Mapping[str, Encoding]) -> frozenset[str]:
    """The columns whose missing values are asked for (``isnan``) on the way to a value."""
    asked = [node.inputs[0] for node in needed(graph.nodes, [value]) if node.op.name == "is_nan"]
    return frozenset(column for v in asked for column in _sources(graph, {"": v}, encodings)[""])
