"""Calling the functions of the language that are not written in it (``table`` has them all).

Each is a Python function whose annotations are kinds (``core.kinds``), as Python spells them: they say what an argument
may be. The aliases below are their names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from archonnx.compiler.elaborate.core.forms import assigned, callable_
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.kinds import KINDS
from archonnx.compiler.elaborate.core.problems import problems
from archonnx.compiler.elaborate.core.signatures import assign_arguments
from archonnx.compiler.elaborate.core.static import bounded, charge, is_size
from archonnx.compiler.elaborate.core.values import Builtin, BuiltinParameter, Given, Results, describe, one_of
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.value import Value
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import replace
from archonnx.grammar.source import Span

Column: TypeAlias = Any
"""A column of the data: a tensor with a row for each of its rows, or a column of texts."""
Tensor: TypeAlias = Value
"""A tensor; numbers, dims and lists of numbers become constants."""
Operand: TypeAlias = Any
"""A tensor, or a number or dim, which stays what it is."""
Items: TypeAlias = list[Any]
"""A list, or several results."""
Shape: TypeAlias = list[Any]
"""A list of dims."""
Size: TypeAlias = Any
"""One dim: an int, or symbolic."""
Axes: TypeAlias = list[int]
"""One axis or several."""
Parts: TypeAlias = Any
"""How many parts there are, or a list of their sizes."""
Fn: TypeAlias = Any
"""Something that can be called; a call that lacks its first argument is a partial."""
Ints: TypeAlias = list[int]
"""An int or a list of ints."""

Sizes: TypeAlias = dict[str, Any]
"""Any other keyword arguments: names of axes and their sizes."""
SIZES = "sizes"
SPELT = {"str": "string", "size": "dim", "int": "whole"}
"""Words of kinds whose names in Python are others."""

FUNCTIONS: dict[str, Builtin] = {}
NAMING = frozenset({"frozen", "remat"})
"""Functions whose result bears the name of their first argument: `critic = frozen(MLP([8, 1]))` makes `critic`."""


def builtin(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: enter a function under its name (without a trailing underscore); the first parameter is the frame."""
    name = function.__name__.rstrip("_")
    FUNCTIONS[name] = described(name, _parameters(function), function, inspect.getdoc(function) or "")
    return function


def described(name: str, parameters: tuple[BuiltinParameter, ...], call: Callable[..., Any], doc: str) -> Builtin:
    """A builtin of these parameters."""
    named = [p for p in parameters if p.kind != SIZES]
    positional = sum(1 for p in named if not p.keyword_only)
    names = tuple(p.name for p in named)
    return Builtin(name, parameters, call, doc, names, positional, sized=len(named) < len(parameters))


def _parameters(function: Any) -> tuple[BuiltinParameter, ...]:
    """The parameters after the frame, off the function's code: ``inspect.signature`` is slow at start, for so many."""
    code, count = function.__code__, function.__code__.co_argcount
    names = code.co_varnames[: count + code.co_kwonlyargcount]
    given = function.__defaults__ or ()
    defaults = dict(zip(names[count - len(given) : count], given, strict=True)) | (function.__kwdefaults__ or {})
    kinds = function.__annotations__
    return tuple(
        BuiltinParameter(name, _kind(kinds[name]), defaults.get(name), name not in defaults, position >= count)
        for position, name in enumerate(names)
        if position > 0
    )


def _kind(annotation: str) -> str:
    word = annotation.removesuffix(" | None").lower()
    return SPELT.get(word, word)


@callable_(Builtin)
def call_builtin(
    frame: Frame,
    function: Builtin,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None,
) -> Any:
    """Call a builtin with arguments as written."""
    sizes: dict[str, Any] = {}
    if function.sized:
        extra = [a for a in arguments if a.name is not None and a.name not in function.names]
        sizes = {str(a.name): _size(frame, a) for a in extra}
        arguments = [a for a in arguments if a not in extra]
    given = assign_arguments(f"fn `{function.name}`", function.names, arguments, piped, function.positional)
    if sizes:
        given["sizes"] = Given(span, value=sizes)
    first = given.get(function.names[0]) if function.name in NAMING else None
    if first is not None and first.expr is not None:
        given[function.names[0]] = replace(first, value=frame.evaluate(first.expr, hint), expr=None)
    return call_assigned(frame, function, given, span)


def _size(frame: Frame, argument: ast.Argument) -> Any:
    value = frame.evaluate(argument.value)
    if not is_size(value):
        fail("AX0306", f"the size of an axis is an int, not {describe(value)}", argument.span)
    return value


@assigned(Builtin)
def call_assigned(frame: Frame, function: Builtin, given: Mapping[str, Given], span: Span) -> Any:
    """Call a builtin whose arguments have found their parameters."""
    values: dict[str, Any] = {}
    operands: list[ast.Expr] = []
    tensors: list[Any] = []
    for parameter in function.parameters:
        argument = given.get(parameter.name)
        if argument is None:
            if parameter.required:
                fail("AX0203", f"fn `{function.name}` needs `{parameter.name}`", span, "missing here")
            values[parameter.name] = parameter.default
            continue
        value = _argument(frame, parameter, argument)
        values[parameter.name] = value
        if isinstance(value, Value):
            operands.append(argument.expr or ast.Name("", span=argument.span))
            tensors.append(value)
        elif isinstance(value, list) and (items := _items(argument)):  # tensors one by one, as for `concat`
            listed = [(e, v) for e, v in zip(items, value, strict=True) if isinstance(v, Value)]
            operands += [expr for expr, _ in listed]
            tensors += [tensor for _, tensor in listed]
    with frame.at(span, f"`{function.name}`"), problems(frame, span, operands, tensors, given):
        result = function.call(frame, **values)
    return bounded(result, span) if isinstance(result, list | dict | Results) else result


def _items(argument: Given) -> tuple[ast.Expr, ...]:
    """The items of a list as they are written, in brackets or before a pipe: each stands for its place."""
    if isinstance(argument.expr, ast.List):
        return argument.expr.items
    return tuple(ast.Name("", span=part) for part in argument.parts)


def _argument(frame: Frame, parameter: BuiltinParameter, given: Given) -> Any:
    kind = KINDS[parameter.kind]
    reading = frame.evaluate_function if kind.called else frame.evaluate
    value = given.value if given.expr is None else reading(given.expr)
    optional = not parameter.required and parameter.default is None
    if value is None and (optional or parameter.kind == "any"):
        return None
    charge(value)
    if not kind.accepts(value):
        headline = f"`{parameter.name}` takes {kind.wanted}, not {describe(value)}"
        fail("AX0306", headline, given.span, help=one_of(value, given.span.text))
    return kind.coerce(frame, value)


def require(fits: bool, code: str, headline: str, help: str | None = None, argument: str = "") -> None:
    """TypeProblem unless it fits."""
    if not fits:
        raise TypeProblem(code, headline, argument=argument, help=help)


def axis_of(x: Value, axis: int, argument: str = "axis") -> int:
    """A non-negative axis of a tensor, given as this argument."""
    headline = f"axis {axis} is outside a tensor of {x.rank} axes"
    require(-x.rank <= axis < x.rank, "AX0320", headline, argument=argument)
    return axis % x.rank


def dims_of(sizes: Shape, argument: str = "shape") -> list[Dim]:
    """The dims that are given as this argument; TypeProblem if one is negative."""
    for size in sizes:
        fits = not isinstance(size, int) or size >= 0
        require(fits, "AX0313", f"a dim cannot be negative: {size}", argument=argument)
    return [Dim.of(size) for size in sizes]
