"""Gradients in the language: ``grad`` of tensors, parameters and modules, and fns that state their own derivative."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from archonnx.compiler.autodiff import NotDifferentiable, reaching_gradient
from archonnx.compiler.elaborate.core.algebra import derived_like, plain, slots_of, tensor_of
from archonnx.compiler.elaborate.core.build import Build
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.place import Call, Place
from archonnx.compiler.elaborate.core.values import Derived, Module, Results, Returned, describe
from archonnx.compiler.gradients import gradient_help
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.facts import same
from archonnx.compiler.ir.graph import Graph, needed
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.custom import Backward, StatedGradient
from archonnx.compiler.ops.shape import zeros_like
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.source import Span

from .invocation import run_body


def differentiate(frame: Frame, y: Value, x: Any, weight: Value | None, span: Span) -> Any:
    """``grad(y, x, weight=dy)``: shaped like ``x``, which is a tensor, a module, or a list of them."""
    if weight is None and y.rank:
        fail(
            "AX0402",
            f"`grad` differentiates a scalar, and this is {y.type}",
            span,
            help="sum it: `grad(sum(y), x)`, or weigh it: `grad(y, x, weight=dy)`",
        )
    if not y.type.dtype.is_float:
        fail("AX0402", f"`grad` differentiates floats, and this is {y.type}", span)
    if weight is not None and not _same_type(weight, y):
        fail(
            "AX0408", f"the weight of `grad` has the type of what is differentiated: {y.type}, not {weight.type}", span
        )
    tensors = _tensors(frame, x, span)
    builder = frame.build.builder
    frame.build.graph.searches += 1
    try:
        found = reaching_gradient(builder, y, tensors, weight)
    except NotDifferentiable as problem:
        origin = problem.node.origin
        others = [Label(origin.place, origin.what)] if origin.place is not None else []
        fail(
            "AX0401",
            f"no gradient passes through {problem.what}: {problem.why}",
            span,
            others=others,
            help=gradient_help(problem),
        )
    if all(g is None for g in found) and not _is_derivative(builder, y):
        fail(
            "AX0409",
            "no gradient: what is differentiated does not depend on this",
            span,
            others=[Label(place, "on this") for tensor in tensors[:1] if (place := tensor.origin.place) is not None],
            help="a name with a new value is another tensor; `stop_gradient`, integers and comparisons stop gradients",
        )
    with builder.active():
        gradients = [zeros_like(tensor) if g is None else g for g, tensor in zip(found, tensors, strict=True)]
    return _shaped_like(frame, x, iter(gradients))


def _is_derivative(builder: Builder, y: Value) -> bool:
    """Whether ``y`` comes of a gradient: that of a linear function is constant, and its own gradient rightly zero."""
    return any(node.origin.role.startswith("gradient") for node in needed(builder.nodes, [y]))


@contextmanager
def working_in(build: Build, builder: Builder) -> Iterator[None]:
    """Evaluate with another builder: gradients are added to a copy of the model's nodes."""
    outer, build.graph.builder = build.graph.builder, builder
    try:
        yield
    finally:
        build.graph.builder = outer


def _tensors(frame: Frame, x: Any, span: Span) -> list[Value]:
    x = plain(x)
    match x:
        case Value():
            if not x.type.dtype.is_float:
                fail("AX0403", f"there is no gradient with respect to {x.type}: its dtype is not a float", span)
            return [x]
        case Module() | Derived():
            return [tensor_of(frame, x, slot) for slot in slots_of(frame, x, span)]
        case list() if x:
            return [tensor for item in x for tensor in _tensors(frame, item, span)]
    return fail("AX0306", f"`grad` is taken with respect to tensors and modules, not {describe(x)}", span)


def _shaped_like(frame: Frame, x: Any, gradients: Any) -> Any:
    x = plain(x)
    match x:
        case Module() | Derived():
            return derived_like(x, {slot: next(gradients) for slot in slots_of(frame, x, None)})
        case list():
            return [_shaped_like(frame, item, gradients) for item in x]
    return next(gradients)


def _same_type(a: Value, b: Value) -> bool:
    return a.type.dtype is b.type.dtype and a.rank == b.rank and all(map(same, a.shape, b.shape))


