"""Feeds: from the fields of the data to those of the model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archonnx.compiler.elaborate.core.frame import Scope
from archonnx.compiler.elaborate.core.problems import problems
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.meaning.expressions import evaluate
from archonnx.compiler.elaborate.model.model import Elaboration
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph, Value
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.program import Field
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, did_you_mean, fail

from .block import ProgramBlock, part, program_frame


def check_feeds(block: ProgramBlock, trained: Elaboration, report: Report) -> None:
    for name, statement in block.feeds.items():
        if name not in trained.fields:
            report.error(
                "AX0706",
                f"the model has no input or target `{name}`",
                part(statement.node.span, name),
                help=did_you_mean(name, trained.fields) or f"it has {', '.join(trained.fields)}",
            )
    _check_whole(block, trained, report)


def _check_whole(block: ProgramBlock, trained: Elaboration, report: Report) -> None:
    """A batch is smaller than the set, so a field that is given whole may not share the dim that counts examples."""
    whole = {name: s.node for name, s in block.feeds.items() if s.node.whole and name in trained.fields}
    cut = (f for name, f in trained.fields.items() if name not in whole and f.type.rank)
    counting = next((f for f in cut if f.type.shape[0].symbol is not None), None)
    if counting is None:
        return
    symbol = str(counting.type.shape[0])
    for name, statement in whole.items():
        type_ = trained.fields[name].type
        if symbol in type_.symbols():
            report.error(
                "AX0708",
                f"`{name}: {type_}` is fed whole, and {symbol} counts the examples of a batch in "
                f"`{counting.name}: {counting.type}`",
                part(statement.span, name),
                help="give one of the dims another name",
            )


def feed_fields(scope: Scope, block: ProgramBlock, trained: Elaboration, data: Mapping[str, Array]) -> dict[str, Array]:
    """The model's fields from the data's: fed by an expression, or by a field of the same name."""
    report = Report()
    result: dict[str, Array] = {}
    sizes: dict[str, tuple[int, str]] = {}
    for name, wanted in trained.fields.items():
        bound = block.feeds.get(name)
        with report.collecting():
            array = _fed(scope, block, trained, data, name)
            result[name] = _fitted(array, wanted, bound.node if bound else None, block.declaration, sizes)
    report.finish()
    return result


def _fed(scope: Scope, block: ProgramBlock, trained: Elaboration, data: Mapping[str, Array], name: str) -> Array:
    bound = block.feeds.get(name)
    if bound is None:
        if name not in data:
            fail(
                "AX0707",
                f"nothing feeds `{name}`",
                block.declaration.name_span,
                help=f"add `feed {name} = ...`; the data has {', '.join(data)}",
            )
        return data[name]
    statement, report = bound.node, Report()
    frame = program_frame(scope, report, trained, bound.names)
    inputs: dict[str, Value] = {}
    for key, array in data.items():
        if array.dtype.kind in "biuf":
            type_ = TensorType.of(_field_dtype(array, trained.build.float_type), *array.shape)
            inputs[key] = Value(
                type_, key, Origin(f"field `{key}` of the data", block.source.span if block.source else None)
            )
    rows = next(iter(inputs.values())).shape[0].constant if inputs else 0
    builder = frame.build.builder
    with builder.active():
        frame.locals["data"] = {"index": builder.constant(np.arange(rows or 0)), **inputs}
        given = evaluate(frame, statement.value)
        with problems(frame, statement.value.span, [statement.value], [given]):
            value = as_tensor(frame, given)
    report.finish()
    return interpret(Graph("feed", inputs, tuple(builder.nodes), {"value": value}), data)["value"]


def _field_dtype(array: Array, model_float: DType) -> DType:
    """Data enters expressions as the model's float, as i64 or as bool, whatever the file held."""
    return {"b": DType.bool, "f": model_float}.get(array.dtype.kind, DType.i64)


def _fitted(
    array: Array, wanted: Field, statement: ast.Feed | None, declaration: ast.Train, sizes: dict[str, tuple[int, str]]
) -> Array:
    """The array in the field's dtype; a diagnostic unless it has the field's shape."""
    span = statement.value.span if statement is not None else declaration.name_span
    given = f"{array.dtype}[{', '.join(map(str, array.shape))}]"
    if array.dtype.kind not in "biuf":
        fail("AX0708", f"`{wanted.name}` is {wanted.type}, and the data given for it is text", span)
    if array.ndim != wanted.type.rank:
        fail("AX0708", f"`{wanted.name}` is {wanted.type}, and the data given for it is {given}", span)
    for axis, (size, dim) in enumerate(zip(array.shape, wanted.type.shape, strict=True)):
        if (symbol := dim.symbol) is not None:
            known = sizes.setdefault(symbol, (size, wanted.name))
            if known[0] != size:
                fail("AX0708", f"dim {symbol} is {known[0]} in `{known[1]}` and {size} in `{wanted.name}`", span)
        elif (
            number := dim.substitute({n: Dim.of(s) for n, (s, _) in sizes.items()}).constant
        ) is not None and number != size:
            fail(
                "AX0708",
                f"axis {axis} of `{wanted.name}` is {number}, and the data given for it has {size}",
                span,
                notes=[f"the data is {given}, and `{wanted.name}` is {wanted.type}"],
            )
    return array.astype(wanted.type.dtype.numpy)
