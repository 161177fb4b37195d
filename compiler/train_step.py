"""The training step: forward, loss, gradients and the optimizer's update as one graph.

The optimizer is library code in the language; its body is evaluated once for each parameter, and its states become
carried tensors of the step. What this module does not do: run anything, or say which batch comes next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .autodiff import NotDifferentiable, gradient
from .elaborate import calls
from .elaborate.expressions import evaluate
from .elaborate.frame import Build, Frame
from .elaborate.model import Elaboration
from .elaborate.signatures import Given, tensor_type
from .elaborate.statements import check_type, declared
from .elaborate.values import Configured, OptimizerType, Slot, describe
from .interpret import interpret
from .ir.builder import Builder, current_builder
from .ir.graph import Graph, Value
from .ir.origin import Origin
from .ir.types import Array, DType, TensorType
from .ops.reduce import reduce_sum
from .ops.shape import full
from .program import NEXT, TrainStep

GRADIENT = "grad/"
"""Output names of a gradient graph: ``grad/PATH``."""


def gradient_graph(trained: Elaboration, loss: str) -> Graph:
    """The graph of the gradient of a loss with respect to each trainable parameter."""
    work = _working_copy(trained)
    slots = _trainable(work)
    gradients = _gradients(work, loss, slots)
    with work.build.builder.active():
        outputs = {GRADIENT + slot.path: full(slot.type.shape, 0, slot.type.dtype) if g is None else g
                   for slot, g in zip(slots, gradients, strict=True)}
    return work.graph(f"gradients of {loss}", outputs)


@dataclass
class _Step:
    """A step under construction."""

    name: str
    work: Elaboration
    carried: dict[str, TensorType] = field(default_factory=dict)
    initial: dict[str, Array] = field(default_factory=dict)
    inputs: dict[str, Value] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)

    def carry(self, name: str, type_: TensorType, initial: Array) -> Value:
        """A new carried tensor, as it comes in."""
        value = Value(type_, name, Origin(f"state `{name}`"))
        self.carried[name] = type_
        self.inputs[name] = value
        self.initial[name] = np.asarray(initial, dtype=type_.dtype.numpy)
        return value


def build_step(
    trained: Elaboration, name: str, loss: str, optimizer: Configured, span: Span, *,
    also: Sequence[str] = (), clip_norm: float | None = None,
) -> TrainStep:
    """The step of ``minimize LOSS with OPTIMIZER``.

    Args:
        trained: the model in training mode.
        name: prefixes the names of the optimizer's state.
        loss: what is minimised.
        optimizer: an optimizer with its hyperparameters.
        span: the ``minimize`` statement.
        also: losses that are reported along with it.
        clip_norm: scales the gradients so that their joint norm is at most this.
    """
    step = _Step(name, _working_copy(trained))
    work = step.work
    builder = work.build.builder
    slots = _trainable(work)
    with builder.active(), builder.at(Origin("`minimize`", span)):
        reached = [(s, g) for s, g in zip(slots, _gradients(work, loss, slots), strict=True) if g is not None]
        slots, gradients = [s for s, _ in reached], [g for _, g in reached]
        if clip_norm is not None:
            gradients = clip_by_norm(gradients, clip_norm)
        t = step.carry(f"{name}/t", TensorType(DType.i64, ()), np.zeros((), np.int64)) + 1
        step.outputs[f"{NEXT}{name}/t"] = t
        for slot, g in zip(slots, gradients, strict=True):
            _update(step, optimizer, slot, g, t, span)
    outputs = {loss_name: work.losses[loss_name][0] for loss_name in (loss, *also)} | step.outputs
    work.build.inputs.update(step.inputs)
    graph = work.graph(name, outputs)
    updated = {slot.path: slot.type for slot in slots}
    paths = {slot.path: slot.type for slot in work.build.parameters}
    constants = {path: type_ for path, type_ in paths.items() if path in graph.inputs and path not in updated}
    fields = tuple(f for f in work.fields if f in graph.inputs)
    unused = {n: v for n, v in (step.inputs | _values(work, slots)).items() if n not in graph.inputs}
    graph = replace(graph, inputs={**graph.inputs, **unused})
    return TrainStep(name, loss, graph, fields, updated | step.carried, constants, (loss, *also), step.initial)


def clip_by_norm(gradients: Sequence[Value], limit: float) -> list[Value]:
    """Gradients scaled by ``min(1, limit / norm)``, their joint Euclidean norm (Pascanu et al. 2013)."""
    squares = [reduce_sum(g * g) for g in gradients]
    builder = current_builder()
    norm = builder.elementwise("sqrt", sum(squares[1:], start=squares[0]))
    scale = limit / builder.elementwise("maximum", norm, limit)
    return [g * scale for g in gradients]


def _working_copy(trained: Elaboration) -> Elaboration:
    """The same model with a builder of its own, to add to."""
    build = trained.build
    copy = Builder()
    copy.nodes = list(build.builder.nodes)
    work = Build(build.report, build.root, True, build.float_type, copy, dict(build.parameters), dict(build.inputs))
    return replace(trained, build=work)


def _trainable(work: Elaboration) -> list[Slot]:
    return [slot for slot in work.build.parameters if slot.trainable]


def _values(work: Elaboration, slots: Sequence[Slot]) -> dict[str, Value]:
    return {slot.path: work.build.parameters[slot] for slot in slots}


def _gradients(work: Elaboration, loss: str, slots: Sequence[Slot]) -> list[Value | None]:
    value, span = work.losses[loss]
    try:
        return gradient(work.build.builder, value, [work.build.parameters[slot] for slot in slots])
    except NotDifferentiable as problem:
        origin = problem.node.origin
        fail("AX0401", f"loss `{loss}` cannot be differentiated through {origin.what}: {problem.why}",
             origin.span or span, help="`stop_gradient(...)` makes it a constant for the gradient")


def _update(step: _Step, optimizer: Configured, slot: Slot, g: Value, t: Value, span: Span) -> None:
    """Evaluate the optimizer's body for one parameter."""
    assert isinstance(optimizer.of, OptimizerType)
    declaration = optimizer.of.declaration
    states: dict[str, str] = {}
    build = step.work.build

    def state(frame: Frame, statement: ast.State) -> None:
        type_ = tensor_type(frame, statement.type)
        name = f"{step.name}/{statement.name}/{slot.path}"
        initial = _initial_state(frame, statement)
        frame.locals[statement.name] = step.carry(name, type_, initial)
        states[statement.name] = name

    what = f"optimizer `{declaration.name}`"
    frame = Frame(build, optimizer.of.scope, build.root, kind="optimizer", special={ast.State: state}, note=what,
                  called_at=span, site=f"{step.name}/{slot.path}")
    frame.locals = {**optimizer.arguments, "decay": slot.decay}
    p = build.parameters[slot]
    if len(declaration.inputs) != 3:
        fail("AX0217", f"{what} takes {len(declaration.inputs)} inputs: an optimizer has three, (p, g, t)",
             declaration.name_span)
    given = {q.name: Given(span, value=v) for q, v in zip(declaration.inputs, (p, g, t), strict=True)}
    calls.bind_arguments(frame, frame, what, declaration.inputs, given, span)
    new = calls.run_body(frame, what, declaration.body, declaration.result, span)
    if not isinstance(new, Value):
        fail("AX0306", f"{what} returns the parameter's next value, not {describe(new)}", declaration.result.span)
    check_type(new, p.type, declaration.result.span, declaration.result.span)
    step.outputs[NEXT + slot.path] = new
    for name, carried in states.items():
        after = frame.locals[name]
        check_type(after, step.carried[carried], declaration.name_span, declaration.name_span)
        step.outputs[NEXT + carried] = after


def _initial_state(frame: Frame, statement: ast.State) -> Array:
    """The starting value of a state: a constant expression."""
    sub = Build(frame.build.report, frame.build.root, float_type=frame.build.float_type)
    inner = Frame(sub, frame.scope, frame.owner, locals=dict(frame.locals), statics=frame.statics, kind="optimizer")
    with sub.builder.active():
        value = declared(inner, statement.type, evaluate(inner, statement.value), statement.value)
    return interpret(Graph("state", {}, tuple(sub.builder.nodes), {"value": value}), {})["value"]


