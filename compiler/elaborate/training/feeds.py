"""Feeds: how the fields of the model are made of the columns of the data, and what is learned of them (``fit``)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from archonnx.compiler.elaborate.core.columns import Columns, Learn
from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.compiler.elaborate.core.frame import POISON, Frame
from archonnx.compiler.elaborate.core.problems import problems
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import Scope, TextColumn, describe
from archonnx.compiler.elaborate.meaning.parameters import open_inputs
from archonnx.compiler.elaborate.model.model import Elaboration
from archonnx.compiler.feeding import INDEX, ROWS, Feeding, Sample, cut
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph, needed
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import Feed, Field, Fit, TrainProgram
from archonnx.compiler.sources import WIDTHS
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, Suggestion, did_you_mean, fail, listing
from archonnx.grammar.record import Record, replace
from archonnx.grammar.source import Span

from .block import ProgramBlock, block_frame, part

_FRACTION = re.compile(r"[+-]?\d+\.\d+", re.ASCII)


def check_feeds(block: ProgramBlock, trained: Elaboration, frame: Frame, report: Report) -> None:
    """What can be said of feeds before there is data."""
    for name, feed in block.feeds.items():
        if name not in trained.fields:
            report.error(
                "AX0706",
                f"the model has no input or target `{name}`",
                part(feed.statement.span, name),
                help=did_you_mean(name, trained.fields) or f"it has {', '.join(trained.fields)}",
            )
    _check_whole(block, trained, report)
    _check_names(block, trained, frame, report)
    _check_calls(block, frame, report)
    _check_bundled(block, trained, report)


def _check_bundled(block: ProgramBlock, trained: Elaboration, report: Report) -> None:
    """Fields that a data set of scikit-learn does not have, and the axes of those that it has: both are known."""
    waiting: list[Feed | Fit] = [*block.feeds.values(), *block.fits.values()]
    for feed in waiting:
        for node in walk(feed.statement.value):
            width = _bundled(block, node)
            if width is None or not isinstance(node, ast.Attribute) or node.name in ("data", "target", INDEX):
                continue
            own, field = node.value.span.text, trained.fields.get(feed.statement.name)
            likely = "target" if field is not None and field.target else "data"
            near = did_you_mean(node.name, ("data", "target"))
            other = Suggestion.of(f"a field of it is `{own}.{likely}`", node.name, likely)
            report.error(
                "AX0206",
                f"the data has no `{node.name}`",
                node.name_span,
                help=(near or other).or_else("it has data, target and index", other),
            )
    for name, fed in block.feeds.items():
        field, shape = trained.fields.get(name), _bundled_shape(block, fed.statement.value)
        if field is None or shape is None or fed.statement.whole:
            continue
        differ = len(shape) != field.type.rank or any(
            dim.constant not in (None, int(size)) for size, dim in zip(shape[1:], field.type.shape[1:], strict=True)
        )
        if differ:
            given = f"f64[{', '.join(shape)}]"
            headline = f"`{name}` is {field.type}, and what is fed is {given}"
            report.error("AX0708", headline, fed.statement.value.span)


def _bundled(block: ProgramBlock, node: object) -> int | None:
    """How many numbers an example has, of a field of a data set that scikit-learn bundles; None for other nodes."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return None
    source = block.sources.get(node.value.id)
    return WIDTHS.get(str(source.arguments.get("name"))) if source is not None and source.kind == "sklearn" else None


def _bundled_shape(block: ProgramBlock, expr: ast.Expr) -> list[str] | None:
    """The shape of a field of such a data set, which may be scaled and shifted by numbers; None if it is not known."""
    while isinstance(expr, ast.Binary) and expr.op in ("+", "-", "*", "/"):
        numbers = [isinstance(side, ast.Number) for side in (expr.left, expr.right)]
        if not any(numbers):
            return None
        expr = expr.right if numbers[0] else expr.left
    width = _bundled(block, expr)
    if width is None or not isinstance(expr, ast.Attribute):
        return None
    return {"data": ["n", str(width)], "target": ["n"]}.get(expr.name)


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


class Asked(Record):
    """What is asked of the elaboration of feeds.

    Attributes:
        program: says how its fields are made.
        fields: those of the model; None where only ``sizes`` are wanted, before there is a model.
        arguments: of the model, which expressions may name.
        float_type: the model's.
        sample: the columns.
        learn: the values of a column in the train part, in order.
    """

    program: TrainProgram
    fields: Mapping[str, Field] | None
    arguments: Mapping[str, Any]
    float_type: DType
    sample: Sample
    learn: Learn


