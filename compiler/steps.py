"""Training steps made ready to run: sized for so many steps, watched, and with the starting values of their state."""

from __future__ import annotations

from typing import NoReturn

from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import replace
from archonnx.grammar.source import Span

from .interpret import interpret
from .ir.bind import bind
from .ir.builder import Builder
from .ir.dims import ONE, Dim
from .ir.facts import assuming
from .ir.origin import Origin
from .ir.types import Array, DType
from .ir.value import Value
from .ops.elementwise import cast
from .ops.reduce import reduce_sum
from .ops.shape import reshape
from .ops.slicing import concat
from .program import NEXT, PER_EPOCH, TOTAL, WATCH, TrainStep

SPELLED = {TOTAL: "steps", PER_EPOCH: "steps_per_epoch"}
"""What a spec calls them."""


def sized(step: TrainStep, total: int | None, per_epoch: int | None) -> TrainStep:
    """The step for so many runs of it in all, and so many an epoch.

    Raises:
        SpecError: it needs a number that is None.
    """
    lengths = {TOTAL: total, PER_EPOCH: per_epoch}
    parts = (step.graph, *step.initial.values(), *step.rates.values())
    used = set().union(*(graph.op_symbols() for graph in parts)) & lengths.keys()
    if not used:
        return step
    for name in sorted(used):
        if lengths[name] is None:
            node = next(node for graph in parts for node in graph.nodes if name in node.op.symbols())
            fail_unsaid(SPELLED[name], node.origin.place)
    known = {name: number for name in used if (number := lengths[name]) is not None}
    sizes = {name: Dim.of(number) for name, number in known.items()}
    values: dict[Value, Value] = {}
    return replace(
        step,
        graph=bind(step.graph, known, values),
        gradients={path: values[g] for path, g in step.gradients.items()},
        gathers={name: values[g] for name, g in step.gathers.items()},
        carried={name: type_.substitute(sizes) for name, type_ in step.carried.items()},
        initial={name: bind(graph, known) for name, graph in step.initial.items()},
        rates={name: bind(graph, known) for name, graph in step.rates.items()},
    )


def fail_unsaid(name: str, span: Span | None) -> NoReturn:
    """The diagnostic where a number of steps is needed and was not said."""
    option = name.replace("_", "-")
    fail(
        "AX0623",
        f"`{name}` is not known here: the length of the training is not given",
        span,
        help=f"give it: `--{option} 1000` on the command line, `Trainer(..., {name}=1000)` or "
        f"`compile(..., {name}=1000)` in Python",
    )


def watched(step: TrainStep) -> TrainStep:
    """The step with the output ``WATCH``, if it follows gradients."""
    if not step.gradients:
        return step
    builder = Builder()
    builder.nodes = list(step.graph.nodes)
    with builder.active(), assuming(step.graph.facts), builder.at(Origin("`--watch grads`")):
        outputs = {**step.graph.outputs, WATCH: _squares(step)}
    graph = replace(step.graph, nodes=tuple(builder.nodes), outputs=outputs)
    return replace(step, graph=graph, watched=tuple(step.gradients))


def _squares(step: TrainStep) -> Value:
    """What ``WATCH`` is: in f64, since the squares of vanishing gradients vanish in f32."""
    rows: list[list[Value]] = [[], [], []]
    for path, g in step.gradients.items():
        before, after = (cast(v, DType.f64) for v in (step.graph.inputs[path], step.graph.outputs[NEXT + path]))
        for row, x in zip(rows, (cast(g, DType.f64), before, after - before), strict=True):
            row.append(reshape(reduce_sum(x * x), [ONE]))
    return concat([reshape(concat(row, 0), [ONE, Dim.of(len(row))]) for row in rows], 0)


def initial_state(step: TrainStep) -> dict[str, Array]:
    """The starting values of what the step carries besides parameters, by name."""
    return {name: interpret(graph, {})["value"] for name, graph in step.initial.items()}
