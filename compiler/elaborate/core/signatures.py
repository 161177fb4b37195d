"""Signatures: which argument goes where, and what a static parameter takes, of one type or of several.

What a kind of argument is, ``kinds`` says; the dims of tensors are matched in ``meaning.matching``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from archonnx.compiler.elaborate.core.values import Given
from archonnx.compiler.ir.types import DType
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, did_you_mean, fail
from archonnx.grammar.source import Span

from .frame import Frame
from .kinds import DECLARED
from .values import Choice, ScheduleType, describe

DTYPES = {dtype.value: dtype for dtype in DType if dtype.value not in ("u32", "u64")}


def assign_arguments(
    what: str,
    names: Sequence[str],
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    positional: int | None = None,
) -> dict[str, Given]:
    """Which parameter each argument is for: piped values first, then by position, then by keyword."""
    limit = len(names) if positional is None else positional
    assigned: dict[str, Given] = {}
    values = [*piped, *(Given(a.span, a.value) for a in arguments if a.name is None)]
    for position, given in enumerate(values):
        if position >= limit:
            count = f"{limit} argument{'s' * (limit != 1)}"
            fail(
                "AX0205",
                f"{what} takes {count}{' by position' * (limit < len(names))}, and this is one more",
                given.span,
                help=f"its parameters are {', '.join(names)}" if names else None,
            )
        assigned[names[position]] = given
    for argument in arguments:
        if argument.name is None:
            continue
        if argument.name not in names:
            fail(
                "AX0202",
                f"{what} has no parameter `{argument.name}`",
                argument.span,
                help=did_you_mean(argument.name, names)
                or (f"its parameters are {', '.join(names)}" if names else None),
            )
        if argument.name in assigned:
            fail(
                "AX0205",
                f"`{argument.name}` is given twice",
                argument.span,
                "again here",
                others=[Label(assigned[argument.name].span, "first here")],
            )
        assigned[argument.name] = Given(argument.span, argument.value)
    return assigned


# ---------------------------------------------------------------- static parameters


def is_tensor_type(type_: ast.Type | None) -> bool:
    """Whether a parameter's type is a tensor's."""
    if type_ is None or type_.dims is None:
        return False
    return type_.name is None or type_.name in DTYPES or type_.name == "any"


def evaluate_argument(frame: Frame, parameter: ast.Parameter, given: Given, hint: str | None = None) -> Any:
    """An argument as its parameter wants it: words for a choice, partial calls for a fn."""
    declared = parameter.type
    if declared is not None and declared.alternatives:
        return _one_of_several(frame, parameter, declared, given)
    if declared is None or is_tensor_type(declared):
        return given.value if given.expr is None else frame.evaluate(given.expr, hint)
    if declared.name == "choice" and given.expr is not None:
        return _choice(frame, parameter, choice_words(declared), given.expr)
    kind = DECLARED.get(declared.name or "")
    if given.expr is None:
        value = given.value
    elif kind is not None and kind.called:
        value = frame.evaluate_function(given.expr, hint)
    else:
        value = frame.evaluate(given.expr, hint)
    return _coerced(frame, parameter, declared, value, given.span)


def _choice(frame: Frame, parameter: ast.Parameter, words: tuple[str, ...], expr: ast.Expr) -> Choice | None:
    text = bare_word(expr)
    if text == "none" and "none" not in words and isinstance(parameter.default, ast.Constant):
        return None
    if text not in words:
        value = frame.evaluate(expr) if isinstance(expr, ast.Name) and expr.id in frame.locals else None
        if isinstance(value, Choice) and value.word in words:
            return Choice(value.word, words)
        _not_a_word(parameter, words, expr.span.text, text, expr.span)
    return Choice(text, words)


def _not_a_word(parameter: ast.Parameter, words: tuple[str, ...], said: str, word: str | None, span: Span) -> NoReturn:
    headline = f"`{parameter.name}` is one of {', '.join(words)}: not `{said}`"
    fail("AX0208", headline, span, help=did_you_mean(word, words) if word else None)


def bare_word(expr: ast.Expr | None) -> str | None:
    """The word of a choice that is written here, if one is: bare, or as a string."""
    if isinstance(expr, ast.Constant) and expr.value is None:
        return "none"
    return expr.id if isinstance(expr, ast.Name) else expr.value if isinstance(expr, ast.String) else None


def choice_words(*types: ast.Type) -> tuple[str, ...]:
    """The words of ``choice[a, b]``, of all choices among some types."""
    dims = [dim for type_ in types if type_.name == "choice" for dim in type_.dims or ()]
    return tuple(dim.id if isinstance(dim, ast.Name) else "none" for dim in dims)


def _coerced(frame: Frame, parameter: ast.Parameter, type_: ast.Type, value: Any, span: Span) -> Any:
    """A value as a parameter of one static type has it; a diagnostic if it is not of the type."""
    word = type_.name or ""
    if value is None and _may_be_none(parameter):
        return None
    if word == "choice" and isinstance(value, str):
        words = choice_words(type_)
        return Choice(value, words) if value in words else _not_a_word(parameter, words, value, value, span)
    if word == "schedule" and isinstance(value, ScheduleType):
        called = f"call it: `{value.declaration.name}(...)`"
        fail("AX0306", f"`{parameter.name}` needs the schedule with its arguments", span, help=called)
    kind = DECLARED.get(word)
    if kind is None:
        known = did_you_mean(word, [*DECLARED, *DTYPES])
        tensor = f"a scalar tensor is `{word}[]`" if word in DTYPES else None
        fail("AX0209", f"`{word}` is not a type of a parameter", type_.span, help=tensor or known)
    if not kind.accepts(value):
        others = [Label(type_.span, "declared here")] if not type_.span.source.library else ()
        fail("AX0306", f"`{parameter.name}` takes {_named(word)}, not {describe(value)}", span, others=others)
    item = _item_kind(type_)
    for wrong in (entry for entry in value if not _is_item(item, entry)) if item else ():
        fail("AX0306", f"`{parameter.name}` is a list of {item}: this has {describe(wrong)}", span)
    return kind.coerce(frame, value)


def _may_be_none(parameter: ast.Parameter) -> bool:
    return isinstance(parameter.default, ast.Constant) and parameter.default.value is None


def _named(word: str) -> str:
    """``an int``, ``a list``."""
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"


def _item_kind(type_: ast.Type) -> str:
    """The kind of the items of ``list[int]``; of any other type there is none, and the text is empty."""
    return type_.dims[0].span.text.partition("[")[0] if type_.name == "list" and type_.dims else ""


def _is_item(word: str, item: Any) -> bool:
    return word in DECLARED and DECLARED[word].accepts(item)


# ---------------------------------------------------------------- parameters of several static types


def _one_of_several(frame: Frame, parameter: ast.Parameter, declared: ast.Type, given: Given) -> Any:
    """An argument of a parameter such as ``padding: choice[valid, same] | int | list``.

    The words of a choice are read first, as they stand; any other argument is evaluated, and must be of one type.
    """
    types = _alternatives(declared)
    words = choice_words(*types)
    expr, span = given.expr, given.expr.span if given.expr is not None else given.span
    word = bare_word(expr)
    if word is not None and word in words:
        return Choice(word, words)
    unknown = isinstance(expr, ast.Name) and expr.id not in frame.locals
    if words and isinstance(expr, ast.Name) and unknown and frame.lookup(expr.id) is None:
        _refuse(parameter, types, span, f"`{expr.id}`", did_you_mean(expr.id, words))
    value = given.value if expr is None else frame.evaluate(expr)
    said = value.word if isinstance(value, Choice) else value
    if isinstance(said, str) and said in words:
        return Choice(said, words)
    if value is None and _may_be_none(parameter):
        return None
    for type_ in types:
        if type_.name != "choice" and _fits(type_, value):
            return DECLARED[type_.name or ""].coerce(frame, value)
    return _refuse(parameter, types, span, describe(value))


def _alternatives(declared: ast.Type) -> list[ast.Type]:
    types = [declared, *declared.alternatives]
    united = [word for word, kind in DECLARED.items() if kind.united]
    for type_ in types:
        if type_.name not in united:
            fail(
                "AX0209",
                f"`{type_.span.text if type_ is not declared else type_.name}` cannot be one of several types",
                type_.span,
                help=did_you_mean(type_.name or "", united)
                or ("a parameter without a type takes anything" if (type_.name or "any") in {*DTYPES, "any"} else None),
            )
    return types


def _fits(type_: ast.Type, value: Any) -> bool:
    item = _item_kind(type_)
    return DECLARED[type_.name or ""].accepts(value) and (not item or all(_is_item(item, entry) for entry in value))


def _refuse(
    parameter: ast.Parameter, types: list[ast.Type], span: Span, given: str, help_text: str | None = None
) -> NoReturn:
    wanted: list[str] = []
    for type_ in types:
        if type_.name == "choice":
            wanted += choice_words(type_)
        else:
            of = f" of {type_.dims[0].span.text}" if type_.dims else ""
            wanted.append(f"{_named(type_.name or '')}{of}")
    declared = [Label(types[0].span, "declared here")] if not types[0].span.source.library else []
    text = f"{', '.join(wanted[:-1])} or {wanted[-1]}"
    if any(type_.name == "choice" for type_ in types):
        fail("AX0208", f"`{parameter.name}` is {text}: not {given}", span, help=help_text, others=declared)
    fail("AX0306", f"`{parameter.name}` takes {text}, not {given}", span, help=help_text, others=declared)
