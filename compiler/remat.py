"""Computing again what the backward pass reads of a region (``remat``), in place of keeping it.

A region is what was computed between two kinds of edges (``ops.remat.RematEdge``): tensors come in, results go out.
Once gradients are there, whatever reads a value of the region from outside it is part of them. They get a copy of the
region instead, whose tensors come in again, but only after the gradient of a result is known: so the first values can
be let go when the forward pass has left the region. What comes in is kept. The copy draws what the region drew, since
draws are functions of their place; and a buffer that the region updates is updated by the region alone.

What this module does not do: take gradients, or choose regions (a spec does).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from archonnx.grammar.record import replace

from .ir.builder import Builder
from .ir.graph import Node
from .ir.origin import Origin
from .ir.value import Value
from .loops.scan import Scan
from .ops.remat import After, RematEdge


@contextmanager
def region(builder: Builder, number: int, kept: Callable[[], Collection[Value]]) -> Iterator[Callable[[Value], Value]]:
    """Make a region of the nodes that are added inside; what is yielded takes a result out of it.

    ``kept`` gives those inputs of the graph that are there anyway, as parameters are.
    """
    mark, results = len(builder.nodes), dict[Value, Value]()

    def leave(value: Value) -> Value:
        if value not in results:
            results[value] = builder.add(RematEdge(number, "out"), value)
        return results[value]

    yield leave
    inside = builder.nodes[mark:]
    there = {value for node in inside for value in node.outputs}.union(kept())
    there.update(value for node in builder.nodes[:mark] if not node.inputs for value in node.outputs)
    enters = dict.fromkeys(value for node in inside for value in node.inputs if value not in there)
    del builder.nodes[mark:]
    within = {value: builder.add(RematEdge(number, "in"), value, name=value.name) for value in enters}
    builder.nodes += [_with_inputs(node, within) for node in inside]


def _with_inputs(node: Node, values: dict[Value, Value]) -> Node:
    """The node with some inputs replaced."""
    if values.keys().isdisjoint(node.inputs):
        return node
    return Node(node.op, tuple([values.get(v, v) for v in node.inputs]), node.outputs, node.origin)


def in_loops(node: Node) -> Node:
    """A node before gradients are taken: a scan with a region inside keeps of its steps the states alone."""
    if not node.op.bodies():
        return node
    found, bodies = False, []
    for body in node.op.bodies():
        edges = {n.outputs[0]: n.inputs[0] for n in body.nodes if isinstance(n.op, RematEdge)}
        found = found or bool(edges)
        nodes = [in_loops(_with_inputs(n, _resolved(edges))) for n in body.nodes if not isinstance(n.op, RematEdge)]
        outputs = {name: _resolved(edges).get(value, value) for name, value in body.outputs.items()}
        bodies.append(replace(body, nodes=tuple(nodes), outputs=outputs))
    op = node.op.with_bodies(bodies)
    op = replace(op, recompute=True) if found and isinstance(op, Scan) else op
    return Node(op, node.inputs, node.outputs, node.origin)


def _resolved(edges: dict[Value, Value]) -> dict[Value, Value]:
    """What each value at an edge is: edges may follow one another."""
    resolved: dict[Value, Value] = {}
    for value, inner in edges.items():  # in order of evaluation
        resolved[value] = resolved.get(inner, inner)
    return resolved


@dataclass(eq=False, repr=False)
class _Part:
    """A region, or where a loop was written out, that of one step.

    Attributes:
        nodes: those of the forward pass, in order.
        inside: what they give.
        outs: what has come out.
        turn: the first gradient that comes back.
    """

    nodes: list[Node]
    inside: set[Value]
    outs: set[Value] = field(default_factory=set)
    turn: Value | None = None

    def join(self, other: _Part) -> None:
        """Take in another part, with which this one has met."""
        self.nodes += other.nodes
        self.inside |= other.inside
        self.outs |= other.outs


class Recomputing:
    """The nodes of a graph with its gradients, in which regions are computed again.

    Args:
        nodes: in order; the first ``forward`` of them are those of the forward pass.
        draws: the inputs of the graph of which draws are made.
    """

    def __init__(self, nodes: Sequence[Node], forward: int, draws: Iterable[Value]) -> None:
        self._nodes, self._forward, self._draws = list(nodes), set(nodes[:forward]), set(draws)

    def run(self) -> tuple[list[Node], dict[Value, Value]]:
        """The new nodes, without edges; and what the values at edges are."""
        numbers = {node.op.region for node in self._nodes if isinstance(node.op, RematEdge)}
        if not numbers:
            return self._nodes, {}
        for number in sorted(numbers):
            for part in self._parts(number):  # that around another one comes before it
                self._again(part, number)
        edges = _resolved({n.outputs[0]: n.inputs[0] for n in self._nodes if isinstance(n.op, RematEdge)})
        return [_with_inputs(n, edges) for n in self._nodes if not isinstance(n.op, RematEdge)], edges

    def _parts(self, number: int) -> list[_Part]:
        """What a region is in the forward pass, where a gradient comes back to it."""
        parts: list[_Part] = []
        for node in self._nodes:
            mine = [part for part in parts if not part.inside.isdisjoint(node.inputs)]
            side = _side(node, number)
            if side == "turn":
                part = next((part for part in parts if node.inputs[1] in part.outs), None)
                if part is not None and part.turn is None:
                    part.turn = node.outputs[0]
            elif node not in self._forward:
                continue
            elif side == "in":
                parts.append(_Part([node], set(node.outputs)))
            elif side == "out":
                for part in mine:
                    part.outs.update(node.outputs)
            elif mine:
                for other in mine[1:]:
                    mine[0].join(other)
                    parts.remove(other)
                mine[0].nodes.append(node)
                mine[0].inside.update(node.outputs)
        return [part for part in parts if part.turn is not None]

    def _again(self, part: _Part, number: int) -> None:
        """Let gradients read a copy of a part, which stands before the first of them that does."""
        turn = part.turn
        assert turn is not None
        order = {node: place for place, node in enumerate(self._nodes)}
        nodes = sorted((*part.nodes, *self._drawn_for(part)), key=order.__getitem__)
        own = {value for node in nodes for value in node.outputs}
        after = next(place for node, place in order.items() if turn in node.outputs) + 1
        later = [node for node in self._nodes[after:] if node not in self._forward]
        readers = [node for node in later if not own.isdisjoint(node.inputs)]
        if not readers:
            return
        added, made = self._copied(nodes, {v for node in readers for v in node.inputs} & own, turn, number)
        self._forward.update(added)
        start = order[readers[0]]
        changed = {node: _with_inputs(node, made) for node in readers}
        self._nodes[start:] = [*added, *(changed.get(node, node) for node in self._nodes[start:])]

    def _drawn_for(self, part: _Part) -> list[Node]:
        """What was drawn for a part alone: it came in nowhere."""
        readers: dict[Value, list[Node]] = {}
        for node in self._nodes:
            for value in node.inputs:
                readers.setdefault(value, []).append(node)
        drawn, reached = set(self._draws), list[Node]()
        for node in self._nodes:
            if node in self._forward and not drawn.isdisjoint(node.inputs) and part.inside.isdisjoint(node.outputs):
                drawn.update(node.outputs)
                reached.append(node)
        inside, found = set(part.nodes), list[Node]()
        for node in reversed(reached):
            reading = [reader for value in node.outputs for reader in readers.get(value, ()) if reader in self._forward]
            if reading and inside.issuperset(reading):
                inside.add(node)
                found.append(node)
        return found

    def _copied(
        self, nodes: Sequence[Node], wanted: set[Value], turn: Value, number: int
    ) -> tuple[list[Node], dict[Value, Value]]:
        """Copies of those of the nodes that these values need, and what is what; what comes in waits for ``turn``."""
        needed: list[Node] = []
        for node in reversed(nodes):
            if not wanted.isdisjoint(node.outputs):
                needed.append(node)
                wanted.update(node.inputs)
        added: list[Node] = []
        made: dict[Value, Value] = {}

        def wait(value: Value, stands_for: Value, origin: Origin) -> None:
            made[stands_for] = Value(value.type, value.name, value.origin)
            added.append(Node(After(), (value, turn), (made[stands_for],), origin))

        for node in reversed(needed):
            if _side(node, number) == "in":
                wait(node.inputs[0], node.outputs[0], node.origin)
                continue
            for value in self._draws.intersection(node.inputs).difference(made):
                wait(value, value, node.origin)
            outputs = tuple([Value(v.type, v.name, v.origin) for v in node.outputs])
            added.append(Node(node.op, tuple([made.get(v, v) for v in node.inputs]), outputs, node.origin))
            made.update(zip(node.outputs, outputs, strict=True))
        return added, made


def _side(node: Node, number: int) -> str | None:
    """Of an edge of this region, which; None of other nodes."""
    return node.op.side if isinstance(node.op, RematEdge) and node.op.region == number else None
