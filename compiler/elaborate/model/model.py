"""Elaborating a model: once as it is used and judged, once as it is trained, over the same parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archonnx.compiler.directions import Direction
from archonnx.compiler.elaborate.core.build import Build, Mode, Outcome
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.problems import provenance
from archonnx.compiler.elaborate.core.signatures import assign_arguments, is_tensor_type
from archonnx.compiler.elaborate.core.values import Given, ModelType, Module, Scope, Slot, describe
from archonnx.compiler.elaborate.meaning.asserts import settled
from archonnx.compiler.elaborate.meaning.calls import direction
from archonnx.compiler.elaborate.meaning.invocation import bind_arguments
from archonnx.compiler.elaborate.meaning.matching import tensor_type
from archonnx.compiler.elaborate.meaning.setup import bind_nested
from archonnx.compiler.elaborate.meaning.typed import declared
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import assuming, facts_in_force
from archonnx.compiler.ir.graph import Graph, Node, needed
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.parts import cut
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import LARGEST, SEED, STEP, Field, Parameter
from archonnx.compiler.set_metrics import SET_FUNCTIONS
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, Report, fail
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.parser import parse_expression

from .set_metrics import ElaboratedSetMetric, elaborate_set_metric


@dataclass(eq=False, repr=False)
class Elaboration:
    """One build of a model, and what its statements declared."""

    build: Build
    fields: dict[str, Field] = field(default_factory=dict)
    outputs: dict[str, tuple[Value, Span]] = field(default_factory=dict)
    losses: dict[str, tuple[Value, Span]] = field(default_factory=dict)
    metrics: dict[str, tuple[Value, Span]] = field(default_factory=dict)
    set_metrics: dict[str, ElaboratedSetMetric] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, ast.Entry] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    """What the model's names stand for at the end of its body."""
    facts: tuple[Dim, ...] = ()
    directions: dict[str, Direction] = field(default_factory=dict)
    """Which values of a loss or metric are good, where that is known."""
    updated_by: dict[str, frozenset[Slot]] = field(default_factory=dict)
    """For each loss the buffers that training with it updates."""

    @property
    def measured(self) -> tuple[str, ...]:
        """The metrics that are numbers: tables over a set are none."""
        numbers = (n for n, over in self.set_metrics.items() if not SET_FUNCTIONS[over.metric.function].table)
        return (*self.metrics, *numbers)

    def graph(self, name: str, outputs: Mapping[str, Value], builder: Builder | None = None) -> Graph:
        """The graph of what these outputs need: fields, seed and step, then parameters by path."""
        parameters = {slot.path: value for slot, value in self.build.parameters.items()}
        nodes = (builder or self.build.builder).nodes
        return cut(name, nodes, {**self.build.inputs, **parameters}, outputs, self.facts)


@dataclass(frozen=True)
class ElaboratedModel:
    """A model in evaluation and in training mode, and its parameters by path, in order of construction."""

    judged: Elaboration
    trained: Elaboration
    parameters: Mapping[str, Parameter]
    retrain: Callable[[Sequence[Module]], Elaboration]
    """The model in training mode with some modules frozen."""


def elaborate_model(
    scope: Scope, model: ast.Model, arguments: Mapping[str, Any], report: Report, *, float_type: DType = DType.f32
) -> ElaboratedModel:
    """Elaborate a model.

    Raises:
        SpecError: with all findings of the stage.
    """
    root = Module(ModelType(model, scope), {}, None, None, model.name_span)
    judged = _judge(scope, model, arguments, root, report, float_type)
    root.settle()
    report.finish()
    _check_interface(judged, model, report)

    def retrain(frozen: Sequence[Module]) -> Elaboration:
        def attempt(known: Mapping[str, Dim]) -> Elaboration:
            mode = Mode(True, float_type, frozenset(frozen), complete=True, substitutions=known, settled=False)
            return _run(scope, model, arguments, Build(report, root, mode))

        elaboration, _, assumed = settled(attempt, judged.build.mode.substitutions)
        report.finish()
        elaboration.build.observed.assumptions[:0] = assumed  # of asserts that only training reaches
        return elaboration

    trained = retrain(())
    return ElaboratedModel(judged, trained, _parameters(root, trained, report), retrain)


