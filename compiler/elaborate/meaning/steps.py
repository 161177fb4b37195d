"""What ``scan`` and ``loop`` share: the names of a header, ranges, and the statements of one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.compiler.elaborate.core.frame import POISON, Frame
from archonnx.compiler.elaborate.core.states import Carried, carried, changed_state
from archonnx.compiler.elaborate.core.suites import bound_names, bound_names_of, first_line, silenced
from archonnx.compiler.ir.value import Value
from archonnx.compiler.loops.bodies import Step
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.source import Span

States = Sequence[tuple[ast.Binding, Carried]]
"""What a header carries."""


@dataclass(eq=False, repr=False)
class Emission:
    """What a scan emits: how many values it is to emit, and where it did."""

    names: Sequence[str]
    at: Span | None = None
    values: list[Value] = field(default_factory=list)


def range_bounds(frame: Frame, call: ast.Expr) -> tuple[Any, Any]:
    """The bounds of a range, as they are written: ints, dims or tensors."""
    assert isinstance(call, ast.Call)
    bounds = [frame.evaluate(argument.value) for argument in call.arguments]
    if len(bounds) not in (1, 2):
        fail("AX0332", "a loop runs over `range(n)` or `range(first, end)`", call.span)
    return (0, bounds[0]) if len(bounds) == 1 else (bounds[0], bounds[1])


def check_names(frame: Frame, node: ast.Scan | ast.Loop) -> None:
    """The names of the header differ, and none of the body around is assigned but the states."""
    own: dict[str, Span] = {}
    for part in (*node.bindings, *getattr(node, "collects", ())):
        if part.name in own:
            fail(
                "AX0205",
                f"`{part.name}` stands twice in the header",
                part.span,
                others=[Label(own[part.name], "first here")],
            )
        own[part.name] = part.span
    states = {b.name for b in node.bindings if not b.each}
    word = type(node).__name__.lower()
    for inner in node.body:
        for name in bound_names(inner):
            if name in frame.locals and name not in states and frame.locals[name] is not POISON:
                fail(
                    "AX0227",
                    f"`{name}` is a name around this {word}, and a step may not change it",
                    _assignment(inner, name) or first_line(inner.span),
                    others=[Label(first_line(node.span), f"the {word} starts here")],
                    help=f"carry it from step to step, `{name} = {name}` in the header, or use another name",
                )


def _assignment(node: ast.Stmt, name: str) -> Span | None:
    for part in walk(node):
        if isinstance(part, ast.Assign):
            for target in part.targets:
                if name in bound_names_of(target):
                    return target.span
    return None


def _last_assignment(body: ast.Suite, name: str) -> Span | None:
    """Where a name gets its last value in a body."""
    found = [
        part.span
        for part in walk(body)
        if isinstance(part, ast.Stmt) and name in bound_names(part) and not isinstance(part, ast.For | ast.If)
    ]
    return found[-1] if found else None


def start_states(frame: Frame, node: ast.Scan | ast.Loop) -> States:
    """The states of a header, with their first values."""
    starts = [b for b in node.bindings if not b.each]
    return [(b, carried(frame, b.name, frame.evaluate(b.value), b.value.span)) for b in starts]


def end_states(frame: Frame, node: ast.Scan | ast.Loop, states: States, after: Sequence[Any]) -> list[Value]:
    """The tensors of all states at the end of a step."""
    return [
        tensor
        for (b, state), value in zip(states, after, strict=True)
        for tensor in changed_state(frame, b, state, value, _last_assignment(node.body, b.name) or b.span)
    ]


def bind_states(frame: Frame, states: States, results: Sequence[Value]) -> None:
    """Give each state its last value."""
    rest = iter(results)
    for b, state in states:
        frame.bind(b.name, state.rebuilt([next(rest) for _ in state.first]), b.span)


def run_step(
    frame: Frame,
    node: ast.Scan | ast.Loop,
    names: Mapping[str, Any],
    states: States,
    iteration: Step,
    emission: Emission | None = None,
    at_end: Callable[[], Any] = lambda: None,
) -> tuple[list[Any], Any]:
    """Run the statements of a step in a scope of their own.

    Args:
        frame: in which the loop stands.
        node: the loop.
        names: what else than states its header names, as it is in the step.
        states: what it carries.
        iteration: for draws in the body.
        emission: what it emits, if it does.
        at_end: is evaluated in the scope of the step, after its statements.

    Returns:
        What the states are at the end, and what ``at_end`` gave.
    """
    build, outer, around = frame.build, frame.locals, frame.emission
    updates = dict(build.graph.updates)
    found = len(build.report.diagnostics)
    inside = {b.name: state.inside for b, state in states}
    frame.locals, frame.emission = {**outer, **names, **inside}, emission
    build.under_way.iterations.append(iteration)
    try:
        returned = frame.run(node.body)
        after = [frame.locals[b.name] for b, _ in states]
        broken = len(build.report.diagnostics) > found or any(value is POISON for value in after)
        result = None if broken else at_end()
    finally:
        frame.locals, frame.emission = outer, around
        build.under_way.iterations.pop()
    if broken:
        raise silenced()
    if returned is not None:
        fail("AX0228", "a step cannot return: its states are what it gives, and what it emits", returned.spans[0])
    for slot, value in build.graph.updates.items():
        if updates.get(slot) is not value:
            fail(
                "AX0221",
                f"buffer `{slot.name}` is updated in each step of this loop, and an update is made once",
                first_line(node.span),
                others=[Label(slot.statement.span, "the buffer")],
                help="carry its value as a state, and update the buffer after the loop",
            )
    return after, result


def listed(names: Sequence[str]) -> str:
    """Names as a message has them."""
    return ", ".join(f"`{name}`" for name in names)
