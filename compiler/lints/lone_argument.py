"""An initial value whose mean or lower bound is given alone, where its spread was probably meant."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

SPREAD = {"normal": "std", "truncated_normal": "std", "uniform": "low"}


@lint("AX0828")
def lone_argument(sight: Sight) -> Iterator[Diagnostic]:
    """``param W: [64, 10] ~ normal(0.02)`` has the mean 0.02 and the deviation 1."""
    for call in (call for place in _initialisers(sight) for call in walk(place) if isinstance(call, ast.Call)):
        name = call.callee.id if isinstance(call.callee, ast.Name) else ""
        if name not in SPREAD or len(call.arguments) != 1:
            continue
        (argument,) = call.arguments
        if argument.name is not None or not isinstance(argument.value, ast.Number) or not argument.value.value:
            continue
        number = argument.value.span.text
        yield warning(
            "AX0828",
            f"`{call.span.text}` has the mean {number}, and the deviation 1"
            if name != "uniform"
            else f"`{call.span.text}` lies between {number} and 1",
            call.span,
            f"the first argument of `{name}` is {'its mean' if name != 'uniform' else 'its lower bound'}",
            help=f"write `{name}(std={number})`" if name != "uniform" else f"write `uniform(-{number}, {number})`",
        )


def _initialisers(sight: Sight) -> Iterator[ast.Node]:
    """What stands after ``~`` of a ``param``, and what is given for an ``init``."""
    yield from (param.value for param in sight.syntax(ast.Param) if param.drawn)
    yield from (argument.value for argument in sight.syntax(ast.Argument) if argument.name == "init")
