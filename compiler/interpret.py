"""Running a graph in NumPy, op by op: constant folding, initial values, feeds, and the oracle of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .ir.dims import Dim
from .ir.graph import Graph, Node
from .ir.types import Array
from .ir.value import Value


def interpret(
    graph: Graph,
    inputs: Mapping[str, Any],
    dims: Mapping[str, int] | None = None,
    known: Mapping[Value, Array] | None = None,
) -> dict[str, Array]:
    """Results of a graph by name.

    Args:
        graph: what to run.
        inputs: an array for every input of the graph.
        dims: sizes of symbolic dims that no input's shape tells.
        known: values that are as they are said to be here, whatever would make them.
    """
    values = _evaluate(graph, inputs, dims, known, _last_uses(graph))
    return {name: values[value] for name, value in graph.outputs.items()}


def evaluate(
    graph: Graph,
    inputs: Mapping[str, Any],
    dims: Mapping[str, int] | None = None,
    known: Mapping[Value, Array] | None = None,
) -> dict[Value, Array]:
    """Every value of a graph; the arguments are those of ``interpret``."""
    return _evaluate(graph, inputs, dims, known, {})


def _last_uses(graph: Graph) -> dict[Node, list[Value]]:
    """The values that no later node reads and that are not outputs: memory that is used again is warm."""
    seen = set(graph.outputs.values())
    last: dict[Node, list[Value]] = {}
    for node in reversed(graph.nodes):
        fresh = {*node.inputs, *node.outputs} - seen
        if fresh:
            last[node] = list(fresh)
            seen |= fresh
    return last


def _evaluate(
    graph: Graph,
    inputs: Mapping[str, Any],
    dims: Mapping[str, int] | None,
    known: Mapping[Value, Array] | None,
    last: Mapping[Node, list[Value]],
) -> dict[Value, Array]:
    sizes = dict(dims or {})
    values: dict[Value, Any] = dict(known or {})
    for name, value in graph.inputs.items():
        with np.errstate(all="ignore"):  # as in onnxruntime, what is not finite makes no noise
            array = np.asarray(inputs[name], dtype=value.type.dtype.numpy)
        for dim, size in zip(value.shape, array.shape, strict=True):
            if (symbol := dim.symbol) is not None:
                sizes.setdefault(symbol, size)
        values.setdefault(value, array)
    fixed = {name: Dim.of(size) for name, size in sizes.items()}
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if all(output in values for output in node.outputs):
                continue  # known; what it reads may not be
            result = (node.op.substitute(fixed) if fixed else node.op).evaluate(*(values[v] for v in node.inputs))
            results = result if len(node.outputs) > 1 else (result,)
            for output, array in zip(node.outputs, results, strict=True):
                values.setdefault(output, np.asarray(array, dtype=output.type.dtype.numpy))
            for value in last.get(node, ()):
                del values[value]
    return values
