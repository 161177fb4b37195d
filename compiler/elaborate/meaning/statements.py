"""What the statements of a body do: each form by its decorator. ``Frame.run`` runs them and tells what is wrong."""

from __future__ import annotations

from typing import Any

from archonnx.compiler.elaborate.core.control import iterate, truth, unpack
from archonnx.compiler.elaborate.core.forms import statement
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.problems import provenance
from archonnx.compiler.elaborate.core.static import bounded, is_whole
from archonnx.compiler.elaborate.core.suites import misplaced
from archonnx.compiler.elaborate.core.values import Around, Function, Module, Results, Returned, describe
from archonnx.compiler.ops.shape import stop_gradient
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, fail

from .parameters import declare_parameter
from .typed import declared, draw


def _bound_before(frame: Frame, statement: ast.Fn | ast.Block) -> bool:
    """Whether it stands directly in the body of a block or model."""
    declaration = frame.owner.block.declaration if frame.owner.block is not None else None
    return frame.kind in ("block", "model") and any(statement is node for node in getattr(declaration, "body", ()))


@statement(ast.Fn, ast.Block)
def _nested(frame: Frame, declaration: ast.Fn | ast.Block) -> None:
    """A fn or block in a body. Methods and blocks are bound before the body runs: they may be used anywhere in it."""
    if isinstance(declaration, ast.Fn) and declaration.backward is not None:
        fail(
            "AX0212",
            "`backward` belongs to a fn of the file: one inside another body sees more than its arguments",
            declaration.backward.span,
            help="move the fn out, and give it what it needs as arguments",
        )
    if _bound_before(frame, declaration):
        return
    if isinstance(declaration, ast.Block):
        misplaced(declaration, frame.kind)
    _local_fn(frame, declaration)


def _local_fn(frame: Frame, statement: ast.Fn) -> None:
    """A fn in another body: it sees itself, and what is bound above it as it is now."""
    names = dict(frame.locals)
    around = Around(names, dict(frame.statics))
    frame.bind(statement.name, Function(statement, frame.scope, around), statement.name_span)
    names[statement.name] = frame.locals[statement.name]


@statement(ast.TypedAssign)
def _typed_assign(frame: Frame, statement: ast.TypedAssign) -> None:
    value = declared(frame, statement.type, frame.evaluate(statement.value, statement.name), statement.value)
    frame.bind(statement.name, value, statement.span)


@statement(ast.Param, ast.Buffer)
def _parameter(frame: Frame, statement: ast.Param | ast.Buffer) -> None:
    frame.bind(statement.name, declare_parameter(frame, statement), statement.span)
    frame.fixed.add(statement.name)


@statement(ast.Draw)
def _draw(frame: Frame, statement: ast.Draw) -> None:
    frame.bind(statement.name, draw(frame, statement), statement.span)


@statement(ast.ExprStmt)
def _expression(frame: Frame, statement: ast.ExprStmt) -> None:
    fail(
        "AX0211",
        "the value of this expression is not used",
        statement.span,
        help="assign it to a name, or delete the line",
    )


@statement(ast.Assign)
def _assign(frame: Frame, statement: ast.Assign) -> None:
    targets, values = statement.targets, statement.values
    names = [target.id if isinstance(target, ast.Name) else None for target in targets]
    if len(values) == len(targets):
        results = [frame.evaluate(value, name) for name, value in zip(names, values, strict=True)]
    else:
        results = _unpacked(frame, statement, len(names))
    for target, name, value in zip(targets, names, results, strict=True):
        if name is None:
            _replace_item(frame, target, value)
            continue
        frame.bind(name, value, target.span)
        if isinstance(value, Module) and value.name == name and value.parent is frame.owner:
            frame.fixed.add(name)


def _replace_item(frame: Frame, target: ast.Expr, value: Any) -> None:
    """``keys[j] = e``: a list like the old one, with another item at a static index."""
    if not isinstance(target, ast.Index) or not isinstance(target.value, ast.Name) or len(target.subscripts) != 1:
        fail("AX0306", "only names and items of lists can be assigned to", target.span)
    old, position = frame.resolve(target.value), frame.evaluate(target.subscripts[0])
    if not isinstance(old, list):
        fail(
            "AX0306",
            f"`{target.value.id}` is {describe(old)}, and only items of lists can be assigned",
            target.value.span,
            help="a tensor is written into with `put(x, at, update, axis=...)`",
        )
    if not is_whole(position) or not -len(old) <= position < len(old):
        fail("AX0312", f"a list of {len(old)} has no item {describe(position)}", target.subscripts[0].span)
    new = list(old)
    new[position] = value
    frame.bind(target.value.id, bounded(new, target.span), target.span)


def _unpacked(frame: Frame, statement: ast.Assign, count: int) -> list[Any]:
    if len(statement.values) != 1:
        fail("AX0207", f"{count} names on the left and {len(statement.values)} values on the right", statement.span)
    value = frame.evaluate(statement.values[0])
    items = value.items if isinstance(value, Results) else value
    if not isinstance(items, list | tuple):
        fail(
            "AX0207", f"cannot unpack {describe(value)} into {count} names", statement.values[0].span, provenance(value)
        )
    if len(items) != count:
        fail(
            "AX0207",
            f"{count} names for {len(items)} results",
            statement.targets[0].span.to(statement.targets[-1].span),
            others=[Label(statement.values[0].span, f"this gives {len(items)}")],
        )
    return list(items)


@statement(ast.Update)
def update_buffer(frame: Frame, statement: ast.Update) -> None:
    """``update NAME = expr``: in training graphs, the buffer's next value; no gradient passes."""
    target = statement.target
    slot = frame.owner.slots.get(target.id) if isinstance(target, ast.Name) else None
    if slot is None or not slot.buffer:
        fail(
            "AX0221",
            f"`update` changes a buffer of this body, and `{target.span.text}` is not one",
            target.span,
            help=f"declare it: `buffer {target.span.text}: [...] = 0`",
        )
    if not frame.build.is_training(frame.owner):
        return
    value = declared(frame, slot.statement.type, frame.evaluate(statement.value), statement.value)
    frame.build.graph.updates[slot] = frame.locals[slot.name] = stop_gradient(value)
    frame.build.graph.updating.setdefault(slot, []).append(frame.outcome)


@statement(ast.If)
def _if(frame: Frame, statement: ast.If) -> Returned | None:
    for condition, body in statement.branches:
        if truth(frame, condition):
            return frame.run(body)
    return frame.run(statement.otherwise)


@statement(ast.For)
def _for(frame: Frame, statement: ast.For) -> Returned | None:
    outer = frame.indices
    try:
        for i, item in enumerate(iterate(frame, statement.iterable)):
            frame.indices = (*outer, i)
            unpack(frame, [target.id for target in statement.targets], item, statement.span)
            returned = frame.run(statement.body)
            if returned is not None:
                return returned
    finally:
        frame.indices = outer
    return None


@statement(ast.Return)
def _return(frame: Frame, statement: ast.Return) -> Returned:
    if frame.kind == "model":
        fail(
            "AX0212",
            "`return` stands in fns and blocks, not in a model",
            statement.span,
            help="a model's results are its `output`s",
        )
    values = [frame.evaluate(value) for value in statement.values]
    spans = [value.span for value in statement.values]
    if len(values) == 1 and isinstance(values[0], Results):
        return Returned(list(values[0].items), spans * len(values[0].items))
    return Returned(values, spans)
