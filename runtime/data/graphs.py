"""Graphs of networkx as what a source holds: nodes are the rows, edges are arrays without rows.

What this module does not do: import networkx. Who has a graph has imported it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.compiler.sources import EDGE_FIELDS
from archonnx.grammar.diagnostics import Diagnostic, Report, fail, make_error
from archonnx.grammar.source import Span

from .columns import Column, is_missing, kind_of
from .lengths import numbered
from .loader import Fields, Loaded

Numbers: TypeAlias = npt.NDArray[np.int64]
"""Of nodes."""
NODE, MATRIX = "node", "A"
MADE_OF_GRAPHS = (NODE, MATRIX, *EDGE_FIELDS)
"""What an attribute of nodes cannot be called."""
MAX_DENSE = 5_000
"""Graphs of more nodes have no dense matrix: it would have 25 million numbers."""


def is_graph(value: Any) -> bool:
    """Whether a value is a graph of networkx, which is seen without importing it."""
    return type(value).__module__.partition(".")[0] == "networkx" and hasattr(value, "adjacency")


def from_graph(
    graph: Any,
    weight: str | None = "weight",
    where: str = "the graph",
    *,
    kinds: Mapping[str, str] | None = None,
    span: Span | None = None,
) -> Loaded:
    """A graph of networkx: ``node``, the attributes of nodes, ``A``; ``source``, ``target`` and ``weight`` of edges.

    A[i, j] is the weight of the edge from node j to node i, and edges between the same nodes add up there. The edges
    of an undirected graph are there in both directions, in the order of targets, then of sources.

    Args:
        graph: a ``Graph``, ``DiGraph`` or one of several edges between two nodes.
        weight: the attribute of edges that is their weight; 1 where no edge has it, or where it is None.
        where: what messages call it.
        kinds: kinds of columns in an earlier reading, which must hold.
        span: the place of the spec that asked for it.
    """
    nodes = list(graph.nodes)
    if not nodes:
        fail("AX0603", f"{where} has no nodes", span)
    found = _columns(graph, nodes, where, kinds or {}, span)
    source, target, sizes = _edges(graph, nodes, weight, where, span)
    fields: Fields = {name: column for name, column in found.items() if not isinstance(column, Diagnostic)}
    problems = {name: column for name, column in found.items() if isinstance(column, Diagnostic)}
    if len(nodes) > MAX_DENSE:
        problems[MATRIX] = make_error(
            "AX0603",
            f"{where}: the dense matrix of {len(nodes):,} nodes would have {len(nodes) ** 2:,} numbers",
            span,
            help="use its edges: `edges(source, target, n)`, with `feed whole source = data.source` and so on",
        )
    else:
        fields[MATRIX] = np.zeros((len(nodes), len(nodes)))
        np.add.at(fields[MATRIX], (target, source), sizes)
    whole: Fields = dict(zip(EDGE_FIELDS, (source, target, sizes), strict=True))
    return numbered(Loaded(fields, where, problems=problems, whole=whole), span)


def _columns(
    graph: Any, nodes: Sequence[Any], where: str, kinds: Mapping[str, str], span: Span | None
) -> dict[str, Array | Diagnostic]:
    """What nodes are called, and their attributes; or what is wrong with one."""
    found = {NODE: Column(where, NODE, span).read(_labels(nodes), kinds.get(NODE))}
    for name in dict.fromkeys(str(key) for node in nodes for key in graph.nodes[node]):
        if name in MADE_OF_GRAPHS:
            fail(
                "AX0603",
                f"{where}: nodes have an attribute `{name}`, which is what the {_what(name)} called",
                span,
                help="give the attribute another name",
            )
        values = [graph.nodes[node].get(name) for node in nodes]
        found[name] = Column(where, name, span).read(_objects(values), kinds.get(name))
    return found


def _edges(
    graph: Any, nodes: Sequence[Any], weight: str | None, where: str, span: Span | None
) -> tuple[Numbers, Numbers, Array]:
    """Source, target and weight of each edge, in the order of targets, then of sources."""
    number = {node: i for i, node in enumerate(nodes)}
    ends = [(number[i], number[j]) for i, j in graph.edges()]
    sizes = _weights(graph, weight, where, span)
    if not graph.is_directed():
        sizes = np.concatenate([sizes, sizes[[i != j for i, j in ends]]])
        ends += [(j, i) for i, j in ends if i != j]
    source, target = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    order = np.lexsort((source, target))
    return source[order], target[order], sizes[order]


def _what(name: str) -> str:
    return {NODE: "names of the nodes are", MATRIX: "matrix is"}.get(name, f"{name}s of edges are")


def _objects(values: Sequence[Any]) -> Array:
    """Values as they are, one for each row: None where a node has none."""
    return np.array([*values, None], dtype=object)[:-1]


def _labels(nodes: Sequence[Any]) -> Array:
    """What nodes are called: integers as they are, anything else as a text."""
    if all(kind_of(node) == "int" for node in nodes):
        return np.array(nodes, dtype=np.int64)
    return _objects([str(node) for node in nodes])


def _weights(graph: Any, weight: str | None, where: str, span: Span | None) -> Array:
    """A number for each edge."""
    values = [data.get(weight) for _, _, data in graph.edges(data=True)] if weight is not None else []
    missing = [is_missing(value) for value in values]
    if all(missing):
        if weight not in (None, "weight"):
            fail("AX0603", f"{where}: no edge has an attribute `{weight}`", span)
        return np.ones(graph.number_of_edges())
    report = Report()
    for (i, j), value, absent in zip(graph.edges(), values, missing, strict=True):
        if absent:
            what = f"has no `{weight}`, which others have"
        elif kind_of(value) not in ("int", "float") or not np.isfinite(float(value)):
            what = f"has the `{weight}` {value!r}, which is not a finite number"
        else:
            continue
        report.error(
            "AX0603", f"{where}: the edge of {i} and {j} {what}", span, help="`weight=none` takes 1 for all edges"
        )
        break
    report.finish()
    return np.array(values, dtype=np.float64)
