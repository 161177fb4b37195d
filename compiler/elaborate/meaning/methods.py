"""Methods: fns nested in a block or model. They see its hyperparameters, module dims and setup names, and make no
parameters; entries see a model's setup in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archonnx.compiler.elaborate.core.forms import callable_
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.place import Call
from archonnx.compiler.elaborate.core.signatures import assign_arguments
from archonnx.compiler.elaborate.core.values import Given, Method
from archonnx.grammar import ast
from archonnx.grammar.source import Span

from .invocation import bind_arguments, enter, run_body
from .modules import fix_module_dims
from .setup import add_setup, enter_module, ready


@callable_(Method)
def _call_method(
    frame: Frame,
    method: Method,
    arguments: Sequence[ast.Argument],
    piped: Sequence[Given],
    span: Span,
    hint: str | None,
) -> Any:
    if method.derived is None:
        return _run_method(frame, method, arguments, piped, span)
    with frame.build.deriving(method.derived):
        return _run_method(frame, method, arguments, piped, span)


def _run_method(
    frame: Frame, method: Method, arguments: Sequence[ast.Argument], piped: Sequence[Given], span: Span
) -> Any:
    """Call a method: module dims that its arguments tell are fixed, the module's setup is there, its body is run."""
    module, declaration = method.module, method.declaration
    assert module.block is not None
    what = f"method `{declaration.name}`"
    given = assign_arguments(what, [p.name for p in declaration.parameters], arguments, piped)
    call = Call("method", declaration.name, span)
    inner = enter(frame, module.block.scope, module, call, f"{module.key}.{declaration.name}", "method")
    inner.sealed = True
    enter_module(inner, module)
    known = ready(module)  # before the arguments, which may apply the module
    if known:
        add_setup(inner, module, span)
    bind_arguments(frame, inner, what, declaration.parameters, given, span)
    if not known:
        fix_module_dims(inner, module)
        bound = dict(inner.locals)
        add_setup(inner, module, span)
        inner.locals.update({p.name: bound[p.name] for p in declaration.parameters})
    return run_body(inner, what, declaration.body, declaration.result, span)
