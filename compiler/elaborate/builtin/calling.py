"""Calling the functions of the language that are not written in it (``functions`` holds them).

Each is a Python function whose annotations are kinds (the aliases below): they say what an argument may be.
"""

from __future__ import annotations

import copyreg
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, TypeAlias

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.problems import problems
from archonnx.compiler.elaborate.core.signatures import DTYPES, Given, assign_arguments
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import CALLABLE, Builtin, BuiltinParameter, Results, describe
from archonnx.compiler.elaborate.meaning.expressions import evaluate
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Value
from archonnx.compiler.ops.base import TypeProblem
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

Tensor: TypeAlias = Value
"""A tensor; numbers, dims and lists of numbers become constants."""
Operand: TypeAlias = Any
"""A tensor, or a number or dim, which stays what it is."""
Shape: TypeAlias = list[Any]
"""A list of dims."""
Size: TypeAlias = Any
"""One dim: an int, or symbolic."""
Axes: TypeAlias = list[int]
"""One axis or several."""
Fn: TypeAlias = Any
"""Something that can be called; a call that lacks its first argument is a partial."""
Ints: TypeAlias = list[int]
"""An int or a list of ints."""

Sizes: TypeAlias = dict[str, Any]
"""Any other keyword arguments: names of axes and their sizes."""
SIZES = "sizes"

_functions: dict[str, Builtin] = {}


def builtin(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: enter a function under its name (without a trailing underscore); the first parameter is the frame."""
    name = function.__name__.rstrip("_")
    _functions[name] = described(name, _parameters(function), function, inspect.getdoc(function) or "")
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
    return annotation.removesuffix(" | None").lower()


@cache
def builtins() -> Mapping[str, Any]:
    """All builtin functions, the dtypes and the constants, by name."""
    for family in ("tensors", "images", "indices", "reductions", "modules"):
        import_module(f"{__package__}.{family}")  # enters its own
    from .tensors import add_elementwise

    add_elementwise(_functions)
    return {**_functions, **DTYPES, "pi": math.pi, "e": math.e, "inf": math.inf}


def builtin_named(name: str) -> Builtin:
    """A builtin function by its name."""
    found: Builtin = builtins()[name]
    return found


def _by_name(builtin: Builtin) -> tuple[Callable[[str], Builtin], tuple[str]]:
    """How it is pickled."""
    return builtin_named, (builtin.name,)


copyreg.pickle(Builtin, _by_name)


def call_builtin(
    frame: Frame, function: Builtin, arguments: Sequence[ast.Argument], piped: Sequence[Given], span: Span
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
    return call_assigned(frame, function, given, span)


def _size(frame: Frame, argument: ast.Argument) -> Any:
    value = evaluate(frame, argument.value)
    if isinstance(value, bool) or not isinstance(value, int | Dim):
        fail("AX0306", f"the size of an axis is an int, not {describe(value)}", argument.span)
    return value


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
        elif isinstance(argument.expr, ast.List) and isinstance(value, list):  # tensors one by one, as for `concat`
            listed = [(e, v) for e, v in zip(argument.expr.items, value, strict=True) if isinstance(v, Value)]
            operands += [expr for expr, _ in listed]
            tensors += [tensor for _, tensor in listed]
    with frame.at(span, f"`{function.name}`"), problems(frame, span, operands, tensors, given):
        return function.call(frame, **values)


def _argument(frame: Frame, parameter: BuiltinParameter, given: Given) -> Any:
    from archonnx.compiler.elaborate.meaning.calls import evaluate_callable

    reading = evaluate_callable if parameter.kind == "fn" else evaluate
    value = given.value if given.expr is None else reading(frame, given.expr)
    optional = not parameter.required and parameter.default is None
    if value is None and (optional or parameter.kind == "any"):
        return None
    coerced = coerce(frame, parameter.kind, value)
    if coerced is None:
        fail("AX0306", f"`{parameter.name}` takes {WANTED[parameter.kind]}, not {describe(value)}", given.span)
    return coerced


WANTED = {
    "tensor": "a tensor", "operand": "a tensor or number", "shape": "a list of dims", "axes": "an axis or several",
    "int": "an int", "float": "a number", "bool": "true or false", "ints": "an int or a list of ints",
    "list[any]": "a list", "sizes": "sizes by name", "size": "a dim", "fn": "a fn", "str": "a string", "any": "a value",
}  # fmt: skip


def coerce(frame: Frame, kind: str, value: Any) -> Any:
    """A value as a kind of parameter wants it, or None if it does not fit."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = isinstance(value, int) and not isinstance(value, bool)
    match kind:
        case "tensor":
            return as_tensor(frame, value) if isinstance(value, Value | int | float | Dim) or _numeric(value) else None
        case "operand":
            return value if isinstance(value, Value | int | float | Dim) else None
        case "shape":
            fits = isinstance(value, list) and all(isinstance(d, int | Dim) and not isinstance(d, bool) for d in value)
            return value if fits else None
        case "int":
            return value if whole else None
        case "axes" | "ints":
            return (
                [value]
                if whole
                else value
                if isinstance(value, list) and all(isinstance(i, int) for i in value)
                else None
            )
        case "size":
            return value if whole or isinstance(value, Dim) else None
        case "float":
            return float(value) if number else None
        case "bool":
            return value if isinstance(value, bool) else None
        case "list[any]":
            return list(value.items) if isinstance(value, Results) else value if isinstance(value, list) else None
        case "fn":
            return value if isinstance(value, CALLABLE) else None
        case "str":
            return value if isinstance(value, str) else None
    return value


def _numeric(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    if all(isinstance(item, list) for item in value):
        return len({len(item) for item in value}) == 1 and all(_numeric(item) for item in value)
    return all(isinstance(item, int | float) for item in value)


def require(fits: bool, code: str, headline: str, help: str | None = None) -> None:
    """TypeProblem unless it fits."""
    if not fits:
        raise TypeProblem(code, headline, help=help)


def axis_of(x: Value, axis: int) -> int:
    """A non-negative axis of a tensor."""
    require(-x.rank <= axis < x.rank, "AX0320", f"axis {axis} is outside a tensor of {x.rank} axes")
    return axis % x.rank


def dims_of(sizes: Shape) -> list[Dim]:
    """Dims; TypeProblem if one is negative."""
    for size in sizes:
        require(not isinstance(size, int) or size >= 0, "AX0313", f"a dim cannot be negative: {size}")
    return [Dim.of(size) for size in sizes]
