"""Checking gradients: the compiled gradients of a loss beside central differences along random directions.

The graph is evaluated in NumPy, in float64 unless told otherwise, at one point: inputs, parameters, and the draws of
one seed and step. What passes ``stop_gradient`` is held as it is at that point, since the gradient holds it, too. At a
kink (``relu`` at 0) there is no derivative to compare with: the check moves a little and tries again. Where a gradient
is wrong, each op is checked alone, and the first whose own derivative disagrees is named: a wrong ``backward`` as a
rule. What this module does not do: judge a surrogate gradient, which disagrees by intention.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archonnx.compiler.autodiff import NotDifferentiable, pull_back
from archonnx.compiler.interpret import evaluate, interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph, Node, Value, needed
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ops.custom import StatedGradient
from archonnx.compiler.ops.shape import StopGradient
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.program import SEED, STEP, ModelProgram
from archonnx.compiler.trace import TraceGraph
from archonnx.grammar.diagnostics import Diagnostic, Label, fail
from archonnx.runtime.assumptions import bound_dims
from archonnx.runtime.training.trainer import EVALUATION_STEP

from .drawn_inputs import drawn_inputs
from .tracing import checked_inputs, parameter_values, traced_graph

Floats = npt.NDArray[np.float64]
Verdict = Literal["ok", "wrong", "kink", "no effect", "not differentiable"]
TRIES = 3
"""Points at which a direction is tried before it counts as lying at a kink."""


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


@dataclass(frozen=True, slots=True)
class Checked:
    """The gradient for one tensor, in the direction in which it agrees least.

    Attributes:
        name: a parameter's path, or an input.
        shape: of the tensor.
        analytic: the compiled gradient along the direction.
        numeric: the central difference along it.
        error: the relative error.
        verdict: ``ok``, ``wrong``, ``kink`` (no derivative at any point tried), ``no effect`` on the loss, or ``not
            differentiable`` (an input that reaches the loss through a discrete draw, say).
        moved: whether it was compared beside the point, which lies at a kink.
    """

    name: str
    shape: tuple[int, ...]
    analytic: float
    numeric: float
    error: float
    verdict: Verdict
    moved: bool = False


@dataclass(repr=False)
class GradientCheck:
    """What came of checking a model.

    Attributes:
        model: its name.
        dtype: in which it was computed.
        directions: along how many each gradient was compared.
        losses: the value of each loss at the point.
        checked: for each loss what was compared.
        findings: which op is to blame for a wrong gradient.
    """

    model: str
    dtype: str
    directions: int
    losses: dict[str, float] = field(default_factory=dict)
    checked: dict[str, list[Checked]] = field(default_factory=dict)
    findings: list[Diagnostic] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no gradient is wrong."""
        return all(one.verdict != "wrong" for group in self.checked.values() for one in group)

    def __repr__(self) -> str:
        checked = sum(map(len, self.checked.values()))
        return f"<GradientCheck of {self.model}: {checked} tensors, {'ok' if self.ok else 'not ok'}>"

    def __str__(self) -> str:
        from .gradcheck_text import as_text

        return as_text(self)


def check_gradients(
    model: ModelProgram,
    given: Mapping[str, Any] | None,
    *,
    loss: str | None = None,
    parameters: Mapping[str, Array] | None = None,
    directions: int = 2,
    seed: int = 0,
) -> GradientCheck:
    """Compare the gradients of every loss for every parameter and every float input with central differences.

    Args:
        model: elaborated in the float type in which it is to be computed.
        given: arrays by field; floats are drawn for what is not given if this is None.
        loss: this one alone.
        parameters: by path; the initial ones unless given.
        directions: along how many random directions each gradient is compared.
        seed: of the initial parameters, of draws, of drawn inputs, and of the directions.
    """
    if directions < 1:
        fail("AX0702", f"gradients are compared along 1 direction or more, not {directions}", None)
    result = GradientCheck(model.name, str(model.float_type), directions)
    for name in (loss,) if loss is not None else model.losses or (None,):
        traced = traced_graph(model, "loss", name)
        arrays = given if given is not None else drawn_inputs(traced, model, seed)
        inputs = {**checked_inputs(traced, model, arrays), **parameter_values(model, parameters, seed)}
        inputs |= {SEED: np.array(seed, np.int64), STEP: np.array(EVALUATION_STEP, np.int64)}
        inputs = {key: inputs[key] for key in traced.graph.inputs}
        check = _Check(traced, inputs, seed)
        assert traced.loss is not None
        result.losses[traced.loss] = check.point.loss
        result.checked[traced.loss] = [check.compare(key, directions) for key in check.names]
        if any(one.verdict == "wrong" for one in result.checked[traced.loss]):
            result.findings.append(check.culprit())
    return result


