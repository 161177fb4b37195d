"""Signatures: which argument goes where, what it must be, and how names of dims are bound and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archonnx.compiler.ir.dims import Dim, same
from archonnx.compiler.ir.graph import Value
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, did_you_mean, fail
from archonnx.grammar.source import Span

from .expressions import evaluate, problems, provenance, spread
from .frame import Frame, is_library
from .tensors import as_tensor
from .values import (
    CALLABLE,
    BlockType,
    Choice,
    Configured,
    ConstantSchedule,
    Module,
    Results,
    ScheduleType,
    describe,
    static_dim,
)

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
    from . import calls, unions

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
        if isinstance(value, int | float) and not isinstance(value, bool):
            return ConstantSchedule(float(value))
        if isinstance(value, ScheduleType):
            fail(
                "AX0306",
                f"`{parameter.name}` needs the schedule with its arguments",
                span,
                help=f"call it: `{value.declaration.name}(...)`",
            )
        if isinstance(value, ConstantSchedule) or (
            isinstance(value, Configured) and isinstance(value.of, ScheduleType)
        ):
            return value
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


def is_kind(kind: str, value: Any) -> bool:
    """Whether a static value is what a parameter of this word takes."""
    match kind:
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
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


# ---------------------------------------------------------------- tensor types


def tensor_type(frame: Frame, type_: ast.Type) -> TensorType:
    """A type all of whose names are known here."""
    if not is_tensor_type(type_):
        fail(
            "AX0209", f"`{type_.span.text}` is not the type of a tensor", type_.span, help="write `[...]` or `f32[...]`"
        )
    shape: list[Dim] = []
    notes: list[str | None] = []
    for dim in type_.dims or ():
        if isinstance(dim, ast.Dots):
            dims = [Dim.of(d) for d in spread(frame, dim)]
            shape += dims
            notes += [None] * len(dims)
        else:
            value = evaluate_dim(frame, dim)
            shape.append(value)
            notes.append(None if dim.span.text == str(value) else dim.span.text)
    dtype = DTYPES.get(type_.name or "", frame.build.float_type)
    return TensorType(dtype, tuple(shape), tuple(notes))


def evaluate_dim(frame: Frame, expr: ast.Expr) -> Dim:
    """A dim of a type."""
    value = evaluate(frame, expr)
    if isinstance(value, bool) or not isinstance(value, int | Dim):
        fail("AX0306", f"a dim is an int, not {describe(value)}", expr.span)
    if isinstance(value, int) and value < 0:
        fail("AX0313", f"a dim cannot be negative: {expr.span.text} is {value}", expr.span)
    return Dim.of(value)


@dataclass(frozen=True, slots=True)
class Matcher:
    """Matches tensors against the types of one signature: bare names bind at first, composite dims are checked last.

    ``frame`` is the callee's: names bound land in its locals and statics.
    """

    frame: Frame
    what: str
    pending: list[tuple[ast.Expr, Dim, Span, str, int]]
    closed: bool = False
    """In results all names must be known."""

    def match(self, name: str, type_: ast.Type, value: Value, span: Span) -> None:
        """Match one argument (or result); diagnostics point at ``span`` and at the declared type."""
        self._dtype(name, type_, value, span)
        dims = type_.dims or ()
        dots = [i for i, d in enumerate(dims) if isinstance(d, ast.Dots)]
        count = value.rank - (len(dims) - 1) if dots else value.rank
        if (not dots and len(dims) != value.rank) or count < 0:
            wants = f"{len(dims) - len(dots)}{' or more' * len(dots)} ax{'i' if len(dims) == 1 else 'e'}s"
            fail(
                "AX0308",
                f"{self.what}: `{name}` has {wants}, and this has {value.rank}",
                span,
                provenance(value),
                others=[Label(type_.span, f"declared {type_.span.text}")],
            )
        sizes = list(value.shape)
        axis = 0
        for dim in dims:
            if isinstance(dim, ast.Dots):
                self._dots(name, dim, sizes[axis : axis + count], value, span)
                axis += count
                continue
            self._dim(name, dim, sizes[axis], value, span, axis)
            axis += 1

    def finish(self) -> None:
        """Check the composite dims, now that all names have bound."""
        for expr, size, span, name, axis in self.pending:
            wanted = evaluate_dim(self.frame, expr)
            self._agree(name, axis, size, wanted, span, Label(expr.span, f"{expr.span.text} is {wanted} here"))

    def _dtype(self, name: str, type_: ast.Type, value: Value, span: Span) -> None:
        actual = value.type.dtype
        if type_.name == "any":
            bound = self.frame.statics.setdefault("any", (actual, span))
            wanted = bound[0]
            self.frame.locals["any"] = wanted
        else:
            wanted = DTYPES[type_.name] if type_.name else self.frame.build.float_type
            if self.closed and not type_.name and self.frame.kind == "schedule" and actual.is_float:
                return  # what a schedule gives is cast to the float of the optimizer
        if actual is not wanted:
            fail(
                "AX0303",
                f"{self.what}: `{name}` is {wanted}, and this is {actual}",
                span,
                provenance(value),
                help=f"convert it: `{wanted}(...)`",
                others=[Label(type_.span, f"declared {type_.span.text}")],
            )

    def _dots(self, name: str, dots: ast.Dots, sizes: list[Dim], value: Value, span: Span) -> None:
        if dots.name is None:
            return
        if dots.name not in self.frame.statics:
            self.frame.statics[dots.name] = ([static_dim(s) for s in sizes], span)
            self.frame.locals[dots.name] = [static_dim(s) for s in sizes]
            return
        known, where = self.frame.statics[dots.name]
        if not isinstance(known, list) or not all(isinstance(d, int | Dim) for d in known):
            fail(
                "AX0306",
                f"`{dots.name}` is {describe(known)}, and `...{dots.name}` stands for a list of dims",
                dots.span,
            )
        label = Label(where, f"...{dots.name} was fixed as [{', '.join(map(str, known))}] here")
        if len(known) != len(sizes):
            fail(
                "AX0308",
                f"{self.what}: `{name}` has leading dims [{', '.join(map(str, sizes))}], and ...{dots.name} is "
                f"[{', '.join(map(str, known))}]",
                span,
                provenance(value),
                others=[label],
            )
        for axis, (size, old) in enumerate(zip(sizes, known, strict=True)):
            self._agree(name, axis, size, Dim.of(old), span, label, value)

    def _dim(self, name: str, expr: ast.Expr, size: Dim, value: Value, span: Span, axis: int) -> None:
        if isinstance(expr, ast.Name):
            if expr.id in self.frame.statics:
                known, where = self.frame.statics[expr.id]
                if isinstance(known, int | Dim) and not isinstance(known, bool):
                    label = Label(where, f"{expr.id} was fixed as {known} here")
                    self._agree(name, axis, size, Dim.of(known), span, label, value)
                    return
                fail("AX0306", f"`{expr.id}` is {describe(known)}, and a dim is an int", expr.span)
            if self.closed:
                fail(
                    "AX0201",
                    f"dim `{expr.id}` of {self.what} is not known",
                    expr.span,
                    help=did_you_mean(expr.id, self.frame.statics)
                    or "it is bound by no argument and no name of the body",
                )
            self.frame.statics[expr.id] = (static_dim(size), span)
            self.frame.locals[expr.id] = static_dim(size)
        elif isinstance(expr, ast.Number):
            label = Label(expr.span, f"declared {expr.span.text}")
            self._agree(name, axis, size, Dim.of(int(expr.value)), span, label, value)
        else:
            self.pending.append((expr, size, span, name, axis))

    def _agree(
        self, name: str, axis: int, size: Dim, wanted: Dim, span: Span, other: Label, value: Value | None = None
    ) -> None:
        equal = same(size, wanted)
        if equal:
            return
        text = provenance(value) if value is not None else ""
        if equal is None:
            fail(
                "AX0305",
                f"{self.what}: cannot tell whether axis {axis} of `{name}`, which is {size}, equals {wanted}",
                span,
                text,
                others=[other],
                help=f"state it: `assert {size} == {wanted}`",
            )
        fail(
            "AX0304",
            f"{self.what}: axis {axis} of `{name}` is {size} here, and must be {wanted}",
            span,
            text,
            others=[other],
        )


def check_results(frame: Frame, what: str, result: ast.Result | None, values: list[Any], spans: list[Span]) -> Any:
    """What a call returns: checked against the declared results, and named by them."""
    if result is None:
        return values[0] if len(values) == 1 else Results(tuple(values), (None,) * len(values))
    fields = result.fields
    if len(fields) != len(values):
        span = spans[0].to(spans[-1]) if spans else result.span
        fail(
            "AX0307",
            f"{what} declares {len(fields)} result{'s' * (len(fields) != 1)} and returns {len(values)}",
            span,
            others=[Label(result.span, "declared here")],
        )
    matcher = Matcher(frame, f"the result of {what}", [], closed=True)
    _known_dims(frame)
    checked = []
    for number, (declared, value, span) in enumerate(zip(fields, values, spans, strict=True)):
        name = declared.name or ("result" if len(fields) == 1 else f"result {number}")
        if is_tensor_type(declared.type):
            if isinstance(value, int | float | Dim) and not isinstance(value, bool):
                with problems(frame, span, [], []):
                    value = _number_result(frame, declared.type, value)
            if not isinstance(value, Value):
                fail(
                    "AX0306",
                    f"{what} returns {describe(value)} where a tensor is declared",
                    span,
                    others=[Label(declared.type.span, "declared here")],
                )
            matcher.match(name, declared.type, value, span)
        checked.append(value)
    matcher.finish()
    if len(checked) == 1 and fields[0].name is None:
        return checked[0]
    return Results(tuple(checked), tuple(f.name for f in fields))


def _number_result(frame: Frame, declared: ast.Type, value: Any) -> Value:
    from archonnx.compiler.ops.shape import broadcast_to

    known = tensor_type(frame, declared)
    return broadcast_to(as_tensor(frame, value, known.dtype), known.shape)


def _known_dims(frame: Frame) -> None:
    """Ints, dims and lists computed in the body may be named in the result's type."""
    for name, value in frame.locals.items():
        dim = isinstance(value, int | Dim) and not isinstance(value, bool)
        if (dim or isinstance(value, list)) and name not in frame.statics:
            frame.statics[name] = (value, frame.called_at or frame.owner.made_at)
