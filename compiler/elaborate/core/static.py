"""Arithmetic on static values: numbers, dims and lists, within bounds, so that no spec can exhaust the machine."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeGuard, TypeVar

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import same
from archonnx.grammar.budget import Cost, hold, spend
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .values import Results, describe, static_dim

LIMIT = 2**63
"""Static integers stay within 64 bits."""
ITEMS = 1_000_000
"""Numbers in a list, all levels together."""
WALKED, ITEM_BYTES = 10, 16
"""Items that cost a unit of work to walk through, and the bytes that one takes."""
PLAIN = frozenset({int, float, bool, str})
"""Types of static values that Python compares as the language does."""
CONTAINERS = frozenset({list, dict, Results})
POWER = 1024
TEXT = 200
"""Characters of a static value that a message shows."""

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a value is an int of the language. A bool is not, although Python's is."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is an int or a float."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_size(value: Any) -> TypeGuard[int | Dim]:
    """Whether a value may be the size of an axis: an int, or a symbolic dim."""
    return isinstance(value, int | Dim) and not isinstance(value, bool)


def static_binary(op: str, left: Any, right: Any, span: Span, operands: tuple[Span, Span]) -> Any:
    """An operator on two static values."""
    if op in ("==", "!="):
        charge(left)
        charge(right)
        equal = _equal(left, right)
        if equal is None:
            fail("AX0305", f"cannot tell whether {shown(left)} equals {shown(right)}", span)
        return equal is (op == "==")
    if op in ("in", "not in"):
        if not isinstance(right, list | dict | str):
            fail("AX0306", f"`{op}` looks into a list, and this is {describe(right)}", operands[1])
        return _contains(right, left, span) is (op == "in")
    if op == "@":
        fail("AX0306", f"`@` joins tensors, not {describe(left)} and {describe(right)}", span)
    for value, where in zip((left, right), operands, strict=True):
        if not is_number(value) and not isinstance(value, Dim | list):
            fail("AX0306", f"`{op}` is not defined for {describe(value)}", where)
    if isinstance(left, list) or isinstance(right, list):
        return _list_binary(op, left, right, span)
    return _number_binary(op, left, right, span)


def _equal(left: Any, right: Any) -> bool | None:
    """Whether two values are equal, lists item by item; dims are, where it is stated. None if it cannot be told."""
    if left is right and not isinstance(left, float):
        return True
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            return False
        if PLAIN.issuperset(map(type, left)) and PLAIN.issuperset(map(type, right)):
            return left == right
        return _all_equal(zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and _all_equal((item, right[key]) for key, item in left.items())
    if is_size(left) and is_size(right):
        return same(Dim.of(left), Dim.of(right))
    return left is right or bool(left == right)


def _all_equal(pairs: Iterable[tuple[Any, Any]]) -> bool | None:
    """Whether the two of each pair are equal; one pair that is not decides it, whatever of the others is not known."""
    unknown = False
    for left, right in pairs:
        equal = _equal(left, right)
        if equal is False:
            return False
        unknown = unknown or equal is None
    return None if unknown else True


def charge(value: Any) -> None:
    """Count what it costs to walk through a static value."""
    if isinstance(value, list | dict | Results):
        weight(value)
    elif isinstance(value, str):
        spend(Cost.items, len(value) // 1000)


def _contains(container: list[Any] | dict[str, Any] | str, value: Any, span: Span) -> bool:
    if isinstance(container, str):
        return isinstance(value, str) and value in container
    if isinstance(container, dict):
        return isinstance(value, str) and value in container
    charge(container)
    if type(value) in PLAIN and PLAIN.issuperset(map(type, container)):
        return value in container
    answers = [_equal(item, value) for item in container]
    if True not in answers and None in answers:
        fail("AX0305", f"cannot tell whether {shown(value)} is in {shown(container)}", span)
    return True in answers


def shown(value: Any) -> str:
    """A static value in a message: as much of a long one as can be read."""
    parts: list[str] = []
    left = TEXT
    for part in _parts(value):
        parts.append(part[:left])
        left -= len(part)
        if left < 0:
            return "".join([*parts, "..."])
    return "".join(parts)


def _parts(value: Any) -> Iterator[str]:
    """The text of a value, piece by piece."""
    if isinstance(value, list):
        yield "["
        for number, item in enumerate(value):
            yield from (", ",) * (number > 0)
            yield from _parts(item)
        yield "]"
    elif isinstance(value, dict):
        yield "{"
        for number, (key, item) in enumerate(value.items()):
            yield f"{', ' if number else ''}{key}: "
            yield from _parts(item)
        yield "}"
    elif isinstance(value, Results):
        yield f"{len(value.items)} results"
    else:
        yield str(value)


def _list_binary(op: str, left: Any, right: Any, span: Span) -> list[Any]:
    if op == "+" and isinstance(left, list) and isinstance(right, list):
        return bounded(left + right, span)
    if op == "*" and isinstance(left, list) and isinstance(right, int):
        if right * max(weight(left), 1) > ITEMS:
            _too_long(span)
        return bounded(left * right, span)
    fail("AX0306", f"`{op}` is not defined for {describe(left)} and {describe(right)}", span)
    return None


Held = TypeVar("Held", bound="list[Any] | dict[str, Any] | Results")


def bounded(items: Held, span: Span | None) -> Held:
    """A list, dict or several results that were just made; a diagnostic if they hold too much.

    So whatever walks through a static value, to compare or to show it, ends soon: also where a value holds the same
    list again and again, which it walks through as often.
    """
    if weight(items) > ITEMS:
        _too_long(span)
    hold(Cost.items, ITEM_BYTES * len(items.items if isinstance(items, Results) else items))
    return items


def weight(items: list[Any] | dict[str, Any] | Results) -> int:
    """Number of items at all levels, counted no further than the limit."""
    total, lists, stack = 0, 0, [items]
    while stack and total <= ITEMS:
        top = stack.pop()
        current = top.values() if isinstance(top, dict) else top.items if isinstance(top, Results) else top
        total += len(current)
        lists += 1
        if total <= ITEMS and not CONTAINERS.isdisjoint(map(type, current)):
            stack += [item for item in current if isinstance(item, list | dict | Results)]
    spend(Cost.items, 3 * lists + total // WALKED)
    return total


def _too_long(span: Span | None) -> None:
    fail("AX0215", f"a list may hold {ITEMS:,} items, all levels together, and this one would hold more", span)


def _number_binary(op: str, left: Any, right: Any, span: Span) -> Any:
    dims = isinstance(left, Dim) or isinstance(right, Dim)
    if dims and (op not in ("+", "-", "*", "//", "%", "**") or isinstance(left, float) or isinstance(right, float)):
        fail("AX0309", f"`{op}` on {describe(left)} and {describe(right)} needs a number known at compile time", span)
    if op in ("//", "%", "/") and right == 0:
        fail("AX0311", "division by zero", span)
    if op == "**" and not _power_in_range(left, right):
        fail("AX0311", f"the power of {left} to {right} is out of range", span)
    try:
        if dims:
            left, right = (Dim.of(left), Dim.of(right)) if op != "**" else (left, right)
        result = ARITHMETIC[op](left, right)
    except (OverflowError, ValueError, ZeroDivisionError):
        fail("AX0311", f"the result of `{op}` is out of range", span)
    return static_dim(in_range(result, op, span))


def in_range(result: Any, what: str, span: Span) -> Any:
    """A number or dim; a diagnostic unless it is finite and its integers are within 64 bits."""
    wrong = isinstance(result, complex) or (isinstance(result, float) and math.isnan(result))
    if isinstance(result, Dim):
        wrong = not result.is_representable
    if wrong or (is_whole(result) and abs(result) >= LIMIT):
        fail("AX0311", f"the result of `{what}` is out of range", span)
    return result


def _power_in_range(left: Any, right: Any) -> bool:
    if isinstance(left, Dim):
        return isinstance(right, int) and 0 <= right <= 16
    return isinstance(right, int | float) and abs(right) <= POWER and not (left == 0 and right < 0)