def elaborate_feeding(scope: Scope, asked: Asked) -> Feeding:
    """How the fields of the model are made of the columns of the data: by an expression, or by one of the same name.

    Raises:
        SpecError: with all fields that nothing feeds, and all expressions that do not fit the data.
    """
    program = asked.program
    report = Report()
    columns = Columns(asked.sample, asked.learn, program.source.span if program.source else None, asked.float_type)
    builder = Builder()
    names: dict[str, Any] = {**asked.arguments, program.data: columns}
    outputs: dict[str, Value] = {}
    with builder.active():
        for name, fit in program.fits.items():
            names[name] = POISON
            with report.collecting():
                names[name] = _learned(scope, asked, fit, names, columns, builder)
        sizes = _sizes(scope, asked, names, columns, builder, report)
        for field in (asked.fields or {}).values():
            with report.collecting():
                outputs[field.name] = _field(scope, asked, field, names, columns, builder)
    report.finish()
    graph = Graph("feeding", columns.inputs, tuple(builder.nodes), outputs)
    fitted = {names[name]: name for name in program.fits if isinstance(names[name], Value)}
    titles = {columns.inputs[title]: title for title in columns.encodings}
    numbered = {name: titles[value] for name, value in outputs.items() if value in titles}
    return replace(cut(graph, columns.encodings, fitted), numbered=numbered, sizes=sizes)


def _frame(
    scope: Scope,
    asked: Asked,
    bound: Feed | Fit | None,
    span: Span,
    names: Mapping[str, Any],
    columns: Columns,
    builder: Builder,
) -> Frame:
    """The frame in which an expression over the data is evaluated."""
    loop = bound.names if bound is not None else {}
    frame = block_frame(scope, Report(), span, asked.float_type, {**names, **loop})
    frame.build.graph.builder = builder
    frame.build.columns = columns
    return frame


def _learned(scope: Scope, asked: Asked, fit: Fit, names: Mapping[str, Any], columns: Columns, builder: Builder) -> Any:
    """What a ``fit`` stands for: a tensor without rows, a vocabulary, or a static value."""
    statement = fit.statement
    if statement.name in asked.arguments or statement.name == asked.program.data:
        what = "the data" if statement.name == asked.program.data else "an argument of the model"
        fail("AX0205", f"`{statement.name}` is {what} already", part(statement.span, statement.name))
    frame = _frame(scope, asked, fit, statement.span, names, columns, builder)
    value = frame.evaluate(statement.value)
    frame.build.report.finish()
    if not isinstance(value, Value):
        return value
    if ROWS in value.type.symbols():
        fail(
            "AX0708",
            f"`{statement.name}` is {value.type}: it has a value for each row of the data",
            statement.value.span,
            help=f"write `feed {statement.name} = ...`, or reduce the rows, as in `mean(..., axis=0)`",
        )
    _refuse_draws(builder, value, columns, statement)
    return value


def _sizes(
    scope: Scope, asked: Asked, names: Mapping[str, Any], columns: Columns, builder: Builder, report: Report
) -> dict[str, object]:
    """Arguments of the model that the data decides."""
    sizes: dict[str, object] = {}
    for argument in asked.program.given:
        with report.collecting():
            frame = _frame(scope, asked, None, argument.span, names, columns, builder)
            value = frame.evaluate(argument.value)
            if not isinstance(value, int | float | str | None):
                fail(
                    "AX0306",
                    f"an argument of the model is static, not {describe(value)}",
                    argument.span,
                    help="as in `size(vocabulary(data.city))`",
                )
            sizes[str(argument.name)] = value
    return sizes


