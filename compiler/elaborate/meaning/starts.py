"""What parameters start from, elaborated once for all that start alike: the weights of repeated layers.

Graphs of initial values were 46% of the elaboration of 700 dense layers and 17% of that of ResNet-50, under a profiler
(2026-11-29). Such a graph depends on its statement, the type of the parameter, and what the names of the statement
stand for; of equal parameters it differs in nothing but the module in its origins. What this module does not do:
elaborate such a graph (``parameters`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TypeAlias

from archonnx.compiler.elaborate.core.alike import Copies, OpenValue, meant
from archonnx.compiler.elaborate.core.dependence import names_in
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.values import Module
from archonnx.compiler.elaborate.core.watching import ONLOOKER
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import TensorType
from archonnx.grammar import ast
from archonnx.grammar.record import replace

Start: TypeAlias = tuple[Graph, Mapping[int, str]]
"""The graph of an initial value, and where its draws are."""


def shared_start(
    frame: Frame, statement: ast.Param | ast.Buffer, type_: TensorType, elaborate: Callable[[], Start]
) -> Start:
    """What a parameter starts from: elaborated, or that of an equal one, with origins in its own module.

    Args:
        frame: in which the parameter is declared.
        statement: that declares it.
        type_: of the parameter.
        elaborate: does it, where no equal one is known.

    Raises:
        SpecError: of ``elaborate``.
    """
    known = frame.build.starts
    try:
        key = _key(frame, statement, type_)
    except OpenValue:
        return elaborate()
    if key not in known:
        graph, sites = elaborate()
        if not any(node.op.bodies() for node in graph.nodes):  # whose origins lie deeper
            known[key] = graph, sites
        return graph, sites
    graph, sites = known[key]
    return in_module(graph, frame.owner), sites


def _key(frame: Frame, statement: ast.Param | ast.Buffer, type_: TensorType) -> Hashable:
    """Equal where graphs are; identities in it last, as each parameter keeps the frame that it was declared in."""
    if ONLOOKER.get() is not None:  # is told of each evaluation
        raise OpenValue
    names = frame.build.starts.setdefault(id(statement), sorted(names_in((statement.type, statement.value))))
    bound = tuple([(name, meant(frame.locals[name])) for name in names if name in frame.locals])
    return id(statement), id(frame.scope), type_, frame.build.float_type, bound


def in_module(graph: Graph, owner: Module) -> Graph:
    """A graph of tensors of its own, whose origins lie in this module."""
    return Copies(lambda origin: origin if origin.owner is None else replace(origin, owner=owner)).graph(graph)