def _parameters(root: Module, trained: Elaboration, report: Report) -> dict[str, Parameter]:
    """The parameters by path, each of which training has as well."""
    for slot in root.made:
        if slot not in trained.build.parameters:
            report.error(
                "AX0314",
                f"parameter `{slot.path}` exists only where the model is not trained: the parameters may "
                "not depend on `training`",
                slot.owner.made_at if slot.owner is not root else slot.statement.span,
            )
    report.finish()
    parameters: dict[str, Parameter] = {}
    for slot in root.made:
        origin = Origin(f"param `{slot.name}`", slot.statement.span, owner=slot.owner)
        parameters[slot.path] = Parameter(
            slot.path, slot.type, slot.initial(slot.path), slot.trainable, slot.decay, slot.buffer, origin
        )
    return parameters


def _judge(
    scope: Scope, model: ast.Model, arguments: Mapping[str, Any], root: Module, report: Report, float_type: DType
) -> Elaboration:
    """The first build. An ``assert`` that equates a dim starts it again, with the dim replaced."""

    def attempt(substitutions: Mapping[str, Dim]) -> Elaboration:
        root.clear()
        build = Build(Report(), root, Mode(float_type=float_type, substitutions=substitutions, settled=False))
        elaboration = _run(scope, model, arguments, build)
        seen = build.observed.parameters_in_self
        if seen is not None and seen < len(root.made) and not build.report.failed:
            return _run(scope, model, arguments, build.fresh())  # once more: `self` is all parameters, later ones too
        return elaboration

    elaboration, _, _ = settled(attempt, {})
    for diagnostic in elaboration.build.report.diagnostics:
        report.add(diagnostic)
    elaboration.build.report = report
    return elaboration


def _run(scope: Scope, model: ast.Model, arguments: Mapping[str, Any], build: Build) -> Elaboration:
    elaboration = Elaboration(build)
    frame = Frame.top(build, scope, "model", own_statements=_statements(elaboration), locals={"self": build.root})
    bind_nested(frame, build.root)
    what = f"model `{model.name}`"
    names = [p.name for p in model.parameters]
    span = model.name_span
    given = given_arguments(model, arguments)
    with build.report.collecting():
        if unknown := [name for name in given if name not in names]:
            assign_arguments(what, names, [ast.Argument(ast.Name(n, span=span), n, span=span) for n in unknown], [])
        with build.builder.active(), assuming(()):
            bind_arguments(frame, frame, what, model.parameters, given, span)
            elaboration.arguments = {name: frame.locals[name] for name in names}
            build.root.arguments = {**elaboration.arguments, "self": build.root}
            _bind_dims(frame, model)
            frame.run(model.body)
            elaboration.names, elaboration.facts = frame.locals, facts_in_force()
        check_sizes(build)
        elaboration.updated_by = {name: _updated_by(build, value) for name, (value, _) in elaboration.losses.items()}
    return elaboration


def given_arguments(model: ast.Model, arguments: Mapping[str, Any]) -> dict[str, Given]:
    """Arguments of a model that are given from outside."""
    written = {p.name for p in model.parameters if is_written(p.type)}
    return {name: _argument(name, name in written, value, model.name_span) for name, value in arguments.items()}


def is_written(type_: ast.Type | None) -> bool:
    """Whether an argument of a type is given from outside as the text of an expression: a fn or schedule."""
    return isinstance(type_, ast.NamedType) and type_.name in ("fn", "schedule")


def _argument(name: str, written: bool, value: Any, span: Span) -> Given:
    """An argument given from outside: its value, or its text, where it is ``written``."""
    if not written or not isinstance(value, str):
        return Given(span, value=value)
    expr = parse_expression(Source(f"argument {name}", value))
    return Given(expr.span, expr)


def _bind_dims(frame: Frame, model: ast.Model) -> None:
    """Bare names among the dims of fields are symbols from the start, so that composite dims may come before them."""
    assigned = {t.id for s in model.body if isinstance(s, ast.Assign) for t in s.targets if isinstance(t, ast.Name)}
    for statement in model.body:
        if isinstance(statement, ast.Input | ast.Target) and isinstance(statement.type, ast.TensorType):
            for dim in statement.type.dims:
                if isinstance(dim, ast.Name) and dim.id not in frame.locals and dim.id not in assigned:
                    frame.bind_dim(dim.id, dim.span)


