"""``loop``: rounds whose number is known when they run, or that go on while a condition holds."""

from __future__ import annotations

from typing import Any

from archonnx.compiler.elaborate.core.control import is_range
from archonnx.compiler.elaborate.core.forms import statement
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.problems import problems
from archonnx.compiler.elaborate.core.static import is_size
from archonnx.compiler.elaborate.core.suites import first_line
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import describe
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.loops.bodies import Step, enclosed
from archonnx.compiler.loops.loop import ENDLESS, FIRST, Loop
from archonnx.compiler.ops.elementwise import cast, maximum
from archonnx.compiler.ops.shape import constant
from archonnx.compiler.ops.sizes import dim_value
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import Record

from .steps import bind_states, check_names, end_states, range_bounds, run_step, start_states


class Rounds(Record):
    """The range of a loop: its name, its first number, and how many there are."""

    name: str
    start: int | Dim | Value
    count: Value
    size: Dim | None


@statement(ast.Loop)
def _loop(frame: Frame, node: ast.Loop) -> None:
    builder = frame.build.builder
    check_names(frame, node)
    with frame.at(first_line(node.span), "`loop`"), builder.active():
        rounds = _rounds(frame, node)
        states = start_states(frame, node)
        index, going = (Value(type_, name) for type_, name in zip(FIRST, ("round", "going"), strict=True))
        firsts = {b.name: state.rebuilt(state.first) for b, state in states}
        outer = frame.locals
        frame.locals = {**outer, **firsts, **_numbered(rounds, constant(0, DType.i64))}
        try:
            first = _condition(frame, node)
        finally:
            frame.locals = outer
        mark = len(builder.nodes)

        def again() -> Value:
            frame.locals.update(_numbered(rounds, index + 1))
            return _condition(frame, node)

        after, still = run_step(frame, node, _numbered(rounds, index), states, Step(index), at_end=again)
        last = end_states(frame, node, states, after)
        before = [index, going, *(tensor for _, state in states for tensor in state.tensors)]
        body, captured = enclosed(builder, mark, before, (), (still, *last), ())
        start = [tensor for _, state in states for tensor in state.first]
        op = Loop(body, len(start), rounds.size if rounds is not None else None)
        limit = rounds.count if rounds is not None else constant(ENDLESS, DType.i64)
        bind_states(frame, states, builder.add_many(op, limit, first, *start, *captured))


def _rounds(frame: Frame, node: ast.Loop) -> Rounds | None:
    """The range over which a loop runs; None if it has a condition alone."""
    each = [b for b in node.bindings if b.each]
    if len(each) == len(node.bindings):
        fail(
            "AX0334",
            "this loop carries nothing, and so does nothing",
            first_line(node.span),
            help="name what a round changes, with its first value: `loop i in range(n), x = x:`",
        )
    if not each and node.condition is None:
        fail(
            "AX0334",
            "this loop never ends",
            first_line(node.span),
            help="say how often it runs, `i in range(n)`, or for how long, `while CONDITION`",
        )
    if len(each) > 1 or (each and not is_range(frame, each[0].value)):
        fail(
            "AX0334",
            "a `loop` runs over one range",
            each[-1].span,
            help="`scan` runs over the slices of tensors; here an item is read by its number: `x[:, i]`",
        )
    if not each:
        return None
    (b,) = each
    if b.axis is not None:
        fail("AX0333", "a range has no axis to run along", b.axis.span, help="leave out `along`")
    start, stop = range_bounds(frame, b.value)
    for bound in (start, stop):
        if not is_size(bound) and not (isinstance(bound, Value) and bound.type.dtype.is_integer and not bound.rank):
            fail("AX0334", f"a range has whole bounds: not {describe(bound)}", b.value.span)
    if is_size(start) and is_size(stop):
        size = Dim.of(stop) - Dim.of(start)
        return Rounds(b.name, start, maximum(dim_value(size), 0), size)
    return Rounds(b.name, start, _whole(stop) - _whole(start), None)


def _whole(bound: Any) -> Value:
    return cast(bound, DType.i64) if isinstance(bound, Value) else dim_value(bound)


def _numbered(rounds: Rounds | None, index: Value) -> dict[str, Value]:
    """The number of a round by its name."""
    if rounds is None:
        return {}
    return {rounds.name: index if rounds.start == 0 else index + _whole(rounds.start)}


def _condition(frame: Frame, node: ast.Loop) -> Value:
    """Whether there is another round."""
    if node.condition is None:
        return constant(True, DType.bool)
    value = frame.evaluate(node.condition)
    with problems(frame, node.condition.span, [node.condition], [value]):
        tensor = as_tensor(frame, value) if isinstance(value, bool) else value
    if not isinstance(tensor, Value) or tensor.type != TensorType(DType.bool, ()):
        fail(
            "AX0334",
            f"the condition of a loop is one truth value, not {describe(value)}",
            node.condition.span,
            help="`any(...)` or `all(...)` makes one of many" if isinstance(tensor, Value) else None,
        )
    return tensor
