"""Evaluating expressions: static values are computed, tensors become nodes of the graph under construction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archonnx.compiler.elaborate.core.algebra import is_group, map_groups
from archonnx.compiler.elaborate.core.control import iterate, spread, truth, unpack
from archonnx.compiler.elaborate.core.forms import form, function_form
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.problems import problems
from archonnx.compiler.elaborate.core.static import bounded, is_number, static_binary
from archonnx.compiler.elaborate.core.tensors import tensor_binary
from archonnx.compiler.elaborate.core.values import Choice, Results, describe, static_dim
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.compare import logical_not
from archonnx.grammar import ast
from archonnx.grammar.budget import Cost, spend
from archonnx.grammar.diagnostics import Suggestion, did_you_mean, fail
from archonnx.grammar.source import Span

from .pairs import check_pairs


@form(ast.Number, ast.String, ast.Constant)
def _literal(frame: Frame, expr: ast.Number | ast.String | ast.Constant, hint: str | None) -> Any:
    return expr.value


@form(ast.Name)
def _name(frame: Frame, expr: ast.Name, hint: str | None) -> Any:
    return frame.resolve(expr)


@form(ast.Conditional)
def _conditional(frame: Frame, expr: ast.Conditional, hint: str | None) -> Any:
    return frame.evaluate(expr.then if truth(frame, expr.condition) else expr.otherwise, hint)


@form(ast.Dict)
def _dict(frame: Frame, expr: ast.Dict, hint: str | None) -> dict[str, Any]:
    items = {key.value: frame.evaluate(item, f"{hint}.{key.value}" if hint else None) for key, item in expr.items}
    return bounded(items, expr.span)


@form(ast.Tuple)
def _tuple(frame: Frame, expr: ast.Tuple, hint: str | None) -> Results:
    return bounded(Results(tuple(frame.evaluate(item) for item in expr.items), (None,) * len(expr.items)), expr.span)


@form(ast.List)
def _list(frame: Frame, expr: ast.List, hint: str | None) -> list[Any]:
    return _items(frame, expr, hint, frame.evaluate)


@function_form(ast.List)
def _list_of_functions(frame: Frame, expr: ast.List, hint: str | None) -> list[Any]:
    """Where a list of fns is expected: each item may be a partial."""
    return _items(frame, expr, hint, frame.evaluate_function)


def _items(
    frame: Frame, expr: ast.List, hint: str | None, value_of: Callable[[ast.Expr, str | None], Any]
) -> list[Any]:
    items: list[Any] = []
    for item in expr.items:
        if isinstance(item, ast.Dots):
            items += spread(frame, item)
        else:
            items.append(value_of(item, f"{hint}.{len(items)}" if hint else None))
    return bounded(items, expr.span)


# ---------------------------------------------------------------- operators


@form(ast.Unary)
def _unary(frame: Frame, expr: ast.Unary, hint: str | None) -> Any:
    value = frame.evaluate(expr.operand)
    if isinstance(value, Value):
        with frame.at(expr.span, f"`{expr.op}`"), problems(frame, expr.span, [expr.operand], [value]):
            if expr.op == "not":
                return logical_not(value)
            return value if expr.op == "+" else -value
    if expr.op == "not" and isinstance(value, bool | None):
        return not value
    if (is_number(value) or isinstance(value, Dim)) and expr.op != "not":
        negated = -value if expr.op == "-" else value
        return negated if isinstance(negated, float) else static_dim(negated)
    if expr.op == "-" and is_group(value):
        with frame.at(expr.span, "`-`"):
            return map_groups(frame, lambda p: -p, [value], expr.span)
    return fail("AX0306", f"`{expr.op}` is not defined for {describe(value)}", expr.span)


@form(ast.Binary)
def _binary(frame: Frame, expr: ast.Binary, hint: str | None) -> Any:
    left = frame.evaluate(expr.left)
    if expr.op in ("and", "or") and not isinstance(left, Value):
        decided = truth_of(frame, left, expr.left)
        if decided is (expr.op == "or"):
            return decided
        right = frame.evaluate(expr.right)
        return right if isinstance(right, Value) else truth_of(frame, right, expr.right)
    if isinstance(left, Choice) and expr.op in ("==", "!=", "in", "not in"):
        return _compare_choice(frame, left, expr)
    right = frame.evaluate(expr.right)
    if expr.op in ("+", "-", "*", "/") and (is_group(left) or is_group(right)) and _joins_groups(expr.op, left, right):
        with frame.at(expr.span, f"`{expr.op}`"), problems(frame, expr.op_span, [expr.left, expr.right], [left, right]):
            return map_groups(frame, lambda a, b: tensor_binary(frame, expr.op, a, b), [left, right], expr.op_span)
    if isinstance(left, Value) or isinstance(right, Value):
        return _tensor_binary(frame, expr, left, right)
    return static_binary(expr.op, left, right, expr.op_span, (expr.left.span, expr.right.span))


def _joins_groups(op: str, left: Any, right: Any) -> bool:
    """Modules are joined with modules, numbers and tensors; two lists with `+` are one list, of whatever."""
    if op == "+" and isinstance(left, list) and isinstance(right, list):
        return False
    return all(is_group(value) or isinstance(value, Value | int | float | Dim) for value in (left, right))


def truth_of(frame: Frame, value: Any, expr: ast.Expr) -> bool:
    """A static value as an operand of ``and``, ``or``."""
    if isinstance(value, bool):
        return value
    return fail("AX0306", f"`and`, `or` join truth values, and this is {describe(value)}", expr.span)


def _compare_choice(frame: Frame, left: Choice, expr: ast.Binary) -> bool:
    def word(item: ast.Expr) -> str:
        known = frame.locals.get(item.id) if isinstance(item, ast.Name) else None
        if isinstance(known, Choice) and known.words == left.words:
            return known.word
        text = "none" if isinstance(item, ast.Constant) and item.value is None else getattr(item, "id", None)
        if text is None and isinstance(item, ast.String):
            text = item.value
        if text not in left.words:
            fail(
                "AX0208",
                f"`{item.span.text}` is not one of {', '.join(left.words)}",
                item.span,
                help=did_you_mean(str(text), left.words),
            )
        return str(text)

    def words() -> list[str]:
        if isinstance(expr.right, ast.List):
            return [word(item) for item in expr.right.items]
        listed = frame.evaluate(expr.right)
        if not isinstance(listed, list) or not all(isinstance(item, str | Choice) for item in listed):
            fail("AX0306", f"`{expr.op}` looks into a list of words, and this is {describe(listed)}", expr.right.span)
        return [str(item) for item in listed]

    if expr.op in ("in", "not in"):
        return (left.word in words()) is (expr.op == "in")
    return (left.word == word(expr.right)) is (expr.op == "==")


def _tensor_binary(frame: Frame, expr: ast.Binary, left: Any, right: Any) -> Value:
    operands = [expr.left, expr.right]
    if expr.op in ("in", "not in"):
        fail(
            "AX0306",
            f"`{expr.op}` is decided at compile time: it looks for a static value in a list",
            expr.op_span,
            help="compare tensors with `==`",
        )
    for value, operand in zip((left, right), operands, strict=True):
        if not isinstance(value, Value | bool | int | float | Dim):
            fail("AX0306", f"`{expr.op}` joins tensors and numbers, and this is {describe(value)}", operand.span)
    with frame.at(expr.span, f"`{expr.op}`"), problems(frame, expr.op_span, operands, [left, right]):
        if expr.op != "@" and isinstance(left, Value) and isinstance(right, Value):
            check_pairs(expr, left, right)
        try:
            return tensor_binary(frame, expr.op, left, right)
        except TypeProblem as problem:
            if problem.code == "AX0301" and problem.help is None:
                problem.help = _other_rows(frame, left, right)
            raise


def _other_rows(frame: Frame, left: Value, right: Value) -> Suggestion | None:
    """How a matrix that is a parameter would have to be declared, to be multiplied from the left."""
    slot = next((slot for slot, value in frame.build.parameters.items() if value is right), None)
    if slot is None or right.rank != 2 or left.shape[-1].constant is None:
        return None
    assert isinstance(slot.statement.type, ast.TensorType)
    rows, columns = slot.statement.type.dims
    if right.shape[1] == left.shape[-1]:  # its dims stand in the other order
        both = Span(rows.span.source, rows.span.start, columns.span.end)
        swapped = f"{columns.span.text}, {rows.span.text}"
        return Suggestion.of(f"declare `{slot.name}` as [{swapped}]", both.text, swapped, both)
    text = f"declare `{slot.name}` as [{left.shape[-1]}, {columns.span.text}]"
    return Suggestion.of(text, rows.span.text, str(left.shape[-1]), rows.span)


# ---------------------------------------------------------------- containers, attributes, indices


@form(ast.Comprehension)
def _comprehension(frame: Frame, expr: ast.Comprehension, hint: str | None) -> list[Any]:
    items: list[Any] = []
    saved, outer = dict(frame.locals), frame.indices
    spend(Cost.expressions, len(saved) // 20)
    try:
        for i, item in enumerate(iterate(frame, expr.iterable)):
            unpack(frame, [target.id for target in expr.targets], item, expr.span)
            if expr.condition is None or truth(frame, expr.condition):
                frame.indices = (*outer, i)
                items.append(frame.evaluate(expr.element, f"{hint}.{len(items)}" if hint else None))
    finally:
        frame.locals, frame.indices = saved, outer
    return bounded(items, expr.span)
