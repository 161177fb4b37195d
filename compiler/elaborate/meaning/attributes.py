"""Attributes: named results, what a module has (parameters, methods, modules made in it), and items of dicts."""

from __future__ import annotations

import re
from typing import Any

from archonnx.compiler.elaborate.core.columns import Columns
from archonnx.compiler.elaborate.core.dependence import methods
from archonnx.compiler.elaborate.core.forms import form
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.values import Derived, Method, Module, Remat, Results, describe
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.record import replace
from archonnx.grammar.source import Span

from .setup import add_setup, ready


@form(ast.Attribute)
def _attribute(frame: Frame, expr: ast.Attribute, hint: str | None) -> Any:
    value = frame.evaluate(expr.value)
    while isinstance(value, Remat):
        value = value.base
    name, span = expr.name, expr.name_span
    if isinstance(value, Results):
        if name in value.names:
            return value.items[value.names.index(name)]
        known: list[str] = [n for n in value.names if n]
    elif isinstance(value, Module):
        return module_attribute(frame, value, name, span)
    elif isinstance(value, Derived):
        return derived_attribute(frame, value, name, span)
    elif isinstance(value, Columns):
        return value.read(name, span)
    elif isinstance(value, dict):
        if name in value:
            return value[name]
        known = list(value)
    else:
        return fail("AX0206", f"{describe(value)} has no `.{name}`", span)
    return fail(
        "AX0206",
        f"{describe(value)} has no `.{name}`",
        span,
        help=did_you_mean(name, known) or (f"it has {', '.join(known)}" if known else None),
    )


def module_attribute(frame: Frame, module: Module, name: str, span: Span) -> Any:
    """A module's parameter, method, or a module made inside it under a name."""
    known: list[str] = []
    if module.block is not None:
        own = methods(module.block.declaration)
        if name in own:
            return Method(own[name], module)
        if name not in module.slots and ready(module):
            inner = frame.inner(module.block.scope, module, site=frame.site)
            add_setup(inner, module, span)
        known += own
    if name in module.slots:
        return frame.build.tensor(module.slots[name])
    named = {child.name: child for child in module.children.values() if child.name}
    if name in named:
        return named[name]
    items = [child for label, child in named.items() if re.fullmatch(rf"{re.escape(name)}\.\d+", label)]
    if items:
        return items
    known += [*module.slots, *named]
    if not known and module.block is not None and not ready(module):
        fail(
            "AX0316",
            f"{describe(module)} has no parameters yet: they are made when it is first applied",
            span,
            help="apply it before this place",
        )
    return fail(
        "AX0206",
        f"{describe(module)} has no `.{name}`",
        span,
        help=did_you_mean(name, known) or (f"it has {', '.join(known)}" if known else None),
    )


def derived_attribute(frame: Frame, module: Derived, name: str, span: Span) -> Any:
    """The same of a derived module: with the tensors that it has instead."""
    with frame.build.deriving(module):
        value = module_attribute(frame, module.base, name, span)
    if isinstance(value, Module):
        return replace(module, base=value)
    return Method(value.declaration, value.module, module) if isinstance(value, Method) else value
