"""A training step under construction: what is carried from one step to the next, what changes, what comes in.

What this module does not do: differentiate, or know how an optimizer updates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from archonnx.compiler.elaborate.core.values import Configured, OpenSchedule, Slot
from archonnx.compiler.elaborate.model.model import Elaboration
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import constant, full
from archonnx.compiler.program import NEXT, SEED, STEP, TrainStep
from archonnx.compiler.remat import Recomputing
from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.record import Record
from archonnx.grammar.record import replace as replace_record
from archonnx.grammar.source import Span

COUNT = TensorType(DType.i64, ())
"""Of what counts batches or steps."""


class Objective(Record):
    """One ``minimize``: the loss, how it is followed, and which parameters change (``over``, or all that train)."""

    name: str
    loss: str
    optimizer: Configured
    span: Span
    optimizer_span: Span
    slots: Sequence[Slot] | None = None
    rate: Graph | None = None
    """What its learning rate is by the spec, where it is to be an input of the step."""


class Assignment(Record):
    """One ``update`` of a program: the next values of parameters and buffers, in the graph of the model's copy."""

    values: Mapping[Slot, Value]
    span: Span


@dataclass(eq=False, repr=False)
class StepDraft:
    """A step under construction: what is carried from one step to the next."""

    name: str
    work: Elaboration
    carried: dict[str, TensorType] = field(default_factory=dict)
    initial: dict[str, Graph] = field(default_factory=dict)
    inputs: dict[str, Value] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)
    changed: dict[Slot, Span] = field(default_factory=dict)
    """What changes, and the statement that says so."""
    gradients: dict[Slot, Value] = field(default_factory=dict)
    gathers: dict[str, Value] = field(default_factory=dict)
    """The gradients of a batch, by the names under which their means are carried."""
    gathered: dict[str, TensorType] = field(default_factory=dict)
    """What another step carries, and this one reads."""
    rates: dict[str, Graph] = field(default_factory=dict)
    forward: int = 0
    """How many of its nodes are those of the forward pass."""

    def carry(self, name: str, type_: TensorType, initial: Graph) -> Value:
        """A new carried tensor, as it comes in."""
        self.carried[name] = type_
        self.initial[name] = initial
        return self._take(name, type_)

    def read(self, name: str, type_: TensorType) -> Value:
        """What another step carries."""
        self.gathered[name] = type_
        return self._take(name, type_)

    def _take(self, name: str, type_: TensorType) -> Value:
        value = self.inputs[name] = Value(type_, name, Origin(f"state `{name}`"))
        return value

    def change(self, slot: Slot, span: Span, help_: str | None) -> None:
        """Take note that a statement changes a parameter or buffer, which one of a ``together`` may."""
        if slot in self.changed:
            fail(
                "AX0222",
                f"two statements of this `together` change {'buffer' if slot.buffer else 'parameter'} `{slot.path}`",
                span,
                others=[Label(self.changed[slot], "the other one")],
                help=help_,
            )
        self.changed[slot] = span

    def opened(self, objective: Objective) -> Configured:
        """The optimizer, whose learning rate comes in from outside if that is wanted."""
        optimizer = objective.optimizer
        if objective.rate is None:
            return optimizer
        name = f"{objective.name}/lr"
        value = Value(objective.rate.outputs["value"].type, name, Origin("the learning rate", objective.span))
        self.inputs[name] = value
        self.rates[name] = objective.rate
        return replace_record(optimizer, arguments={**optimizer.arguments, "lr": OpenSchedule(value)})

    def finish(self, minimized: tuple[str, ...], also: Sequence[str]) -> TrainStep:
        """The step as the runtime takes it."""
        work = self.work
        losses = tuple(dict.fromkeys((*minimized, *also)))
        work.build.inputs.update(self.inputs)
        draws = [work.build.inputs[name] for name in (SEED, STEP) if name in work.build.inputs]
        nodes = work.build.builder.nodes
        nodes[:], edges = Recomputing(nodes, self.forward, draws).run()
        gradients = {slot.path: edges.get(g, g) for slot, g in self.gradients.items()}
        gathers = {name: edges.get(g, g) for name, g in self.gathers.items()}
        outputs = {name: work.losses[name][0] for name in losses} | self.outputs
        outputs = {name: edges.get(value, value) for name, value in outputs.items()}
        kept = {f"grad/{name}": g for name, g in (gradients | gathers).items()}
        graph = work.graph(self.name, outputs | kept)
        paths = {slot.path: (slot, value) for slot, value in work.build.parameters.items()}
        updated = {path: slot.type for path, (slot, _) in paths.items() if NEXT + path in self.outputs}
        constants = {
            path: slot.type for path, (slot, _) in paths.items() if path in graph.inputs and path not in updated
        }
        constants |= {name: self.inputs[name].type for name in self.rates} | self.gathered
        unread = self.inputs | {path: value for path, (_, value) in paths.items() if path in updated}
        missing = {name: value for name, value in unread.items() if name not in graph.inputs}
        graph = replace_record(graph, inputs={**graph.inputs, **missing}, outputs=outputs)
        fields = tuple(name for name in work.fields if name in graph.inputs)
        carried = updated | self.carried
        return TrainStep(
            self.name, minimized, graph, fields, carried, constants, losses, self.initial, gradients, gathers,
            rates=self.rates,
        )  # fmt: skip


def zero() -> Graph:
    """A count that starts, as a graph without inputs."""
    with (builder := Builder()).active():
        return builder.graph("state", {}, {"value": constant(np.zeros((), np.int64))})


def zeros(type_: TensorType) -> Graph:
    """Zeros of a type, as a graph without inputs."""
    with (builder := Builder()).active():
        return builder.graph("state", {}, {"value": full(type_.shape, 0.0, type_.dtype)})
