"""Several training steps as one graph: a scan over their batches, whose states are what the steps carry.

A session that runs it starts no step by itself: of a tiny step, starting it is what takes the time. What this module
does not do: decide where that pays, or run anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from .ir.builder import Builder
from .ir.dims import Dim
from .ir.graph import Graph
from .ir.parts import inline
from .ir.types import TensorType
from .ir.value import Value
from .loops.scan import Scan
from .program import NEXT, STEP

LENGTH = Dim.of("length of the row")
"""How many passes a row has: a dim, so that one graph is for all of them."""


def step_of(index: int) -> str:
    """The input of a row that holds the numbers of the steps of a statement, i64[LENGTH]."""
    return f"{index}:{STEP}"


def row_of(
    statements: Sequence[Graph], keys: Sequence[Mapping[str, str]], states: Collection[str], cut: Collection[str]
) -> Graph:
    """The graph of a row of passes, each of which runs all statements in order on a batch of its own.

    Its inputs are what the statements read: states and constants by their keys, fields and the seed by their names,
    ``step_of`` each statement that draws. Fields in ``cut`` and numbers of steps have a first axis more, ``LENGTH``.
    Its outputs are ``next/KEY`` for each state, and each loss, f32[LENGTH], as the last statement that reports it
    found it.

    Args:
        statements: the graph of each, for batches of one shape.
        keys: for each, where what it carries and reads is kept, by its own names.
        states: the keys of all that changes.
        cut: the fields that differ from batch to batch.
    """
    builder, given, now = Builder(), dict[str, Value](), dict[str, Value]()
    losses: dict[str, Value] = {}
    for index, (graph, kept) in enumerate(zip(statements, keys, strict=True)):
        named = {**kept, STEP: step_of(index)}
        for name, value in graph.inputs.items():
            if (key := named.get(name, name)) not in given:
                given[key] = now[key] = Value(value.type, key)
        made = inline(graph, builder, [now[named.get(name, name)] for name in graph.inputs])
        for name, value in zip(graph.outputs, made, strict=True):
            if name.startswith(NEXT):
                now[named[name.removeprefix(NEXT)]] = value
            else:
                losses[name] = value
    carried = [key for key in given if key in states]
    sliced = [key for key in given if key in cut or key in map(step_of, range(len(statements)))]
    order = [*carried, *sliced, *(key for key in given if key not in {*carried, *sliced})]
    body = Graph(
        "steps",
        {key: given[key] for key in order},
        tuple(builder.nodes),
        {**{NEXT + key: now[key] for key in carried}, **losses},
    )
    return _over_batches(body, len(carried), sliced)


def _over_batches(body: Graph, states: int, sliced: Sequence[str]) -> Graph:
    """The graph that runs a body over all batches."""

    def outer(name: str, type_: TensorType) -> Value:
        return Value(type_.with_shape((LENGTH, *type_.shape)) if name in sliced else type_, name)

    builder = Builder()
    inputs = {name: outer(name, value.type) for name, value in body.inputs.items()}
    made = builder.add_many(Scan(body=body, states=states, scanned=len(sliced)), *inputs.values())
    return builder.graph("row", inputs, dict(zip(body.outputs, made, strict=True)))
