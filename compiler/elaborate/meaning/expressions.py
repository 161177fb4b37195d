"""Evaluating expressions: static values are computed, tensors become nodes of the graph under construction."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from archonnx.compiler.elaborate.core.algebra import is_group, map_groups
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.problems import problems
from archonnx.compiler.elaborate.core.static import bounded, is_number, is_size, is_whole, static_binary
from archonnx.compiler.elaborate.core.tensors import tensor_binary
from archonnx.compiler.elaborate.core.values import Choice, Derived, Method, Module, Results, describe, static_dim
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.compare import logical_not
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Suggestion, did_you_mean, fail
from archonnx.grammar.source import Span

Form: TypeAlias = Callable[[Frame, Any, "str | None"], Any]
"""Evaluates one form of expressions; the last argument is the name of a module made there."""


def evaluate(frame: Frame, expr: ast.Expr, hint: str | None = None) -> Any:
    """The value of an expression.

    Args:
        frame: where it stands.
        expr: the expression.
        hint: the name of a module made here.
    """
    frame.build.spend(expr.span)
    try:
        form: Form = _FORMS.get(type(expr), _misplaced)
        return form(frame, expr, hint)
    except TypeProblem as problem:  # of a part that has no expression of its own
        fail(problem.code, problem.headline, expr.span, notes=problem.notes, help=problem.help)
    except OverflowError:
        fail("AX0311", "a number here is out of range", expr.span)
    except RecursionError:
        fail("AX0216", "this nests too deep", expr.span)


def _literal(frame: Frame, expr: ast.Number | ast.String | ast.Constant, hint: str | None) -> Any:
    return expr.value


def _name(frame: Frame, expr: ast.Name, hint: str | None) -> Any:
    return frame.resolve(expr)


def _call(frame: Frame, expr: ast.Call, hint: str | None) -> Any:
    from .calls import evaluate_call

    return evaluate_call(frame, expr, hint)


def _pipe(frame: Frame, expr: ast.Pipe, hint: str | None) -> Any:
    from .calls import evaluate_pipe

    return evaluate_pipe(frame, expr)


def _conditional(frame: Frame, expr: ast.Conditional, hint: str | None) -> Any:
    return evaluate(frame, expr.then if truth(frame, expr.condition) else expr.otherwise, hint)


def _dict(frame: Frame, expr: ast.Dict, hint: str | None) -> dict[str, Any]:
    return {key.value: evaluate(frame, item, f"{hint}.{key.value}" if hint else None) for key, item in expr.items}


def _tuple(frame: Frame, expr: ast.Tuple, hint: str | None) -> Results:
    return Results(tuple(evaluate(frame, item) for item in expr.items), (None,) * len(expr.items))


def _misplaced(frame: Frame, expr: ast.Expr, hint: str | None) -> Any:
    return fail("AX0306", "this cannot stand here", expr.span)


def _list(frame: Frame, expr: ast.List, hint: str | None) -> list[Any]:
    items: list[Any] = []
    for item in expr.items:
        if isinstance(item, ast.Dots):
            items += spread(frame, item)
        else:
            items.append(evaluate(frame, item, f"{hint}.{len(items)}" if hint else None))
    return bounded(items, expr.span)


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


def truth(frame: Frame, condition: ast.Expr) -> bool:
    """The value of a static condition."""
    value = evaluate(frame, condition)
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


# ---------------------------------------------------------------- operators


def _unary(frame: Frame, expr: ast.Unary, hint: str | None) -> Any:
    value = evaluate(frame, expr.operand)
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


def _binary(frame: Frame, expr: ast.Binary, hint: str | None) -> Any:
    left = evaluate(frame, expr.left)
    if expr.op in ("and", "or") and not isinstance(left, Value):
        decided = truth_of(frame, left, expr.left)
        if decided is (expr.op == "or"):
            return decided
        right = evaluate(frame, expr.right)
        return right if isinstance(right, Value) else truth_of(frame, right, expr.right)
    if isinstance(left, Choice) and expr.op in ("==", "!=", "in"):
        return _compare_choice(frame, left, expr)
    right = evaluate(frame, expr.right)
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
    return all(is_group(value) or isinstance(value, Value | int | float) for value in (left, right))


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

    if expr.op == "in" and isinstance(expr.right, ast.List):
        return left.word in [word(item) for item in expr.right.items]
    return (left.word == word(expr.right)) is (expr.op == "==")


def _tensor_binary(frame: Frame, expr: ast.Binary, left: Any, right: Any) -> Value:
    operands = [expr.left, expr.right]
    if expr.op == "in":
        fail(
            "AX0306",
            "`in` is decided at compile time: it looks for a static value in a list",
            expr.op_span,
            help="compare tensors with `==`",
        )
    for value, operand in zip((left, right), operands, strict=True):
        if not isinstance(value, Value | bool | int | float | Dim):
            fail("AX0306", f"`{expr.op}` joins tensors and numbers, and this is {describe(value)}", operand.span)
    with frame.at(expr.span, f"`{expr.op}`"), problems(frame, expr.op_span, operands, [left, right]):
        try:
            return tensor_binary(frame, expr.op, left, right)
        except TypeProblem as problem:
            if problem.code == "AX0301" and problem.help is None:
                problem.help = _other_rows(frame, left, right)
            raise


def _other_rows(frame: Frame, left: Value, right: Value) -> Suggestion | None:
    """How a matrix that is a parameter would have to be declared, to be multiplied from the left."""
    slot = next((slot for slot, value in frame.build.parameters.items() if value is right), None)
    if slot is None or right.rank != 2 or slot.statement.type.dims is None or left.shape[-1].constant is None:
        return None
    rows, columns = slot.statement.type.dims
    if right.shape[1] == left.shape[-1]:  # its dims stand in the other order
        both = Span(rows.span.source, rows.span.start, columns.span.end)
        swapped = f"{columns.span.text}, {rows.span.text}"
        return Suggestion.of(f"declare `{slot.name}` as [{swapped}]", both.text, swapped, both)
    text = f"declare `{slot.name}` as [{left.shape[-1]}, {columns.span.text}]"
    return Suggestion.of(text, rows.span.text, str(left.shape[-1]), rows.span)


# ---------------------------------------------------------------- containers, attributes, indices


def _comprehension(frame: Frame, expr: ast.Comprehension, hint: str | None) -> list[Any]:
    items: list[Any] = []
    saved, outer = dict(frame.locals), frame.indices
    try:
        for i, item in enumerate(iterate(frame, expr.iterable)):
            unpack(frame, [target.id for target in expr.targets], item, expr.span)
            if expr.condition is None or truth(frame, expr.condition):
                frame.indices = (*outer, i)
                items.append(evaluate(frame, expr.element, f"{hint}.{len(items)}" if hint else None))
    finally:
        frame.locals, frame.indices = saved, outer
    return bounded(items, expr.span)


def iterate(frame: Frame, expr: ast.Expr) -> list[Any]:
    """The items of a static list or range."""
    value = evaluate(frame, expr)
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


def _attribute(frame: Frame, expr: ast.Attribute, hint: str | None) -> Any:
    value = evaluate(frame, expr.value)
    name, span = expr.name, expr.name_span
    if isinstance(value, Results):
        if name in value.names:
            return value.items[value.names.index(name)]
        known: list[str] = [n for n in value.names if n]
    elif isinstance(value, Module):
        return module_attribute(frame, value, name, span)
    elif isinstance(value, Derived):
        return derived_attribute(frame, value, name, span)
    elif isinstance(value, dict):
        if name in value:
            return value[name]
        known = list(value)
    else:
        return fail("AX0206", f"{describe(value)} has no `.{name}`", span)
    return fail(
        "AX0206",
        f"{describe(value)} has no `.{name}`",
        span,
        help=did_you_mean(name, known) or (f"it has {', '.join(known)}" if known else None),
    )


def module_attribute(frame: Frame, module: Module, name: str, span: Span) -> Any:
    """A module's parameter, method, or a module made inside it under a name."""
    from archonnx.compiler.elaborate.core.dependence import methods

    from .methods import add_setup, ready

    known: list[str] = []
    if module.block is not None:
        own = methods(module.block.declaration)
        if name in own:
            return Method(own[name], module)
        if name not in module.slots and ready(module):
            inner = Frame(frame.build, module.block.scope, module, site=frame.site, caller=frame)
            add_setup(inner, module, span)
        known += own
    if name in module.slots:
        return frame.build.tensor(module.slots[name])
    named = {child.name: child for child in module.children.values() if child.name}
    if name in named:
        return named[name]
    items = [child for label, child in named.items() if re.fullmatch(rf"{re.escape(name)}\.\d+", label)]
    if items:
        return items
    known += [*module.slots, *named]
    if not known and module.block is not None and not ready(module):
        fail(
            "AX0316",
            f"{describe(module)} has no parameters yet: they are made when it is first applied",
            span,
            help="apply it before this place",
        )
    return fail(
        "AX0206",
        f"{describe(module)} has no `.{name}`",
        span,
        help=did_you_mean(name, known) or (f"it has {', '.join(known)}" if known else None),
    )