def _field(
    scope: Scope, asked: Asked, field: Field, names: Mapping[str, Any], columns: Columns, builder: Builder
) -> Value:
    """A field of the model: what its feed gives, or the column of its name. Texts for integers are numbered."""
    feed, program = asked.program.feeds.get(field.name), asked.program
    if feed is None and field.name not in {*asked.sample.names, *asked.sample.problems}:
        there, where = asked.sample.names, asked.sample.where
        close = did_you_mean(field.name, there)
        fail(
            "AX0707",
            f"nothing feeds `{field.name}`",
            program.span,
            help=f"add `feed {field.name} = ...`; {where} has {listing(there)}",
            notes=[f"{where} has no `{field.name}`; {close}"] if close else _headless(where, there),
        )
    span = feed.statement.value.span if feed is not None else program.span
    if feed is None:
        given: Any = columns.read(field.name, program.source.span if program.source else program.span)
    else:
        frame = _frame(scope, asked, feed, feed.statement.span, names, columns, builder)
        given = frame.evaluate(feed.statement.value)
        if not isinstance(given, TextColumn):
            with problems(frame, feed.statement.value.span, [feed.statement.value], [given]):
                given = as_tensor(frame, given)
        frame.build.report.finish()
    if isinstance(given, TextColumn):
        if not field.type.dtype.is_integer:
            column = f"{program.data}.{given.name}"
            fail(
                "AX0708",
                f"`{field.name}` is {field.type}, and what feeds it is {describe(given)}",
                span,
                help=f"number the texts: `feed {field.name} = index({column}, vocabulary({column}))`; more than two "
                f"are for `input {field.name}: i64[B]` and `one_hot` or an `Embedding`",
            )
        given = columns.index(given, columns.vocabulary(given, False))
    if feed is not None:
        _refuse_draws(builder, given, columns, feed.statement)
    assert isinstance(given, Value)
    if feed is None or not feed.statement.whole:
        _refuse_rowless(builder, given, columns, field, span)
    return given


def _headless(where: str, names: Sequence[str]) -> Sequence[str]:
    """What is said where a number with a fraction is the name of a column: the first line is a row."""
    if not any(_FRACTION.fullmatch(name) for name in names):
        return ()
    return [f"the first line of {where} seems to be a row: `names=[...]` says what the columns are called"]


def _refuse_rowless(builder: Builder, value: Value, columns: Columns, field: Field, span: Span | None) -> None:
    """A field that batches take rows of is not made of an array that has none, unless it has a row for each example."""
    used = {*(v for node in needed(builder.nodes, [value]) for v in node.inputs), value}
    rowless = [name for name in columns.inputs if name in columns.sample.whole and columns.inputs[name] in used]
    index = columns.sample.types.get(INDEX)
    if not rowless or index is None or (value.rank and value.shape[0] == index.shape[0]):
        return
    made = "has" if rowless[0] == field.name else f"is made of `{rowless[0]}`, which has"
    fail(
        "AX0708",
        f"`{field.name}` {made} no row for each example of {columns.sample.where}",
        span,
        help=f"give it whole: `feed whole {field.name} = {'data.' + rowless[0] if value.rank else '...'}`",
    )


def _refuse_draws(builder: Builder, value: Value, columns: Columns, statement: ast.Feed | ast.Fit) -> None:
    if open_inputs(builder.nodes, value, columns.inputs.values()):
        word = "fed to" if isinstance(statement, ast.Feed) else "fitted as"
        fail(
            "AX0708",
            f"what is {word} `{statement.name}` is drawn, and it is computed once, of the data alone",
            statement.value.span,
            help="draw it in the model, or in the fn of a `generate`",
        )


def _check_names(block: ProgramBlock, trained: Elaboration, frame: Frame, report: Report) -> None:
    """Feeds that are one name: that of a source, of which a column is meant, or of nothing at all."""
    for name, feed in block.feeds.items():
        value = feed.statement.value
        if not isinstance(value, ast.Name) or value.id in {*block.fits, *block.feeds, *feed.names}:
            continue
        if value.id in block.sources:
            field = trained.fields.get(name)
            likely, other = ("target", "data") if field is not None and field.target else ("data", "target")
            guess = Suggestion.of(f"a column is named: `{value.id}.{likely}`", value.id, f"{value.id}.{likely}")
            report.error(
                "AX0306",
                f"`{value.id}` is the data, and a feed takes a column of it",
                value.span,
                help=guess.or_else(f"a column is named, as in `{value.id}.{other}`"),
            )
        elif len(block.sources) == 1 and frame.lookup(value.id) is None:
            column = f"{next(iter(block.sources))}.{value.id}"
            guess = Suggestion.of(f"a column of the data is `{column}`", value.id, column)
            report.error("AX0201", f"unknown name `{value.id}`", value.span, "not defined here", help=guess)


def _check_calls(block: ProgramBlock, frame: Frame, report: Report) -> None:
    """Functions that nothing declares, in what waits for the data."""
    waiting: list[Feed | Fit] = [*block.fits.values(), *block.feeds.values()]
    for feed in waiting:
        for node in walk(feed.statement.value):
            if isinstance(node, ast.Call) and isinstance(node.callee, ast.Name) and node.callee.id not in feed.names:
                with report.collecting():
                    frame.resolve(node.callee, callable_only=True)
