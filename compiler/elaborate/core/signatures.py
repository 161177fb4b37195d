"""Signatures: which argument goes where, and what a static parameter takes, of one type or of several.

What a kind of argument is, ``kinds`` says; the dims of tensors are matched in ``meaning.matching``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn, TypeGuard

from archonnx.compiler.elaborate.core.values import Given
from archonnx.compiler.ir.types import DType
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, did_you_mean, fail
from archonnx.grammar.source import Span

from .foreign import other_name
from .frame import Frame
from .kinds import DECLARED, Kind
from .static import charge
from .values import Choice, ScheduleType, describe

DTYPES = {dtype.value: dtype for dtype in DType if dtype.value not in ("u32", "u64")}


def assign_arguments(
    what: str,
    names: Sequence[str],
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    positional: int | None = None,
    declared: Sequence[ast.Parameter] = (),
) -> dict[str, Given]:
    """Which parameter each argument is for: piped values first, then by position, then by keyword.

    ``declared`` are the parameters where they have declarations: what lacks a default may be meant by another name."""
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
            named = {*assigned, *(a.name for a in arguments)}
            needed = [p.name for p in declared if p.default is None and p.name not in named]
            fail(
                "AX0202",
                f"{what} has no parameter `{argument.name}`",
                argument.span,
                help=other_name(what, argument, names, needed),
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


def is_tensor_type(type_: ast.Type | None) -> TypeGuard[ast.TensorType]:
    """Whether a type is a tensor's, of a dtype that there is."""
    return isinstance(type_, ast.TensorType) and (type_.dtype in (None, "any") or type_.dtype in DTYPES)


def evaluate_argument(frame: Frame, parameter: ast.Parameter, given: Given, hint: str | None = None) -> Any:
    """An argument as its parameter wants it: words for a choice, partial calls for a fn."""
    declared = parameter.type
    if isinstance(declared, ast.UnionType):
        return _one_of_several(frame, parameter, declared, given)
    if declared is None or is_tensor_type(declared):
        return given.value if given.expr is None else frame.evaluate(given.expr, hint)
    if isinstance(declared, ast.ChoiceType) and given.expr is not None:
        return _choice(frame, parameter, choice_words(declared), given.expr)
    if given.expr is None:
        value = given.value
    elif _holds_functions(declared, given.expr):
        value = frame.evaluate_function(given.expr, hint)
    else:
        value = frame.evaluate(given.expr, hint)
    charge(value)
    return _coerced(frame, parameter, declared, value, given.span)


def _holds_functions(declared: ast.Type, expr: ast.Expr) -> bool:
    """Whether an argument is a fn, or a list written for ``list[fn]``, so that calls in it may be partial."""
    listed = isinstance(declared, ast.ListType)
    kind = kind_of(declared.items if isinstance(declared, ast.ListType) else declared)
    return kind is not None and kind.called and listed == isinstance(expr, ast.List)


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
    return tuple(word.id for type_ in types if isinstance(type_, ast.ChoiceType) for word in type_.words)


def kind_of(type_: ast.Type) -> Kind | None:
    """The kind of the arguments of a static type; None for any other, and for a name that there is not."""
    match type_:
        case ast.NamedType(name=name):
            return DECLARED.get(name)
        case ast.ListType():
            return DECLARED["list"]
        case ast.ChoiceType():
            return DECLARED["choice"]
    return None


def _fits(type_: ast.Type, value: Any) -> bool:
    """Whether a value is of a static type, the items of a list and the words of a choice included."""
    if isinstance(type_, ast.ChoiceType):
        return _word_of(value) in choice_words(type_)
    kind = kind_of(type_)
    if kind is None or not kind.accepts(value):
        return False
    return not isinstance(type_, ast.ListType) or all(_fits(type_.items, item) for item in value)


def _word_of(value: Any) -> str | None:
    """What a word or a string says."""
    return value.word if isinstance(value, Choice) else value if isinstance(value, str) else None


def _coerced(frame: Frame, parameter: ast.Parameter, type_: ast.Type, value: Any, span: Span) -> Any:
    """A value as a parameter of one static type has it; a diagnostic if it is not of the type."""
    if value is None and _may_be_none(parameter):
        return None
    kind = kind_of(type_)
    if kind is None:
        _refuse_type(type_)
    word = _word_of(value)
    if isinstance(type_, ast.ChoiceType) and word is not None:
        words = choice_words(type_)
        return Choice(word, words) if word in words else _not_a_word(parameter, words, word, word, span)
    if kind.word == "schedule" and isinstance(value, ScheduleType):
        called = f"call it: `{value.declaration.name}(...)`"
        fail("AX0306", f"`{parameter.name}` needs the schedule with its arguments", span, help=called)
    if not kind.accepts(value):
        others = [Label(type_.span, "declared here")] if not type_.span.source.library else ()
        fail("AX0306", f"`{parameter.name}` takes {_named(kind)}, not {describe(value)}", span, others=others)
    if isinstance(type_, ast.ListType):
        _check_items(parameter, type_.items, value, span)
    return kind.coerce(frame, value)


