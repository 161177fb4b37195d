"""Sources that a fn of the spec makes: ``generate(f, n=200)``, drawn anew with ``fresh``, of fields of other sources.

A fn that takes ``here.data`` is elaborated for the type that it declares, since no data is read yet; what a source
holds is checked against that type when it is there. What this module does not do: draw anything.
"""

from __future__ import annotations

import numpy as np

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.signatures import assign_arguments, is_tensor_type
from archonnx.compiler.elaborate.core.static import is_size
from archonnx.compiler.elaborate.core.values import Function, Results, describe
from archonnx.compiler.elaborate.meaning.calls import callee_of
from archonnx.compiler.elaborate.meaning.matching import tensor_type
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import Constant
from archonnx.compiler.program import DATA, SEED, DataSource, Reading
from archonnx.compiler.sources import FRESH, GENERATE
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.record import replace

from .block import ProgramBlock


def generated(frame: Frame, block: ProgramBlock, expr: ast.Call) -> DataSource:
    """``generate(fn, n=2000)``: the fn's named results are the fields."""
    if not expr.arguments or expr.arguments[0].name is not None:
        fail(
            "AX0203",
            "`generate` needs the fn that makes the data",
            expr.span,
            help="`data = generate(two_moons, n=2000)`",
        )
    function = callee_of(frame, expr.arguments[0].value)
    if not isinstance(function, Function):
        fail(
            "AX0306", f"`generate` takes a fn written in the language, not {describe(function)}", expr.arguments[0].span
        )
    arguments, read, values = _with_columns(frame, block, function, expr.arguments[1:])
    builder, around, before = frame.build.builder, frame.locals, list(frame.build.observed.assumptions)
    frame.locals = {**around, **values}
    with builder.active():
        result = frame.call(function, arguments, [], expr.span)
    frame.locals = around
    fields = dict(zip(result.names, result.items, strict=True)) if isinstance(result, Results) else {}
    outputs = {name: value for name, value in fields.items() if name and isinstance(value, Value)}
    if not outputs:
        where = function.declaration.result.span if function.declaration.result else function.declaration.name_span
        fail(
            "AX0307",
            f"fn `{function.declaration.name}` makes data, so its results need names",
            where,
            help="as in `-> (x: [n, 2], label: i64[n])`",
        )
    inputs = {name: value for name, value in frame.build.inputs.items() if name == SEED}
    if "step" in frame.build.inputs:
        _fix_step(builder, frame.build.inputs["step"])
    graph = builder.graph("data", inputs | values, outputs)
    assumed = tuple(one for one in frame.build.observed.assumptions if one not in before)
    return DataSource(DATA, GENERATE, {}, expr.span, graph, tuple(read.values()), assumed)


def anew(expr: ast.Call, inner: DataSource | None) -> DataSource:
    """``fresh(generate(...))``: the same source, whose examples are others in each epoch."""
    if inner is None or inner.graph is None or len(expr.arguments) != 1 or expr.arguments[0].name is not None:
        fail(
            "AX0705",
            "`fresh` takes a source that draws, and nothing more",
            expr.span,
            help="as in `data = fresh(generate(two_moons, n=2000))`",
        )
    return replace(inner, fresh=True, span=expr.span)


def check_inner(kind: str, source: DataSource, expr: ast.Expr) -> None:
    """SpecError where a source takes one that is drawn anew, or that is made of others."""
    if source.fresh:
        fail("AX0705", f"`{kind}` takes no source that is `fresh`", expr.span, help=f"write `{FRESH}({kind}(...))`")
    if source.reads:
        fail(
            "AX0705", f"`{kind}` takes no source that is made of another one, as of `{source.reads[0].name}`", expr.span
        )


