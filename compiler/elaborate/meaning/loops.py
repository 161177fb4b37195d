"""``scan``: a body that is elaborated once, for one step, and becomes the body of an op.

The nodes of a step that depend on its slices or states go into that body; what else it computes is the same at each
step, and stays outside. What this module does not do: ``loop``, whose length and end are known when it runs
(``repetition``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from archonnx.compiler.elaborate.core.control import is_range
from archonnx.compiler.elaborate.core.forms import statement
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.problems import problems, provenance
from archonnx.compiler.elaborate.core.states import carried
from archonnx.compiler.elaborate.core.static import is_size, is_whole
from archonnx.compiler.elaborate.core.suites import first_line
from archonnx.compiler.elaborate.core.values import describe
from archonnx.compiler.ir.dims import ONE, ZERO, Dim
from archonnx.compiler.ir.facts import at_most, same
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.loops.bodies import Step, enclosed
from archonnx.compiler.loops.scan import Scan
from archonnx.compiler.ops.shape import constant, move_axis
from archonnx.compiler.ops.sizes import dim_value, iota
from archonnx.compiler.program import Assumption
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, fail

from .steps import (
    Emission,
    bind_states,
    check_names,
    end_states,
    listed,
    range_bounds,
    run_step,
    start_states,
)


@dataclass(eq=False, repr=False)
class Run:
    """What a scan runs over: tensors with the scanned axis in front, and the values of a step that are their slices."""

    length: Dim
    tensors: list[Value] = field(default_factory=list)
    slices: list[Value] = field(default_factory=list)


@statement(ast.Scan)
def _scan(frame: Frame, node: ast.Scan) -> None:
    builder = frame.build.builder
    check_names(frame, node)
    with frame.at(first_line(node.span), "`scan`"), builder.active():
        run, names = _run_over(frame, node)
        _check_length(frame, run, node)
        states = start_states(frame, node)
        mark = len(builder.nodes)
        emission = Emission([c.name for c in node.collects])
        iteration = Step(Value(TensorType(DType.i64, ()), "iteration"))
        after, _ = run_step(frame, node, names, states, iteration, emission)
        _check_emitted(node, states, emission)
        last = end_states(frame, node, states, after)
        if iteration.used:
            run.tensors.append(iota(run.length))
            run.slices.append(iteration.index)
        before = [tensor for _, state in states for tensor in state.tensors]
        body, captured = enclosed(builder, mark, before, run.slices, last, emission.values)
        first = [tensor for _, state in states for tensor in state.first]
        op = Scan(body, len(first), len(run.tensors), node.reversed)
        made = builder.add_many(op, *first, *run.tensors, *captured)
        bind_states(frame, states, made[: len(first)])
        for collect, value in zip(node.collects, made[len(first) :], strict=True):
            frame.bind(collect.name, _collected(frame, collect, value), collect.span)


def _check_emitted(node: ast.Scan, states: Sequence[object], emission: Emission) -> None:
    if not states and not emission.names:
        fail(
            "AX0228",
            "this scan gives nothing: it carries no state, and its body emits nothing",
            first_line(node.span),
            help="`, STATE = FIRST` behind what it runs over carries a state; `-> NAME along 1` with `emit` gathers",
        )
    if emission.names and emission.at is None:
        fail(
            "AX0228",
            f"this scan gives {listed(emission.names)}, and its body emits nothing",
            node.collects[0].span,
            help=f"end the body with `emit {', '.join(['VALUE'] * len(emission.names))}`",
        )


def _run_over(frame: Frame, node: ast.Scan) -> tuple[Run, dict[str, Any]]:
    """What a scan runs over, and what its names stand for in a step."""
    run: Run | None = None
    names: dict[str, Any] = {}
    first: ast.Binding | None = None
    for b in node.bindings:
        if not b.each:
            continue
        count, tensor, start = _source(frame, b)
        if run is None:
            run, first = Run(count), b
        elif (equal := same(run.length, count)) is not True:
            assert first is not None
            if equal is None:
                fail(
                    "AX0305",
                    f"cannot tell whether a scan runs over {run.length} or {count} steps",
                    b.span,
                    others=[Label(first.span, f"{run.length} steps")],
                    help="the steps of a tensor [B, T, n] lie `along 1`; axis 0 counts its examples",
                )
            fail(
                "AX0332",
                f"a scan runs over {run.length} steps of one and {count} of the other",
                b.span,
                f"{count} steps",
                others=[Label(first.span, f"{run.length} steps")],
                help="take a part of the longer one: `x[:, :n]`",
            )
        slice_ = Value(tensor.type.with_shape(tensor.shape[1:]), b.name, frame.build.builder.origin)
        run.tensors.append(tensor)
        run.slices.append(slice_)
        names[b.name] = slice_ if start == 0 else slice_ + _number(start)
    if run is None:
        fail(
            "AX0332",
            "this scan has nothing to run over",
            first_line(node.span),
            help="name what each step takes: `scan x_t in x along 1, ...`, or `scan i in range(n), ...`",
        )
    return run, names


def _number(number: int | Dim) -> Value:
    return dim_value(number) if isinstance(number, Dim) else constant(number, DType.i64)


def _source(frame: Frame, b: ast.Binding) -> tuple[Dim, Value, int | Dim]:
    """How many steps, the tensor with that axis in front, and what is added to its slices."""
    if is_range(frame, b.value):
        if b.axis is not None:
            fail("AX0333", "a range has no axis to run along", b.axis.span, help="leave out `along`")
        start, stop = _range(frame, b.value)
        count = Dim.of(stop) - Dim.of(start)
        return count, iota(count), start
    value = frame.evaluate(b.value)
    if not isinstance(value, Value):
        advice = "a static list is run over by `for`" if isinstance(value, list) else None
        fail("AX0332", f"a scan runs over tensors, not over {describe(value)}", b.value.span, help=advice)
    if not value.rank:
        fail("AX0332", f"a scan runs along an axis, and {value.type} has none", b.value.span, provenance(value))
    axis = 0
    if b.axis is not None:
        axis = _axis(frame, b.axis, value.rank, f"`{b.name}` runs along")
    elif value.rank > 1:
        fail(
            "AX0333",
            f"`{b.name}` runs along one of the {value.rank} axes of {value.type}: say which",
            b.span,
            provenance(value),
            help=f"`{b.name} in {b.value.span.text} along 1` runs along the second one",
        )
    moved = move_axis(value, axis, 0)
    return moved.shape[0], moved, 0


def _axis(frame: Frame, expr: ast.Expr, rank: int, what: str) -> int:
    axis = frame.evaluate(expr)
    if not is_whole(axis):
        fail("AX0333", f"an axis is an int, not {describe(axis)}", expr.span)
    if not -rank <= axis < rank:
        fail("AX0333", f"{what} axis {axis}: there are axes {-rank} to {rank - 1}", expr.span)
    return int(axis) % rank


def _range(frame: Frame, call: ast.Expr) -> tuple[int | Dim, int | Dim]:
    """The bounds of a scan's range, which may be dims."""
    bounds = range_bounds(frame, call)
    for bound in bounds:
        if not is_size(bound):
            headline = f"the length of a scan is an int or a dim, not {describe(bound)}"
            fail("AX0332", headline, call.span, help="`loop i in range(n)` takes a number that is known when it runs")
    return bounds


