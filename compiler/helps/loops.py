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
    """A list to which each step adds one value."""

    name: str
    value: ast.Expr
    statement: ast.Stmt


@proposes("AX0309")
def _as_a_scan(sight: Sight) -> Iterator[str]:
    """``for t in range(T):`` of a length that is known only when the model runs."""
    loop = next((one for one in statements(sight.file) if isinstance(one, ast.For) and _heads(one, sight.span)), None)
    suite = next((one for one in _suites(sight.file) if loop in one), None)
    if not isinstance(loop, ast.For) or suite is None or len(loop.targets) != 1 or sight.yaml:
        return
    before = suite[: suite.index(loop)]
    gathered = list(_gathered(loop))
    states = {name: first for name, first in _firsts(loop, before).items() if name not in {g.name for g in gathered}}
    if len(gathered) > 1 or (gathered and not _starts_empty(before, gathered[0].name)):
        return
    edits = [
        *(headed := list(_header(sight, loop, states, gathered))),
        *(Edit(whole_line(first.span), "") for first in states.values()),
        *(edit for one in gathered for edit in _emitted(one, before, suite[suite.index(loop) + 1 :])),
    ]
    yield Suggestion.at_places(f"a loop of a length that is known later is a `scan`: `{headed[0].text}:`", *edits)


@proposes("AX0305", "AX0302", "AX0304")
def _along_the_steps(sight: Sight) -> Iterator[str]:
    """``scan x_t in x along 0`` of [B, T, n], where each step then has the examples in place of the steps."""
    scan = sight.innermost(ast.Scan)
    if not isinstance(scan, ast.Scan) or sight.yaml:
        return
    head = Span(scan.span.source, scan.span.start, scan.body[0].span.start)
    places = [head.start + match.start() for match in re.finditer(r"\balong 0\b", head.text)]
    edits = [Edit(Span(head.source, at, at + len("along 0")), "along 1") for at in places]
    if edits:
        yield Suggestion.at_places("the steps of a tensor [B, T, n] lie `along 1`; axis 0 counts its examples", *edits)


def _heads(loop: ast.For, span: Span) -> bool:
    """Whether a place is in the head of a loop."""
    return loop.iterable.span.start <= span.start <= loop.iterable.span.end and loop.span.source is span.source


def _suites(node: ast.Node) -> Iterator[tuple[ast.Stmt, ...]]:
    """All sequences of statements below a node."""
    for one in statements(node):
        body = getattr(one, "body", None)
        if isinstance(body, tuple):
            yield body


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


def _gathered(loop: ast.For) -> Iterator[_Gathered]:
    """``outs.append(h)`` and ``outs = outs + [h]``."""
    for one in loop.body:
        if isinstance(one, ast.ExprStmt) and isinstance(one.value, ast.Call) and len(one.value.arguments) == 1:
            called = one.value.callee
            if isinstance(called, ast.Attribute) and called.name == "append" and isinstance(called.value, ast.Name):
                yield _Gathered(called.value.id, one.value.arguments[0].value, one)
        elif isinstance(one, ast.Assign) and len(one.values) == 1 and isinstance(one.targets[0], ast.Name):
            value, name = one.values[0], one.targets[0].id
            added = value.right if isinstance(value, ast.Binary) and value.left.span.text == name else None
            if isinstance(added, ast.List) and len(added.items) == 1:
                yield _Gathered(name, added.items[0], one)


def _starts_empty(before: tuple[ast.Stmt, ...], name: str) -> bool:
    return _empty(before, name) is not None


def _empty(before: tuple[ast.Stmt, ...], name: str) -> ast.Assign | None:
    """The statement that makes an empty list."""
    return next((one for one in before if isinstance(one, ast.Assign) and one.span.text == f"{name} = []"), None)


def _emitted(one: _Gathered, before: tuple[ast.Stmt, ...], behind: tuple[ast.Stmt, ...]) -> Iterator[Edit]:
    """``emit`` for what is added to a list; where the list is stacked, it is a tensor already."""
    yield Edit(one.statement.span, f"emit {one.value.span.text}")
    empty = _empty(before, one.name)
    if empty is not None:
        yield Edit(whole_line(empty.span), "")
    for statement in behind:
        for node in expressions(statement):
            given = node.arguments if isinstance(node, ast.Call) and callee(node) in ("stack", "concat") else ()
            if given and given[0].value.span.text == one.name:
                yield Edit(node.span, one.name)


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
    result = f" -> {gathered[0].name} along 1" if gathered else ""
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
            rest = [one for i, one in enumerate(node.subscripts) if i != axis]
            if axis is not None and all(one.span.text in (":", "...") for one in rest):
                found.setdefault((node.value.id, axis), []).append(node)
    for (name, axis), places in found.items():
        if len([1 for other, _ in found if other == name]) == 1:
            yield _Read(name, axis, tuple(places))
