"""``assert``: decided at compile time where possible; else assumed, used, recorded, and checked when it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from archonnx.compiler.elaborate.core.control import truth
from archonnx.compiler.elaborate.core.forms import statement
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.static import is_size, shown
from archonnx.compiler.elaborate.core.values import describe
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import at_most, same
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import PER_EPOCH, TOTAL, Assumption
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import fail


class Substitute(Exception):  # noqa: N818 - no error: the build starts again, knowing more
    """An assumed equality replaces a name of a dim."""

    def __init__(self, symbol: str, value: Dim, assumption: Assumption) -> None:
        super().__init__(symbol)
        self.symbol, self.value, self.assumption = symbol, value, assumption

    def added_to(self, known: Mapping[str, Dim]) -> dict[str, Dim]:
        """The substitutions known before, and this one."""
        return {name: dim.substitute({self.symbol: self.value}) for name, dim in known.items()} | {
            self.symbol: self.value
        }


Built = TypeVar("Built")


def settled(
    attempt: Callable[[Mapping[str, Dim]], Built], known: Mapping[str, Dim]
) -> tuple[Built, Mapping[str, Dim], list[Assumption]]:
    """What an attempt to build gives once no ``assert`` in it equates a dim any more.

    Args:
        attempt: builds with these dims substituted; it starts again whenever it comes to another equality.
        known: the dims that are substituted at first.

    Returns:
        what was built, with all substitutions, and the equalities that were met.
    """
    assumed: list[Assumption] = []
    while True:
        try:
            return attempt(known), known, assumed
        except Substitute as found:
            known = found.added_to(known)
            assumed.append(found.assumption)


@statement(ast.Assert)
def check_assert(frame: Frame, statement: ast.Assert) -> None:
    """Decide the condition, or assume it."""
    condition = statement.condition
    if isinstance(condition, ast.Binary) and condition.op in ("==", "!=", "<", "<=", ">", ">="):
        left, right = frame.evaluate(condition.left), frame.evaluate(condition.right)
        if isinstance(left, Dim) or isinstance(right, Dim):
            _check_dims(frame, statement, condition, left, right)
            return
        if isinstance(left, Value) or isinstance(right, Value):
            fail("AX0309", "an `assert` is about dims and static values, and this compares tensors", condition.span)
    if not truth(frame, condition):
        _refuted(frame, statement)


def _check_dims(frame: Frame, statement: ast.Assert, condition: ast.Binary, left: Any, right: Any) -> None:
    for value, expr in ((left, condition.left), (right, condition.right)):
        if not is_size(value):
            fail("AX0306", f"a dim is compared with a dim or an int, not with {describe(value)}", expr.span)
    a, b = Dim.of(left), Dim.of(right)
    decided = decide(condition.op, a, b)
    if decided is False:
        _refuted(frame, statement)
    if decided is None:
        if not {TOTAL, PER_EPOCH}.isdisjoint(a.symbols() | b.symbols()):
            fail("AX0309", "this is decided when the number of steps is known", statement.condition.span)
        message = _message(frame, statement, sized=True)
        assumption = Assumption(condition.op, a, b, message, statement.span)
        if assumption not in frame.build.observed.assumptions:
            frame.build.observed.assumptions.append(assumption)
        replaced = condition.op == "==" and not frame.build.mode.settled
        for symbol, value in ((a.symbol, b), (b.symbol, a)):
            if replaced and symbol is not None and symbol not in value.symbols():
                raise Substitute(symbol, value, assumption)
        frame.build.assume(condition.op, a, b)


def decide(op: str, a: Dim, b: Dim) -> bool | None:
    """Whether ``a OP b``: yes, no, or cannot tell."""
    match op:
        case "==":
            return same(a, b)
        case "!=":
            equal = same(a, b)
            return None if equal is None else not equal
        case "<=":
            return True if at_most(a, b) else False if at_most(b + 1, a) else None
        case "<":
            return True if at_most(a + 1, b) else False if at_most(b, a) else None
        case ">=":
            return decide("<=", b, a)
    return decide("<", b, a)


def _refuted(frame: Frame, statement: ast.Assert) -> None:
    fail("AX0319", f"assertion failed: {_message(frame, statement)}", statement.condition.span)


def _message(frame: Frame, statement: ast.Assert, *, sized: bool = False) -> str:
    """The message with ``{name}`` replaced by what the name stands for; the condition itself where there is none.

    With ``sized``, dims that only a call knows stay in braces, for the runtime to put their sizes there.
    """
    if statement.message is None:
        return f"`{statement.condition.span.text}`"
    text = frame.evaluate(statement.message)
    if not isinstance(text, str):
        fail("AX0306", f"the message of an `assert` is a string, not {describe(text)}", statement.message.span)

    def named(found: re.Match[str]) -> str:
        value = frame.locals.get(found[1], found[0])
        return f"{{{value}}}" if sized and isinstance(value, Dim) and value.constant is None else shown(value)

    return re.sub(r"\{([^\W\d]\w*)\}", named, text)
