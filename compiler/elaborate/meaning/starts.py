"""What parameters start from, elaborated once for all that start alike: the weights of repeated layers.

Graphs of initial values were 46% of the elaboration of 700 dense layers and 17% of that of ResNet-50, under a profiler
(2026-11-29). Such a graph depends on its statement, the type of the parameter, and what the names of the statement
stand for; of equal parameters it differs in nothing but the module in its origins. What this module does not do:
elaborate such a graph (``parameters`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TypeAlias

from archonnx.compiler.elaborate.core.dependence import names_in
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.values import Builtin, Choice, Function, Module, Partial
from archonnx.compiler.elaborate.core.watching import ONLOOKER
from archonnx.compiler.ir.builder import NODE, NODE_BYTES
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.grammar import ast
from archonnx.grammar.budget import Cost, hold, spend
from archonnx.grammar.record import replace

Start: TypeAlias = tuple[Graph, Mapping[int, str]]
"""The graph of an initial value, and where its draws are."""
ATOMS = frozenset({bool, int, float, str, type(None), DType})
"""Values that are told apart by how they are written."""


class _OpenError(Exception):
    """A value of which it is not certain that an equal one means the same."""


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
    except _OpenError:
        return elaborate()
    if key not in known:
        graph, sites = elaborate()
        if not any(node.op.bodies() for node in graph.nodes):  # whose origins lie deeper
            known[key] = graph, sites
        return graph, sites
    graph, sites = known[key]
    return _in_module(graph, frame.owner), sites


def _key(frame: Frame, statement: ast.Param | ast.Buffer, type_: TensorType) -> Hashable:
    """Equal where graphs are; identities in it last, as each parameter keeps the frame that it was declared in."""
    if ONLOOKER.get() is not None:  # is told of each evaluation
        raise _OpenError
    names = frame.build.starts.setdefault(id(statement), sorted(names_in((statement.type, statement.value))))
    bound = tuple([(name, _meant(frame.locals[name])) for name in names if name in frame.locals])
    return id(statement), id(frame.scope), type_, frame.build.float_type, bound


def _meant(value: object) -> Hashable:
    """What a static value means: equal for values that mean the same."""
    if type(value) in ATOMS:
        return type(value), str(value)
    match value:
        case Choice():
            return value
        case list():
            return tuple(map(_meant, value))
        case Function() if value.around is None:
            return id(value.declaration), id(value.scope)
        case Builtin():
            return value.name
        case Partial():
            return _meant(value.function), tuple([(name, _meant(item)) for name, item in value.arguments.items()])
    raise _OpenError


def _in_module(graph: Graph, owner: Module) -> Graph:
    """A graph of tensors of its own, whose origins lie in this module."""
    spend(Cost.nodes, NODE * len(graph.nodes))
    hold(Cost.nodes, NODE_BYTES * len(graph.nodes))
    origins: dict[int, Origin] = {}
    values: dict[Value, Value] = {}

    def placed(origin: Origin) -> Origin:
        if id(origin) not in origins:
            origins[id(origin)] = origin if origin.owner is None else replace(origin, owner=owner)
        return origins[id(origin)]

    def own(value: Value) -> Value:
        if value not in values:
            values[value] = Value(value.type, value.name, placed(value.origin))
        return values[value]

    inputs = {name: own(value) for name, value in graph.inputs.items()}
    nodes = [
        Node(node.op, tuple(map(own, node.inputs)), tuple(map(own, node.outputs)), placed(node.origin))
        for node in graph.nodes
    ]
    return Graph(graph.name, inputs, tuple(nodes), {name: own(value) for name, value in graph.outputs.items()})