# ---------------------------------------------------------------- one loss


@dataclass(frozen=True, slots=True)
class _Point:
    """Inputs, the loss there, its gradients, and what is held there."""

    inputs: Mapping[str, Array]
    loss: float
    gradients: Mapping[str, Floats]
    held: Mapping[Value, Array]


class _Check:
    """The gradients of one loss."""

    def __init__(self, traced: TraceGraph, inputs: Mapping[str, Array], seed: int) -> None:
        self._traced, self._seed = traced, seed
        whole = traced.graph
        names = {value: name for name, value in whole.inputs.items()}
        self._loss = next(n.of.value for n in traced.names if n.of.kind == "loss" and n.name == traced.loss)
        keys = {names[n.of.value]: n.gradient for n in traced.names if n.of.value in names}
        self.names = [name for name in keys if whole.inputs[name].type.dtype.is_float]
        wanted = {name: whole.outputs[key] for name in self.names if (key := keys[name]) is not None}
        self.forward = self._part({"loss": self._loss})
        self._backward = optimise(self._part({f"gradient of {name}": value for name, value in wanted.items()}))
        self._tolerance = TOLERANCES[_narrowest(whole, self.names, self._loss)]
        self._sizes = bound_dims({name: (whole.inputs[name].type, array.shape) for name, array in inputs.items()})
        self.point = self._at(inputs)
        if not np.isfinite(self.point.loss):
            fail(
                "AX0622",
                f"loss `{traced.loss}` is {self.point.loss} here, so that there is nothing to compare",
                None,
                help="give inputs at which it is finite: `--input NAME=...`",
            )

    def _part(self, outputs: Mapping[str, Value]) -> Graph:
        whole = self._traced.graph
        return Graph(whole.name, whole.inputs, tuple(needed(whole.nodes, outputs.values())), dict(outputs), whole.facts)

    def _at(self, inputs: Mapping[str, Array]) -> _Point:
        values = evaluate(self.forward, inputs, self._sizes)
        held = {
            out: values[out] for node in self.forward.nodes if isinstance(node.op, StopGradient) for out in node.outputs
        }
        found = interpret(self._backward, {name: inputs[name] for name in self._backward.inputs}, self._sizes)
        gradients = {name.removeprefix("gradient of "): _floats(array) for name, array in found.items()}
        return _Point(inputs, float(values[self._loss]), gradients, held)

    def compare(self, name: str, directions: int) -> Checked:
        """The gradient for one tensor; where the point lies at a kink, beside it."""
        if self._traced.refused and name not in self.point.gradients:
            shape = np.shape(self.point.inputs[name])
            return Checked(name, shape, np.nan, np.nan, np.nan, "not differentiable")
        rng = np.random.default_rng([self._seed, self.names.index(name)])
        point, moved = self.point, False
        for _ in range(TRIES):
            found = [self._along(point, name, rng) for _ in range(directions)]
            worst = max(found, key=lambda one: (one.verdict == "wrong", one.verdict == "kink", one.error))
            if worst.verdict != "kink":
                break
            point, moved = self._at(_moved(self.point.inputs, self.names, rng)), True
        return Checked(
            name,
            worst.shape,
            worst.analytic,
            worst.numeric,
            worst.error,
            worst.verdict,
            moved and worst.verdict != "kink",
        )

    def _along(self, point: _Point, name: str, rng: np.random.Generator) -> Checked:
        """Compare along one direction of length 1."""
        array, gradient = _floats(point.inputs[name]), point.gradients.get(name)
        direction = rng.normal(size=array.shape)
        direction = direction / max(float(np.linalg.norm(direction)), 1e-12)
        analytic = float((gradient * direction).sum()) if gradient is not None else 0.0
        least = self._tolerance.floor * max(1.0, abs(point.loss))
        best = (np.inf, 0.0)
        bent: list[float] = []
        for step in self._tolerance.steps:
            after, before = (self._loss_at(point, name, array + sign * step * direction) for sign in (1, -1))
            numeric = (after - before) / (2 * step)
            scale = max(abs(analytic), abs(numeric), least)
            best = min(best, (abs(numeric - analytic) / scale, numeric))
            bent.append(abs(after - 2 * point.loss + before) / step / scale)
            if best[0] <= self._tolerance.relative:
                break
        error, numeric = best
        verdict: Verdict = "ok"
        if error > self._tolerance.relative or not np.isfinite(error):
            verdict = "kink" if bent[-1] > 1e-3 and bent[-1] > 0.5 * bent[0] else "wrong"
        elif gradient is None and numeric == 0:
            verdict = "no effect"
        return Checked(name, array.shape, analytic, numeric, float(error), verdict)

    def _loss_at(self, point: _Point, name: str, array: Array) -> float:
        inputs = {**point.inputs, name: array}
        return float(interpret(self.forward, inputs, self._sizes, point.held)["loss"])

    def culprit(self) -> Diagnostic:
        """The first op, in program order, whose own derivative disagrees with differences: beside the point, since the
        point may lie at a kink, or else at it."""
        beside = _moved(self.point.inputs, self.names, np.random.default_rng(self._seed))
        for inputs in (beside, self.point.inputs):
            if (node := self._first_wrong(evaluate(self.forward, inputs, self._sizes))) is not None:
                return _blame(node)
        headline = f"the gradient of `{self._traced.loss}` is wrong, though each op of it is right by itself"
        return Diagnostic("AX0622", headline, help="please report it, with this spec")

    def _first_wrong(self, values: Mapping[Value, Array]) -> Node | None:
        floats = {self.forward.inputs[name] for name in self.names}
        for number, node in enumerate(self.forward.nodes):
            moved = [value for value in dict.fromkeys(_arguments(node)) if value in floats]
            if not moved or isinstance(node.op, StopGradient):
                continue
            floats.update(out for out in node.outputs if out.type.dtype.is_float)
            if not self._agrees(node, moved, values, np.random.default_rng([self._seed, number])):
                return node
        return None

    def _agrees(
        self, node: Node, moved: Sequence[Value], values: Mapping[Value, Array], rng: np.random.Generator
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
        graph = Graph("vjp", {}, tuple(needed(builder.nodes, outputs.values())), outputs)
        found = interpret(graph, {}, self._sizes, {**values, **known})
        analytic = _inner((found[str(i)], moves[value]) for i, (value, _) in enumerate(parts))
        between = self.forward.nodes if isinstance(node.op, StatedGradient) else (node,)
        inner = Graph("op", {}, tuple(needed(between, node.outputs)), {})
        still = {value: values[value] for value in _arguments(node)} | dict(self._inputs(values))

        def weighted(step: float) -> float:
            at = still | {value: _floats(values[value]) + step * move for value, move in moves.items()}
            results = evaluate(inner, {}, self._sizes, at)
            return _inner((results[out], known[weight]) for out, weight in weights.items())

        errors = []
        for step in self._tolerance.steps:
            numeric = (weighted(step) - weighted(-step)) / (2 * step)
            scale = max(abs(analytic), abs(numeric), self._tolerance.floor)
            errors.append(abs(numeric - analytic) / scale)
        return min(errors) <= 10 * self._tolerance.relative

    def _inputs(self, values: Mapping[Value, Array]) -> Iterator[tuple[Value, Array]]:
        return ((value, values[value]) for value in self.forward.inputs.values())


def _floats(array: Array) -> Floats:
    return np.asarray(array, np.float64)


def _inner(pairs: Iterable[tuple[Array, Floats]]) -> float:
    """The inner product of two lists of tensors."""
    return sum(float((_floats(a) * b).sum()) for a, b in pairs)


def _arguments(node: Node) -> tuple[Value, ...]:
    """What an op computes from; of a stated gradient, the arguments of its fn."""
    return tuple(node.op.explained(node.inputs)) if isinstance(node.op, StatedGradient) else node.inputs


def _blame(node: Node) -> Diagnostic:
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


def _moved(inputs: Mapping[str, Array], names: Sequence[str], rng: np.random.Generator) -> dict[str, Array]:
    """The point a little to the side."""
    shifted = {name: _floats(inputs[name]) + 1e-2 * rng.normal(size=inputs[name].shape) for name in names}
    return {**inputs, **{name: np.asarray(array, inputs[name].dtype) for name, array in shifted.items()}}


def _narrowest(graph: Graph, names: Sequence[str], loss: Value) -> DType:
    """The least precise float type of what is compared."""
    types = {graph.inputs[name].type.dtype for name in names} | {loss.type.dtype}
    return DType.f64 if types == {DType.f64} else DType.f32
