"""Calls: fns, blocks and modules, optimizers and schedules, builtins, casts, pipes and partial application."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archonnx.compiler.directions import DIRECTIONS, Direction
from archonnx.compiler.elaborate.core.algebra import copy_of, is_group
from archonnx.compiler.elaborate.core.forms import assigned, callable_, form, function_form
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.place import Call
from archonnx.compiler.elaborate.core.signatures import assign_arguments, evaluate_argument
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import (
    BlockType,
    Builtin,
    Function,
    Given,
    Partial,
    describe,
)
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import cast
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.source import Span

from .differentiation import run_with_backward
from .invocation import bind_arguments, enter, run_body
from .modules import make_module


@form(ast.Call)
def _call(frame: Frame, expr: ast.Call, hint: str | None) -> Any:
    """``callee(arguments)``."""
    if isinstance(expr.callee, ast.Name) and expr.callee.id == "copy" and frame.lookup("copy") is None:
        return _copy(frame, expr, hint)
    return frame.call(callee_of(frame, expr.callee), expr.arguments, [], expr.span, hint)


def _copy(frame: Frame, expr: ast.Call, hint: str | None) -> Any:
    """``copy(m)``: a new, untrained module with the same initial values, made at this site, under the hint's name."""
    given = assign_arguments("fn `copy`", ["m"], expr.arguments, [])
    value = frame.evaluate(expr.arguments[0].value) if given else None
    if not is_group(value):
        fail("AX0306", f"`copy` takes a module or a list of modules, not {describe(value)}", expr.span)
    return copy_of(frame, value, expr.span, hint)


@form(ast.Pipe)
def _pipe(frame: Frame, expr: ast.Pipe, hint: str | None) -> Any:
    """``value |> stage``: the value becomes the first argument; a block is made into a module and applied.

    ``(a, b) |> stage`` hands on both values as arguments.
    """
    several = [Given(item.span, value=frame.evaluate(item)) for item in _piped(expr.value)]
    called = expr.stage if isinstance(expr.stage, ast.Call) else None
    arguments = called.arguments if called is not None else ()
    callee = callee_of(frame, called.callee if called is not None else expr.stage)
    if isinstance(callee, BlockType):
        return frame.call(make_module(frame, callee, arguments, expr.stage.span, None), (), several, expr.stage.span)
    if len(several) > 1 and _takes_list(callee):
        parts = tuple(given.span for given in several)
        several = [Given(expr.value.span, value=[given.value for given in several], parts=parts)]
    return frame.call(callee, arguments, several, expr.stage.span)


def _piped(value: ast.Expr) -> tuple[ast.Expr, ...]:
    return value.items if isinstance(value, ast.Tuple) else (value,)


def _takes_list(callee: Any) -> bool:
    """Whether several piped values are one argument, as in ``(a, b) |> concat(axis=-1)``."""
    return isinstance(callee, Builtin) and bool(callee.parameters) and callee.parameters[0].kind == "items"


def callee_of(frame: Frame, expr: ast.Expr) -> Any:
    """What stands in call position; names that cannot be called are skipped."""
    if isinstance(expr, ast.Name):
        return frame.resolve(expr, callable_only=True)
    return frame.evaluate(expr)


@function_form(ast.Name)
def _name_of_function(frame: Frame, expr: ast.Name, hint: str | None) -> Any:
    return callee_of(frame, expr)


@function_form(ast.Call)
def _partial_or_call(frame: Frame, expr: ast.Call, hint: str | None) -> Any:
    """An argument where a fn is expected: a call that lacks its first argument is a partial."""
    callee = callee_of(frame, expr.callee)
    if isinstance(callee, Function | Builtin | Partial):
        return partial(frame, callee, expr.arguments, expr.span)
    return frame.call(callee, expr.arguments, [], expr.span, hint)


# ---------------------------------------------------------------- fns and partials


@callable_(Function)
def _call_function(
    frame: Frame,
    function: Function,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None,
) -> Any:
    """Call a ``fn``: its body is evaluated in place."""
    declaration = function.declaration
    given = assign_arguments(f"fn `{declaration.name}`", parameter_names(function), arguments, piped)
    return _call_function_assigned(frame, function, given, span)


