"""Entries: functions of a model that compile to graphs of their own, over its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim, assuming, facts_in_force
from archonnx.compiler.ir.graph import Graph, Value
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.program import SEED, STEP
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, SpecError, fail

from . import calls
from .frame import Build, Frame
from .methods import add_setup
from .model import Elaboration
from .signatures import DTYPES, is_tensor_type, tensor_type
from .values import Results, describe


def elaborate_entry(judged: Elaboration, entry: ast.Entry, report: Report) -> Graph:
    """The graph of an entry: its tensors and ``dim`` arguments are inputs, its results outputs.

    Raises:
        SpecError: silently; what was found is in the report.
    """
    root = judged.build.root
    assert root.block is not None
    build = Build(report, root, float_type=judged.build.float_type, builder=Builder(), frozen_slots=True)
    what = f"entry `{entry.name}`"
    frame = Frame(build, root.block.scope, root, site=f"/entry.{entry.name}", kind="entry", sealed=True)
    work = Elaboration(build, arguments=judged.arguments)
    with build.builder.active(), assuming(()):
        calls.enter_module(frame, root)
        add_setup(frame, root, entry.name_span)
        try:
            _declare_inputs(frame, entry)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                report.add(diagnostic)
            raise calls.silenced() from None
        result = calls.run_body(frame, what, entry.body, entry.result, entry.name_span)
        work.facts = facts_in_force()
    graph = work.graph(entry.name, _outputs(entry, result))
    return _all_inputs(graph, build, entry)


def _declare_inputs(frame: Frame, entry: ast.Entry) -> None:
    """Each argument is a graph input; free names of dims are symbols, ``dim`` arguments i64[] inputs."""
    for parameter in entry.parameters:
        if parameter.type is not None and parameter.type.name == "dim" and parameter.type.dims is None:
            _bind_symbol(frame, parameter.name, parameter)
            origin = Origin(f"dim `{parameter.name}`", parameter.span)
            frame.build.inputs[parameter.name] = Value(TensorType(DType.i64, ()), parameter.name, origin)
    for parameter in entry.parameters:
        name, type_ = parameter.name, parameter.type
        if name in frame.build.inputs:
            continue
        if type_ is None or not is_tensor_type(type_) or (type_.name is not None and type_.name not in DTYPES):
            fail("AX0209", f"an argument of an entry is a tensor or a `dim`: `{name}` is neither", parameter.span)
        if parameter.default is not None:
            fail("AX0209", "an argument of an entry has no default: it is an input of a graph", parameter.default.span)
        if name in (SEED, STEP):
            fail("AX0205", f"`{name}` is taken: it cannot name an argument of an entry", parameter.span)
        for dim in type_.dims or ():
            if isinstance(dim, ast.Dots):
                fail("AX0209", "an argument of an entry has a fixed number of axes", dim.span)
            if isinstance(dim, ast.Name) and dim.id not in frame.statics:
                _bind_symbol(frame, dim.id, dim)
        known = tensor_type(frame, type_)
        value = Value(known, name, Origin(f"argument `{name}`", parameter.span))
        frame.build.inputs[name] = frame.locals[name] = value


def _bind_symbol(frame: Frame, name: str, node: ast.Node) -> None:
    frame.locals[name] = Dim.of(name)
    frame.statics[name] = (Dim.of(name), node.span)


def _outputs(entry: ast.Entry, result: Any) -> Mapping[str, Value]:
    items = result.items if isinstance(result, Results) else (result,)
    names = [f.name or (entry.name if len(items) == 1 else f"{entry.name}.{i}") for i, f in enumerate(entry.result.fields)]
    for value, declared in zip(items, entry.result.fields, strict=True):
        if not isinstance(value, Value):
            fail("AX0306", f"an entry gives tensors, not {describe(value)}", declared.span)
    return dict(zip(names, items, strict=True))


def _all_inputs(graph: Graph, build: Build, entry: ast.Entry) -> Graph:
    """A ``dim`` argument is an input even where only shapes use it, and all arguments keep their order."""
    used = set().union(*(value.type.symbols() for value in graph.values()))
    order = [p.name for p in entry.parameters if p.name in graph.inputs or p.name in used]
    inputs = {name: build.inputs[name] for name in order} | dict(graph.inputs)
    return Graph(graph.name, inputs, graph.nodes, graph.outputs, graph.facts)
