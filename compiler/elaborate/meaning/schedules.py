"""Optimizers and schedules: given their hyperparameters, and schedules called with a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archonnx.compiler.elaborate.core.forms import callable_
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.place import Call
from archonnx.compiler.elaborate.core.signatures import assign_arguments
from archonnx.compiler.elaborate.core.values import (
    Configured,
    ConstantSchedule,
    Given,
    OpenSchedule,
    OptimizerType,
    ScheduleType,
    describe,
)
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import cast
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .invocation import bind_arguments, enter, nesting, run_body


def configure(
    frame: Frame, type_: OptimizerType | ScheduleType, arguments: Sequence[ast.Argument], span: Span
) -> Configured:
    """Set the hyperparameters of an optimizer or schedule."""
    declaration = type_.declaration
    what = describe(type_)
    declared = declaration.hyperparameters
    given = assign_arguments(what, [p.name for p in declared], arguments, [], declared=declared)
    inner = frame.inner(type_.scope, frame.owner)
    with nesting(frame, what, span):
        bind_arguments(frame, inner, what, declaration.hyperparameters, given, span)
    return Configured(type_, inner.locals)


@callable_(Configured, ConstantSchedule, OpenSchedule)
def _call_schedule(
    frame: Frame,
    callee: Configured | ConstantSchedule | OpenSchedule,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None,
) -> Any:
    """What a schedule gives at ``t``: computed in the model's float, handed on in the float of the optimizer."""
    if isinstance(callee, ConstantSchedule):
        assign_arguments("a schedule", ["t"], arguments, piped)
        return callee.value
    if isinstance(callee, OpenSchedule):
        assign_arguments("a schedule", ["t"], arguments, piped)
        with frame.at(span, describe(callee)):
            return cast(callee.value, frame.build.float_type)
    if isinstance(callee.of, OptimizerType):
        fail("AX0306", f"{describe(callee)} is used by `minimize ... with`, and is not called", span)
    declaration = callee.of.declaration
    what = describe(callee)
    given = assign_arguments(what, [p.name for p in declaration.inputs], arguments, piped)
    call = Call("schedule", declaration.name, span)
    inner = enter(frame, callee.of.scope, frame.owner, call, declaration.name, "schedule")
    inner.locals = dict(callee.arguments)
    with frame.build.floats(frame.build.mode.float_type):
        bind_arguments(frame, inner, what, declaration.inputs, given, span)
        result = run_body(inner, what, declaration.body, declaration.result, span)
    if isinstance(result, Value) and result.type.dtype.is_float:
        with frame.at(span, what):
            return cast(result, frame.build.float_type)
    return result


@callable_(OptimizerType, ScheduleType)
def _call_type(
    frame: Frame,
    type_: OptimizerType | ScheduleType,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None,
) -> Configured:
    return configure(frame, type_, arguments, span)
