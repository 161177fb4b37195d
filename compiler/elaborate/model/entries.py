"""Entries: functions of a model that compile to graphs of their own, over its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archonnx.compiler.elaborate.core.build import Build
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.signatures import is_tensor_type
from archonnx.compiler.elaborate.core.suites import silenced
from archonnx.compiler.elaborate.core.values import Results, describe
from archonnx.compiler.elaborate.meaning.asserts import settled
from archonnx.compiler.elaborate.meaning.invocation import run_body
from archonnx.compiler.elaborate.meaning.matching import tensor_type
from archonnx.compiler.elaborate.meaning.setup import add_setup, enter_module
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import assuming, facts_in_force
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import SEED, STEP, Assumption, Computation, Field
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, fail
from archonnx.grammar.record import Record, replace

from .model import Elaboration
from .names import computation

RESERVED = ("infer", "evaluate", "gradients", "train_step", "loss")
"""Names of graphs that every model has; ``loss`` is one of them in traces."""


class ElaboratedEntry(Record):
    """An entry: its graph, what it assumes, and all that it computes."""

    graph: Graph
    assumptions: tuple[Assumption, ...]
    computation: Computation


def elaborate_entry(judged: Elaboration, entry: ast.Entry, report: Report) -> ElaboratedEntry:
    """An entry: tensors and ``dim`` arguments are inputs of its graph, results outputs.

    Raises:
        SpecError: silently; what was found is in the report.
    """
    if entry.name in RESERVED:
        report.error("AX0205", f"`{entry.name}` is taken: every model has a graph of this name", entry.name_span)
        raise silenced()

    def attempt(substitutions: Mapping[str, Dim]) -> tuple[Graph, Elaboration]:
        build = judged.build.fresh(report, complete=True, substitutions=substitutions, settled=False)
        build.observed.applied = judged.build.observed.applied  # what an entry applies is the model's
        return _elaborate(judged, entry, build)

    (graph, work), _, assumed = settled(attempt, {})
    results = computation(work, entry.name, graph.outputs)
    return ElaboratedEntry(graph, (*assumed, *work.build.observed.assumptions), results)


def _elaborate(judged: Elaboration, entry: ast.Entry, build: Build) -> tuple[Graph, Elaboration]:
    root, report = build.root, build.report
    assert root.block is not None
    what = f"entry `{entry.name}`"
    frame = Frame.top(build, root.block.scope, "entry", site=f"/entry.{entry.name}", sealed=True)
    work = Elaboration(build, arguments=judged.arguments)
    with build.builder.active(), assuming(()):
        enter_module(frame, root)
        add_setup(frame, root, entry.name_span)
        with report.collecting() as collected:
            _declare_inputs(frame, entry, work)
        if collected.error is not None:
            raise silenced()
        result = run_body(frame, what, entry.body, entry.result, entry.name_span)
        work.facts = facts_in_force()
    with report.collecting():
        outputs = _outputs(entry, result)
        for (name, value), declared in zip(outputs.items(), entry.result.fields, strict=True):
            work.outputs[name] = value, declared.span
            frame.note_tensors(name, value, declared.span)
        graph = work.graph(entry.name, outputs)
        arguments = {parameter.name: build.inputs[parameter.name] for parameter in entry.parameters}
        graph = replace(graph, inputs=arguments | dict(graph.inputs))  # also those that nothing depends on
        _check_result_names(graph, entry)
        return graph, work
    raise silenced()


def _check_result_names(graph: Graph, entry: ast.Entry) -> None:
    """Inputs and outputs of a graph have names of their own."""
    for name, declared in zip(graph.outputs, entry.result.fields, strict=True):
        if name in graph.inputs:
            fail(
                "AX0205",
                f"`{name}` is taken: the graph of entry `{entry.name}` has an input of this name",
                declared.span,
                help="give the result another name: `-> (result: ...)`",
            )


def _declare_inputs(frame: Frame, entry: ast.Entry, work: Elaboration) -> None:
    """Each argument is a graph input; free names of dims are symbols, ``dim`` arguments i64[] inputs."""
    for parameter in entry.parameters:
        if isinstance(parameter.type, ast.NamedType) and parameter.type.name == "dim":
            _refuse_default(parameter)
            _check_argument_name(frame, parameter)
            frame.bind_dim(parameter.name, parameter.span)
            origin = Origin(f"dim `{parameter.name}`", parameter.span)
            frame.build.inputs[parameter.name] = Value(TensorType(DType.i64, ()), parameter.name, origin)
    for parameter in entry.parameters:
        name, type_ = parameter.name, parameter.type
        if name in frame.build.inputs:
            continue
        if not is_tensor_type(type_) or type_.dtype == "any":
            fail("AX0209", f"an argument of an entry is a tensor or a `dim`: `{name}` is neither", parameter.span)
        _refuse_default(parameter)
        _check_argument_name(frame, parameter)
        for dim in type_.dims:
            if isinstance(dim, ast.Dots):
                fail("AX0209", "an argument of an entry has a fixed number of axes", dim.span)
            if isinstance(dim, ast.Name) and dim.id not in frame.statics:
                frame.bind_dim(dim.id, dim.span)
        known = tensor_type(frame, type_)
        origin = Origin(f"argument `{name}`", parameter.span)
        value = Value(known, name, origin)
        frame.build.inputs[name] = frame.locals[name] = value
        work.fields[name] = Field(name, known, origin=origin)
        frame.note_tensors(name, value, parameter.span)


def _refuse_default(parameter: ast.Parameter) -> None:
    if parameter.default is not None:
        fail("AX0209", "an argument of an entry has no default: it is an input of a graph", parameter.default.span)


def _check_argument_name(frame: Frame, parameter: ast.Parameter) -> None:
    name = parameter.name
    if name in (SEED, STEP) or name in frame.build.root.slots:
        fail("AX0205", f"`{name}` is taken: it cannot name an argument of an entry", parameter.span)


def _outputs(entry: ast.Entry, result: Any) -> Mapping[str, Value]:
    items = result.items if isinstance(result, Results) else (result,)
    names = [
        f.name or (entry.name if len(items) == 1 else f"{entry.name}.{i}") for i, f in enumerate(entry.result.fields)
    ]
    for value, declared in zip(items, entry.result.fields, strict=True):
        if not isinstance(value, Value):
            fail("AX0306", f"an entry gives tensors, not {describe(value)}", declared.span)
    return dict(zip(names, items, strict=True))
