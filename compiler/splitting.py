"""Training steps in parts, for several processes: each makes the gradients of its share of a batch, all update alike.

The step is cut where gradients are. What is before them reads the batch; it can be in two parts itself, so that the
gradients of later layers are summed over the processes while those of earlier ones are made. What is after them, the
optimizer's update, reads no batch. What a batch changes otherwise, as the running statistics of a normalisation, is
the mean over the processes. What has no such mean is not shared (``apart``). What this module does not do: run
anything, or sum.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from archonnx.grammar.record import Record

from .gradients import GRADIENT
from .ir.graph import Graph, Node, needed
from .ir.parts import cut
from .ir.types import batch_symbol
from .ir.value import Value
from .ops.einsum import Einsum
from .ops.elementwise import Cast, Div, Mul
from .ops.linalg import MatMul
from .ops.reduce import ReduceSum
from .ops.sizes import DimValue
from .program import NEXT, TrainStep

BETWEEN = "between/"
"""What the second part takes from the first."""
ROWS = "rows/"
"""What the update takes for the rows of a batch, i64[]: those of all processes together."""


class Split(Record):
    """A step in parts, by the values of the whole.

    Attributes:
        parts: graphs that read the batch. Outputs: the losses, ``next/NAME`` for what is ``averaged``, and
            ``grad/PATH``; the first one also gives ``between/N``, which the second one takes.
        update: takes ``grad/PATH`` and ``rows/N``, and gives ``next/NAME`` for everything else.
        averaged: what is carried and follows from the batch by more than gradients.
    """

    parts: tuple[Graph, ...]
    update: Graph
    averaged: tuple[str, ...]

    def summed(self, part: int) -> list[str]:
        """The outputs of a part that are summed over the processes."""
        outputs = self.parts[part].outputs
        return [name for name in outputs if name.startswith((GRADIENT, NEXT))]


def split(step: TrainStep, in_two_from: int) -> Split:
    """The parts of a step.

    Args:
        step: which changes something, of which nothing is ``apart``.
        in_two_from: bytes of gradients from which on they are made in two parts.
    """
    graph = step.graph
    paths = {**step.gradients, **step.gathers}
    gradients = set(paths.values())
    counts, averaged = _counts(step), _averaged(step)
    losses = {name: graph.outputs[name] for name in step.losses}
    others = {name: v for name, v in graph.outputs.items() if name not in averaged and name not in losses}
    known = gradients.union(counts.values())
    after = [node for node in graph.nodes if known.isdisjoint(node.outputs)]
    given = {GRADIENT + path: value for path, value in paths.items()}
    update = cut(f"{graph.name}.update", after, {**graph.inputs, **given, **counts}, others, graph.facts)
    parts = _backward(graph, {**losses, **averaged}, given, in_two_from) if losses or averaged else ()
    return Split(parts, update, tuple(name.removeprefix(NEXT) for name in averaged))


def _counts(step: TrainStep) -> dict[str, Value]:
    """Of a step that gathers gradients the numbers of rows by which they are weighed."""
    counts = [
        node.outputs[0]
        for node in step.graph.nodes
        if isinstance(node.op, DimValue) and node.op.dim.symbol is not None and node.op.dim.symbol == step.rows
    ]
    return {f"{ROWS}{place}": value for place, value in enumerate(counts)}


def _of_batch(graph: Graph, fields: Collection[str], gradients: Collection[Value]) -> set[Value]:
    """What depends on a batch or its size, other than by ``gradients`` (and what else is the same for all)."""
    inputs = [graph.inputs[name] for name in fields]
    symbols = set().union(*(value.type.symbols() for value in inputs))
    found = set(inputs)
    for node in graph.nodes:
        if not found.isdisjoint(node.inputs) or not symbols.isdisjoint(node.op.symbols()):
            found.update(value for value in node.outputs if value not in gradients)
    return found


def _averaged(step: TrainStep) -> dict[str, Value]:
    """The outputs of a step that follow from the batch by more than gradients and are carried."""
    gradients = {*step.gradients.values(), *step.gathers.values()}
    of_batch = _of_batch(step.graph, step.fields, gradients.union(_counts(step).values()))
    return {n: value for n, value in step.graph.outputs.items() if n.startswith(NEXT) and value in of_batch}


def apart(step: TrainStep) -> list[str]:
    """What a step makes of the batch that is no mean over shares of it.

    That is a parameter that follows from the batch by more than its gradient, all that an ``update`` of the program
    makes of a batch (a step of Newton's method is no mean), an integer, and what grows with the number of rows: a sum
    over a batch, as a loss or in a buffer.
    """
    minimized, growth = step.gradients or step.gathers, _growth(step)
    found = {name.removeprefix(NEXT): value for name, value in _averaged(step).items()}
    losses = [name for name in step.minimized if growth.get(step.graph.outputs[name], 0) > 0]
    return losses + [
        name
        for name, value in found.items()
        if not minimized or name in step.gradients or not value.type.dtype.is_float or growth.get(value, 0) > 0
    ]


def ratios(step: TrainStep) -> list[str]:
    """The minimised losses that divide by a sum over what a batch holds, such as a mask."""
    growth = _growth(step)
    fields = {step.graph.inputs[name] for name in step.fields}
    for node in step.graph.nodes:
        if not fields.isdisjoint(node.inputs):
            fields.update(node.outputs)

    def divides(node: Node) -> bool:
        return isinstance(node.op, Div) and growth.get(node.inputs[1], 0) > 0 and node.inputs[1] in fields

    losses = {name: step.graph.outputs[name] for name in step.minimized if name in step.graph.outputs}
    return [name for name, value in losses.items() if any(map(divides, needed(step.graph.nodes, [value])))]


def _growth(step: TrainStep) -> dict[Value, int]:
    """By which power of the number of rows values grow, as far as it is seen: 1 a sum over a batch, 0 a mean."""
    rows = {batch_symbol({name: step.graph.inputs[name].type for name in step.fields})}
    found: dict[Value, int] = {}
    for node in step.graph.nodes:
        of = [found.get(value, 0) for value in node.inputs]
        match node.op:
            case DimValue():
                power = int(not rows.isdisjoint(node.op.symbols()))
            case Div():
                power = of[0] - of[1]
            case Mul():
                power = sum(of)
            case ReduceSum() | MatMul() | Einsum():
                lost = set().union(*(value.type.symbols() for value in node.inputs)) - node.outputs[0].type.symbols()
                power = sum(of) + len(lost & rows)
            case Cast():
                power = of[0]
            case _:  # what is read for its place, as a label or a bound is, does not count
                kind = node.outputs[0].type.dtype.is_float
                alike = [p for p, value in zip(of, node.inputs, strict=True) if value.type.dtype.is_float == kind]
                power = max(alike, key=abs, default=0)
        found.update(dict.fromkeys(node.outputs, power))
    return found


def _backward(
    graph: Graph, always: Mapping[str, Value], gradients: Mapping[str, Value], in_two_from: int
) -> tuple[Graph, ...]:
    """What makes the gradients, in one part or in two."""
    place = {value: number for number, node in enumerate(graph.nodes) for value in node.outputs}
    ordered = dict(sorted(gradients.items(), key=lambda item: place.get(item[1], -1)))
    sizes = {name: _bytes(value) for name, value in ordered.items()}
    first = dict(ordered)
    if sum(sizes.values()) >= in_two_from and len(ordered) > 1:
        first = _half(ordered, sizes)
    whole = cut(f"{graph.name}.backward", graph.nodes, graph.inputs, {**always, **first}, graph.facts)
    made = {value for node in whole.nodes for value in node.outputs}
    first |= {name: value for name, value in ordered.items() if value in made}
    rest = {name: value for name, value in ordered.items() if name not in first}
    if not rest:
        return (cut(whole.name, graph.nodes, graph.inputs, {**always, **first}, graph.facts),)
    before = set(whole.nodes)
    nodes = [node for node in needed(graph.nodes, rest.values()) if node not in before or _free(node)]
    between = {f"{BETWEEN}{number}": value for number, value in enumerate(_taken(nodes, made))}
    one = cut(whole.name, graph.nodes, graph.inputs, {**always, **first, **between}, graph.facts)
    two = cut(f"{graph.name}.rest", nodes, {**graph.inputs, **between}, rest, graph.facts)
    return one, two


def _half(ordered: Mapping[str, Value], sizes: Mapping[str, int]) -> dict[str, Value]:
    """The gradients that are made first, up to half of their bytes."""
    found, total = dict[str, Value](), 0
    for name, value in ordered.items():
        if found and total + sizes[name] > sum(sizes.values()) / 2:
            break
        found[name], total = value, total + sizes[name]
    return found


def _free(node: Node) -> bool:
    """Whether it costs nothing to make it twice."""
    return not node.inputs


def _taken(nodes: Iterable[Node], made: Collection[Value]) -> list[Value]:
    """What nodes take of what was made before them."""
    own: set[Value] = set()
    taken: dict[Value, None] = {}
    for node in nodes:
        taken.update(dict.fromkeys(value for value in node.inputs if value in made and value not in own))
        own.update(node.outputs)
    return list(taken)


def _bytes(value: Value) -> int:
    count = 1
    for dim in value.shape:
        count *= dim.constant or 1
    return count * value.type.dtype.numpy.itemsize
