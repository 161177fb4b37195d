"""Methods: fns nested in a block or model. They see its hyperparameters, module dims and setup names, and make no
parameters; entries see a model's setup in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archonnx.compiler.elaborate.core.dependence import application_statements, blocks, methods, module_dims
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.signatures import Given, assign_arguments
from archonnx.compiler.elaborate.core.values import BlockType, Method, Module
from archonnx.grammar import ast
from archonnx.grammar.source import Span

from . import bodies, calls, statements


def call_method(
    frame: Frame, method: Method, arguments: Sequence[ast.Argument], piped: Sequence[Given], span: Span
) -> Any:
    """Call a method: module dims that its arguments tell are fixed, the module's setup is there, its body is run."""
    module, declaration = method.module, method.declaration
    assert module.block is not None
    what = f"method `{declaration.name}`"
    given = assign_arguments(what, [p.name for p in declaration.parameters], arguments, piped)
    inner = bodies.enter(frame, module.block.scope, module, span, what, f"{module.key}.{declaration.name}")
    inner.kind, inner.sealed = "method", True
    calls.enter_module(inner, module)
    known = ready(module)  # before the arguments, which may apply the module
    if known:
        add_setup(inner, module, span)
    bodies.bind_arguments(frame, inner, what, declaration.parameters, given, span)
    if not known:
        calls.fix_module_dims(inner, module)
        bound = dict(inner.locals)
        add_setup(inner, module, span)
        inner.locals.update({p.name: bound[p.name] for p in declaration.parameters})
    return bodies.run_body(inner, what, declaration.body, declaration.result, span)


def ready(module: Module) -> bool:
    """Whether all dims that size the module's parameters are known, so that its setup can run."""
    return not isinstance(module.block, BlockType) or module_dims(module.block) <= module.dims.keys()


def add_setup(inner: Frame, module: Module, span: Span) -> None:
    """Give a frame the names that the module's setup statements bind."""
    setup = setup_of(inner, module)
    for name, value in setup.locals.items():
        inner.locals[name] = value
        bodies.keep_static(inner, name, value, span)
    inner.fixed |= setup.fixed


def setup_of(inner: Frame, module: Module) -> Frame:
    """A frame in which the module's setup has run; where it is running, what it has bound so far."""
    assert module.block is not None
    if (running := inner.build.preparing.get(module)) is not None:
        return running
    declaration = module.block.declaration
    setup = Frame(inner.build, module.block.scope, module, site=inner.site, caller=inner, kind="block")
    calls.enter_module(setup, module)
    setup.skip = application_statements(module.block)
    inner.build.preparing[module] = setup
    try:
        statements.run(setup, declaration.body)
    finally:
        del inner.build.preparing[module]
    return setup


def bind_nested(frame: Frame, module: Module) -> None:
    """Methods may be called anywhere in the body, and blocks that are declared in it be used."""
    assert module.block is not None
    for name, method in methods(module.block.declaration).items():
        frame.locals[name] = Method(method, module)
    for name, block in blocks(module.block.declaration).items():
        frame.locals[name] = BlockType(block, module.block.scope, module)
