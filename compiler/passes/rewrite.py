"""Local rewriting: small named rules, and the engine that applies them in one sweep over a graph.

A rule looks at one node of one result and answers with a value to put in its place, or None. The engine sweeps
forward, so a rule sees inputs that are simplified already; what a rule makes is offered to the rules again. What this
module does not do: remove nodes that nothing reads any more (``dce`` does), or look further than to the nodes that
make a node's inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from archonnx.compiler.errors import InternalError
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.op import Op
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import Broadcast, Constant
from archonnx.grammar.record import replace

LIMIT = 100
"""So many rewrites of one node mean that rules undo each other."""


@dataclass(frozen=True, slots=True)
class Site:
    """A node under a rule's eyes, in the graph as rewritten so far."""

    node: Node
    producers: Mapping[Value, Node]
    readers: Mapping[Value, int]

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The node's inputs."""
        return self.node.inputs

    @property
    def output(self) -> Value:
        """The node's result."""
        return self.node.outputs[0]

    def made_by(self, value: Value, op: type[Op] | tuple[type[Op], ...]) -> Node | None:
        """The node that makes a value, if its op is of this class (or one of them)."""
        node = self.producers.get(value)
        return node if node is not None and isinstance(node.op, op) else None

    def reads_alone(self, value: Value) -> bool:
        """Whether nothing else needs a value, so that it goes when this node goes."""
        return self.readers.get(value, 0) <= 1

    def number(self, value: Value) -> int | float | bool | None:
        """The number that every element of a value is, where that is known: of one-element constants, broadcast."""
        while (broadcast := self.made_by(value, Broadcast)) is not None:
            (value,) = broadcast.inputs
        constant = self.producers.get(value)
        if constant is None or not isinstance(constant.op, Constant) or constant.op.array.size != 1:
            return None
        number: int | float | bool = constant.op.array.item()
        return number


@dataclass(frozen=True, slots=True)
class Rule:
    """A rewrite of nodes of some classes of op. ``exact`` is False where it may change rounding."""

    name: str
    ops: tuple[type[Op], ...]
    apply: Callable[[Site], Value | None]
    exact: bool = True


def rule(*ops: type[Op], exact: bool = True) -> Callable[[Callable[[Site], Value | None]], Rule]:
    """Make a rule of a function: the rule has its name."""
    return lambda function: Rule(function.__name__, ops, function, exact)


@dataclass(frozen=True)
class Rewrite:
    """The pass that applies rules. ``fired`` counts, rule by rule, how often one changed the graph."""

    rules: tuple[Rule, ...]
    name: str = "rewrite"
    fired: Counter[str] = field(default_factory=Counter, compare=False, repr=False)

    def run(self, graph: Graph) -> Graph:
        """The rewritten graph."""
        readers = Counter(value for node in graph.nodes for value in node.inputs)
        readers.update(graph.outputs.values())
        sweep = _Sweep(self.rules, self.fired, readers)
        for node in graph.nodes:
            sweep.visit(node, LIMIT)
        outputs = {name: sweep.replaced.get(value, value) for name, value in graph.outputs.items()}
        return replace(graph, nodes=tuple(sweep.nodes), outputs=outputs)


class _Sweep:
    """One sweep: nodes written so far, who makes what, and which values gave way to which."""

    def __init__(self, rules: tuple[Rule, ...], fired: Counter[str], readers: Counter[Value]) -> None:
        self.nodes: list[Node] = []
        self.replaced: dict[Value, Value] = {}
        self._producers: dict[Value, Node] = {}
        self._rules, self._fired, self._readers = rules, fired, readers
        self._by_class: dict[type[Op], list[Rule]] = {}

    def visit(self, node: Node, budget: int) -> None:
        """Write a node, or what rules make of it."""
        inputs = tuple(self.replaced.get(value, value) for value in node.inputs)
        if inputs != node.inputs:
            node = Node(node.op, inputs, node.outputs, node.origin)
        builder = Builder(node.origin)
        with builder.active():
            found = self._match(Site(node, self._producers, self._readers)) if len(node.outputs) == 1 else None
        if found is not None:
            self._replace(node, *found, builder.nodes, budget)
            return
        self.nodes.append(node)
        self._producers.update((output, node) for output in node.outputs)

    def _match(self, site: Site) -> tuple[Rule, Value] | None:
        """The first rule that answers, and its answer."""
        for rule in self._rules_for(type(site.node.op)):
            replacement = rule.apply(site)
            if replacement is not None:
                return rule, replacement
        return None

    def _replace(self, node: Node, rule: Rule, replacement: Value, made: list[Node], budget: int) -> None:
        """Visit what a rule made. Its last node takes over the value it replaces, and so its name."""
        output = node.outputs[0]
        if replacement.type != output.type:
            raise InternalError(
                f"rule `{rule.name}` replaces {output.type} by {replacement.type}",
                details=f"node: {node.op}",
                span=node.origin.span,
            )
        if budget == 0:
            raise InternalError(f"rule `{rule.name}` and others go round in circles", details=f"node: {node.op}")
        self._fired[rule.name] += 1
        taken_over = False
        for new in made:
            if new.outputs == (replacement,):
                new, taken_over = Node(new.op, new.inputs, (output,), new.origin), True
            self.visit(new, budget - 1)
        if not taken_over:
            self.replaced[output] = replacement
            self._readers[replacement] += self._readers[output] - node.inputs.count(replacement)

    def _rules_for(self, op: type[Op]) -> list[Rule]:
        if op not in self._by_class:
            self._by_class[op] = [rule for rule in self._rules if issubclass(op, rule.ops)]
        return self._by_class[op]