def _check_length(frame: Frame, run: Run, node: ast.Scan) -> None:
    """A scan has a step at least: certainly, or it is checked when it runs."""
    if at_most(ONE, run.length):
        return
    span = next(b.span for b in node.bindings if b.each)
    if at_most(run.length, ZERO):
        fail("AX0332", f"a scan has at least one step, and this one has {run.length}", span)
    message = f"a scan has at least one step: {run.length} is 0"
    found = Assumption(">=", run.length, ONE, message, span)
    if found not in frame.build.observed.assumptions:
        frame.build.observed.assumptions.append(found)


@statement(ast.Emit)
def _emit(frame: Frame, node: ast.Emit) -> None:
    emission: Emission | None = frame.emission
    if emission is None:
        fail("AX0228", "`emit` stands in the body of a scan", node.span)
    if emission.at is not None:
        fail(
            "AX0228",
            "a step emits once",
            node.span,
            others=[Label(emission.at, "emitted here already")],
            help="emit all values together: `emit a, b`, and `-> a along 1, b along 1` in the header",
        )
    emission.at = node.span
    if len(node.values) != len(emission.names):
        wanted = listed(emission.names) if emission.names else "nothing"
        given = f"{len(node.values)} values are" if len(node.values) > 1 else "1 value is"
        fail(
            "AX0228",
            f"{given} emitted, and the header gives {wanted}",
            node.span,
            help=None if emission.names else "name what is made of them after the header: `-> ys along 1:`",
        )
    for value in node.values:
        with problems(frame, value.span, [value], []):
            tensor = carried(frame, "", frame.evaluate(value), value.span)
        if len(tensor.first) != 1 or isinstance(tensor.template, list):
            fail("AX0228", "what is emitted is a tensor", value.span)
        emission.values.append(tensor.first[0])


def _collected(frame: Frame, collect: ast.Collect, value: Value) -> Value:
    """What a scan has emitted, with the steps along the axis that the header says."""
    if collect.axis is not None:
        return move_axis(value, 0, _axis(frame, collect.axis, value.rank, f"`{collect.name}` lies along"))
    if value.rank > 1:
        fail(
            "AX0333",
            f"`{collect.name}` is {value.type} with the steps in front: say along which axis they lie",
            collect.span,
            help=f"`{collect.name} along 0` has them in front, `along 1` after the first axis",
        )
    return value
