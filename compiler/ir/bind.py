"""Fixing symbolic dims: the same graph for one batch shape."""

from __future__ import annotations

from collections.abc import Mapping

from .dims import Dim
from .graph import Graph
from .value import Value


def bind(graph: Graph, dims: Mapping[str, int | str], values: dict[Value, Value] | None = None) -> Graph:
    """The graph with names of dims replaced by integers or other names, in types and in the attributes of ops.

    ``values`` is filled with the values of the graph and what they have become.
    """
    return graph.substitute({name: Dim.of(size) for name, size in dims.items()}, values)
