"""Values of a written type: numbers fill its shape, draws are made in it, and tensors must have it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.problems import problems, provenance
from archonnx.compiler.elaborate.core.static import is_number
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import describe, static_dim
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import same
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import cast
from archonnx.compiler.ops.shape import broadcast_to
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.source import Span

from .matching import tensor_type


def declared(frame: Frame, type_: ast.Type, value: Any, expr: ast.Expr) -> Value:
    """A value as its written type wants it; a number fills the shape."""
    wanted = tensor_type(frame, type_)
    if isinstance(value, int | float | Dim | list) and (not isinstance(value, bool) or wanted.dtype is DType.bool):
        with problems(frame, expr.span, [expr], [value]):
            value = broadcast_to(as_tensor(frame, value, wanted.dtype), wanted.shape)
    if not isinstance(value, Value):
        fail(
            "AX0306",
            f"this is {describe(value)}, and {wanted} is declared",
            expr.span,
            others=[Label(type_.span, "declared here")],
        )
    check_type(value, wanted, expr.span, type_.span)
    return value


def check_type(value: Value, wanted: TensorType, span: Span, declared_at: Span) -> None:
    """A diagnostic unless the value has the declared type."""
    if value.type.dtype is not wanted.dtype or value.rank != wanted.rank:
        fail(
            "AX0307",
            f"this is {value.type}, and {wanted} is declared",
            span,
            provenance(value),
            others=[Label(declared_at, "declared here")],
        )
    for axis, (actual, dim) in enumerate(zip(value.shape, wanted.shape, strict=True)):
        equal = same(actual, dim)
        if equal is None:
            fail(
                "AX0305",
                f"cannot tell whether axis {axis}, which is {actual}, equals {dim}",
                span,
                provenance(value),
                others=[Label(declared_at, "declared here")],
            )
        if not equal:
            fail(
                "AX0307",
                f"this is {value.type}, and {wanted} is declared: axis {axis} is {actual}, not {dim}",
                span,
                provenance(value),
                others=[Label(declared_at, "declared here")],
            )


def draw(frame: Frame, statement: ast.Draw) -> Value:
    """``z: [B, k] ~ normal(0, 1)``: a sampler is a fn whose first parameter is the shape."""
    wanted = tensor_type(frame, statement.type)
    outer = frame.site
    frame.site = frame.enter(statement.name)
    try:
        return sample(frame, wanted, statement.distribution, statement.type.span)
    finally:
        frame.site = outer


def sample(frame: Frame, wanted: TensorType, distribution: ast.Expr, declared_at: Span) -> Value:
    """Call a sampler with a shape."""
    sampler = frame.evaluate_function(distribution)
    span = distribution.span
    with frame.at(span, f"`{span.text}`"), problems(frame, span, [], []):
        value = frame.call_values(sampler, [[static_dim(d) for d in wanted.shape]], span)
        if is_number(value):
            with problems(frame, span, [distribution], [value]):
                value = broadcast_to(as_tensor(frame, value, wanted.dtype), wanted.shape)
    if not isinstance(value, Value):
        fail("AX0306", f"a distribution or initialiser gives a tensor, not {describe(value)}", span)
    with frame.at(span, f"`{span.text}`"), suppress(TypeProblem):  # check_type says it better
        value = cast(broadcast_to(value, wanted.shape), wanted.dtype)
    check_type(value, wanted, span, declared_at)
    return value
