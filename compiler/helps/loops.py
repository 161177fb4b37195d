"""A loop over the steps of a sequence, as Python has it: as a ``scan``, with its states and what it gathers.

``for t in range(T):`` that reads ``x[:, t]``, changes ``h`` and appends to ``outs`` is
``scan x_t in x along 1, h = FIRST -> outs along 1:``, with ``emit``. What this module does not do: try it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span

from .sight import Sight, callee, expressions, proposes, statements, whole_line


class _Read(Record):
    """The slices of one tensor that a loop reads, along one axis."""

    name: str
    axis: int
    places: tuple[ast.Index, ...]


class _Gathered(Record):
    """A list to which each step adds one value, and the axis along which it is stacked behind the loop."""

    name: str
    value: ast.Expr
    statement: ast.Stmt
    empty: ast.Stmt
    axis: int
    stacked: tuple[ast.Call, ...]


@proposes("AX0309")
def _as_a_scan(sight: Sight) -> Iterator[str]:
    """``for t in range(T):`` of a length that is known only when the model runs."""
    loop = next((one for one in statements(sight.file) if isinstance(one, ast.For) and _heads(one, sight.span)), None)
    if loop is None or len(loop.targets) != 1 or sight.yaml:
        return
    before, behind = _around(sight.file, loop)
    adding = list(_added(loop))
    gathered = [one for name, value, at in adding if (one := _gathered(name, value, at, before, behind)) is not None]
    if len(adding) > 1 or len(gathered) != len(adding) or _read_again(loop, gathered):
        return
    lists = {one.name for one in gathered}
    states = {name: first for name, first in _firsts(loop, before).items() if name not in lists}
    head, *slices = _header(sight, loop, states, gathered)
    edits = [
        head,
        *slices,
        *(Edit(whole_line(first.span), "") for first in states.values()),
        *(edit for one in gathered for edit in _emitted(one)),
    ]
    yield Suggestion.at_places(f"a loop of a length that is known later is a `scan`: `{head.text}:`", *edits)


@proposes("AX0305", "AX0302", "AX0304")
def _along_the_steps(sight: Sight) -> Iterator[str]:
    """``scan x_t in x along 0`` of [B, T, n], where each step then has the examples in place of the steps."""
    scan = sight.innermost(ast.Scan)
    edits = along_one(scan) if isinstance(scan, ast.Scan) and not sight.yaml else []
    if edits:
        yield Suggestion.at_places("the steps of a tensor [B, T, n] lie `along 1`; axis 0 counts its examples", *edits)


def along_one(scan: ast.Scan) -> list[Edit]:
    """The edits that let a scan run, and gather, along axis 1 where it does along axis 0."""
    head = Span(scan.span.source, scan.span.start, scan.body[0].span.start)
    places = [head.start + match.start() for match in re.finditer(r"\balong 0\b", head.text)]
    return [Edit(Span(head.source, at, at + len("along 0")), "along 1") for at in places]


def _heads(loop: ast.For, span: Span) -> bool:
    """Whether a place is in the head of a loop."""
    return loop.iterable.span.start <= span.start <= loop.iterable.span.end and loop.span.source is span.source


def _around(file: ast.File, loop: ast.For) -> tuple[tuple[ast.Stmt, ...], tuple[ast.Stmt, ...]]:
    """The statements beside a loop, before and behind it."""
    for one in statements(file):
        body: tuple[ast.Stmt, ...] = getattr(one, "body", ())
        for at, statement in enumerate(body):
            if statement is loop:
                return body[:at], body[at + 1 :]
    return (), ()


# ---------------------------------------------------------------- what is carried, and what is gathered


def _firsts(loop: ast.For, before: tuple[ast.Stmt, ...]) -> dict[str, ast.Assign]:
    """What the loop changes, with the statements before it that say how it starts."""
    changed = {
        target.id
        for one in loop.body
        if isinstance(one, ast.Assign)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    return {
        one.targets[0].id: one
        for one in before
        if isinstance(one, ast.Assign) and len(one.targets) == 1 and isinstance(one.targets[0], ast.Name)
        if one.targets[0].id in changed
    }


def _added(loop: ast.For) -> Iterator[tuple[str, ast.Expr, ast.Stmt]]:
    """``outs.append(h)`` and ``outs = outs + [h]``: the list, the value, the statement."""
    for one in loop.body:
        if isinstance(one, ast.ExprStmt) and isinstance(one.value, ast.Call) and len(one.value.arguments) == 1:
            called = one.value.callee
            if isinstance(called, ast.Attribute) and called.name == "append" and isinstance(called.value, ast.Name):
                yield called.value.id, one.value.arguments[0].value, one
        elif isinstance(one, ast.Assign) and len(one.values) == 1 and isinstance(one.targets[0], ast.Name):
            value, name = one.values[0], one.targets[0].id
            added = value.right if isinstance(value, ast.Binary) and value.left.span.text == name else None
            if isinstance(added, ast.List) and len(added.items) == 1:
                yield name, added.items[0], one


def _gathered(
    name: str, value: ast.Expr, at: ast.Stmt, before: tuple[ast.Stmt, ...], behind: tuple[ast.Stmt, ...]
) -> _Gathered | None:
    """What is added to a list that starts empty and is only stacked, along one axis; None for any other."""
    empty = next((one for one in before if isinstance(one, ast.Assign) and one.span.text == f"{name} = []"), None)
    nodes = [node for statement in behind for node in expressions(statement)]
    stacked = [node for node in nodes if isinstance(node, ast.Call) and callee(node) == "stack" and _of(node, name)]
    axes = {_axis(call) for call in stacked} or {1}
    axis = axes.pop()
    read = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
    if empty is None or axis is None or axes or read != len(stacked):
        return None
    return _Gathered(name, value, at, empty, axis, tuple(stacked))


def _of(call: ast.Call, name: str) -> bool:
    """Whether a list is what a call is given first."""
    return bool(call.arguments) and call.arguments[0].value.span.text == name


def _axis(call: ast.Call) -> int | None:
    """The axis along which a list is stacked; None where it is not a number from 0 on."""
    given = call.arguments[1].value.span.text if len(call.arguments) == 2 else "0"
    return int(given) if given.isdigit() and len(call.arguments) <= 2 else None


def _read_again(loop: ast.For, gathered: list[_Gathered]) -> bool:
    """Whether a step reads the list to which it adds."""
    adding = {id(one.statement) for one in gathered}
    names = {one.name for one in gathered}
    nodes = (node for one in loop.body if id(one) not in adding for node in expressions(one))
    return any(isinstance(node, ast.Name) and node.id in names for node in nodes)


def _emitted(one: _Gathered) -> Iterator[Edit]:
    """``emit`` for what is added to a list, which is a tensor where it is stacked."""
    whole, value = one.statement.span, one.value.span
    yield Edit(Span(whole.source, whole.start, value.start), "emit ")
    yield Edit(Span(whole.source, value.end, whole.end), "")
    yield Edit(whole_line(one.empty.span), "")
    yield from (Edit(call.span, one.name) for call in one.stacked)


# ---------------------------------------------------------------- the head


def _header(sight: Sight, loop: ast.For, states: dict[str, ast.Assign], gathered: list[_Gathered]) -> Iterator[Edit]:
    """The line of the scan, and the slices of a step by their names."""
    step = loop.targets[0].id
    read = list(_read(loop, step))
    counts = {id(node) for one in read for place in one.places for node in expressions(place)}
    counted = any(
        isinstance(node, ast.Name) and node.id == step and id(node) not in counts
        for one in loop.body
        for node in expressions(one)
    )
    given = [f"{one.name}_{step} in {one.name} along {one.axis}" for one in read]
    if callee(loop.iterable) != "range":
        given = [f"{step} in {loop.iterable.span.text} along {_steps_of(sight)}"]
    elif counted or not given:
        given.append(f"{step} in {loop.iterable.span.text}")
    given += [f"{name} = {first.values[0].span.text}" for name, first in states.items()]
    result = f" -> {gathered[0].name} along {gathered[0].axis}" if gathered else ""
    yield Edit(Span(loop.span.source, loop.span.start, loop.iterable.span.end), f"scan {', '.join(given)}{result}")
    if callee(loop.iterable) == "range":
        yield from (Edit(place.span, f"{one.name}_{step}") for one in read for place in one.places)


def _steps_of(sight: Sight) -> int:
    """The axis of the steps of a tensor: the second one where the first counts examples."""
    return 1 if sight.diagnostic.headline.rpartition("not over ")[2].count(",") > 1 else 0


def _read(loop: ast.For, step: str) -> Iterator[_Read]:
    """Tensors of which the loop reads the slice of the step: ``x[:, t]``, ``x[:, t, :]``."""
    found: dict[tuple[str, int], list[ast.Index]] = {}
    for node in (node for one in loop.body for node in expressions(one)):
        if isinstance(node, ast.Index) and isinstance(node.value, ast.Name):
            axis = next((i for i, one in enumerate(node.subscripts) if one.span.text == step), None)
            texts = [one.span.text for one in node.subscripts]
            if axis is not None and {*texts[:axis]} <= {":"} and {*texts[axis + 1 :]} <= {":", "..."}:
                found.setdefault((node.value.id, axis), []).append(node)
    for (name, axis), places in found.items():
        if len([1 for other, _ in found if other == name]) == 1:
            yield _Read(name, axis, tuple(places))