def _updated_by(build: Build, loss: Value) -> frozenset[Slot]:
    """The buffers whose ``update`` stands in the model itself, or in an application whose result this loss needs."""
    if not build.graph.updating:
        return frozenset()
    read = {loss}.union(*(node.inputs for node in needed(build.builder.nodes, [loss])))

    def evaluated(outcome: Outcome) -> bool:
        return outcome.values is None or any(isinstance(v, Value) and v in read for v in outcome.values)

    return frozenset(slot for slot, outcomes in build.graph.updating.items() if any(map(evaluated, outcomes)))


def check_sizes(build: Build) -> None:
    """No tensor may be larger than any machine's memory: a spec is data, and bounded."""
    made = (value for node in build.builder.nodes for value in node.outputs)
    for value in (*build.inputs.values(), *build.parameters.values(), *made):
        count = math.prod(size for d in value.shape if (size := d.constant) is not None)
        if count > LARGEST:
            build.report.error("AX0327", f"this tensor would hold {count:,} elements: {value.type}", value.origin.place)
            return


def _statements(elaboration: Elaboration) -> dict[type[ast.Stmt], Any]:
    def declare(frame: Frame, statement: ast.Input | ast.Target) -> None:
        _declare_field(elaboration, frame, statement)

    def output(frame: Frame, statement: ast.Output) -> None:
        value = frame.evaluate(statement.value)
        if statement.type is not None:
            value = declared(frame, statement.type, value, statement.value)
        _keep(elaboration, frame, elaboration.outputs, statement.name, value, statement)

    def loss(frame: Frame, statement: ast.Loss) -> None:
        value = _scalar(frame.evaluate(statement.value), statement, "a loss")
        _keep(elaboration, frame, elaboration.losses, statement.name, value, statement)
        elaboration.directions[statement.name] = "smaller"

    def metric(frame: Frame, statement: ast.Metric) -> None:
        if statement.over is not None:
            _check_name(elaboration, statement.name, statement)
            over_set = elaboration.set_metrics[statement.name] = elaborate_set_metric(frame, statement)
            _direct(elaboration, statement, over_set.better)
            return
        value = _scalar(frame.evaluate(statement.value), statement, "a metric")
        _keep(elaboration, frame, elaboration.metrics, statement.name, value, statement)
        a_loss = any(value is loss for loss, _ in elaboration.losses.values())
        _direct(elaboration, statement, "smaller" if a_loss else frame.build.observed.better.get(value))

    def entry(frame: Frame, statement: ast.Entry) -> None:
        if statement.name in elaboration.entries:
            fail(
                "AX0205",
                f"entry `{statement.name}` is declared twice",
                statement.name_span,
                "again here",
                others=[Label(elaboration.entries[statement.name].name_span, "first here")],
            )
        elaboration.entries[statement.name] = statement

    return {
        ast.Entry: entry,
        ast.Input: declare,
        ast.Target: declare,
        ast.Output: output,
        ast.Loss: loss,
        ast.Metric: metric,
    }


def _direct(elaboration: Elaboration, statement: ast.Metric, known: Direction | None) -> None:
    """Take note of which values of a metric are good: what it says goes before what is known of its function."""
    better = known if statement.better is None else direction(statement.better)
    if better is not None:
        elaboration.directions[statement.name] = better