def _check_items(parameter: ast.Parameter, type_: ast.Type, items: list[Any], span: Span) -> None:
    for item in items:
        if not _fits(type_, item):
            headline = f"`{parameter.name}` is a list of {type_.span.text}: this has {describe(item)}"
            fail("AX0306", headline, span)


def _refuse_type(type_: ast.Type) -> NoReturn:
    """Say that a parameter cannot be of this type, and which type may be meant."""
    if isinstance(type_, ast.TensorType):  # of a dtype that there is not
        word, advice = type_.dtype or "", None
        said = type_.span.text if word in DECLARED else word
    else:
        said = word = type_.span.text
        advice = f"a scalar tensor is `{word}[]`" if word in DTYPES else None
    known = did_you_mean(word, [*DECLARED, *DTYPES])
    fail("AX0209", f"`{said}` is not a type of a parameter", type_.span, help=advice or known)


def _may_be_none(parameter: ast.Parameter) -> bool:
    return isinstance(parameter.default, ast.Constant) and parameter.default.value is None


def _named(kind: Kind) -> str:
    """``an int``, ``a list``."""
    return f"{'an' if kind.word[:1] in 'aeiou' else 'a'} {kind.word}"


# ---------------------------------------------------------------- parameters of several static types


def _one_of_several(frame: Frame, parameter: ast.Parameter, declared: ast.UnionType, given: Given) -> Any:
    """An argument of a parameter such as ``padding: choice[valid, same] | int | list``.

    The words of a choice are read first, as they stand; any other argument is evaluated, and must be of one type.
    """
    kinds = _united(declared)
    words = choice_words(*declared.types)
    expr, span = given.expr, given.expr.span if given.expr is not None else given.span
    word = bare_word(expr)
    if word is not None and word in words:
        return Choice(word, words)
    unknown = isinstance(expr, ast.Name) and expr.id not in frame.locals
    if words and isinstance(expr, ast.Name) and unknown and frame.lookup(expr.id) is None:
        _refuse(parameter, declared, span, f"`{expr.id}`", did_you_mean(expr.id, words))
    value = given.value if expr is None else frame.evaluate(expr)
    said = _word_of(value)
    if said is not None and said in words:
        return Choice(said, words)
    if value is None and _may_be_none(parameter):
        return None
    for type_, kind in zip(declared.types, kinds, strict=True):
        if _fits(type_, value):
            return kind.coerce(frame, value)
    return _refuse(parameter, declared, span, describe(value))


def _united(declared: ast.UnionType) -> list[Kind]:
    """The kinds of several types; a diagnostic if there is one that may not be among several."""
    kinds = []
    for type_ in declared.types:
        kind = kind_of(type_)
        if kind is None or not kind.united:
            word = type_.name if isinstance(type_, ast.NamedType) else ""
            tensor = isinstance(type_, ast.TensorType) or word in {*DTYPES, "any"}
            fail(
                "AX0209",
                f"`{type_.span.text}` cannot be one of several types",
                type_.span,
                help=did_you_mean(word, [known.word for known in DECLARED.values() if known.united])
                or ("a parameter without a type takes anything" if tensor else None),
            )
        kinds.append(kind)
    return kinds


def _refuse(
    parameter: ast.Parameter, declared: ast.UnionType, span: Span, given: str, help_text: str | None = None
) -> NoReturn:
    wanted: list[str] = []
    for type_ in declared.types:
        kind = kind_of(type_)
        if isinstance(type_, ast.ChoiceType):
            wanted += choice_words(type_)
        elif kind is not None:
            wanted.append(_named(kind) + (f" of {type_.items.span.text}" if isinstance(type_, ast.ListType) else ""))
    others = [Label(declared.span, "declared here")] if not declared.span.source.library else []
    text = f"{', '.join(wanted[:-1])} or {wanted[-1]}"
    if choice_words(*declared.types):
        fail("AX0208", f"`{parameter.name}` is {text}: not {given}", span, help=help_text, others=others)
    fail("AX0306", f"`{parameter.name}` takes {text}, not {given}", span, help=help_text, others=others)
