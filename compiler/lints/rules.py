"""What a lint is: a rule that looks at an elaborated model and tells what was probably not meant.

A rule stands in a module of its own, and ``lint`` registers it with its code. What this module does not do: decide
what is done about a finding (``levels`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, TypeVar

from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.compiler.ir.graph import Graph, Node, needed
from archonnx.compiler.ir.op import Op, Trait
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.index import Gather
from archonnx.compiler.ops.shape import Broadcast, Constant
from archonnx.compiler.program import Computation, Field, ModelProgram, Parameter, TrainProgram, TrainStep
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, Label
from archonnx.grammar.source import Span

Rule = Callable[["Sight"], Iterator[Diagnostic]]
Syntax = TypeVar("Syntax", bound=ast.Node)
RULES: dict[str, Rule] = {}
"""All rules by their codes."""


def lint(code: str) -> Callable[[Rule], Rule]:
    """Register a rule: all that it finds has this code."""

    def register(rule: Rule) -> Rule:
        RULES[code] = rule
        return rule

    return register


class Sight:
    """A model under the eyes of the rules, with what several of them ask."""

    def __init__(self, model: ModelProgram) -> None:
        self.model = model

    @cached_property
    def computations(self) -> tuple[Computation, ...]:
        """What it computes in use, in training and in its entries."""
        return (self.model.use, self.model.training, *self.model.entry_computations.values())

    @cached_property
    def producers(self) -> dict[Value, Node]:
        """The node that makes each value of these graphs, needed or not."""
        return {out: node for of in self.computations for node in of.graph.nodes for out in node.outputs}

    @cached_property
    def steps(self) -> tuple[TrainStep, ...]:
        """The statements of all programs, as far as they are known before the data is."""
        return tuple(step for program in self.model.programs for step in program.steps or ())

    @cached_property
    def results(self) -> tuple[Graph, ...]:
        """The graphs of all that anybody asks for."""
        model = self.model
        trained = [step.graph for step in self.steps]
        return (model.infer, model.evaluate, model.training.graph, *model.entries.values(), *trained)

    @cached_property
    def read(self) -> frozenset[str]:
        """Fields and parameters, by name, on which a result depends."""
        return frozenset().union(*map(inputs_read, self.results))

    @cached_property
    def batch(self) -> frozenset[str]:
        """Symbols that are the first axis of fields: they count examples."""
        firsts = (field.type.shape[0] for field in self.model.fields.values() if field.type.shape)
        return frozenset(symbol for dim in firsts if len(dim.symbols()) == 1 for symbol in dim.symbols())

    def nodes(self, *ops: type[Op]) -> Iterator[Node]:
        """The nodes of these ops, of each place of the spec one."""
        seen: set[tuple[type[Op], Span]] = set()
        for of in self.computations:
            for node in of.graph.nodes:
                place = node.origin.place
                if isinstance(node.op, ops) and place is not None and (type(node.op), place) not in seen:
                    seen.add((type(node.op), place))
                    yield node

    @property
    def tree(self) -> ast.File:
        """The file of the spec, as it is written."""
        return self.model.spec.file

    @cached_property
    def _syntax(self) -> tuple[ast.Node, ...]:
        return tuple(walk(self.tree.declarations))

    def syntax(self, kind: type[Syntax]) -> Iterator[Syntax]:
        """All nodes of a kind in the file of the spec."""
        return (node for node in self._syntax if isinstance(node, kind))

    @staticmethod
    def names(syntax: Any) -> Iterator[ast.Name]:
        """All names that are read in a piece of syntax."""
        return (node for node in walk(syntax) if isinstance(node, ast.Name))

    def block(self, program: TrainProgram) -> ast.Train | None:
        """The ``train`` block of a program, as it is written."""
        return next((train for train in self.syntax(ast.Train) if train.name_span == program.span), None)

    def setting(self, program: TrainProgram, *path: str) -> Span | None:
        """Where a setting of a program is given a value; of ``("split", "train")`` the item, if it is written so."""
        found: ast.Expr | None = None
        for statement in walk(self.block(program)):
            if isinstance(statement, ast.Assign) and [t.span.text for t in statement.targets] == [path[0]]:
                found = statement.values[0]
        for name in path[1:]:
            items = {key.value: value for key, value in found.items} if isinstance(found, ast.Dict) else {}
            found = items.get(name, found)
        return found.span if found is not None else program.span

    def named(self, name: str, kind: str) -> Span | None:
        """Where a tensor of this name and kind is declared."""
        names = (named for of in self.computations for named in of.names)
        return next((named.span for named in names if (named.name, named.kind) == (name, kind)), None)

    def parameter_place(self, parameter: Parameter) -> Span | None:
        """The line of the spec that makes a parameter."""
        place = parameter.origin.place
        if place is not None and not place.source.library:
            return place
        return self._makers.get(parameter.path, place)

    @cached_property
    def _makers(self) -> dict[str, Span]:
        named = (name for of in self.computations[::-1] for name in of.names if name.kind == "param")
        return {name.name: name.place for name in named}

    def metric(self, name: str) -> ast.Metric | None:
        """The statement of a metric."""
        return next((metric for metric in self.syntax(ast.Metric) if metric.name == name), None)

    @staticmethod
    def first_argument(call: ast.Expr) -> str:
        """The first argument of a call, as it is written; empty where it is piped."""
        return call.arguments[0].value.span.text if isinstance(call, ast.Call) and call.arguments else ""

    @cached_property
    def _fields(self) -> dict[Value, Field]:
        graphs = [of.graph for of in self.computations]
        return {
            graph.inputs[name]: field
            for name, field in self.model.fields.items()
            for graph in graphs
            if name in graph.inputs
        }

    def elementwise_source(self, value: Value) -> Node | None:
        """The node that makes a value, through functions of one number, and sums and products with constants."""
        node = self.producers.get(value)
        while node is not None and Trait.ELEMENTWISE in node.op.traits and not self._is_affine(node):
            varying = [v for v in node.inputs if v.shape == node.outputs[0].shape and not self.is_constant(v)]
            node = self.producers.get(varying[0]) if len(varying) == 1 else None
        return self.producers.get(node.inputs[0]) if node is not None and self._is_affine(node) else node

    def _is_affine(self, node: Node) -> bool:
        """Whether this adds the bias of a layer to what the layer computes."""
        made = self.producers.get(node.inputs[0])
        return made is not None and bool(node.origin.used) and made.origin.place == node.origin.place

    def given(self, value: Value) -> Field | None:
        """The field that a value is as it is given; None if it is something else."""
        return self._fields.get(value)

    def field_of(self, value: Value) -> Field | None:
        """The field that a value is, element by element: as it is given, or scaled; None if it is something else."""
        node = self.producers.get(value)
        while node is not None:
            varying = [v for v in node.inputs if not self.is_constant(v)]
            if Trait.ELEMENTWISE not in node.op.traits or len(varying) != 1:
                return None
            value = varying[0]
            node = self.producers.get(value)
        return self._fields.get(value)

    def is_constant(self, value: Value) -> bool:
        """Whether a value is a constant, repeated or not."""
        return self._constant(value) is not None

    def number(self, value: Value) -> float | None:
        """The number that all elements of a value are; None if they differ, or are not known."""
        constant = self._constant(value)
        return float(constant.array.item()) if constant is not None and constant.array.size == 1 else None

    def _constant(self, value: Value) -> Constant | None:
        node = self.producers.get(value)
        while node is not None and isinstance(node.op, Broadcast):
            node = self.producers.get(node.inputs[0])
        return node.op if node is not None and isinstance(node.op, Constant) else None

    @staticmethod
    def user(node: Node) -> str:
        """What of the library the spec uses where a node stands; empty where it is written in the spec itself."""
        return node.origin.used.strip("`")

    def source(self, value: Value) -> Node | None:
        """The node that makes a value, through what only moves its elements, or picks one place of an axis."""
        node = self.producers.get(value)
        while node is not None and (Trait.VIEW in node.op.traits or self._picks(node)):
            node = self.producers.get(node.inputs[0])
        return node

    def _picks(self, node: Node) -> bool:
        """Whether this is one place of an axis, ``unstack(x)[0]``."""
        return isinstance(node.op, Gather) and node.inputs[1].type.rank == 0 and self.is_constant(node.inputs[1])


def inputs_read(graph: Graph) -> set[str]:
    """The inputs of a graph on which one of its outputs depends."""
    live = {*graph.outputs.values()}.union(*(node.inputs for node in needed(graph.nodes, graph.outputs.values())))
    return {name for name, value in graph.inputs.items() if value in live}


def numbers_of(parameters: list[Parameter]) -> str:
    """``2 parameters with 1,984 numbers``."""
    count = len(parameters)
    size = sum(p.size for p in parameters)
    return f"{count} parameter{'s' * (count != 1)} with {size:,} number{'s' * (size != 1)}"


def modules_of(sight: Sight, parameters: list[Parameter]) -> Iterator[tuple[str, Span, list[Parameter]]]:
    """Parameters by the line of the model that makes them: how to call them, the line, and which they are."""
    found: dict[Span, list[Parameter]] = {}
    for parameter in parameters:
        place = sight.parameter_place(parameter)
        if place is not None:
            found.setdefault(place, []).append(parameter)
    for place, of in found.items():
        module = min((parameter.path.rpartition(".")[0] for parameter in of), key=len)
        yield f"`{of[0].path if len(of) == 1 else module or 'what is made here'}`", place, of


def warning(
    code: str, headline: str, span: Span | None, text: str = "", *, notes: tuple[str, ...] = (), help: str | None = None
) -> Diagnostic:
    """A finding of a rule, at a place."""
    labels = (Label(span, text, primary=True),) if span is not None else ()
    return Diagnostic(code, headline, labels, notes, help, "warning")
