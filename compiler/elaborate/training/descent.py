"""Updates by gradients: the optimizer's body, evaluated once for parameters of one type.

Its states become carried tensors of the step. What this module does not do: make gradients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.place import Call, Place
from archonnx.compiler.elaborate.core.values import Configured, Given, OptimizerType, Slot, describe
from archonnx.compiler.elaborate.meaning.invocation import bind_arguments, run_body
from archonnx.compiler.elaborate.meaning.matching import tensor_type
from archonnx.compiler.elaborate.meaning.parameters import open_inputs
from archonnx.compiler.elaborate.meaning.typed import declared
from archonnx.compiler.ir.builder import NODE, NODE_BYTES
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import NEXT
from archonnx.grammar import ast
from archonnx.grammar.budget import Cost, hold, spend
from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span

from .clipping import Clip
from .draft import COUNT, Objective, StepDraft, zero


def descend(step: StepDraft, objective: Objective, reached: Mapping[Slot, Value], clip: Clip) -> None:
    """Update the parameters that gradients reach by them."""
    step.gradients |= reached
    with step.work.build.builder.at(Origin("`minimize`", objective.span)):
        gradients = clip.apply(list(reached.values()))
        optimizer = step.opened(objective)
        t = step.carry(f"{objective.name}/t", COUNT, zero()) + 1
        step.outputs[f"{NEXT}{objective.name}/t"] = t
        descent = _Descent(step, objective, optimizer, t)
        for slot, g in zip(reached, gradients, strict=True):
            descent.update(slot, g)


class _Updated(Record):
    """What an optimizer's body made for a parameter; for one of the same type it makes the same of other tensors.

    Attributes:
        nodes: what it added.
        p: the parameter.
        g: its gradient.
        new: the parameter's next value.
        states: for each state what comes in, and what goes out.
    """

    nodes: tuple[Node, ...]
    p: Value
    g: Value
    new: Value
    states: Mapping[str, tuple[Value, Value]]

    def again(self, step: StepDraft, objective: Objective, slot: Slot, g: Value) -> None:
        """The update of another parameter. What depends on none of its tensors is shared."""
        build = step.work.build
        other = {self.p: build.parameters[slot], self.g: g}
        for name, (before, _) in self.states.items():
            carried = f"{objective.name}/{name}/{slot.path}"
            other[before] = step.carry(carried, before.type, step.initial[before.name])
        spend(Cost.updates, NODE * len(self.nodes) // 3)
        hold(Cost.updates, NODE_BYTES * len(self.nodes))
        for node in self.nodes:
            if other.keys().isdisjoint(node.inputs):
                continue
            outputs = tuple([Value(v.type, v.name, v.origin) for v in node.outputs])
            other.update(zip(node.outputs, outputs, strict=True))
            inputs = tuple([other.get(v, v) for v in node.inputs])
            build.builder.nodes.append(Node(node.op, inputs, outputs, node.origin))
        step.outputs[NEXT + slot.path] = other.get(self.new, self.new)
        for name, (_, after) in self.states.items():
            step.outputs[f"{NEXT}{objective.name}/{name}/{slot.path}"] = other.get(after, after)


@dataclass(eq=False, repr=False)
class _Descent:
    """The updates of one objective.

    Attributes:
        t: how many there have been, with this one: i64[].
        known: of one parameter of each type what the optimizer made for it.
    """

    step: StepDraft
    objective: Objective
    optimizer: Configured
    t: Value
    known: dict[tuple[TensorType, bool, TensorType], _Updated] = field(default_factory=dict)

    def update(self, slot: Slot, g: Value) -> None:
        """Evaluate the optimizer's body for one parameter, in its dtype: a dtype left out there is the parameter's.

        For those of one type it is evaluated once, unless it draws: then each has draws of its own.
        """
        step, build = self.step, self.step.work.build
        key = slot.type, slot.decay, g.type
        if (known := self.known.get(key)) is not None:
            known.again(step, self.objective, slot, g)
            return
        mark, sites = len(build.builder.nodes), len(build.observed.sites)
        with build.floats(slot.type.dtype):
            states = self._run(slot, g)
        if len(build.observed.sites) == sites:
            ends = {name: (step.inputs[c], step.outputs[NEXT + c]) for name, c in states.items()}
            made = tuple(build.builder.nodes[mark:])
            self.known[key] = _Updated(made, build.parameters[slot], g, step.outputs[NEXT + slot.path], ends)

    def _run(self, slot: Slot, g: Value) -> Mapping[str, str]:
        """Run the optimizer's body for a parameter; the names of what its states carry."""
        step, objective, optimizer = self.step, self.objective, self.optimizer
        span, build = objective.span, step.work.build
        assert isinstance(optimizer.of, OptimizerType)
        declaration = optimizer.of.declaration
        states: dict[str, tuple[str, Span]] = {}

        def state(frame: Frame, statement: ast.State) -> None:
            name = f"{objective.name}/{statement.name}/{slot.path}"
            if statement.name in states:
                said = f"state `{statement.name}` is declared twice"
                first = [Label(states[statement.name][1], "first here")]
                fail("AX0205", said, statement.span, "again here", others=first)
            type_ = tensor_type(frame, statement.type)
            frame.locals[statement.name] = step.carry(name, type_, _initial_state(frame, statement))
            states[statement.name] = name, statement.span

        call = Call("optimizer", declaration.name, span)
        what = call.what
        frame = Frame(
            build,
            optimizer.of.scope,
            Place("optimizer", build.root, call),
            site=f"{objective.name}/{slot.path}",
            locals={**optimizer.arguments, "decay": slot.decay},
            sealed=True,
            own_statements={ast.State: state},
        )
        p = build.parameters[slot]
        if len(declaration.inputs) != 3:
            fail(
                "AX0217",
                f"{what} takes {len(declaration.inputs)} inputs: an optimizer has three, (p, g, t)",
                declaration.name_span,
            )
        given = {q.name: Given(span, value=v) for q, v in zip(declaration.inputs, (p, g, self.t), strict=True)}
        bind_arguments(frame, frame, what, declaration.inputs, given, span)
        new = run_body(frame, what, declaration.body, declaration.result, span)
        notes = [f"for parameter `{slot.path}`, in the `minimize` at {span}"]
        step.outputs[NEXT + slot.path] = _next_parameter(what, p.type, new, declaration.result.span, notes)
        for name, (carried, declared_at) in states.items():
            step.outputs[NEXT + carried] = _next_state(
                f"state `{name}` of {what}", step.carried[carried], frame.locals[name], declared_at, notes
            )
        return {name: carried for name, (carried, _) in states.items()}


