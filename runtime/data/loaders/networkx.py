"""The graphs that come with networkx. What this module does not do: generate graphs, or download others."""

from __future__ import annotations

from typing import Any

import numpy as np

from archonnx.compiler.sources import NetworkxSource
from archonnx.runtime.data.graphs import MATRIX, from_graph
from archonnx.runtime.data.loader import Loaded, Place, loads
from archonnx.runtime.extras import missing


@loads(NetworkxSource)
def load(source: NetworkxSource, place: Place) -> Loaded:
    """The nodes of a graph; of the atlas the graphs."""
    try:
        import networkx
    except ImportError:
        missing(f'networkx("{source.name}")', "networkx", "graphs", place.span)
    where = f'networkx("{source.name}")'
    if source.name == "graph_atlas":
        return _atlas(networkx.graph_atlas_g()[1:], where)
    graph: Any = getattr(networkx, f"{source.name}_graph")()
    return from_graph(graph, source.weight, where, kinds=place.kinds, span=place.span)


def _atlas(graphs: list[Any], where: str) -> Loaded:
    """All graphs of 1 to 7 nodes, each filled up with nodes that have no edges."""
    counts = np.array([len(graph) for graph in graphs], dtype=np.int64)
    matrices = np.zeros((len(graphs), counts.max(), counts.max()))
    for matrix, graph in zip(matrices, graphs, strict=True):
        for i, j in graph.edges():
            matrix[i, j] = matrix[j, i] = 1
    return Loaded({MATRIX: matrices, "nodes": counts}, where)
