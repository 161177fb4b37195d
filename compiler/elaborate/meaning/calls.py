"""Calls: fns, blocks and modules, optimizers and schedules, builtins, casts, pipes and partial application."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archonnx.compiler.elaborate.core.dependence import module_dims
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.signatures import Given, assign_arguments, evaluate_argument
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import (
    BlockType,
    Builtin,
    Configured,
    ConstantSchedule,
    Derived,
    Function,
    Method,
    ModelType,
    Module,
    OptimizerType,
    Partial,
    Results,
    ScheduleType,
    describe,
)
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import cast
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .bodies import bind_arguments, enter, keep_static, nesting, run_body
from .expressions import evaluate


def evaluate_call(frame: Frame, expr: ast.Call, hint: str | None = None) -> Any:
    """``callee(arguments)``."""
    if isinstance(expr.callee, ast.Name) and expr.callee.id == "copy" and frame.lookup("copy") is None:
        return _copy(frame, expr, hint)
    return call(frame, callee_of(frame, expr.callee), expr.arguments, [], expr.span, hint)


def _copy(frame: Frame, expr: ast.Call, hint: str | None) -> Any:
    """``copy(m)``: a new, untrained module with the same initial values, made at this site, under the hint's name."""
    from archonnx.compiler.elaborate.core.algebra import copy_of, is_group

    given = assign_arguments("fn `copy`", ["m"], expr.arguments, [])
    value = evaluate(frame, expr.arguments[0].value) if given else None
    if not is_group(value):
        fail("AX0306", f"`copy` takes a module or a list of modules, not {describe(value)}", expr.span)
    return copy_of(frame, value, expr.span, hint)


def evaluate_pipe(frame: Frame, expr: ast.Pipe) -> Any:
    """``value |> stage``: the value becomes the first argument; a block is made into a module and applied.

    ``(a, b) |> stage`` hands on both values as arguments.
    """
    several = [Given(item.span, value=evaluate(frame, item)) for item in _piped(expr.value)]
    called = expr.stage if isinstance(expr.stage, ast.Call) else None
    arguments = called.arguments if called is not None else ()
    callee = callee_of(frame, called.callee if called is not None else expr.stage)
    if isinstance(callee, BlockType):
        return call(frame, make_module(frame, callee, arguments, expr.stage.span, None), (), several, expr.stage.span)
    if len(several) > 1 and _takes_list(callee):
        several = [Given(expr.value.span, value=[given.value for given in several])]
    return call(frame, callee, arguments, several, expr.stage.span)


def _piped(value: ast.Expr) -> tuple[ast.Expr, ...]:
    return value.items if isinstance(value, ast.Tuple) else (value,)


def _takes_list(callee: Any) -> bool:
    """Whether several piped values are one argument, as in ``(a, b) |> concat(axis=-1)``."""
    return isinstance(callee, Builtin) and bool(callee.parameters) and callee.parameters[0].kind == "items"


def callee_of(frame: Frame, expr: ast.Expr) -> Any:
    """What stands in call position; names that cannot be called are skipped."""
    if isinstance(expr, ast.Name):
        return frame.resolve(expr, callable_only=True)
    return evaluate(frame, expr)


def evaluate_callable(frame: Frame, expr: ast.Expr, hint: str | None = None) -> Any:
    """An argument where a fn is expected: a call that lacks its first argument is a partial."""
    if not isinstance(expr, ast.Call):
        return callee_of(frame, expr) if isinstance(expr, ast.Name) else evaluate(frame, expr, hint)
    callee = callee_of(frame, expr.callee)
    if isinstance(callee, Function | Builtin | Partial):
        return partial(frame, callee, expr.arguments, expr.span)
    return call(frame, callee, expr.arguments, [], expr.span, hint)


