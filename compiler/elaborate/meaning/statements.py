"""Running the statements of a body. An error ends its statement, poisons the names it would bind, and is reported;
the next statement goes on, and what follows from a poisoned name says nothing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.compiler.elaborate.core.frame import BUDGET, POISON, Frame
from archonnx.compiler.elaborate.core.problems import problems, provenance
from archonnx.compiler.elaborate.core.static import is_number, is_whole
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import Around, Function, Module, Results, describe
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import same
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import cast
from archonnx.compiler.ops.shape import broadcast_to, stop_gradient
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, Label, SpecError, fail, make_error
from archonnx.grammar.source import Span

from . import bodies, calls
from .asserts import check_assert
from .expressions import evaluate, iterate, truth, unpack
from .matching import tensor_type
from .parameters import declare_parameter


@dataclass(frozen=True, slots=True)
class Returned:
    """What a ``return`` gives, and where each value was written."""

    values: list[Any]
    spans: list[Span]


def run(frame: Frame, suite: ast.Suite) -> Returned | None:
    """Run statements up to a ``return``."""
    for statement in suite:
        if id(statement) in frame.skip:
            continue
        try:
            returned = execute(frame, statement)
        except (SpecError, TypeProblem) as error:
            for diagnostic in findings(error, statement):
                frame.build.report.add_at_place(frame.explain(diagnostic))
            for name in bound_names(statement):
                frame.locals[name] = POISON
            if frame.build.spent > BUDGET or ends_body(statement):
                raise bodies.silenced() from None
            continue
        if returned is not None:
            return returned
    return None


def findings(error: SpecError | TypeProblem, statement: ast.Stmt) -> list[Diagnostic]:
    """What went wrong in a statement; a problem that no expression has placed is the statement's own."""
    if isinstance(error, SpecError):
        return error.diagnostics
    place = first_line(statement.span)
    return [make_error(error.code, error.headline, place, notes=error.notes, help=error.help)]


def ends_body(statement: ast.Stmt) -> bool:
    """Whether what follows relies on the statement: an assert, or anything with a ``return``."""
    return isinstance(statement, ast.Assert) or any(isinstance(node, ast.Return) for node in walk(statement))


def execute(frame: Frame, statement: ast.Stmt) -> Returned | None:
    """Run one statement; what it returns, if it does."""
    frame.build.spend(statement.span)
    match statement:
        case ast.Assign():
            _assign(frame, statement)
        case ast.TypedAssign():
            value = declared(frame, statement.type, evaluate(frame, statement.value, statement.name), statement.value)
            frame.bind(statement.name, value, statement.span)
        case ast.Param() | ast.Buffer():
            frame.bind(statement.name, declare_parameter(frame, statement), statement.span)
            frame.fixed.add(statement.name)
        case ast.Draw():
            frame.bind(statement.name, draw(frame, statement), statement.span)
        case ast.For():
            return _for(frame, statement)
        case ast.If():
            for condition, body in statement.branches:
                if truth(frame, condition):
                    return run(frame, body)
            return run(frame, statement.otherwise)
        case ast.Return():
            if frame.kind == "model":
                fail(
                    "AX0212",
                    "`return` stands in fns and blocks, not in a model",
                    statement.span,
                    help="a model's results are its `output`s",
                )
            return _return(frame, statement)
        case ast.Assert():
            check_assert(frame, statement)
        case ast.Update():
            update_buffer(frame, statement)
        case ast.Fn(backward=ast.Backward() as stated):
            fail(
                "AX0212",
                "`backward` belongs to a fn of the file: one inside another body sees more than its arguments",
                stated.span,
                help="move the fn out, and give it what it needs as arguments",
            )
        case ast.Fn() | ast.Block() if _bound_before(frame, statement):
            pass  # methods and blocks are bound before the body runs: they may be used anywhere in it
        case ast.Fn():
            _local_fn(frame, statement)
        case ast.ExprStmt():
            fail(
                "AX0211",
                "the value of this expression is not used",
                statement.span,
                help="assign it to a name, or delete the line",
            )
        case _:
            special = frame.special.get(type(statement))
            if special is None:
                _misplaced(frame, statement)
            else:
                special(frame, statement)
    return None


def _bound_before(frame: Frame, statement: ast.Fn | ast.Block) -> bool:
    """Whether it stands directly in the body of a block or model."""
    declaration = frame.owner.block.declaration if frame.owner.block is not None else None
    return frame.kind in ("block", "model") and any(statement is node for node in getattr(declaration, "body", ()))


def _local_fn(frame: Frame, statement: ast.Fn) -> None:
    """A fn in another body: it sees itself, and what is bound above it as it is now."""
    names = dict(frame.locals)
    around = Around(names, dict(frame.statics))
    frame.bind(statement.name, Function(statement, frame.scope, around), statement.name_span)
    names[statement.name] = frame.locals[statement.name]


