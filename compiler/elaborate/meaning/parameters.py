"""Declaring parameters: one slot for each, shared by all graphs, with the graph of its initial value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from archonnx.compiler.elaborate.core.build import Build
from archonnx.compiler.elaborate.core.control import truth
from archonnx.compiler.elaborate.core.frame import Frame, site_number
from archonnx.compiler.elaborate.core.values import Slot
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph, Node, needed
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.random import Draw
from archonnx.compiler.ops.shape import constant
from archonnx.compiler.program import SEED, STEP
from archonnx.grammar import ast
from archonnx.grammar.budget import Cost, spend
from archonnx.grammar.diagnostics import Label, did_you_mean, fail
from archonnx.grammar.record import replace

from .matching import tensor_type
from .starts import Start, shared_start
from .typed import declared, sample

OPTIONS = ("trainable", "decay")
PARAMETER = 350
"""What a parameter costs beside the nodes of its graph."""


def declare_parameter(frame: Frame, statement: ast.Param | ast.Buffer) -> Value:
    """The tensor of a ``param`` or ``buffer``; the slot is made at first, and its type may not change."""
    spend(Cost.modules, PARAMETER)
    owner, name = frame.owner, statement.name
    word = "param" if isinstance(statement, ast.Param) else "buffer"
    if frame.kind not in ("block", "model"):
        fail("AX0212", f"`{word}` stands in a block or model, not in a {frame.kind}", statement.span)
    if owner is frame.build.root and (name in frame.build.inputs or name in (SEED, STEP)):
        fail("AX0205", f"`{name}` is taken: it cannot name a {word}", statement.span)
    type_ = _parameter_type(frame, statement)
    slot = owner.slots.get(name)
    if slot is not None and slot.indices != frame.indices:
        fail(
            "AX0204",
            f"`{word} {name}` in a `for` would be the same one in every round",
            statement.span,
            help="make a list of modules: `[Dense(8) for _ in range(3)]`",
        )
    if slot is not None and slot.statement is not statement:
        fail(
            "AX0204",
            f"`{name}` is a parameter already",
            statement.span,
            "again here",
            others=[Label(slot.statement.span, "first here")],
        )
    if slot is None:
        if frame.build.mode.complete and any(one.kind == "entry" for one in frame.place.around()):
            fail(
                "AX0220",
                f"`{word} {name}` would be made here, and methods and entries make none",
                statement.span,
                help="apply its module in the body of the model as well: what only an entry has is never trained",
            )
        if frame.build.mode.complete:
            fail(
                "AX0314",
                f"`{word} {name}` exists only in training: the parameters must not depend on `training`",
                statement.span,
            )
        slot = _make_slot(frame, statement, type_)
        owner.slots[name] = slot
        frame.build.root.made.append(slot)
        slot.initial("")  # an error in the initial value belongs here, not to a later stage; the path is not known yet
    elif slot.type != type_:
        fail(
            "AX0304",
            f"`{word} {name}` was {slot.type} at its first use and would be {type_} here",
            statement.type.span,
            others=[Label(slot.statement.type.span, f"first {slot.type}")] if slot.statement is not statement else (),
        )
    return frame.build.tensor(slot)


def _parameter_type(frame: Frame, statement: ast.Param | ast.Buffer) -> TensorType:
    type_ = tensor_type(frame, statement.type)
    if type_.static_shape is None:
        symbols = ", ".join(sorted(type_.symbols()))
        fail("AX0315", f"the dims of a parameter are integers, and {type_} depends on {symbols}", statement.type.span)
    if isinstance(statement, ast.Param) and not type_.dtype.is_float:
        fail("AX0303", f"a parameter is trained, so its dtype is a float: not {type_.dtype}", statement.type.span)
    return type_


def _make_slot(frame: Frame, statement: ast.Param | ast.Buffer, type_: TensorType) -> Slot:
    options: dict[str, Any] = {}
    for option in statement.options if isinstance(statement, ast.Param) else ():
        if option.name not in OPTIONS:
            fail(
                "AX0202",
                f"`param` has no option `{option.name}`",
                option.span,
                help=did_you_mean(option.name or "", OPTIONS) or f"options are {', '.join(OPTIONS)}",
            )
        options[option.name] = truth(frame, option.value)
    apart, around, owner = frame.apart(), frame.build, frame.owner

    def elaborate() -> Start:
        return initial_graph(apart, statement, type_, around), apart.build.observed.sites

    @cache
    def unplaced() -> Start:
        return shared_start(frame, statement, type_, elaborate)

    def initial(path: str) -> Graph:
        original = owner.copied_path()
        if original is not None:  # a copy starts where its original does
            path = ".".join(part for part in (original, statement.name) if part)
        return placed(*unplaced(), path)

    buffer = isinstance(statement, ast.Buffer)
    trainable = options.get("trainable", True) and not buffer and owner.copied_path() is None
    return Slot(
        statement.name, owner, type_, statement, trainable, options.get("decay", True), buffer, initial, frame.indices
    )


def placed(graph: Graph, sites: Mapping[int, str], path: str) -> Graph:
    """The graph with its draws at sites below this path; ``sites`` tells where they are without one."""
    if not sites:
        return graph
    nodes = (
        replace(node, op=replace(node.op, site=site_number(path + sites[node.op.site])))
        if isinstance(node.op, Draw)
        else node
        for node in graph.nodes
    )
    return replace(graph, nodes=tuple(nodes))


def initial_graph(frame: Frame, statement: ast.Param | ast.Buffer, type_: TensorType, around: Build) -> Graph:
    """The graph of a parameter's initial value: input ``seed`` if it draws, output ``value``."""
    builder = frame.build.builder
    what = Origin(f"initial value of `{statement.name}`", statement.value.span)
    with builder.active(), builder.at(what):
        step = constant(0, DType.i64)
        frame.build.inputs["step"] = step
        if isinstance(statement, ast.Param) and statement.drawn:
            value = sample(frame, type_, statement.value, statement.type.span)
        else:
            value = declared(frame, statement.type, frame.evaluate(statement.value), statement.value)
    known = {v for node in builder.nodes for v in node.outputs}
    outside = [v for node in builder.nodes for v in node.inputs if v not in known] + [value] * (value not in known)
    if outside:
        builder.nodes[:0] = around.behind(outside)
    seed = {name: v for name, v in frame.build.inputs.items() if name == SEED}
    _check_closed(builder, value, seed, statement)
    return builder.graph(f"initial value of {statement.name}", seed, {"value": value})


def _check_closed(builder: Builder, value: Value, seed: Mapping[str, Value], statement: ast.Param | ast.Buffer) -> None:
    """Initial values are computed before anything runs, so they depend on no input, draw or parameter."""
    for v in open_inputs(builder.nodes, value, seed.values()):
        fail(
            "AX0326",
            f"the initial value of `{statement.name}` depends on {v.origin.subject}, which is known only when "
            "the model runs",
            statement.value.span,
            others=[Label(v.origin.place, v.origin.subject)] if v.origin.place is not None else [],
        )


def open_inputs(nodes: Sequence[Node], value: Value, given: Iterable[Value] = ()) -> list[Value]:
    """What a value depends on that neither these nodes make nor is given."""
    made = needed(nodes, [value])
    known = {v for node in made for v in node.outputs} | set(given)
    return [v for v in (value, *(v for node in made for v in node.inputs)) if v not in known]