def call(
    frame: Frame,
    callee: Any,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None = None,
) -> Any:
    """Apply anything that can be applied."""
    match callee:
        case Builtin():
            from archonnx.compiler.elaborate.builtin.calling import call_builtin

            return call_builtin(frame, callee, arguments, piped, span)
        case Function():
            return call_function(frame, callee, arguments, piped, span)
        case Module():
            return apply_module(frame, callee, arguments, piped, span)
        case Derived():
            with frame.build.deriving(callee):
                return call(frame, callee.base, arguments, piped, span)
        case Method():
            from .methods import call_method

            if callee.derived is not None:
                with frame.build.deriving(callee.derived):
                    return call_method(frame, callee, arguments, piped, span)
            return call_method(frame, callee, arguments, piped, span)
        case BlockType():
            if piped:
                fail("AX0306", f"{describe(callee)} makes a module: pipe into `{callee.declaration.name}(...)`", span)
            return make_module(frame, callee, arguments, span, hint)
        case Partial():
            return _call_partial(frame, callee, arguments, piped, span)
        case OptimizerType() | ScheduleType():
            return configure(frame, callee, arguments, span)
        case Configured() | ConstantSchedule():
            return _call_schedule(frame, callee, arguments, piped, span)
        case DType():
            return _call_dtype(frame, callee, arguments, piped, span)
    return fail("AX0306", f"this is {describe(callee)}, which cannot be called", span)


def call_values(frame: Frame, callee: Any, values: Sequence[Any], span: Span) -> Any:
    """Apply something to values that are there already."""
    return call(frame, callee, (), [Given(span, value=value) for value in values], span)


# ---------------------------------------------------------------- fns and partials


def call_function(
    frame: Frame, function: Function, arguments: Sequence[ast.Argument], piped: Sequence[Given], span: Span
) -> Any:
    """Call a ``fn``: its body is evaluated in place."""
    declaration = function.declaration
    what = f"fn `{declaration.name}`"
    given = assign_arguments(what, [p.name for p in declaration.parameters], arguments, piped)
    inner = _enter_function(frame, function, what, span)
    bind_arguments(frame, inner, what, declaration.parameters, given, span)
    return _run_function(inner, what, declaration, span)


def _enter_function(frame: Frame, function: Function, what: str, span: Span) -> Frame:
    """A frame for the body of a ``fn``, with what it sees of the body around it."""
    inner = enter(frame, function.scope, frame.owner, span, what, function.declaration.name)
    inner.makes = (*frame.makes, (span.source.name, span.start), *frame.indices)
    if function.around is not None:
        inner.locals.update(function.around.names)
        inner.statics.update(function.around.dims)
    return inner


def _run_function(inner: Frame, what: str, declaration: ast.Fn, span: Span) -> Any:
    if declaration.backward is None:
        return run_body(inner, what, declaration.body, declaration.result, span)
    from .differentiation import run_with_backward

    return run_with_backward(inner, what, declaration, span)


def partial(
    frame: Frame, function: Function | Builtin | Partial, arguments: Sequence[ast.Argument], span: Span
) -> Partial:
    """A call in which leading arguments are still missing: given ones are bound to the parameters after them."""
    given: dict[str, Any] = {}
    if isinstance(function, Partial):
        given, function = dict(function.arguments), function.function
    names = parameter_names(function)
    free = [name for name in names[1:] if name not in given]
    assigned = assign_arguments(describe(function), free, arguments, [])
    for name, argument in assigned.items():
        given[name] = _partial_argument(frame, function, name, argument)
    return Partial(function, given)


def _partial_argument(frame: Frame, function: Function | Builtin, name: str, given: Given) -> Any:
    if isinstance(function, Function):
        parameter = next(p for p in function.declaration.parameters if p.name == name)
        return evaluate_argument(frame, parameter, given)
    assert given.expr is not None
    return evaluate(frame, given.expr)


def parameter_names(function: Function | Builtin) -> list[str]:
    """Names of the parameters of a function, in order."""
    if isinstance(function, Builtin):
        return [p.name for p in function.parameters]
    return [p.name for p in function.declaration.parameters]


