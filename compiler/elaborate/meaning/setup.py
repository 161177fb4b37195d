"""What a frame sees of a module: its hyperparameters, dims, methods, and the names that its setup statements bind."""

from __future__ import annotations

from archonnx.compiler.elaborate.core.dependence import application_statements, blocks, methods, module_dims
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.values import BlockType, Method, ModelType, Module
from archonnx.grammar.source import Span

from .invocation import keep_static


def ready(module: Module) -> bool:
    """Whether all dims that size the module's parameters are known, so that its setup can run."""
    return not isinstance(module.block, BlockType) or module_dims(module.block) <= module.dims.keys()


def add_setup(inner: Frame, module: Module, span: Span) -> None:
    """Give a frame the names that the module's setup statements bind."""
    setup = setup_of(inner, module)
    for name, value in setup.locals.items():
        inner.locals[name] = value
        keep_static(inner, name, value, span)
    inner.fixed |= setup.fixed


def setup_of(inner: Frame, module: Module) -> Frame:
    """A frame in which the module's setup has run; where it is running, what it has bound so far."""
    assert module.block is not None
    if (running := inner.preparing.get(module)) is not None:
        return running
    setup = inner.inner(module.block.scope, module, "block", site=inner.site)
    enter_module(setup, module)
    setup.left_out = application_statements(module.block)
    setup.preparing = {**inner.preparing, module: setup}
    setup.run(module.block.declaration.body)
    return setup


def bind_nested(frame: Frame, module: Module) -> None:
    """Methods may be called anywhere in the body, and blocks that are declared in it be used."""
    assert module.block is not None
    for name, method in methods(module.block.declaration).items():
        frame.locals[name] = Method(method, module)
    for name, block in blocks(module.block.declaration).items():
        frame.locals[name] = BlockType(block, module.block.scope, module)


def enter_module(inner: Frame, module: Module) -> None:
    """Give a frame a module's hyperparameters, the dims that are fixed, and its methods and blocks."""
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
    setup = setup_of(inner, block.around)
    for name, value in setup.locals.items():
        inner.locals[name] = value
        keep_static(inner, name, value, span)
