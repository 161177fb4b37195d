"""Modules: made of a block at a site, applied to inputs, and the dims that their first application fixes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from archonnx.compiler.elaborate.core.dependence import module_dims
from archonnx.compiler.elaborate.core.forms import callable_
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.place import Call
from archonnx.compiler.elaborate.core.signatures import assign_arguments
from archonnx.compiler.elaborate.core.values import (
    BlockType,
    Derived,
    Given,
    Module,
    Remat,
    Results,
    describe,
    is_callable,
)
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import SEED, STEP
from archonnx.compiler.remat import region
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .invocation import bind_arguments, enter, nesting, run_body
from .repeats import once_for_all
from .setup import enter_module, surround


def make_module(
    frame: Frame, block: BlockType, arguments: Sequence[ast.Argument], span: Span, hint: str | None
) -> Module:
    """The module of this site: made once for each owner, chain of fn calls and static loop index."""
    owner, declaration = frame.owner, block.declaration
    key = (*frame.chain, span.source.name, span.start, span.end, *frame.indices)
    module = owner.children.get(key)
    if module is None:
        if frame.sealed:
            fail(
                "AX0220",
                f"`{declaration.name}(...)` would make parameters here, and methods and entries make none",
                span,
                help="make the module in the body of its block or model, and use it here",
            )
        if frame.build.mode.complete:
            fail("AX0314", "this module is made only in training: the parameters must not depend on `training`", span)
        module = Module(block, {}, owner, hint, span)
        owner.adopt(key, module)
    what = f"block `{declaration.name}`"
    declared = declaration.hyperparameters
    given = assign_arguments(what, [p.name for p in declared], arguments, [], declared=declared)
    inner = frame.inner(block.scope, module)
    surround(inner, block, span)
    frame.owner = module  # a module made inside an argument belongs to this one, under the parameter's name
    try:
        with nesting(frame, what, span):
            bind_arguments(frame, inner, what, declaration.hyperparameters, given, span, hints=True)
    finally:
        frame.owner = owner
    module.arguments = {p.name: inner.locals[p.name] for p in declaration.hyperparameters}
    return module


@callable_(Module)
def apply_module(
    frame: Frame,
    module: Module,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None = None,
) -> Any:
    """Apply a module to inputs. Dims that reach its parameters are fixed by the first application."""
    if not isinstance(module.block, BlockType):
        fail("AX0306", "the model itself cannot be called", span)
    declaration = module.block.declaration
    what = f"block `{declaration.name}`"
    given = assign_arguments(what, [p.name for p in declaration.inputs], arguments, piped)
    call = Call("block", declaration.name, span, module.dims)
    inner = enter(frame, module.block.scope, module, call, module.key or "model", "block")
    enter_module(inner, module)
    bind_arguments(frame, inner, what, declaration.inputs, given, span)
    fix_module_dims(inner, module)
    body = partial(run_body, inner, what, declaration.body, declaration.result, span)
    result = once_for_all(inner, module, body)
    items = result.items if isinstance(result, Results) else (result,)
    names = [name or str(n) for n, name in enumerate(result.names)] if isinstance(result, Results) else [""]
    for name, item in zip(names, items, strict=True):
        frame.note_tensors(name, item, span, module)
    frame.build.observed.applied.append((module, tuple(item for item in items if isinstance(item, Value))))
    return result


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


@callable_(BlockType)
def _call_block(
    frame: Frame,
    block: BlockType,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None,
) -> Module:
    if piped:
        fail("AX0306", f"{describe(block)} makes a module: pipe into `{block.declaration.name}(...)`", span)
    return make_module(frame, block, arguments, span, hint)


@callable_(list)
def _apply_in_order(
    frame: Frame,
    stages: list[Any],
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None,
) -> Any:
    """A list of modules and fns is applied in order: the first to the arguments, each other to what came before it."""
    if not is_callable(stages):
        fail("AX0306", f"this is {describe(stages)}, which cannot be called", span)
    for block in (stage for stage in stages if isinstance(stage, BlockType)):
        name = block.declaration.name
        fail("AX0306", f"a list is applied module by module, and `{name}` is a block", span, help=f"write `{name}()`")
    result = frame.call(stages[0], arguments, piped, span)
    for stage in stages[1:]:
        result = frame.call_values(stage, result.items if isinstance(result, Results) else [result], span)
    return result


@callable_(Derived)
def _apply_derived(
    frame: Frame,
    module: Derived,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None,
) -> Any:
    with frame.build.deriving(module):
        return frame.call(module.base, arguments, piped, span)


@callable_(Remat)
def _apply_again(
    frame: Frame,
    again: Remat,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None,
) -> Any:
    """What it gives in training is edged, so that a gradient finds what to compute again."""
    if not is_callable(again.base):
        fail("AX0306", f"`remat` takes what can be called, not {describe(again.base)}", span)
    build = frame.build
    if not build.mode.training:
        return frame.call(again.base, arguments, piped, span)
    build.graph.regions += 1

    def kept() -> set[Value]:
        return {*build.parameters.values(), *(v for name, v in build.inputs.items() if name in (SEED, STEP))}

    with region(build.builder, build.graph.regions, kept) as leave:
        return _left(frame, frame.call(again.base, arguments, piped, span), leave)


def _left(frame: Frame, result: Any, leave: Callable[[Value], Value]) -> Any:
    """The tensors of a result, taken out of a region."""
    if isinstance(result, Results):
        return Results(tuple(_left(frame, item, leave) for item in result.items), result.names)
    if isinstance(result, list):
        return [_left(frame, item, leave) for item in result]
    if not isinstance(result, Value):
        return result
    out, better = leave(result), frame.build.observed.better
    if result in better:
        better[out] = better[result]
    return out