def _call_partial(
    frame: Frame, callee: Partial, arguments: Sequence[ast.Argument], piped: Sequence[Given], span: Span
) -> Any:
    names = parameter_names(callee.function)
    free = [name for name in names if name not in callee.arguments]
    assigned = assign_arguments(describe(callee), free, arguments, piped)
    merged = {name: Given(span, value=value) for name, value in callee.arguments.items()} | assigned
    if isinstance(callee.function, Builtin):
        from archonnx.compiler.elaborate.builtin.calling import call_assigned

        return call_assigned(frame, callee.function, merged, span)
    declaration = callee.function.declaration
    what = f"fn `{declaration.name}`"
    inner = _enter_function(frame, callee.function, what, span)
    bind_arguments(frame, inner, what, declaration.parameters, merged, span)
    return _run_function(inner, what, declaration, span)


# ---------------------------------------------------------------- blocks and modules


def make_module(
    frame: Frame, block: BlockType, arguments: Sequence[ast.Argument], span: Span, hint: str | None
) -> Module:
    """The module of this site: made once for each owner, chain of fn calls and static loop index."""
    owner, declaration = frame.owner, block.declaration
    key = (*frame.makes, span.source.name, span.start, span.end, *frame.indices)
    module = owner.children.get(key)
    if module is None:
        if frame.sealed:
            fail(
                "AX0220",
                f"`{declaration.name}(...)` would make parameters here, and methods and entries make none",
                span,
                help="make the module in the body of its block or model, and use it here",
            )
        if frame.build.frozen_slots:
            fail("AX0314", "this module is made only in training: the parameters must not depend on `training`", span)
        module = Module(block, {}, owner, hint, span)
        module.ordinal = sum(1 for m in owner.children.values() if m.label == module.label)
        owner.children[key] = module
    what = f"block `{declaration.name}`"
    given = assign_arguments(what, [p.name for p in declaration.hyperparameters], arguments, [])
    inner = Frame(frame.build, block.scope, module, caller=frame)
    surround(inner, block, span)
    frame.owner = module  # a module made inside an argument belongs to this one, under the parameter's name
    try:
        with nesting(frame, what, span):
            bind_arguments(frame, inner, what, declaration.hyperparameters, given, span, hints=True)
    finally:
        frame.owner = owner
    module.arguments = {p.name: inner.locals[p.name] for p in declaration.hyperparameters}
    return module


def apply_module(
    frame: Frame, module: Module, arguments: Sequence[ast.Argument], piped: Sequence[Given], span: Span
) -> Any:
    """Apply a module to inputs. Dims that reach its parameters are fixed by the first application."""
    if not isinstance(module.block, BlockType):
        fail("AX0306", "the model itself cannot be called", span)
    declaration = module.block.declaration
    what = f"block `{declaration.name}`"
    given = assign_arguments(what, [p.name for p in declaration.inputs], arguments, piped)
    inner = enter(frame, module.block.scope, module, span, what, module.key or "model")
    inner.kind = "block"
    enter_module(inner, module)
    bind_arguments(frame, inner, what, declaration.inputs, given, span)
    fix_module_dims(inner, module)
    fixed = [f"{name} = {size}" for name, (size, _) in module.dims.items()]
    if fixed:
        inner.note = f"{what} with {', '.join(fixed)}"
    result = run_body(inner, what, declaration.body, declaration.result, span)
    items = result.items if isinstance(result, Results) else (result,)
    names = [name or str(n) for n, name in enumerate(result.names)] if isinstance(result, Results) else [""]
    for name, item in zip(names, items, strict=True):
        frame.note_tensors(name, item, span, module)
    frame.build.applied.append((module, tuple(item for item in items if isinstance(item, Value))))
    return result


def enter_module(inner: Frame, module: Module) -> None:
    """Give a frame a module's hyperparameters, the dims that are fixed, and its methods and blocks."""
    from .methods import bind_nested

    assert module.block is not None
    surround(inner, module.block, inner.called_at or module.made_at)
    inner.locals.update(module.arguments)
    for name, value in module.arguments.items():
        keep_static(inner, name, value, module.made_at)
    for name, (size, where) in module.dims.items():
        inner.statics[name] = (size, where)
        inner.locals[name] = size
    bind_nested(inner, module)


