"""Signatures: which argument goes where, and what a static parameter takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archonnx.compiler.elaborate.meaning.expressions import evaluate
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType
from archonnx.compiler.program import is_length
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, did_you_mean, fail
from archonnx.grammar.source import Span

from .frame import Frame, is_library
from .values import CALLABLE, BlockType, Choice, Configured, ConstantSchedule, Module, ScheduleType, describe

DTYPES = {dtype.value: dtype for dtype in DType if dtype.value not in ("u32", "u64")}
STATIC_KINDS = (
    "int", "float", "bool", "string", "list", "dict", "dim", "dtype", "choice", "fn", "block", "module", "schedule",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """An argument: an expression still to be evaluated, or a value that is there already (a piped one)."""

    span: Span
    expr: ast.Expr | None = None
    value: Any = None


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
    from archonnx.compiler.elaborate.meaning import calls

    from . import unions

    if parameter.type is not None and parameter.type.alternatives:
        return unions.argument(frame, parameter, given)
    kind = parameter.type.name if parameter.type is not None and not is_tensor_type(parameter.type) else None
    if given.expr is None:
        value = given.value
    elif kind == "choice":
        assert parameter.type is not None
        return _choice(frame, parameter, given.expr)
    elif kind in ("fn", "module", "block"):
        value = calls.evaluate_callable(frame, given.expr, hint)
    else:
        value = evaluate(frame, given.expr, hint)
    return coerce_static(parameter, value, given.span) if kind is not None else value


def _choice(frame: Frame, parameter: ast.Parameter, expr: ast.Expr) -> Choice | None:
    assert parameter.type is not None
    words = choice_words(parameter.type)
    text = bare_word(expr)
    if text == "none" and "none" not in words and isinstance(parameter.default, ast.Constant):
        return None
    if text not in words:
        value = evaluate(frame, expr) if isinstance(expr, ast.Name) and expr.id in frame.locals else None
        if isinstance(value, Choice) and value.word in words:
            return Choice(value.word, words)
        fail(
            "AX0208",
            f"`{parameter.name}` is one of {', '.join(words)}: not `{expr.span.text}`",
            expr.span,
            help=did_you_mean(text, words) if text else None,
        )
    return Choice(text, words)


def bare_word(expr: ast.Expr) -> str | None:
    """The word of a choice that is written here, if one is: bare, or as a string."""
    if isinstance(expr, ast.Constant) and expr.value is None:
        return "none"
    return expr.id if isinstance(expr, ast.Name) else expr.value if isinstance(expr, ast.String) else None


def choice_words(type_: ast.Type) -> tuple[str, ...]:
    """The words of ``choice[a, b]``."""
    return tuple(d.id if isinstance(d, ast.Name) else "none" for d in type_.dims or ())


def coerce_static(parameter: ast.Parameter, value: Any, span: Span) -> Any:
    """Check a static argument against its annotation; a number becomes a schedule where one is wanted."""
    type_ = parameter.type
    assert type_ is not None
    if value is None and isinstance(parameter.default, ast.Constant) and parameter.default.value is None:
        return None
    kind = type_.name or ""
    if kind == "schedule":
        schedule = _schedule(parameter.name, value, span)
        if schedule is not None:
            return schedule
    elif kind == "choice":
        words = choice_words(type_)
        if isinstance(value, Choice) or (isinstance(value, str) and value in words):
            return value if isinstance(value, Choice) else Choice(value, words)
        if isinstance(value, str):
            fail(
                "AX0208",
                f"`{parameter.name}` is one of {', '.join(words)}: not `{value}`",
                span,
                help=did_you_mean(value, words),
            )
    elif kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif kind not in STATIC_KINDS:
        known = did_you_mean(kind, [*STATIC_KINDS, *DTYPES])
        tensor = f"a scalar tensor is `{kind}[]`" if kind in DTYPES else None
        fail("AX0209", f"`{kind}` is not a type of a parameter", type_.span, help=tensor or known)
    elif is_kind(kind, value):
        if kind == "list" and type_.dims:
            item_kind = type_.dims[0].span.text.partition("[")[0]
            for item in value:
                if not is_kind(item_kind, item):
                    fail("AX0306", f"`{parameter.name}` is a list of {item_kind}: this has {describe(item)}", span)
        return value
    article = "an" if kind[:1] in "aeiou" else "a"
    return fail(
        "AX0306",
        f"`{parameter.name}` takes {article} {kind}, not {describe(value)}",
        span,
        others=[Label(type_.span, "declared here")] if not is_library(type_.span) else (),
    )


def _schedule(name: str, value: Any, span: Span) -> ConstantSchedule | Configured | None:
    """A number, or a schedule with its arguments, as a schedule; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ConstantSchedule(float(value))
    if isinstance(value, ScheduleType):
        fail(
            "AX0306",
            f"`{name}` needs the schedule with its arguments",
            span,
            help=f"call it: `{value.declaration.name}(...)`",
        )
    if isinstance(value, ConstantSchedule):
        return value
    return value if isinstance(value, Configured) and isinstance(value.of, ScheduleType) else None


def is_kind(kind: str, value: Any) -> bool:
    """Whether a static value is what a parameter of this word takes."""
    match kind:
        case "int":
            return (isinstance(value, int) and not isinstance(value, bool)) or is_length(value)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "list":
            return isinstance(value, list)
        case "dict":
            return isinstance(value, dict)
        case "dim":
            return isinstance(value, int | Dim) and not isinstance(value, bool)
        case "dtype":
            return isinstance(value, DType)
        case "fn":
            return isinstance(value, CALLABLE)
        case "block":
            return isinstance(value, BlockType)
        case "module":
            return isinstance(value, Module) or (isinstance(value, list) and all(isinstance(m, Module) for m in value))
    return False
