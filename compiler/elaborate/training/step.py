"""Training steps: forward, losses, gradients and the optimizer's update as one graph.

The optimizer is library code in the language; its body is evaluated once for each parameter, and its states become
carried tensors of the step. What this module does not do: run anything, or say which batch comes next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np

from archonnx.compiler.autodiff import gradient_ends
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.place import Call, Place
from archonnx.compiler.elaborate.core.values import (
    Configured,
    ConstantSchedule,
    Given,
    OpenSchedule,
    OptimizerType,
    Slot,
    describe,
)
from archonnx.compiler.elaborate.meaning.invocation import bind_arguments, run_body
from archonnx.compiler.elaborate.meaning.matching import tensor_type
from archonnx.compiler.elaborate.meaning.parameters import open_inputs
from archonnx.compiler.elaborate.meaning.typed import declared
from archonnx.compiler.elaborate.model.model import Elaboration
from archonnx.compiler.gradients import loss_gradients
from archonnx.compiler.ir.builder import NODE, NODE_BYTES, Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import assuming
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.loops.scan import recomputed
from archonnx.compiler.ops.elementwise import cast, maximum, minimum
from archonnx.compiler.ops.functions import sqrt
from archonnx.compiler.ops.reduce import reduce_sum
from archonnx.compiler.ops.shape import constant, full
from archonnx.compiler.ops.sizes import dim_value
from archonnx.compiler.program import CONDITION, GATHERED, NEXT, SEED, STEP, Followed, Scheduled, TrainStep
from archonnx.compiler.remat import Recomputing, in_loops
from archonnx.grammar import ast
from archonnx.grammar.budget import Cost, hold, spend
from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.record import Record
from archonnx.grammar.record import replace as replace_record
from archonnx.grammar.source import Span

_COUNT = TensorType(DType.i64, ())
ENDS = 3
"""So many places at which a gradient ends are shown."""


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


class Clip(Record):
    """Bounds on the gradients of a step (003 6.2.4): of each element, then of their joint norm."""

    value: float | None = None
    norm: float | None = None

    def apply(self, gradients: Sequence[Value]) -> Sequence[Value]:
        """The gradients within the bounds."""
        if self.value is not None:
            gradients = clip_by_value(gradients, self.value)
        return gradients if self.norm is None else clip_by_norm(gradients, self.norm)


@dataclass(eq=False, repr=False)
class _Step:
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
    gathered: dict[str, TensorType] = field(default_factory=dict)
    """What another step carries, and this one reads."""
    rates: dict[str, Graph] = field(default_factory=dict)
    forward: int = 0
    """How many of its nodes are those of the forward pass."""
    updated: dict[tuple[str, TensorType, bool, TensorType], _Updated] = field(default_factory=dict)
    """Of one parameter of each type what the optimizer made for it."""

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
        outputs = {name: work.losses[name][0] for name in losses} | self.outputs
        outputs = {name: edges.get(value, value) for name, value in outputs.items()}
        graph = work.graph(self.name, outputs | {f"grad/{path}": g for path, g in gradients.items()})
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
            self.name, minimized, graph, fields, carried, constants, losses, self.initial, gradients, rates=self.rates
        )


def simplified(trained: Elaboration, assignments: Sequence[Assignment] = ()) -> tuple[Elaboration, list[Assignment]]:
    """The forward pass after the standard passes: what is not computed has no gradient to compute either.

    ``assignments`` are those of a step in the graph of ``trained``; they come back in that of the result.
    """
    from archonnx.compiler.passes.manager import optimise  # a check of a spec does not simplify: it loads no passes

    build = trained.build
    slots = list(build.graph.updates)
    outputs = {f"loss {name}": value for name, (value, _) in trained.losses.items()}
    outputs |= {f"update {i}": build.graph.updates[slot] for i, slot in enumerate(slots)}
    for i, assignment in enumerate(assignments):
        outputs |= {f"assignment {i} {slot.path}": value for slot, value in assignment.values.items()}
    inputs = dict(build.inputs) | {f"parameter {i}": v for i, v in enumerate(build.parameters.values())}
    graph = optimise(Graph("forward", inputs, tuple(build.builder.nodes), outputs, trained.facts))
    work = build.copy()
    work.builder.nodes[:] = graph.nodes
    work.graph.updates = {slot: graph.outputs[f"update {i}"] for i, slot in enumerate(slots)}
    losses = {name: (graph.outputs[f"loss {name}"], span) for name, (_, span) in trained.losses.items()}
    kept = [
        Assignment({slot: graph.outputs[f"assignment {i} {slot.path}"] for slot in one.values}, one.span)
        for i, one in enumerate(assignments)
    ]
    return replace(trained, build=work, losses=losses), kept


def build_step(
    name: str,
    trained: Elaboration,
    objectives: Sequence[Objective],
    assignments: Sequence[Assignment] = (),
    *,
    also: Sequence[str] = (),
    clip: Clip | None = None,
    recompute: bool = False,
    gather: bool = False,
    rows: str | None = None,
) -> tuple[TrainStep, ...]:
    """The step of one statement, or of several that share a forward pass: each reads what was before all of them.

    Where gradients of several batches are gathered there are two: that of each batch, and the update.

    Args:
        name: of the step.
        trained: the model in training mode, with the values of the assignments in its graph.
        objectives: what is minimised; no parameter may change twice.
        assignments: what gets a value.
        also: losses that are reported along with it.
        clip: bounds the gradients of each objective.
        recompute: whether the gradients of scans compute their steps again.
        gather: whether several batches make one update.
        rows: the dim by which a batch counts among those; all count alike if it is None.
    """
    step = _Step(name, working_copy(trained))
    nodes = step.work.build.builder.nodes
    nodes[:] = map(recomputed if recompute else in_loops, nodes)
    apart = _Step(f"{name}.update", working_copy(trained)) if gather and objectives else step
    step.forward = len(step.work.build.builder.nodes)
    with step.work.build.builder.active(), assuming(step.work.facts):
        for objective in objectives:
            gradients = _differentiate(step, objective)
            if apart is not step:
                gradients = _gather(step, apart, objective, gradients, rows)
            with apart.work.build.builder.active():
                _descend(apart, objective, gradients, clip or Clip())
        for objective in objectives:
            for slot in sorted(trained.updated_by[objective.loss], key=lambda slot: slot.path):
                step.changed.setdefault(slot, objective.span)
                step.outputs[NEXT + slot.path] = step.work.build.graph.updates[slot]
    with apart.work.build.builder.active(), assuming(step.work.facts):
        apart.changed = step.changed
        _assign(apart, assignments)
    if gather:
        _refuse_batches(apart, assignments)
    minimized = tuple(dict.fromkeys(o.loss for o in objectives))
    made = replace_record(step.finish(minimized, also), followed=tuple(map(_followed, objectives)))
    if apart is step:
        return (made,)
    return replace_record(made, rows=rows), replace_record(apart.finish((), ()), minimized=minimized)


def _gather(
    step: _Step, update: _Step, objective: Objective, gradients: Mapping[Slot, Value], rows: str | None
) -> dict[Slot, Value]:
    """Carry the mean gradient of all batches since the last update, each weighted by its rows, into ``update``.

    With nothing gathered yet, what was carried counts for nothing: an update need not clear it.
    """
    name = GATHERED + objective.name
    read: dict[Slot, Value] = {}
    with step.work.build.builder.at(Origin("`accumulate`", objective.span)):
        before = step.carry(name, _COUNT, _zero())
        count = constant(np.ones((), np.int64)) if rows is None else dim_value(Dim.of(rows))
        after = step.outputs[NEXT + name] = before + count
        kept, added = (cast(part, DType.f64) / cast(after, DType.f64) for part in (before, count))
        for slot, g in gradients.items():
            path = f"{name}/{slot.path}"
            mean = step.carry(path, g.type, _zeros(g.type))
            step.outputs[NEXT + path] = mean * cast(kept, g.type.dtype) + g * cast(added, g.type.dtype)
            read[slot] = update.read(path, g.type)
    update.carry(name, _COUNT, _zero())
    with update.work.build.builder.active():
        update.outputs[NEXT + name] = constant(np.zeros((), np.int64))
    return read


def _assign(step: _Step, assignments: Sequence[Assignment]) -> None:
    for assignment in assignments:
        for slot, value in assignment.values.items():
            step.change(slot, assignment.span, None)
            step.work.build.parameter(slot)
            step.outputs[NEXT + slot.path] = value


def _refuse_batches(step: _Step, assignments: Sequence[Assignment]) -> None:
    """An ``update`` that reads the batch has none where several batches make one step."""
    for assignment in assignments:
        graph = step.work.graph("read", {slot.path: value for slot, value in assignment.values.items()})
        refuse_batch(step.work, graph, "this `update`", assignment.span)


def refuse_batch(work: Elaboration, graph: Graph, what: str, span: Span) -> None:
    """SpecError (AX0715) where a graph reads a field, or what a field says of sizes."""
    read = next((name for name in work.fields if name in graph.inputs), None)
    if read is None:
        sizes = set().union(*(field.type.symbols() for field in work.fields.values()))
        read = next(iter(sorted(graph.op_symbols() & sizes)), None)
    if read is not None:
        fail(
            "AX0715",
            f"{what} depends on the batch, by `{read}`, and `accumulate` makes several batches one step",
            span,
            help="say in the model what every batch changes: a `buffer` and its `update`",
        )


def _followed(objective: Objective) -> Followed:
    """What is known of the optimizer of an objective before anything is run."""
    optimizer = objective.optimizer
    schedule = optimizer.arguments.get("lr")
    return Followed(
        optimizer.of.declaration.name,
        max(_largest(schedule), default=None),
        objective.optimizer_span,
        tuple(_scheduled(schedule)),
        objective.slots is not None,
    )


def _scheduled(schedule: object) -> Iterator[Scheduled]:
    """A schedule with its numbers, and those inside."""
    if isinstance(schedule, Configured):
        given = schedule.arguments
        declared = tuple(parameter.name for parameter in schedule.of.declaration.hyperparameters)
        numbers = {name: given[name] for name in declared if isinstance(given.get(name), int | float | Dim)}
        yield Scheduled(schedule.of.declaration.name, numbers, declared)
        yield from _scheduled(given.get("rate"))


def _largest(schedule: object) -> list[float]:
    """The numbers that a schedule names for its largest value: ``start``, ``peak``, or those of its own ``rate``."""
    if isinstance(schedule, ConstantSchedule):
        return [schedule.value]
    if not isinstance(schedule, Configured):
        return []
    numbers = [schedule.arguments.get(name) for name in ("start", "peak")]
    return [float(n) for n in numbers if isinstance(n, int | float)] + _largest(schedule.arguments.get("rate"))


def condition_step(name: str, work: Elaboration, value: Value) -> TrainStep:
    """The step that gives a condition, bool[] in the graph of ``work``, and changes nothing."""
    graph = work.graph(name, {CONDITION: value})
    paths = {slot.path: slot.type for slot in work.build.parameters}
    constants = {path: type_ for path, type_ in paths.items() if path in graph.inputs}
    fields = tuple(name for name in work.fields if name in graph.inputs)
    return TrainStep(name, (), graph, fields, {}, constants, (), {}, asks=True)


def _differentiate(step: _Step, objective: Objective) -> dict[Slot, Value]:
    """The gradients of the parameters that it changes."""
    work, span = step.work, objective.span
    slots = _trainable(work) if objective.slots is None else [s for s in objective.slots if s in work.build.parameters]
    with work.build.builder.at(Origin("`minimize`", span)):
        found = zip(slots, _gradients(work, objective.loss, slots), strict=True)
        reached = {slot: g for slot, g in found if g is not None}
        if not reached:
            _fail_unreached(work, objective.loss, slots, span)
        for slot in reached:
            step.change(slot, span, "say which changes what: `over ...`")
    return reached


def _descend(step: _Step, objective: Objective, reached: Mapping[Slot, Value], clip: Clip) -> None:
    """Update by gradients."""
    step.gradients |= reached
    with step.work.build.builder.at(Origin("`minimize`", objective.span)):
        gradients = clip.apply(list(reached.values()))
        optimizer = step.opened(objective)
        t = step.carry(f"{objective.name}/t", _COUNT, _zero()) + 1
        step.outputs[f"{NEXT}{objective.name}/t"] = t
        for slot, g in zip(reached, gradients, strict=True):
            _update_parameter(step, objective, optimizer, slot, g, t)


def _fail_unreached(work: Elaboration, loss: str, slots: Sequence[Slot], span: Span) -> NoReturn:
    """The diagnostic for a loss whose gradient reaches no parameter."""
    value, _ = work.losses[loss]
    ends = gradient_ends(work.build.builder, value, [work.build.parameters[slot] for slot in slots])
    if not ends:
        fail("AX0405", f"loss `{loss}` does not depend on any parameter that could change", span)
    names = list(dict.fromkeys(node.origin.what for node in ends))
    places = {node.origin.place: node.origin for node in ends if node.origin.place is not None}
    fail(
        "AX0405",
        f"no gradient of loss `{loss}` reaches a parameter: it ends at {' and '.join(names[:ENDS])}",
        span,
        others=[
            Label(place, f"{origin.what} passes no gradient on" + (f", in {origin.used}" if origin.use else ""))
            for place, origin in list(places.items())[:ENDS]
        ],
        help="minimise something that has a slope, and make this a `metric`; `straight_through(hard, soft)` gives what "
        "jumps the gradient of something else",
    )


def clip_by_value(gradients: Sequence[Value], limit: float) -> list[Value]:
    """Gradients whose elements are held between ``-limit`` and ``limit`` (Mikolov 2012)."""
    return [maximum(minimum(g, limit), -limit) for g in gradients]


def clip_by_norm(gradients: Sequence[Value], limit: float) -> list[Value]:
    """Gradients scaled by ``min(1, limit / norm)``, their joint Euclidean norm (Pascanu et al. 2013)."""
    widest = max((g.type.dtype for g in gradients), key=lambda dtype: dtype.numpy.itemsize)
    squares = [cast(reduce_sum(g * g), widest) for g in gradients]
    norm = sqrt(sum(squares[1:], start=squares[0]))
    scale = limit / maximum(norm, limit)
    return [g * cast(scale, g.type.dtype) for g in gradients]


def working_copy(trained: Elaboration) -> Elaboration:
    """The same model with a builder of its own, to add to."""
    return replace(trained, build=trained.build.copy())


def _trainable(work: Elaboration) -> list[Slot]:
    return [slot for slot in work.build.parameters if slot.trainable]


def _zero() -> Graph:
    with (builder := Builder()).active():
        return builder.graph("state", {}, {"value": constant(np.zeros((), np.int64))})


def _zeros(type_: TensorType) -> Graph:
    with (builder := Builder()).active():
        return builder.graph("state", {}, {"value": full(type_.shape, 0.0, type_.dtype)})


def _gradients(work: Elaboration, loss: str, slots: Sequence[Slot]) -> list[Value | None]:
    value, span = work.losses[loss]
    return loss_gradients(work.build.builder, loss, value, [work.build.parameters[slot] for slot in slots], span)


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

    def again(self, step: _Step, objective: Objective, slot: Slot, g: Value) -> None:
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


def _update_parameter(step: _Step, objective: Objective, optimizer: Configured, slot: Slot, g: Value, t: Value) -> None:
    """Evaluate the optimizer's body for one parameter, in its dtype: a dtype left out there is the parameter's.

    For those of one type it is evaluated once, unless it draws: then each has draws of its own.
    """
    build = step.work.build
    p, key = build.parameters[slot], (objective.name, slot.type, slot.decay, g.type)
    if (known := step.updated.get(key)) is not None:
        known.again(step, objective, slot, g)
        return
    mark, sites = len(build.builder.nodes), len(build.observed.sites)
    with build.floats(slot.type.dtype):
        states = _run_optimizer(step, objective, optimizer, slot, g, t)
    if len(build.observed.sites) == sites:
        ends = {name: (step.inputs[c], step.outputs[NEXT + c]) for name, c in states.items()}
        made = tuple(build.builder.nodes[mark:])
        step.updated[key] = _Updated(made, p, g, step.outputs[NEXT + slot.path], ends)


def _run_optimizer(
    step: _Step, objective: Objective, optimizer: Configured, slot: Slot, g: Value, t: Value
) -> Mapping[str, str]:
    """Run the optimizer's body for a parameter; the names of what its states carry."""
    span, build = objective.span, step.work.build
    assert isinstance(optimizer.of, OptimizerType)
    declaration = optimizer.of.declaration
    states: dict[str, tuple[str, Span]] = {}

    def state(frame: Frame, statement: ast.State) -> None:
        name = f"{objective.name}/{statement.name}/{slot.path}"
        if statement.name in states:
            first = [Label(states[statement.name][1], "first here")]
            fail("AX0205", f"state `{statement.name}` is declared twice", statement.span, "again here", others=first)
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
    given = {q.name: Given(span, value=v) for q, v in zip(declaration.inputs, (p, g, t), strict=True)}
    bind_arguments(frame, frame, what, declaration.inputs, given, span)
    new = run_body(frame, what, declaration.body, declaration.result, span)
    notes = [f"for parameter `{slot.path}`, in the `minimize` at {span}"]
    if not isinstance(new, Value) or new.type != p.type:
        fail(
            "AX0407",
            f"{what} gives {_kind(new)}, and the parameter is {p.type}",
            declaration.result.span,
            others=_made(new),
            notes=notes,
            help="it returns the parameter's next value, of the parameter's type",
        )
    step.outputs[NEXT + slot.path] = new
    for name, (carried, declared_at) in states.items():
        step.outputs[NEXT + carried] = _next_state(
            f"state `{name}` of {what}", step.carried[carried], frame.locals[name], declared_at, notes
        )
    return {name: carried for name, (carried, _) in states.items()}


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
