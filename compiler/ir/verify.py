"""Checking that a graph keeps the promises of the IR. A graph that does not is a bug, never a mistake in a spec."""

from __future__ import annotations

from archonnx.compiler.errors import InternalError

from .graph import Graph, Node
from .op import TypeProblem
from .types import TensorType
from .value import Value


def verify(graph: Graph) -> None:
    """Check that every value is defined once, before its use, and has the type its op infers.

    Raises:
        InternalError: the first broken promise.
    """
    defined: set[Value] = set()
    for name, value in graph.inputs.items():
        if value in defined:
            raise InternalError(f"graph `{graph.name}`: input `{name}` is the same value as another input")
        defined.add(value)
    for node in graph.nodes:
        for position, value in enumerate(node.inputs):
            if value not in defined:
                raise _broken(graph, node, f"input {position} ({value!r}) is not defined before it")
        for value in node.outputs:
            if value in defined:
                raise _broken(graph, node, f"its result {value!r} is defined twice")
            defined.add(value)
        _check_types(graph, node)
        for body in node.op.bodies():
            verify(body)
    for name, value in graph.outputs.items():
        if value not in defined:
            raise InternalError(f"graph `{graph.name}`: nothing defines output `{name}` ({value!r})")


def _check_types(graph: Graph, node: Node) -> None:
    try:
        inferred = node.op.infer(*(value.type for value in node.inputs))
    except (TypeProblem, TypeError) as problem:
        raise _broken(graph, node, str(problem)) from problem
    expected = (inferred,) if isinstance(inferred, TensorType) else inferred
    actual = tuple(value.type for value in node.outputs)
    if actual != expected:
        raise _broken(graph, node, f"has type {_listed(actual)}, but its inputs give {_listed(expected)}")


def _broken(graph: Graph, node: Node, what: str) -> InternalError:
    inputs = ", ".join(str(value.type) for value in node.inputs)
    return InternalError(
        f"graph `{graph.name}`, node `{node.op.name}`: {what}",
        details=f"node: {node.op} of ({inputs}), from {node.origin}",
        span=node.origin.span,
    )


def _listed(types: tuple[TensorType, ...]) -> str:
    return ", ".join(map(str, types))
