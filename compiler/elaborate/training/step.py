"""Training steps: forward, losses, gradients and the optimizer's update as one graph.

What this module does not do: evaluate the optimizer's body (``descent`` does), run anything, or say which batch comes
next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np

from archonnx.compiler.autodiff import gradient_ends
from archonnx.compiler.elaborate.core.values import Configured, ConstantSchedule, Slot
from archonnx.compiler.elaborate.model.model import Elaboration
from archonnx.compiler.gradients import loss_gradients
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import assuming
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.loops.scan import recomputed
from archonnx.compiler.ops.elementwise import cast
from archonnx.compiler.ops.shape import constant
from archonnx.compiler.ops.sizes import dim_value
from archonnx.compiler.program import CONDITION, GATHERED, NEXT, Followed, Scheduled, TrainStep
from archonnx.compiler.remat import in_loops
from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.record import replace as replace_record
from archonnx.grammar.source import Span

from .clipping import Clip
from .descent import descend
from .draft import COUNT, Assignment, Objective, StepDraft, zero, zeros

ENDS = 3
"""So many places at which a gradient ends are shown."""


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
    step = StepDraft(name, working_copy(trained))
    nodes = step.work.build.builder.nodes
    nodes[:] = map(recomputed if recompute else in_loops, nodes)
    apart = StepDraft(f"{name}.update", working_copy(trained)) if gather and objectives else step
    step.forward = len(step.work.build.builder.nodes)
    with step.work.build.builder.active(), assuming(step.work.facts):
        for objective in objectives:
            gradients = _differentiate(step, objective)
            if apart is not step:
                gradients = _gather(step, apart, objective, gradients, rows)
            with apart.work.build.builder.active():
                descend(apart, objective, gradients, clip or Clip())
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
    step: StepDraft, update: StepDraft, objective: Objective, gradients: Mapping[Slot, Value], rows: str | None
) -> dict[Slot, Value]:
    """Carry the mean gradient of all batches since the last update, each weighted by its rows, into ``update``.

    With nothing gathered yet, what was carried counts for nothing: an update need not clear it.
    """
    name = GATHERED + objective.name
    read: dict[Slot, Value] = {}
    with step.work.build.builder.at(Origin("`accumulate`", objective.span)):
        before = step.carry(name, COUNT, zero())
        count = constant(np.ones((), np.int64)) if rows is None else dim_value(Dim.of(rows))
        after = step.outputs[NEXT + name] = before + count
        kept, added = (cast(part, DType.f64) / cast(after, DType.f64) for part in (before, count))
        for slot, g in gradients.items():
            path = f"{name}/{slot.path}"
            mean = step.carry(path, g.type, zeros(g.type))
            step.gathers[path] = g
            step.outputs[NEXT + path] = mean * cast(kept, g.type.dtype) + g * cast(added, g.type.dtype)
            read[slot] = update.read(path, g.type)
    update.carry(name, COUNT, zero())
    with update.work.build.builder.active():
        update.outputs[NEXT + name] = constant(np.zeros((), np.int64))
    return read


def _assign(step: StepDraft, assignments: Sequence[Assignment]) -> None:
    for assignment in assignments:
        for slot, value in assignment.values.items():
            step.change(slot, assignment.span, None)
            step.work.build.parameter(slot)
            step.outputs[NEXT + slot.path] = value


def _refuse_batches(step: StepDraft, assignments: Sequence[Assignment]) -> None:
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


def _differentiate(step: StepDraft, objective: Objective) -> dict[Slot, Value]:
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


def working_copy(trained: Elaboration) -> Elaboration:
    """The same model with a builder of its own, to add to."""
    return replace(trained, build=trained.build.copy())


def _trainable(work: Elaboration) -> list[Slot]:
    return [slot for slot in work.build.parameters if slot.trainable]


def _gradients(work: Elaboration, loss: str, slots: Sequence[Slot]) -> list[Value | None]:
    value, span = work.losses[loss]
    return loss_gradients(work.build.builder, loss, value, [work.build.parameters[slot] for slot in slots], span)
