"""Checking gradients: the compiled gradients of a loss beside central differences along random directions.

The graph is evaluated in NumPy, in float64 unless told otherwise, at one point: inputs, parameters, and the draws of
one seed and step. What passes ``stop_gradient`` is held as it is at that point, since the gradient holds it, too. At a
kink (``relu`` at 0) there is no derivative to compare with: the check moves a little and tries again. Where a gradient
is wrong, ``gradcheck_ops`` finds the op that is to blame. What this module does not do: judge a surrogate gradient,
which disagrees by intention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archonnx.compiler.interpret import evaluate, interpret
from archonnx.compiler.ir.graph import Graph, needed
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import StopGradient
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.program import EVALUATION_STEP, SEED, STEP, ModelProgram
from archonnx.compiler.trace import TraceGraph
from archonnx.grammar.diagnostics import Diagnostic, fail
from archonnx.grammar.record import replace
from archonnx.runtime.assumptions import bound_dims
from archonnx.runtime.seeds import seed_value

from .drawn_inputs import drawn_inputs
from .gradcheck_ops import TOLERANCES, Floats, blame, first_wrong, floats
from .gradcheck_result import Checked, GradientCheck, Verdict
from .inputs import checked_inputs, parameter_values
from .trace import traced_graph

TRIES = 3
"""Points at which a direction is tried before it counts as lying at a kink."""


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
        inputs |= {SEED: seed_value(seed), STEP: np.array(EVALUATION_STEP, np.int64)}
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
        return replace(whole, nodes=tuple(needed(whole.nodes, outputs.values())), outputs=dict(outputs))

    def _at(self, inputs: Mapping[str, Array]) -> _Point:
        values = evaluate(self.forward, inputs, self._sizes)
        held = {
            out: values[out] for node in self.forward.nodes if isinstance(node.op, StopGradient) for out in node.outputs
        }
        found = interpret(self._backward, {name: inputs[name] for name in self._backward.inputs}, self._sizes)
        gradients = {name.removeprefix("gradient of "): floats(array) for name, array in found.items()}
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
        array, gradient = floats(point.inputs[name]), point.gradients.get(name)
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
            values = evaluate(self.forward, inputs, self._sizes)
            node = first_wrong(self.forward, self.names, values, self._sizes, self._tolerance, self._seed)
            if node is not None:
                return blame(node)
        headline = f"the gradient of `{self._traced.loss}` is wrong, though each op of it is right by itself"
        return Diagnostic("AX0622", headline, help="please report it, with this spec")


def _moved(inputs: Mapping[str, Array], names: Sequence[str], rng: np.random.Generator) -> dict[str, Array]:
    """The point a little to the side."""
    shifted = {name: floats(inputs[name]) + 1e-2 * rng.normal(size=inputs[name].shape) for name in names}
    return {**inputs, **{name: np.asarray(array, inputs[name].dtype) for name, array in shifted.items()}}


def _narrowest(graph: Graph, names: Sequence[str], loss: Value) -> DType:
    """The least precise float type of what is compared."""
    types = {graph.inputs[name].type.dtype for name in names} | {loss.type.dtype}
    return DType.f64 if types == {DType.f64} else DType.f32