def _next_parameter(what: str, type_: TensorType, new: Any, result: Span, notes: Sequence[str]) -> Value:
    """What a parameter becomes, if it is of the parameter's type."""
    if not isinstance(new, Value) or new.type != type_:
        fail(
            "AX0407",
            f"{what} gives {_kind(new)}, and the parameter is {type_}",
            result,
            others=_made(new),
            notes=notes,
            help="it returns the parameter's next value, of the parameter's type",
        )
    return new


def _next_state(what: str, before: TensorType, after: Any, declared_at: Span, notes: Sequence[str]) -> Value:
    """What a state becomes, if it is of the type with which it started."""
    if not isinstance(after, Value) or after.type != before:
        fail(
            "AX0406",
            f"{what} starts as {before} and becomes {_kind(after)}",
            declared_at,
            "declared here",
            others=_made(after),
            notes=notes,
            help="a state keeps its type from step to step",
        )
    return after


def _kind(value: Any) -> str:
    return str(value.type) if isinstance(value, Value) else describe(value)


def _made(value: Any) -> list[Label]:
    """Where a tensor was made."""
    place = value.origin.place if isinstance(value, Value) else None
    return [Label(place, f"{value.type}, from {value.origin.what}")] if place is not None else []


def _initial_state(frame: Frame, statement: ast.State) -> Graph:
    """The starting value of a state, as a graph without inputs."""
    apart = frame.apart()
    builder = apart.build.builder
    with builder.active():
        value = declared(apart, statement.type, apart.evaluate(statement.value), statement.value)
    for read in open_inputs(builder.nodes, value):
        fail(
            "AX0326",
            f"the starting value of state `{statement.name}` depends on {read.origin.subject}, which is "
            "known only in training",
            statement.value.span,
            help="a state starts from constants",
        )
    return builder.graph("state", {}, {"value": value})