def derived_attribute(frame: Frame, module: Derived, name: str, span: Span) -> Any:
    """The same of a derived module: with the tensors that it has instead."""
    with frame.build.deriving(module):
        value = module_attribute(frame, module.base, name, span)
    if isinstance(value, Module):
        return Derived(value, module.replace, module.values, module.frozen)
    return Method(value.declaration, value.module, module) if isinstance(value, Method) else value


def _index(frame: Frame, expr: ast.Index, hint: str | None) -> Any:
    value = evaluate(frame, expr.value)
    if isinstance(value, Value):
        return _tensor_index(frame, expr, value)
    if len(expr.subscripts) != 1 or isinstance(expr.subscripts[0], ast.Dots):
        fail("AX0306", f"{describe(value)} takes one index", expr.span)
    subscript = expr.subscripts[0]
    if isinstance(value, dict):
        key = evaluate(frame, subscript)
        if not isinstance(key, str) or key not in value:
            fail("AX0206", f"no key {describe(key)} here", subscript.span, help=did_you_mean(str(key), value))
        return value[key]
    if not isinstance(value, list):
        fail("AX0306", f"{describe(value)} cannot be indexed", expr.value.span)
    if isinstance(subscript, ast.Slice):
        start, stop, step = (_bound(frame, part) for part in (subscript.start, subscript.stop, subscript.step))
        if step == 0:
            fail("AX0312", "the step of a slice is 0", subscript.span)
        return value[start:stop:step]
    position = evaluate(frame, subscript)
    if not is_whole(position):
        fail("AX0306", f"an index into a list is an int, not {describe(position)}", subscript.span)
    if not -len(value) <= position < len(value):
        fail("AX0312", f"index {position} is outside a list of {len(value)}", subscript.span)
    return value[position]


def _bound(frame: Frame, expr: ast.Expr | None) -> int | None:
    if expr is None:
        return None
    value = evaluate(frame, expr)
    if not is_whole(value):
        fail("AX0306", f"a slice bound is an int here, not {describe(value)}", expr.span)
    return value


def _tensor_index(frame: Frame, expr: ast.Index, value: Value) -> Value:
    from .indexing import index_tensor

    return index_tensor(frame, expr, value)


_FORMS: dict[type[ast.Expr], Form] = {
    ast.Number: _literal,
    ast.String: _literal,
    ast.Constant: _literal,
    ast.Name: _name,
    ast.Call: _call,
    ast.Pipe: _pipe,
    ast.Unary: _unary,
    ast.Binary: _binary,
    ast.Conditional: _conditional,
    ast.List: _list,
    ast.Comprehension: _comprehension,
    ast.Dict: _dict,
    ast.Tuple: _tuple,
    ast.Attribute: _attribute,
    ast.Index: _index,
}
"""How each form is evaluated: a table, since expressions are evaluated by the ten thousand."""