def _declare_field(elaboration: Elaboration, frame: Frame, statement: ast.Input | ast.Target) -> None:
    name, type_ = statement.name, statement.type
    target = isinstance(statement, ast.Target)
    if name in elaboration.fields or name in (SEED, STEP) or name in frame.owner.slots:
        earlier = elaboration.fields.get(name)
        others = [Label(earlier.origin.span, "first here")] if earlier is not None and earlier.origin.span else []
        fail(
            "AX0205",
            f"`{name}` is taken: it cannot name {'a target' if target else 'an input'}",
            statement.span,
            others=others,
        )
    if not is_tensor_type(type_) or type_.dtype == "any":
        fail(
            "AX0209", f"`{type_.span.text}` is not the type of a tensor", type_.span, help="write `[B, 10]` or `i64[B]`"
        )
    for dim in type_.dims:
        if isinstance(dim, ast.Dots):
            fail("AX0209", "a field of a model has a fixed number of axes", dim.span)
        if isinstance(dim, ast.Name) and dim.id not in frame.locals:
            frame.bind_dim(dim.id, dim.span)
    known = tensor_type(frame, type_)
    origin = Origin(f"{'target' if target else 'input'} `{name}`", statement.span)
    value = Value(TensorType(known.dtype, known.shape, known.notes), name, origin)
    elaboration.fields[name] = Field(name, value.type, target, origin)
    elaboration.build.inputs[name] = value
    frame.bind(name, value, statement.span)


def _scalar(value: Any, statement: ast.Loss | ast.Metric, what: str) -> Value:
    if not isinstance(value, Value):
        fail("AX0306", f"{what} is a tensor, not {describe(value)}", statement.value.span)
    if value.rank or not value.type.dtype.is_float:
        help_text = "take its mean: `mean(...)`" if value.rank else "convert it: `f32(...)`"
        fail(
            "AX0402",
            f"{what} is a float scalar, and this is {value.type}",
            statement.value.span,
            provenance(value),
            help=help_text,
        )
    return value


def _keep(
    elaboration: Elaboration,
    frame: Frame,
    group: dict[str, tuple[Value, Span]],
    name: str,
    value: Any,
    statement: ast.Output | ast.Loss | ast.Metric,
) -> None:
    if not isinstance(value, Value):
        fail("AX0306", f"an output is a tensor, not {describe(value)}", statement.value.span)
    _check_name(elaboration, name, statement)
    group[name] = (value, statement.value.span)
    frame.bind(name, value, statement.span)


def _check_name(elaboration: Elaboration, name: str, statement: ast.Output | ast.Loss | ast.Metric) -> None:
    taken: dict[str, Span | None] = {
        n: span
        for part in (elaboration.outputs, elaboration.losses, elaboration.metrics)
        for n, (_, span) in part.items()
    }
    taken |= {n: metric.span for n, metric in elaboration.set_metrics.items()}
    taken |= {n: f.origin.span for n, f in elaboration.fields.items()}
    if name in (SEED, STEP):
        headline = f"`{name}` is taken: graphs that draw have an input of this name"
        fail("AX0205", headline, statement.span, help="use another name")
    if name in taken:
        first = taken[name]
        fail(
            "AX0205",
            f"`{name}` is taken: outputs, losses, metrics and fields have names of their own",
            statement.span,
            others=[Label(first, "first here")] if first is not None else (),
        )


def _check_interface(judged: Elaboration, model: ast.Model, report: Report) -> None:
    """An output may not depend on a target; a model has at least one output or loss."""
    targets = {judged.build.inputs[name]: name for name, f in judged.fields.items() if f.target}
    reached = {target: _reached(judged.build.builder.nodes, target) for target in targets}
    for name, (value, span) in judged.outputs.items():
        for target in (target for target, values in reached.items() if value in values):
            report.error(
                "AX0213",
                f"output `{name}` depends on target `{targets[target]}`, which is not known when the model is used",
                span,
                others=[Label(_span(target), "declared as a target")],
                help=f"make it of inputs alone; declare `input {targets[target]}: ...` if it is given in use, too",
            )
    if not (judged.outputs or judged.losses or judged.metrics or judged.set_metrics):
        report.error(
            "AX0214",
            f"model `{model.name}` has no output and no loss",
            model.name_span,
            help="add `output NAME = ...` or `loss NAME = ...`",
        )


def _reached(nodes: Sequence[Node], source: Value) -> set[Value]:
    """The values that depend on one, and itself."""
    reached = {source}
    for node in nodes:
        if not reached.isdisjoint(node.inputs):
            reached.update(node.outputs)
    return reached


def _span(value: Value) -> Span:
    assert value.origin.span is not None
    return value.origin.span
