"""Static control: conditions that are decided, lists that are iterated and unpacked, while a spec is elaborated."""

from __future__ import annotations

from typing import Any

from archonnx.compiler.elaborate.core.static import is_size
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.value import Value
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .frame import Frame
from .values import Results, describe


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


def iterate(frame: Frame, expr: ast.Expr) -> list[Any]:
    """The items of a static list or range."""
    value = frame.evaluate(expr)
    if isinstance(value, Value | Dim):
        fail("AX0309", f"`for` runs at compile time, over a list or range: not over {describe(value)}", expr.span)
    if not isinstance(value, list):
        fail("AX0306", f"`for` runs over a list or range, not over {describe(value)}", expr.span)
    frame.build.spend(expr.span, len(value))
    return value


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
