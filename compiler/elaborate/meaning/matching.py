"""Matching tensors against types: names of dims are bound where they first stand, and checked wherever else they do."""

from __future__ import annotations

from typing import Any

from archonnx.compiler.elaborate.core.control import spread
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.problems import problems, provenance
from archonnx.compiler.elaborate.core.signatures import DTYPES, is_tensor_type
from archonnx.compiler.elaborate.core.static import is_number, is_size
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import Results, describe, static_dim
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import same, way_to_tell
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import broadcast_to
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, did_you_mean, fail
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span


def tensor_type(frame: Frame, type_: ast.Type) -> TensorType:
    """A type all of whose names are known here."""
    if not is_tensor_type(type_):
        fail(
            "AX0209", f"`{type_.span.text}` is not the type of a tensor", type_.span, help="write `[...]` or `f32[...]`"
        )
    shape: list[Dim] = []
    notes: list[str | None] = []
    for dim in type_.dims:
        if isinstance(dim, ast.Dots):
            dims = [Dim.of(d) for d in spread(frame, dim)]
            shape += dims
            notes += [None] * len(dims)
        else:
            value = evaluate_dim(frame, dim)
            shape.append(value)
            notes.append(None if dim.span.text == str(value) else dim.span.text)
    dtype = DTYPES.get(type_.dtype or "", frame.build.float_type)
    return TensorType(dtype, tuple(shape), tuple(notes))


def evaluate_dim(frame: Frame, expr: ast.Expr) -> Dim:
    """A dim of a type."""
    value = frame.evaluate(expr)
    if not is_size(value):
        fail("AX0306", f"a dim is an int, not {describe(value)}", expr.span)
    if isinstance(value, int) and value < 0:
        fail("AX0313", f"a dim cannot be negative: {expr.span.text} is {value}", expr.span)
    return Dim.of(value)


class Matcher(Record):
    """Matches tensors against the types of one signature: bare names bind at first, composite dims are checked last.

    ``frame`` is the callee's: names bound land in its locals and statics.
    """

    frame: Frame
    what: str
    pending: list[tuple[ast.Expr, Dim, Span, str, int]]
    closed: bool = False
    """In results all names must be known."""

    def match(self, name: str, type_: ast.TensorType, value: Value, span: Span) -> None:
        """Match one argument (or result); diagnostics point at ``span`` and at the declared type."""
        self._dtype(name, type_, value, span)
        dims = type_.dims
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

    def _dtype(self, name: str, type_: ast.TensorType, value: Value, span: Span) -> None:
        actual = value.type.dtype
        if type_.dtype == "any":
            bound = self.frame.statics.setdefault("any", (actual, span))
            wanted = bound[0]
            self.frame.locals["any"] = wanted
        else:
            wanted = DTYPES[type_.dtype] if type_.dtype else self.frame.build.float_type
            if self.closed and not type_.dtype and self.frame.kind == "schedule" and actual.is_float:
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
        if not isinstance(known, list) or not all(is_size(d) for d in known):
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
                if is_size(known):
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
                help=way_to_tell(size, wanted),
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
            if is_number(value) or isinstance(value, Dim):
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
    known = tensor_type(frame, declared)
    return broadcast_to(as_tensor(frame, value, known.dtype), known.shape)


def _known_dims(frame: Frame) -> None:
    """Ints, dims and lists computed in the body may be named in the result's type."""
    for name, value in frame.locals.items():
        if (is_size(value) or isinstance(value, list)) and name not in frame.statics:
            frame.statics[name] = (value, frame.called_at or frame.owner.made_at)
