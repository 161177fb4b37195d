"""Parameters that take one of several static types, such as ``padding: choice[valid, same] | int | list``.

The words of a choice are read first, as they stand; any other argument is evaluated, and must be of one of the types.
"""

from __future__ import annotations

from typing import Any

from archonnx.compiler.elaborate.meaning.expressions import evaluate
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, did_you_mean, fail
from archonnx.grammar.source import Span

from .frame import Frame, is_library
from .signatures import DTYPES, STATIC_KINDS, Given, choice_words, is_kind
from .values import Choice, describe

UNITED = frozenset(STATIC_KINDS) - {"fn", "block", "module", "schedule"}
"""Types that may stand in a union: the others are read in ways of their own."""


def argument(frame: Frame, parameter: ast.Parameter, given: Given) -> Any:
    """An argument of a parameter whose type has alternatives."""
    assert parameter.type is not None
    types = _types(parameter.type)
    words = tuple(word for type_ in types if type_.name == "choice" for word in choice_words(type_))
    word, span = _word(given.expr), given.expr.span if given.expr is not None else given.span
    if word in words:
        return Choice(word, words)
    unknown = isinstance(given.expr, ast.Name) and given.expr.id not in frame.locals
    if words and isinstance(given.expr, ast.Name) and unknown and frame.lookup(given.expr.id) is None:
        _refuse(parameter, types, span, f"`{given.expr.id}`", did_you_mean(given.expr.id, words))
    value = given.value if given.expr is None else evaluate(frame, given.expr)
    return coerce_union(parameter, value, span)


def coerce_union(parameter: ast.Parameter, value: Any, span: Span) -> Any:
    """A static value as one of the types wants it; a diagnostic unless one does."""
    assert parameter.type is not None
    types = _types(parameter.type)
    words = tuple(word for type_ in types if type_.name == "choice" for word in choice_words(type_))
    said = value.word if isinstance(value, Choice) else value
    if isinstance(said, str) and said in words:
        return Choice(said, words)
    if value is None and isinstance(parameter.default, ast.Constant) and parameter.default.value is None:
        return None
    for type_ in types:
        if _fits(type_, value):
            return float(value) if type_.name == "float" else value
    return _refuse(parameter, types, span, describe(value))


def _types(declared: ast.Type) -> list[ast.Type]:
    types = [declared, *declared.alternatives]
    for type_ in types:
        if type_.name not in UNITED:
            fail(
                "AX0209",
                f"`{type_.span.text if type_ is not declared else type_.name}` cannot be one of several types",
                type_.span,
                help=did_you_mean(type_.name or "", UNITED)
                or ("a parameter without a type takes anything" if (type_.name or "any") in {*DTYPES, "any"} else None),
            )
    return types


def _word(expr: ast.Expr | None) -> str | None:
    if isinstance(expr, ast.Constant) and expr.value is None:
        return "none"
    return expr.id if isinstance(expr, ast.Name) else expr.value if isinstance(expr, ast.String) else None


def _fits(type_: ast.Type, value: Any) -> bool:
    kind = type_.name or ""
    if kind == "choice" or not is_kind(kind, value):
        return False
    items = type_.dims[0].span.text.partition("[")[0] if kind == "list" and type_.dims else ""
    return not items or all(is_kind(items, item) for item in value)


def _refuse(
    parameter: ast.Parameter, types: list[ast.Type], span: Span, given: str, help_text: str | None = None
) -> Any:
    wanted: list[str] = []
    for type_ in types:
        if type_.name == "choice":
            wanted += choice_words(type_)
        else:
            article = "an" if (type_.name or "")[:1] in "aeiou" else "a"
            of = f" of {type_.dims[0].span.text}" if type_.dims else ""
            wanted.append(f"{article} {type_.name}{of}")
    declared = [Label(types[0].span, "declared here")] if not is_library(types[0].span) else []
    text = f"{', '.join(wanted[:-1])} or {wanted[-1]}"
    if any(type_.name == "choice" for type_ in types):
        return fail("AX0208", f"`{parameter.name}` is {text}: not {given}", span, help=help_text, others=declared)
    return fail("AX0306", f"`{parameter.name}` takes {text}, not {given}", span, help=help_text, others=declared)
