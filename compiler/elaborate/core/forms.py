"""The open tables of the elaborator: what each form of expression and statement means, and how values are called.

A function enters a table by its decorator and is reached through the frame: ``frame.evaluate``, ``frame.run``,
``frame.call``. So no module that gives a meaning imports another one for the sake of what stands inside a form.
What this module does not do: load them (``meaning`` does).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from archonnx.grammar import ast

Evaluate: TypeAlias = Callable[[Any, Any, "str | None"], Any]
"""(frame, expression, hint): its value. The hint is the name that a module made there takes."""
Execute: TypeAlias = Callable[[Any, Any], Any]
"""(frame, statement): what it returns, if it does; None otherwise."""
Apply: TypeAlias = Callable[[Any, Any, Any, Any, Any, "str | None"], Any]
"""(frame, callee, arguments as written, values given by position before them, span, hint): the result."""
ApplyAssigned: TypeAlias = Callable[[Any, Any, Any, Any], Any]
"""(frame, callee, arguments by the names of parameters, span): the result."""

FORMS: dict[type[ast.Expr], Evaluate] = {}
FUNCTION_FORMS: dict[type[ast.Expr], Evaluate] = {}
STATEMENTS: dict[type[ast.Stmt], Execute] = {}
CALLABLES: dict[type, Apply] = {}
ASSIGNED: dict[type, ApplyAssigned] = {}

Function = TypeVar("Function", bound=Callable[..., Any])


def form(*nodes: type[ast.Expr]) -> Callable[[Function], Function]:
    """Decorator: the value of expressions of these forms, from (frame, expression, hint)."""
    return _entering(FORMS, nodes)


def function_form(*nodes: type[ast.Expr]) -> Callable[[Function], Function]:
    """Decorator: the same where a fn is expected, if it differs there."""
    return _entering(FUNCTION_FORMS, nodes)


def statement(*nodes: type[ast.Stmt]) -> Callable[[Function], Function]:
    """Decorator: what statements of these forms do in any body, from (frame, statement)."""
    return _entering(STATEMENTS, nodes)


def callable_(*kinds: type) -> Callable[[Function], Function]:
    """Decorator: how values of these kinds are called, from (frame, callee, arguments, piped, span, hint)."""
    return _entering(CALLABLES, kinds)


def assigned(*kinds: type) -> Callable[[Function], Function]:
    """Decorator: the same where arguments have found their parameters, from (frame, callee, given, span).

    What has such a form can be called with some arguments given: a partial.
    """
    return _entering(ASSIGNED, kinds)


def _entering(table: dict[Any, Any], keys: tuple[type, ...]) -> Callable[[Function], Function]:
    def enter(function: Function) -> Function:
        for key in keys:
            if key in table:
                raise ValueError(f"{key.__name__} has a meaning already: {table[key].__qualname__}")
            table[key] = function
        return function

    return enter