def run_with_backward(inner: Frame, what: str, declaration: ast.Fn, span: Span) -> Any:
    """Run a fn with a ``backward`` clause: its results carry the derivative that the clause states."""
    clause = declaration.backward
    assert clause is not None
    after = Frame(
        inner.build,
        inner.scope,
        Place("fn", inner.owner, Call("the backward of fn", declaration.name, span), inner.place.caller),
        site=inner.enter("backward"),
        locals=dict(inner.locals),
        statics=dict(inner.statics),
        sealed=inner.sealed,
        chain=inner.chain,
        preparing=inner.preparing,
    )
    arguments = [inner.locals[p.name] for p in declaration.parameters]
    floats = [value for value in arguments if isinstance(value, Value) and value.type.dtype.is_float]
    result = run_body(inner, what, declaration.body, declaration.result, span)
    results = list(result.items) if isinstance(result, Results) else [result]
    if len(clause.parameters) != len(results):
        fail(
            "AX0404",
            f"`backward` takes a cotangent for each result: {len(results)}, not {len(clause.parameters)}",
            clause.span,
        )
    for value in results:
        if not isinstance(value, Value):
            fail("AX0404", f"{what} has a `backward`, so it gives tensors, not {describe(value)}", span)
    if len(set(clause.parameters)) < len(clause.parameters):
        fail("AX0205", f"`backward` of {what} names two cotangents alike", clause.span)
    backward, read = _backward(after, what, declaration, results, floats)
    op = StatedGradient(len(results), len(floats), backward)
    with inner.at(clause.span, f"the `backward` of {what}"):
        outputs = inner.build.builder.add_many(op, *results, *floats, *read)
    return Results(outputs, result.names) if isinstance(result, Results) else outputs[0]


@dataclass(eq=False, repr=False)
class Stating:
    """A ``backward`` clause under elaboration: in which frame, what it has been found to read, and what it becomes."""

    declaration: ast.Fn
    locals: Mapping[str, Any]
    read: list[Value] = field(default_factory=list)
    backward: Backward = field(default_factory=Backward)
    used: bool = False
    """Whether the clause uses its own fn."""

    def is_same(self, declaration: ast.Fn, names: Mapping[str, Any]) -> bool:
        """Whether a call has the same derivative: of the same fn, with arguments of the same types."""
        arguments = {p.name for p in declaration.parameters}
        return declaration is self.declaration and all(
            a.type == b.type if name in arguments and isinstance(a, Value) and isinstance(b, Value) else a == b
            for name, a in names.items()
            for b in (self.locals.get(name),)
        )


def _backward(
    after: Frame, what: str, declaration: ast.Fn, results: Sequence[Value], floats: Sequence[Value]
) -> tuple[Backward, list[Value]]:
    """The graph of a ``backward`` clause, and the tensors that it reads besides the cotangents and the arguments."""
    around = after.build.under_way.stating
    for outer in around:
        if outer.is_same(declaration, after.locals):
            outer.used = True
            return outer.backward, outer.read
    stating = Stating(declaration, dict(after.locals))
    around.append(stating)
    try:
        graph, read = _backward_graph(after, what, declaration, results, floats)
        if stating.used and read:  # once more: where the fn is used inside, it reads the same
            stating.read = read
            graph, read = _backward_graph(after, what, declaration, results, floats)
    finally:
        around.pop()
    stating.backward.graph = graph
    return stating.backward, read


def _backward_graph(
    after: Frame, what: str, declaration: ast.Fn, results: Sequence[Value], floats: Sequence[Value]
) -> tuple[Graph, list[Value]]:
    clause = declaration.backward
    assert clause is not None
    cotangents = [Value(r.type, name) for name, r in zip(clause.parameters, results, strict=True)]
    given = dict(zip(clause.parameters, cotangents, strict=True))
    builder, outer = Builder(), after.locals
    after.locals = {**outer, **given}
    try:
        with builder.active(), working_in(after.build, builder):
            returned = after.run(clause.body)
            gradients = _stated_gradients(what, declaration, returned, floats)
    finally:
        after.locals = outer
    known = {*cotangents, *floats}.union(*(node.outputs for node in builder.nodes))
    reads = [value for node in builder.nodes for value in node.inputs] + gradients
    read = list(dict.fromkeys(value for value in reads if value not in known))
    inputs = {f"input.{n}": value for n, value in enumerate([*cotangents, *floats, *read])}
    outputs = {f"gradient.{n}": value for n, value in enumerate(gradients)}
    return Graph("backward", inputs, tuple(builder.nodes), outputs), read


def _stated_gradients(
    what: str, declaration: ast.Fn, returned: Returned | None, floats: Sequence[Value]
) -> list[Value]:
    """What a ``backward`` returned: a gradient for each float input, of its type."""
    assert declaration.backward is not None
    span = declaration.backward.span
    values = returned.values if returned is not None else []
    if len(values) != len(floats):
        fail(
            "AX0404",
            f"`backward` of {what} returns {len(values)} gradients, and it has {len(floats)} float inputs",
            span,
        )
    for position, (value, tensor) in enumerate(zip(values, floats, strict=True)):
        if not isinstance(value, Value):
            fail("AX0404", f"`backward` returns tensors, not {describe(value)}", span)
        if not _same_type(value, tensor):
            fail(
                "AX0410",
                f"`backward` of {what} gives {value.type} as the gradient of {tensor.type}",
                returned.spans[position] if returned is not None else span,
                others=[Label(declaration.name_span, "the gradient of each argument has its type")],
            )
    return values