def _with_columns(
    frame: Frame, block: ProgramBlock, function: Function, arguments: tuple[ast.Argument, ...]
) -> tuple[list[ast.Argument], dict[str, Reading], dict[str, Value]]:
    """Arguments with names in place of fields of other sources; what these names read, and the tensors they stand for.

    No name of a spec has a dot in it.
    """
    read = {id(a): reading for a in arguments if (reading := _reading(frame, block, a.value)) is not None}
    if not read:
        return list(arguments), {}, {}
    declaration = function.declaration
    what = f"fn `{declaration.name}`"
    parameters = {p.name: p for p in declaration.parameters}
    assigned = assign_arguments(what, list(parameters), arguments, ())
    sizes = {}
    for name, given in assigned.items():
        argument = next(a for a in arguments if a.value is given.expr)
        if id(argument) not in read and not isinstance(parameters[name].type, ast.TensorType):
            sizes[name] = frame.evaluate(argument.value)
    inner = Frame.top(frame.build, function.scope, "fn", locals={n: v for n, v in sizes.items() if is_size(v)})
    for name, parameter in parameters.items():
        if name not in assigned and parameter.default is not None and not isinstance(parameter.type, ast.TensorType):
            inner.locals[name] = inner.evaluate(parameter.default)
    found: list[ast.Argument] = []
    readings: dict[str, Reading] = {}
    values: dict[str, Value] = {}
    for argument in arguments:
        reading = read.get(id(argument))
        if reading is not None:
            parameter = next(parameters[name] for name, given in assigned.items() if given.expr is argument.value)
            type_ = _declared(inner, what, parameter, argument)
            origin = Origin(f"field `{reading.field}` of `{reading.source}`", argument.value.span)
            if values.setdefault(reading.name, Value(type_, reading.name, origin)).type != type_:
                fail("AX0303", f"{what} takes `{reading.name}` twice, as tensors of two types", argument.span)
            readings[reading.name] = reading
            argument = replace(argument, value=ast.Name(reading.name, span=argument.value.span))
        found.append(argument)
    return found, readings, values


def _reading(frame: Frame, block: ProgramBlock, expr: ast.Expr) -> Reading | None:
    """The field of an earlier source that an argument is; None of another argument."""
    match expr:
        case ast.Attribute(value=ast.Name(id=source), name=field):
            pass
        case ast.Index(value=ast.Name(id=source), subscripts=(ast.String(value=field),)):
            pass
        case _:
            return None
    if source not in block.sources or source in frame.locals:
        return None
    if block.sources[source].fresh:
        fail(
            "AX0705",
            f"`{source}` is drawn anew in each epoch, and what is made of it would not be",
            expr.span,
            others=[Label(block.sources[source].span, "fresh here")],
            help="let one fn draw both, or let `fresh` stand around this source alone",
        )
    return Reading(f"{source}.{field}", source, field)


def _declared(frame: Frame, what: str, parameter: ast.Parameter, argument: ast.Argument) -> TensorType:
    """The type of a parameter that is given a field: its free dims are known when there is data."""
    type_ = parameter.type
    if type_ is None or not is_tensor_type(type_) or type_.dtype == "any":
        fail(
            "AX0209",
            f"`{parameter.name}` of {what} is given a field of data, and is not declared as a tensor of one type",
            parameter.span,
            help="as in `image: [m, 64]`, or `label: i64[m]`",
        )
    for dim in type_.dims:
        if isinstance(dim, ast.Dots):
            fail(
                "AX0209",
                f"`{parameter.name}` of {what} is given a field of data, and its type leaves open how many axes it has",
                dim.span,
            )
        if isinstance(dim, ast.Name) and dim.id not in frame.locals:
            frame.bind_dim(dim.id, dim.span)
    return tensor_type(frame, type_)


def _fix_step(builder: Builder, step: Value) -> None:
    """Data is drawn at step 0."""
    if not any(step in node.outputs for node in builder.nodes):
        builder.nodes.insert(0, Node(Constant.of(np.zeros((), np.int64), DType.i64), (), (step,)))
