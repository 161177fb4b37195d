"""Feeds: from the fields of the data to those of the model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archonnx.compiler.elaborate.core.problems import problems
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import Scope
from archonnx.compiler.elaborate.meaning.parameters import open_inputs
from archonnx.compiler.elaborate.model.model import Elaboration
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import constant
from archonnx.compiler.program import Feed, Field, ModelProgram, TrainProgram
from archonnx.grammar.diagnostics import Report, did_you_mean, fail
from archonnx.grammar.source import Span

from .block import ProgramBlock, block_frame, part


def check_feeds(block: ProgramBlock, trained: Elaboration, report: Report) -> None:
    for name, feed in block.feeds.items():
        if name not in trained.fields:
            report.error(
                "AX0706",
                f"the model has no input or target `{name}`",
                part(feed.statement.span, name),
                help=did_you_mean(name, trained.fields) or f"it has {', '.join(trained.fields)}",
            )
    _check_whole(block, trained, report)


def _check_whole(block: ProgramBlock, trained: Elaboration, report: Report) -> None:
    """A batch is smaller than the set, so a field that is given whole may not share the dim that counts examples."""
    whole = {
        name: feed.statement for name, feed in block.feeds.items() if feed.statement.whole and name in trained.fields
    }
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


def feed_graph(
    scope: Scope, model: ModelProgram, program: TrainProgram, data: Mapping[str, TensorType], rows: int
) -> Graph:
    """The graph from the fields of the data to the model's: fed by an expression, or by a field of the same name.

    Args:
        scope: of the file.
        model: whose fields are fed.
        program: says how.
        data: the types of the data's fields, text left out; their first axis counts the examples.
        rows: how many examples there are.

    Raises:
        SpecError: with all fields that nothing feeds, and all expressions that do not fit the data.
    """
    report = Report()
    at = program.source.span if program.source else None
    inputs = {key: Value(type_, key, Origin(f"field `{key}` of the data", at)) for key, type_ in data.items()}
    builder = Builder()
    outputs: dict[str, Value] = {}
    for name in model.fields:
        with report.collecting(), builder.active():
            if (feed := program.feeds.get(name)) is None:
                if name in inputs:
                    outputs[name] = inputs[name]
                continue
            outputs[name] = _fed(scope, model, feed, inputs, rows, builder)
    report.finish()
    return Graph("feed", inputs, tuple(builder.nodes), outputs)


def _fed(
    scope: Scope, model: ModelProgram, feed: Feed, inputs: Mapping[str, Value], rows: int, builder: Builder
) -> Value:
    """A field that is fed by an expression; ``rows`` is how many examples there are."""
    statement, report = feed.statement, Report()
    frame = block_frame(scope, report, statement.span, model.float_type, {**model.arguments, **feed.names})
    frame.build.graph.builder = builder
    frame.locals["data"] = {"index": constant(np.arange(rows)), **inputs}
    given = frame.evaluate(statement.value)
    with problems(frame, statement.value.span, [statement.value], [given]):
        value = as_tensor(frame, given)
    report.finish()
    if open_inputs(builder.nodes, value, inputs.values()):
        fail(
            "AX0708",
            f"what is fed to `{statement.name}` is drawn, and a feed is computed once, of the data alone",
            statement.value.span,
            help="draw it in the model, or in the fn of a `generate`",
        )
    return value


def feed_fields(
    scope: Scope, model: ModelProgram, program: TrainProgram, data: Mapping[str, Array]
) -> dict[str, Array]:
    """The model's fields from the data's, in the dtypes of the model; SpecError unless they have its shapes."""
    numeric = {name: array for name, array in data.items() if array.dtype.kind in "biuf"}
    types = {
        name: TensorType.of(_field_dtype(array, model.float_type), *array.shape) for name, array in numeric.items()
    }
    report = Report()
    for name in model.fields:
        if name not in program.feeds and name not in data:
            with report.collecting():
                fail(
                    "AX0707",
                    f"nothing feeds `{name}`",
                    program.span,
                    help=f"add `feed {name} = ...`; the data has {', '.join(data)}",
                )
    with report.collecting():
        rows = next((array.shape[0] for array in (*numeric.values(), *data.values()) if array.ndim), 0)
        graph = feed_graph(scope, model, program, types, rows)
    report.finish()
    fed = interpret(graph, numeric)
    arrays = {name: fed[name] if name in program.feeds else data[name] for name in model.fields}
    spans = {
        name: program.feeds[name].statement.value.span if name in program.feeds else program.span for name in arrays
    }
    sizes: dict[str, tuple[int, str]] = {}
    for name, array in arrays.items():
        with report.collecting():
            _measure(array, model.fields[name], spans[name], sizes)
    report.finish()
    for name, array in arrays.items():  # composite dims last: a field may have one before another tells what is in it
        with report.collecting():
            _check_composite(array, model.fields[name], spans[name], sizes)
    report.finish()
    return {name: array.astype(model.fields[name].type.dtype.numpy) for name, array in arrays.items()}


def _field_dtype(array: Array, model_float: DType) -> DType:
    """Data enters expressions as the model's float, as i64 or as bool, whatever the file held."""
    return {"b": DType.bool, "f": model_float}.get(array.dtype.kind, DType.i64)


def _measure(array: Array, wanted: Field, span: Span | None, sizes: dict[str, tuple[int, str]]) -> None:
    """Keep the sizes of the dims that the array tells; a diagnostic if they differ from those of an earlier field."""
    if array.dtype.kind not in "biuf":
        fail("AX0708", f"`{wanted.name}` is {wanted.type}, and the data given for it is text", span)
    if array.ndim != wanted.type.rank:
        fail("AX0708", f"`{wanted.name}` is {wanted.type}, and the data given for it is {_given(array)}", span)
    for size, dim in zip(array.shape, wanted.type.shape, strict=True):
        if (symbol := dim.symbol) is not None:
            known = sizes.setdefault(symbol, (size, wanted.name))
            if known[0] != size:
                fail("AX0708", f"dim {symbol} is {known[0]} in `{known[1]}` and {size} in `{wanted.name}`", span)


def _check_composite(array: Array, wanted: Field, span: Span | None, sizes: Mapping[str, tuple[int, str]]) -> None:
    """A diagnostic unless the array has the sizes of the dims that are numbers, or follow of those that are known."""
    known = {name: Dim.of(size) for name, (size, _) in sizes.items()}
    for axis, (size, dim) in enumerate(zip(array.shape, wanted.type.shape, strict=True)):
        number = dim.substitute(known).constant
        if number is not None and number != size:
            fail(
                "AX0708",
                f"axis {axis} of `{wanted.name}` is {number}, and the data given for it has {size}",
                span,
                notes=[f"the data is {_given(array)}, and `{wanted.name}` is {wanted.type}"],
            )


def _given(array: Array) -> str:
    return f"{array.dtype}[{', '.join(map(str, array.shape))}]"
