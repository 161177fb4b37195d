"""Static control: conditions that are decided, lists that are iterated and unpacked, while a spec is elaborated."""

from __future__ import annotations

from typing import Any

from archonnx.compiler.elaborate.core.static import is_size
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.value import Value
from archonnx.grammar import ast
from archonnx.grammar.budget import Cost, spend
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .frame import Frame
from .values import Builtin, Results, describe


def truth(frame: Frame, condition: ast.Expr) -> bool:
    """The value of a static condition."""
    value = frame.evaluate(condition)
    if isinstance(value, Value):
        fail(
            "AX0309",
            "this condition is a tensor, and `if` decides at compile time",
            condition.span,
            describe(value),
            help="choose elementwise with `where(condition, a, b)`",
        )
    if isinstance(value, Dim):
        fail(
            "AX0309",
            f"this condition needs the value of {value}, which is known only when the model runs",
            condition.span,
        )
    if not isinstance(value, bool | int | float | list | dict | str | None):
        fail("AX0306", f"a condition is true or false, not {describe(value)}", condition.span)
    return bool(value)


def is_range(frame: Frame, expr: ast.Expr) -> bool:
    """Whether an expression is a call of ``range``."""
    if not isinstance(expr, ast.Call) or not isinstance(expr.callee, ast.Name):
        return False
    found = frame.lookup(expr.callee.id, callable_only=True)
    return isinstance(found, Builtin) and found.name == "range"


def iterate(frame: Frame, expr: ast.Expr) -> list[Any]:
    """The items of a static list or range."""
    if is_range(frame, expr):
        _check_static(frame, expr)
    value = frame.evaluate(expr)
    if isinstance(value, Value | Dim):
        advice = None
        if isinstance(value, Value):  # sequences are [batch, time, features]: their examples are side by side
            axis = 1 if value.type.rank > 2 and value.shape[0].constant is None else 0
            advice = f"`scan v in {expr.span.text} along {axis}, ...` runs over its slices"
        headline = f"`for` runs at compile time, over a list or range: not over {describe(value)}"
        fail("AX0309", headline, expr.span, help=advice)
    if not isinstance(value, list):
        fail("AX0306", f"`for` runs over a list or range, not over {describe(value)}", expr.span)
    spend(Cost.expressions, len(value))
    return value


def _check_static(frame: Frame, call: ast.Expr) -> None:
    """The bounds of a range that `for` runs over are known at compile time."""
    assert isinstance(call, ast.Call)
    for argument in call.arguments:
        bound = frame.evaluate(argument.value)
        if isinstance(bound, Dim | Value):
            known = f"{bound} is" if isinstance(bound, Dim) else "a tensor's values are"
            fail(
                "AX0309",
                f"`for` is unrolled at compile time, and {known} known only when the model runs",
                argument.span,
                help=f"`scan i in {call.span.text}, STATE = FIRST:` runs as a loop of the graph",
            )


def unpack(frame: Frame, names: list[str], item: Any, span: Span) -> None:
    """Bind loop variables."""
    if len(names) == 1:
        frame.locals[names[0]] = item
        return
    items = item.items if isinstance(item, Results) else item
    if not isinstance(items, list | tuple) or len(items) != len(names):
        fail("AX0207", f"cannot unpack {describe(item)} into {len(names)} names", span)
    frame.locals.update(zip(names, items, strict=True))


def spread(frame: Frame, dots: ast.Dots) -> list[Any]:
    """The dims for which ``...S`` stands."""
    value = frame.locals.get(dots.name or "")
    if not isinstance(value, list) or not all(is_size(d) for d in value):
        fail(
            "AX0201",
            f"`...{dots.name or ''}` is not known here",
            dots.span,
            help="name it in the signature: `x: [...S, n]`",
        )
    return value