def surround(inner: Frame, block: BlockType | ModelType, span: Span) -> None:
    """Give a frame what a block sees of the block or model in which it is declared: what a method sees of it."""
    if not isinstance(block, BlockType) or block.around is None:
        return
    from .methods import setup_of

    setup = setup_of(inner, block.around)
    for name, value in setup.locals.items():
        inner.locals[name] = value
        keep_static(inner, name, value, span)


def fix_module_dims(inner: Frame, module: Module) -> None:
    """Keep the module dims that the arguments of this call tell."""
    if not isinstance(module.block, BlockType):
        return
    for name in module_dims(module.block):
        if name in module.dims or name not in inner.statics:
            continue
        size, where = inner.statics[name]
        if not isinstance(size, int):
            fail(
                "AX0315",
                f"dim `{name}` of block `{module.block.declaration.name}` sizes its parameters, so it must be an "
                f"integer: here it is {size}",
                where,
                help="give the input an integer size on this axis",
            )
        module.dims[name] = (size, where)


# ---------------------------------------------------------------- optimizers, schedules, casts


def configure(
    frame: Frame, type_: OptimizerType | ScheduleType, arguments: Sequence[ast.Argument], span: Span
) -> Configured:
    """Set the hyperparameters of an optimizer or schedule."""
    declaration = type_.declaration
    what = describe(type_)
    given = assign_arguments(what, [p.name for p in declaration.hyperparameters], arguments, [])
    inner = Frame(frame.build, type_.scope, frame.owner)
    with nesting(frame, what, span):
        bind_arguments(frame, inner, what, declaration.hyperparameters, given, span)
    return Configured(type_, inner.locals)


def _call_schedule(
    frame: Frame,
    callee: Configured | ConstantSchedule,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
) -> Any:
    """What a schedule gives at ``t``: computed in the model's float, handed on in the float of the optimizer."""
    if isinstance(callee, ConstantSchedule):
        assign_arguments("a schedule", ["t"], arguments, piped)
        return callee.value
    if isinstance(callee.of, OptimizerType):
        fail("AX0306", f"{describe(callee)} is used by `minimize ... with`, and is not called", span)
    declaration = callee.of.declaration
    what = describe(callee)
    given = assign_arguments(what, [p.name for p in declaration.inputs], arguments, piped)
    inner = enter(frame, callee.of.scope, frame.owner, span, what, declaration.name)
    inner.kind = "schedule"
    inner.locals = dict(callee.arguments)
    with frame.build.floats(frame.build.model_float):
        bind_arguments(frame, inner, what, declaration.inputs, given, span)
        result = run_body(inner, what, declaration.body, declaration.result, span)
    if isinstance(result, Value) and result.type.dtype.is_float:
        with frame.at(span, what):
            return cast(result, frame.build.float_type)
    return result


def _call_dtype(
    frame: Frame, dtype: DType, arguments: Sequence[ast.Argument], piped: Sequence[Given], span: Span
) -> Any:
    given = assign_arguments(f"`{dtype}`", ["x"], arguments, piped)
    if "x" not in given:
        fail("AX0203", f"`{dtype}(...)` needs the tensor to convert", span)
    argument = given["x"]
    value = evaluate(frame, argument.expr) if argument.expr is not None else argument.value
    if not isinstance(value, Value | bool | int | float | Dim | list):
        fail("AX0306", f"`{dtype}(...)` converts tensors and numbers, not {describe(value)}", argument.span)
    with frame.at(span, f"`{dtype}`"):
        if not isinstance(value, Value | Dim) and (dtype.is_float or not _has_float(value)):
            return as_tensor(frame, value, dtype)
        return cast(as_tensor(frame, value), dtype)


def _has_float(value: Any) -> bool:
    if isinstance(value, list):
        return any(_has_float(item) for item in value)
    return isinstance(value, float)
