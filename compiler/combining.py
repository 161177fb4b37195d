"""Losses and metrics of a whole part of the data, made of what its batches give: the same for every size of a batch.

A figure over a part is what its expression comes to where the batch is the part. Most figures are made of a few means,
sums and extremes over the examples, the *pieces*: those of batches are merged, and what the expression makes of them is
computed once. ``sum(x * mask) / max(sum(mask), 1)`` has two sums, ``sqrt(mse(x, y))`` one mean. Where examples meet
before they are summed (each is compared with all others, as in a contrastive loss) a batch is what the figure is about:
it is averaged over batches, by their rows. What this module does not do: run the graphs, or merge (the runtime does).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Literal, TypeAlias

from archonnx.grammar.record import Record

from .ir.dims import ZERO, Dim
from .ir.graph import Graph, Node
from .ir.op import Merging, Trait
from .ir.origin import Origin
from .ir.parts import cut
from .ir.types import TensorType
from .ir.value import Value
from .program import ModelProgram

Piece: TypeAlias = Merging | Literal["same"]
"""How a piece of batches is merged; ``same`` is equal for all of them, as a norm of parameters is."""


class Combination(Record):
    """How the losses and metrics of a part are made of its batches.

    Attributes:
        batch: gives the pieces of a batch, and the arguments of metrics over a set.
        pieces: how each output of ``batch`` that is a piece is merged.
        whole: makes losses and metrics of merged pieces, where the dim of the batch is that of the part.
        symbol: the name of that dim, if any field has examples.
        together: by loss or metric, where examples meet, so that it is averaged over batches.
    """

    batch: Graph
    pieces: Mapping[str, Piece]
    whole: Graph
    symbol: str | None
    together: Mapping[str, Origin]


def combination(model: ModelProgram, whole: Collection[str] = ()) -> Combination:
    """How figures of batches become those of a part.

    Args:
        model: what is measured.
        whole: fields that every batch gets as they are.
    """
    graph = model.evaluate
    examples = {name: field.type for name, field in model.fields.items() if name not in whole}
    symbol = next((s for type_ in examples.values() if type_.rank and (s := type_.shape[0].symbol) is not None), None)
    gathered = {name for metric in model.set_metrics.values() for name in metric.arguments}
    measured = {name: value for name, value in graph.outputs.items() if name not in gathered}
    clash = any(symbol in value.type.symbols() for name, value in graph.inputs.items() if name in whole)
    if clash:  # one size for the examples and for a field given whole: there is but one batch
        pieces: dict[Value, Piece] = dict.fromkeys(measured.values(), "mean")
        together: dict[str, Origin] = {}
    else:
        reading = _Reading(symbol)
        reading.read(graph, examples)
        pieces, together = reading.frontier(graph, measured)
    arguments = {name: value for name, value in graph.outputs.items() if name in gathered}
    return _combination(graph, symbol, measured, arguments, pieces, together)


def combined(graph: Graph, symbol: str) -> Combination:
    """How the outputs of a graph, none of which has rows, are made of blocks of rows; ``symbol`` counts those."""
    examples = {name: value.type for name, value in graph.inputs.items() if symbol in value.type.symbols()}
    reading = _Reading(symbol)
    reading.read(graph, examples)
    return _combination(graph, symbol, graph.outputs, {}, *reading.frontier(graph, graph.outputs))


def keeps_rows(graph: Graph, symbol: str) -> bool:
    """Whether rows do not meet in a graph: blocks of them give the blocks of its outputs along the first axis."""
    if any(Trait.RANDOM in node.op.traits for node in graph.nodes):
        return False
    reading = _Reading(symbol)
    reading.read(graph, {name: value.type for name, value in graph.inputs.items()})
    rowed = [value for value in graph.outputs.values() if symbol in value.type.symbols()]
    return not reading.figures.intersection(graph.outputs.values()) and all(
        reading.rows.get(value) == 0 and value.shape[0].symbol == symbol for value in rowed
    )


def _combination(
    graph: Graph,
    symbol: str | None,
    measured: Mapping[str, Value],
    arguments: Mapping[str, Value],
    pieces: Mapping[Value, Piece],
    together: Mapping[str, Origin],
) -> Combination:
    names = {value: f"piece/{number}" for number, value in enumerate(pieces)}
    outputs = {names[value]: value for value in pieces}
    return Combination(
        cut("pieces", graph.nodes, graph.inputs, {**outputs, **arguments}, graph.facts),
        {names[value]: how for value, how in pieces.items()},
        _above(graph, pieces, names, measured),
        symbol,
        together,
    )


def _above(
    graph: Graph, pieces: Mapping[Value, Piece], names: Mapping[Value, str], measured: Mapping[str, Value]
) -> Graph:
    """The graph from pieces to measures."""
    made = graph.producers()
    live, kept = list(measured.values()), set[Node]()
    while live:
        value = live.pop()
        if value not in pieces and (node := made[value]) not in kept:
            kept.add(node)
            live += node.inputs
    nodes = tuple(node for node in graph.nodes if node in kept)
    return Graph("whole", {names[value]: value for value in pieces}, nodes, dict(measured), graph.facts)


class _Reading:
    """What is known of the values of a graph.

    Attributes:
        rows: values that hold something for each example, one after the other along this axis.
        figures: values that a whole part has one of: what reductions over examples give, and what is made of it.
        merged: those of them that are such a reduction, and how it merges.
        given: values that depend on inputs, but not on examples.
        met: values in which examples met, and where.
    """

    def __init__(self, symbol: str | None) -> None:
        self._symbol = symbol
        self.rows: dict[Value, int] = {}
        self.figures: set[Value] = set()
        self.merged: dict[Value, Merging] = {}
        self.given: set[Value] = set()
        self.met: dict[Value, Origin] = {}

    def read(self, graph: Graph, examples: Mapping[str, TensorType]) -> None:
        """Go through a graph, of whose inputs ``examples`` are cut into batches."""
        for name, value in graph.inputs.items():
            if not self._counts(value.type):
                self.given.add(value)
            elif name in examples and (place := self._place(value.type)) is not None:
                self.rows[value] = place
            else:
                self.met[value] = value.origin
        for node in graph.nodes:
            self._node(node)

    def frontier(self, graph: Graph, measured: Mapping[str, Value]) -> tuple[dict[Value, Piece], dict[str, Origin]]:
        """The pieces of which the measures are made, and the measures in which examples met."""
        made = graph.producers()
        pieces: dict[Value, Piece] = {}
        together: dict[str, Origin] = {}
        for name, value in measured.items():
            if value in self.met:
                pieces[value], together[name] = "mean", self.met[value]
                continue
            live = [value]
            while live:
                value = live.pop()
                if value in self.merged:
                    pieces[value] = self.merged[value]
                elif value in self.given:
                    pieces[value] = "same"
                else:
                    live += made[value].inputs
        return pieces, together

    def _node(self, node: Node) -> None:
        places = [self.rows.get(value) for value in node.inputs]
        met = next((self.met[value] for value in node.inputs if value in self.met), None)
        if met is None and any(place is not None for place in places):
            met = self._of_examples(node, places)
        elif met is None:
            met = self._of_others(node)
        if met is not None:
            self.met.update(dict.fromkeys(node.outputs, met))

    def _of_examples(self, node: Node, places: list[int | None]) -> Origin | None:
        """A node that reads something for each example; where they meet, its origin."""
        if not self.figures.isdisjoint(node.inputs):
            return node.origin
        types = [value.type for value in node.inputs]
        if (merging := node.op.merges(places, types)) is not None:
            self.merged.update(dict.fromkeys(node.outputs, merging))
            self.figures.update(node.outputs)
            return None
        carried = [value for value in node.outputs if node.op.bodies() and not self._counts(value.type)]
        results = {value: place for value in node.outputs if (place := self._place(value.type)) is not None}
        if not results or len(results) + len(carried) < len(node.outputs):
            return node.origin
        if not node.op.keeps_apart(places, types, next(iter(results.values()))):
            return node.origin
        self.rows.update(results)
        self.given.update(carried)  # states of a scan that no example has a part in
        return None

    def _of_others(self, node: Node) -> Origin | None:
        """A node that reads nothing that examples have."""
        figures = not self.figures.isdisjoint(node.inputs)
        if any(self._counts(value.type) for value in node.outputs):  # repeated for each example, numbered, or drawn
            places = [place for value in node.outputs if (place := self._place(value.type)) is not None]
            alike = len(places) == len(node.outputs) and node.op.keeps_apart([None] * len(node.inputs), (), places[0])
            if figures or not (alike or Trait.RANDOM in node.op.traits):
                return node.origin
            self.rows.update(zip(node.outputs, places, strict=True))
        elif figures or self._symbol in node.op.symbols():
            self.figures.update(node.outputs)
        elif not self.given.isdisjoint(node.inputs):
            self.given.update(node.outputs)
        return None

    def _counts(self, type_: TensorType) -> bool:
        """Whether the size of a tensor depends on the number of examples."""
        return self._symbol is not None and self._symbol in type_.symbols()

    def _place(self, type_: TensorType) -> int | None:
        return None if self._symbol is None else axis_of(self._symbol, type_)


def axis_of(symbol: str, type_: TensorType) -> int | None:
    """The only axis whose size is in proportion to a dim, where no other depends on it."""
    axes = [axis for axis, dim in enumerate(type_.shape) if symbol in dim.symbols()]
    if len(axes) != 1:
        return None
    none, one, two, five = (type_.shape[axes[0]].substitute({symbol: Dim.of(count)}) for count in (0, 1, 2, 5))
    return axes[0] if none == ZERO != one and two == one * 2 and five == one * 5 else None


def meetings(model: ModelProgram) -> Iterator[tuple[str, Origin]]:
    """The losses and metrics that are averaged over batches, and where examples meet in each."""
    whole = model.programs[-1].whole if model.programs else ()
    yield from combination(model, whole).together.items()