def _assign(frame: Frame, statement: ast.Assign) -> None:
    targets, values = statement.targets, statement.values
    names = [target.id if isinstance(target, ast.Name) else None for target in targets]
    if len(values) == len(targets):
        results = [evaluate(frame, value, name) for name, value in zip(names, values, strict=True)]
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
    old, position = frame.resolve(target.value), evaluate(frame, target.subscripts[0])
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
    frame.bind(target.value.id, new, target.span)


def _unpacked(frame: Frame, statement: ast.Assign, count: int) -> list[Any]:
    if len(statement.values) != 1:
        fail("AX0207", f"{count} names on the left and {len(statement.values)} values on the right", statement.span)
    value = evaluate(frame, statement.values[0])
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
    from archonnx.compiler.elaborate.core.values import static_dim

    sampler = calls.evaluate_callable(frame, distribution)
    span = distribution.span
    with frame.at(span, f"`{span.text}`"), problems(frame, span, [], []):
        value = calls.call_values(frame, sampler, [[static_dim(d) for d in wanted.shape]], span)
        if is_number(value):
            with problems(frame, span, [distribution], [value]):
                value = broadcast_to(as_tensor(frame, value, wanted.dtype), wanted.shape)
    if not isinstance(value, Value):
        fail("AX0306", f"a distribution or initialiser gives a tensor, not {describe(value)}", span)
    with frame.at(span, f"`{span.text}`"), suppress(TypeProblem):  # check_type says it better
        value = cast(broadcast_to(value, wanted.shape), wanted.dtype)
    check_type(value, wanted, span, declared_at)
    return value


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
    value = declared(frame, slot.statement.type, evaluate(frame, statement.value), statement.value)
    frame.build.updates[slot] = frame.locals[slot.name] = stop_gradient(value)
    frame.build.updating.setdefault(slot, []).append(frame)


def _for(frame: Frame, statement: ast.For) -> Returned | None:
    outer = frame.indices
    try:
        for i, item in enumerate(iterate(frame, statement.iterable)):
            frame.indices = (*outer, i)
            unpack(frame, [target.id for target in statement.targets], item, statement.span)
            returned = run(frame, statement.body)
            if returned is not None:
                return returned
    finally:
        frame.indices = outer
    return None


def _return(frame: Frame, statement: ast.Return) -> Returned:
    values = [evaluate(frame, value) for value in statement.values]
    spans = [value.span for value in statement.values]
    if len(values) == 1 and isinstance(values[0], Results):
        return Returned(list(values[0].items), spans * len(values[0].items))
    return Returned(values, spans)


NOT_BUILT = {
    ast.Scan: "`scan`",
    ast.Loop: "`loop`",
    ast.Emit: "`emit`",
}
"""Statements that parse and wait for their turn."""
HOME = {
    ast.Train: "the file", ast.Import: "the file", ast.Input: "a model", ast.Target: "a model", ast.Output: "a model",
    ast.Loss: "a model", ast.Metric: "a model", ast.Entry: "a model", ast.State: "an optimizer",
    ast.Feed: "a `train` block", ast.Data: "a `train` block", ast.Minimize: "a `train` block",
    ast.Maximize: "a `search` block", ast.Repeat: "a `train` block", ast.Every: "a `train` block",
    ast.Together: "a `train` block", ast.Search: "the file", ast.Block: "the file, a block or a model",
}  # fmt: skip


def _misplaced(frame: Frame, statement: ast.Stmt) -> None:
    kind = type(statement)
    if kind in NOT_BUILT:
        bodies.not_built(NOT_BUILT[kind], getattr(statement, "name_span", first_line(statement.span)))
    word = kind.__name__.lower()
    fail("AX0212", f"`{word}` stands in {HOME.get(kind, 'a file')}, not in a {frame.kind}", statement.span)


def first_line(span: Span) -> Span:
    """The part of a span on its first line: the header of a statement with a body."""
    return Span(span.source, span.start, span.start + len(span.text.partition("\n")[0].rstrip()))


def bound_names_of(target: ast.Expr) -> list[str]:
    """The name that an assignment to this target changes."""
    name = target.value if isinstance(target, ast.Index) else target
    return [name.id] if isinstance(name, ast.Name) else []


def bound_names(statement: ast.Stmt) -> list[str]:
    """The names that a statement would bind."""
    match statement:
        case ast.Assign():
            return [name for t in statement.targets for name in bound_names_of(t)]
        case ast.For():
            inner = [name for s in statement.body for name in bound_names(s)]
            return [*(t.id for t in statement.targets), *inner]
        case ast.If():
            suites = [*(body for _, body in statement.branches), statement.otherwise]
            return [name for body in suites for s in body for name in bound_names(s)]
        case ast.Scan():
            return [*(b.name for b in statement.bindings if not b.each), *(c.name for c in statement.collects)]
        case ast.Loop():
            return [b.name for b in statement.bindings if not b.each]
    name = getattr(statement, "name", None)
    return [name] if isinstance(name, str) else []
