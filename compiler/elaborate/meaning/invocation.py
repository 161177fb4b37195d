"""Calling what has a body: its frame, arguments bound to parameters, results checked, errors told once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.place import Call
from archonnx.compiler.elaborate.core.problems import problems
from archonnx.compiler.elaborate.core.signatures import DTYPES, evaluate_argument, is_tensor_type
from archonnx.compiler.elaborate.core.static import is_size
from archonnx.compiler.elaborate.core.suites import silenced
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import Given, Module, Scope, describe, one_of
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import broadcast_to
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.source import Span

from .matching import Matcher, check_results, tensor_type

DEPTH = 64
"""Calls inside calls; a spec that nests deeper is refused."""


def enter(frame: Frame, scope: Scope, owner: Module, call: Call, label: str, kind: str = "fn") -> Frame:
    """A frame for a body called from here."""
    around = [place.call.what + place.call.sizes if place.call is not None else "" for place in frame.place.around()]
    if len(around) > DEPTH:
        frame.build.give_up()
        often = max(set(around), key=around.count)
        fail("AX0216", f"calls nest deeper than {DEPTH}: does {often or call.what} call itself?", call.at)
    sealed = frame.sealed and owner is frame.owner
    return frame.inner(scope, owner, kind, call, site=frame.enter(label), sealed=sealed)


@contextmanager
def nesting(frame: Frame, what: str, span: Span) -> Iterator[None]:
    """Arguments inside arguments are bounded: a default may make the very thing that it belongs to."""
    frame.build.nesting.depth += 1
    try:
        if frame.build.nesting.depth > DEPTH:
            frame.build.give_up()
            fail("AX0216", f"arguments nest deeper than {DEPTH}: does {what} need itself?", span)
        yield
    finally:
        frame.build.nesting.depth -= 1


def bind_arguments(
    frame: Frame,
    inner: Frame,
    what: str,
    parameters: Sequence[ast.Parameter],
    given: Mapping[str, Given],
    span: Span,
    *,
    hints: bool = False,
) -> None:
    """Evaluate arguments (in ``frame``) and defaults (in ``inner``), bind them, and match the tensors' types."""
    missing = [p for p in parameters if p.name not in given and p.default is None]
    if missing:
        names = ", ".join(f"`{p.name}`" for p in missing)
        fail("AX0203", f"{what} needs {names}", span, "missing here", others=[Label(missing[0].span, "declared here")])
    tensors: list[tuple[ast.Parameter, ast.TensorType, Any, Span]] = []
    for parameter in parameters:
        argument = given.get(parameter.name)
        if argument is None:
            assert parameter.default is not None
            argument, source = Given(parameter.default.span, parameter.default), inner
        else:
            source = frame
        hint = parameter.name if hints or isinstance(argument.expr, ast.Call) else None
        value = evaluate_argument(source, parameter, argument, hint)
        inner.locals[parameter.name] = value
        if is_tensor_type(parameter.type):
            tensors.append((parameter, parameter.type, value, argument.span))
        else:
            keep_static(inner, parameter.name, value, argument.span)
    _match_tensors(inner, what, tensors)


def keep_static(inner: Frame, name: str, value: Any, span: Span) -> None:
    if is_size(value) or isinstance(value, list):
        inner.statics[name] = (value, span)


def _match_tensors(inner: Frame, what: str, tensors: list[tuple[ast.Parameter, ast.TensorType, Any, Span]]) -> None:
    matcher = Matcher(inner, what, [])
    numbers = []
    for parameter, type_, value, span in tensors:
        if isinstance(value, Value):
            matcher.match(parameter.name, type_, value, span)
        elif isinstance(value, int | float | bool | Dim):
            numbers.append((parameter.name, type_, value, span))
        elif value is not None or not isinstance(parameter.default, ast.Constant):
            fail(
                "AX0306",
                f"{what}: `{parameter.name}` is a tensor, and this is {describe(value)}",
                span,
                others=[Label(type_.span, f"declared {type_.span.text}")],
                help=one_of(value, span.text),
            )
    matcher.finish()
    for name, type_, value, span in numbers:
        with problems(inner, span, [], []):
            inner.locals[name] = _number_argument(inner, type_, value)


def _number_argument(inner: Frame, type_: ast.TensorType, value: Any) -> Value:
    """A number given for a tensor: a constant of the declared shape, if that is known by now, else a scalar."""
    dtype = DTYPES.get(type_.dtype or "", inner.build.float_type)
    scalar = as_tensor(inner, value, dtype)
    names = [d.name if isinstance(d, ast.Dots) else d.id for d in type_.dims if isinstance(d, ast.Dots | ast.Name)]
    if any(name not in inner.statics for name in names):
        for dim in type_.dims:
            if isinstance(dim, ast.Dots) and dim.name and dim.name not in inner.statics:
                inner.statics[dim.name] = ([], inner.called_at or type_.span)
                inner.locals[dim.name] = []
        return scalar
    return broadcast_to(scalar, tensor_type(inner, type_).shape)


def run_body(inner: Frame, what: str, body: ast.Suite, result: ast.Result | None, span: Span) -> Any:
    """Run a body to its ``return`` and check what it gives."""
    report = inner.build.report
    with report.collecting(lambda diagnostic: report.add_at_place(inner.place.explain(diagnostic))) as collected:
        returned = inner.run(body)
        if returned is None:
            where = result.span if result is not None else span
            fail("AX0210", f"{what} ends without `return`", where)
        inner.outcome.values = returned.values
        return check_results(inner, what, result, returned.values, returned.spans)
    raise silenced(collected.error)
