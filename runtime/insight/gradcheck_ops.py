"""Which op a wrong gradient comes from: each is checked alone, its own derivative beside differences.

A wrong ``backward`` is found so as a rule. What this module does not do: compare gradients of a loss (``gradcheck``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archonnx.compiler.autodiff import NotDifferentiable, pull_back
from archonnx.compiler.interpret import evaluate, interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph, Node, needed
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.custom import StatedGradient
from archonnx.compiler.ops.shape import StopGradient
from archonnx.grammar.diagnostics import Diagnostic, Label

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What counts as equal in a float type.

    Attributes:
        steps: of the differences, from large to small: one that agrees is enough.
        relative: largest relative error.
        floor: gradients below this, relative to the loss, are compared to it: differences cannot tell them from 0.
    """

    steps: tuple[float, ...]
    relative: float
    floor: float


TOLERANCES = {
    DType.f64: Tolerance((1e-5, 1e-6, 1e-7), 1e-5, 1e-4),
    DType.f32: Tolerance((1e-2, 3e-3), 2e-2, 1e-2),
}


def first_wrong(
    graph: Graph,
    names: Sequence[str],
    values: Mapping[Value, Array],
    sizes: Mapping[str, int],
    tolerance: Tolerance,
    seed: int,
) -> Node | None:
    """The first op, in program order, whose own derivative disagrees with differences.

    Args:
        graph: computes the loss.
        names: of the float inputs whose gradients are in question; ops that none of them reach are left aside.
        values: of everything in the graph, at the point.
        sizes: of the symbolic dims.
        tolerance: what counts as equal.
        seed: of the directions.
    """
    reached = {graph.inputs[name] for name in names}
    for number, node in enumerate(graph.nodes):
        moved = [value for value in dict.fromkeys(_arguments(node)) if value in reached]
        floating = [out for out in node.outputs if out.type.dtype.is_float]
        if not moved or not floating or isinstance(node.op, StopGradient):
            continue
        reached.update(floating)
        if not _agrees(graph, node, moved, values, sizes, tolerance, np.random.default_rng([seed, number])):
            return node
    return None


def _agrees(
    graph: Graph,
    node: Node,
    moved: Sequence[Value],
    values: Mapping[Value, Array],
    sizes: Mapping[str, int],
    tolerance: Tolerance,
    rng: np.random.Generator,
) -> bool:
    """Whether an op's gradient is right at this point, along one direction of what it takes.

    A stated gradient is compared with what lies between its arguments and its results.
    """
    weights = {out: Value(out.type, "weight") for out in node.outputs if out.type.dtype.is_float}
    known = {weight: rng.normal(size=values[out].shape) for out, weight in weights.items()}
    moves = {value: rng.normal(size=values[value].shape) for value in moved}
    builder = Builder()
    with builder.active():
        try:
            parts = pull_back(node, weights, set(moved))
        except NotDifferentiable:
            return True
    outputs = {str(number): part for number, (_, part) in enumerate(parts)}
    vjp = Graph("vjp", {}, tuple(needed(builder.nodes, outputs.values())), outputs)
    found = interpret(vjp, {}, sizes, {**values, **known})
    analytic = _inner((found[str(i)], moves[value]) for i, (value, _) in enumerate(parts))
    between = graph.nodes if isinstance(node.op, StatedGradient) else (node,)
    inner = Graph("op", {}, tuple(needed(between, node.outputs)), {})
    still = {value: values[value] for value in (*_arguments(node), *graph.inputs.values())}

    def weighted(step: float) -> float:
        at = still | {value: floats(values[value]) + step * move for value, move in moves.items()}
        results = evaluate(inner, {}, sizes, at)
        return _inner((results[out], known[weight]) for out, weight in weights.items())

    errors = []
    for step in tolerance.steps:
        numeric = (weighted(step) - weighted(-step)) / (2 * step)
        scale = max(abs(analytic), abs(numeric), tolerance.floor)
        errors.append(abs(numeric - analytic) / scale)
    return min(errors) <= 10 * tolerance.relative


def floats(array: Array) -> Floats:
    """An array in float64."""
    return np.asarray(array, np.float64)


def _inner(pairs: Iterable[tuple[Array, Floats]]) -> float:
    """The inner product of two lists of tensors."""
    return sum(float((floats(a) * b).sum()) for a, b in pairs)


def _arguments(node: Node) -> tuple[Value, ...]:
    """What an op computes from; of a stated gradient, the arguments of its fn."""
    return tuple(node.op.explained(node.inputs)) if isinstance(node.op, StatedGradient) else node.inputs


def blame(node: Node) -> Diagnostic:
    """The finding about an op with a wrong gradient."""
    origin = node.origin
    if isinstance(node.op, StatedGradient):
        headline = f"{origin.what} is not the derivative of what the fn computes"
        help_text = "if that is intended (a surrogate, a reversed gradient), this check cannot judge it"
    else:
        headline = f"the gradient of {origin.what} disagrees with differences"
        help_text = "an op of archonnx should not: please report it, with this spec"
    labels = (Label(origin.place, "here", primary=True),) if origin.place is not None else ()
    return Diagnostic("AX0622", headline, labels, (), help_text)
