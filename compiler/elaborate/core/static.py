"""Arithmetic on static values: numbers, dims and lists, within bounds, so that no spec can exhaust the machine."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, TypeGuard

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import same
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .values import describe, static_dim

LIMIT = 2**63
"""Static integers stay within 64 bits."""
ITEMS = 1_000_000
"""Numbers in a list, all levels together."""
POWER = 1024

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
        equal = _equal(left, right)
        if equal is None:
            fail("AX0305", f"cannot tell whether {_shown(left)} equals {_shown(right)}", span)
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
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            return False
        answers = [_equal(one, other) for one, other in zip(left, right, strict=True)]
        return False if False in answers else None if None in answers else True
    if is_size(left) and is_size(right):
        return same(Dim.of(left), Dim.of(right))
    return left is right or bool(left == right)


def _contains(container: list[Any] | dict[str, Any] | str, value: Any, span: Span) -> bool:
    if isinstance(container, str):
        return isinstance(value, str) and value in container
    if isinstance(container, dict):
        return isinstance(value, str) and value in container
    answers = [_equal(item, value) for item in container]
    if True not in answers and None in answers:
        fail("AX0305", f"cannot tell whether {_shown(value)} is in {_shown(container)}", span)
    return True in answers


def _shown(value: Any) -> str:
    return f"[{', '.join(_shown(item) for item in value)}]" if isinstance(value, list) else str(value)


def _list_binary(op: str, left: Any, right: Any, span: Span) -> list[Any]:
    if op == "+" and isinstance(left, list) and isinstance(right, list):
        return bounded(left + right, span)
    if op == "*" and isinstance(left, list) and isinstance(right, int):
        if right * max(weight(left), 1) > ITEMS:
            _too_long(span)
        return left * right
    fail("AX0306", f"`{op}` is not defined for {describe(left)} and {describe(right)}", span)
    return None


def bounded(items: list[Any], span: Span) -> list[Any]:
    """The list; a diagnostic if it holds too much."""
    if weight(items) > ITEMS:
        _too_long(span)
    return items


def weight(items: list[Any]) -> int:
    """Number of items at all levels, counted no further than the limit."""
    total, stack = 0, [items]
    while stack and total <= ITEMS:
        current = stack.pop()
        total += len(current)
        if total <= ITEMS:
            stack += [item for item in current if isinstance(item, list)]
    return total


def _too_long(span: Span) -> None:
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