@assigned(Function)
def _call_function_assigned(frame: Frame, function: Function, given: Mapping[str, Given], span: Span) -> Any:
    declaration = function.declaration
    what = f"fn `{declaration.name}`"
    inner = _enter_function(frame, function, span)
    bind_arguments(frame, inner, what, declaration.parameters, given, span)
    if declaration.backward is None:
        result = run_body(inner, what, declaration.body, declaration.result, span)
    else:
        result = run_with_backward(inner, what, declaration, span)
    if declaration.better is not None and isinstance(result, Value):
        frame.build.observed.better[result] = direction(declaration.better)
    return result


def direction(better: ast.Better) -> Direction:
    """The word after a metric or a fn: which values are good."""
    found = next((known for known in DIRECTIONS if better.word == known), None)
    if found is None:
        headline = f"good values are `smaller` or `larger`: not `{better.word}`"
        fail("AX0208", headline, better.span, help=did_you_mean(better.word, DIRECTIONS))
    return found


def _enter_function(frame: Frame, function: Function, span: Span) -> Frame:
    """A frame for the body of a ``fn``, with what it sees of the body around it."""
    name = function.declaration.name
    inner = enter(frame, function.scope, frame.owner, Call("fn", name, span), name)
    inner.chain = (*frame.chain, (span.source.name, span.start), *frame.indices)
    if function.around is not None:
        inner.locals.update(function.around.names)
        inner.statics.update(function.around.dims)
    return inner


def partial(
    frame: Frame, function: Function | Builtin | Partial, arguments: Sequence[ast.Argument], span: Span
) -> Partial:
    """A call in which leading arguments are still missing: given ones are bound to the parameters after them."""
    given: dict[str, Any] = {}
    if isinstance(function, Partial):
        given, function = dict(function.arguments), function.function
    names = parameter_names(function)
    free = [name for name in names[1:] if name not in given]
    assigned = assign_arguments(describe(function), free, arguments, [])
    for name, argument in assigned.items():
        given[name] = _partial_argument(frame, function, name, argument)
    return Partial(function, given)


def _partial_argument(frame: Frame, function: Function | Builtin, name: str, given: Given) -> Any:
    if isinstance(function, Function):
        parameter = next(p for p in function.declaration.parameters if p.name == name)
        return evaluate_argument(frame, parameter, given)
    assert given.expr is not None
    return frame.evaluate(given.expr)


def parameter_names(function: Function | Builtin) -> list[str]:
    """Names of the parameters of a function, in order."""
    if isinstance(function, Builtin):
        return [p.name for p in function.parameters]
    return [p.name for p in function.declaration.parameters]


@callable_(Partial)
def _call_partial(
    frame: Frame,
    callee: Partial,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None,
) -> Any:
    free = [name for name in parameter_names(callee.function) if name not in callee.arguments]
    found = assign_arguments(describe(callee), free, arguments, piped)
    merged = {name: Given(span, value=value) for name, value in callee.arguments.items()} | found
    return frame.call_assigned(callee.function, merged, span)


# ---------------------------------------------------------------- casts


@callable_(DType)
def _call_dtype(
    frame: Frame,
    dtype: DType,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None,
) -> Any:
    given = assign_arguments(f"`{dtype}`", ["x"], arguments, piped)
    if "x" not in given:
        fail("AX0203", f"`{dtype}(...)` needs the tensor to convert", span)
    argument = given["x"]
    value = frame.evaluate(argument.expr) if argument.expr is not None else argument.value
    if not isinstance(value, Value | bool | int | float | Dim | list):
        fail("AX0306", f"`{dtype}(...)` converts tensors and numbers, not {describe(value)}", argument.span)
    with frame.at(span, f"`{dtype}`"):
        if not isinstance(value, Value | Dim) and (dtype.is_float or not _has_float(value)):
            return as_tensor(frame, value, dtype)
        return cast(as_tensor(frame, value), dtype)


def _has_float(value: Any) -> bool:
    if isinstance(value, list):
        return any(_has_float(item) for item in value)
    return isinstance(value, float)
