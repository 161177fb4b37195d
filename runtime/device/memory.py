"""How much memory a graph takes while it runs: what is alive at each node, in the order of onnxruntime's CPU provider.

The nodes are those that it has left after its own optimisations. It runs them depth first, from the last one that
nothing reads (``_order``); a view is its input, an elementwise result may stand in place of an input that nothing reads
later, and what was bound as an output is written where it is bound. What this module does not do: run anything, or know
what a graph is for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.origin import UNKNOWN, Origin
from archonnx.compiler.lowering import all_nodes, lower
from archonnx.compiler.onnx_export import export

from .arena import Arena, Piece

if TYPE_CHECKING:
    import onnx

VIEWS = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Identity", "Flatten"})
"""Operators that give their input's memory back as it is."""
IN_PLACE = frozenset({
    "Abs", "Add", "BiasGelu", "Cast", "Clip", "Div", "Elu", "Erf", "Exp", "Expand", "HardSigmoid", "LeakyRelu",
    "Log", "Mul", "Neg", "Pow", "QuickGelu", "Reciprocal", "Relu", "Sigmoid", "Softplus", "Sqrt", "Sub", "Sum", "Tanh",
    "Where",
})  # fmt: skip
"""Operators that may write over an input that is as large as their result."""
ALIKE = frozenset({"ReorderInput", "ReorderOutput", "Transpose"}) | VIEWS
"""Operators whose result is as large as their input."""


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor that is alive: its bytes, and where it was made."""

    name: str
    size: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class Peak:
    """The moment at which the most is alive.

    Attributes:
        size: bytes of results.
        held: the results.
        taken: what onnxruntime's arena has taken for them in the end.
        node: what runs.
        nodes: how many ONNX nodes there are, those of loops among them.
    """

    size: int
    held: tuple[Held, ...]
    taken: int
    node: Origin
    nodes: int


def peak_of(graph: Graph, optimised: onnx.ModelProto, handed: Collection[str] = ()) -> Peak:
    """What a graph takes besides its inputs and outputs.

    Args:
        graph: all of whose dims are integers.
        optimised: what onnxruntime makes of it.
        handed: outputs for which onnxruntime takes the memory itself.
    """
    given = export(graph, target="ort", check=False)
    numbers = {node.name: number for number, node in enumerate(given.graph.node)}
    left = optimised.graph.node
    nodes = sorted(left, key=lambda node: numbers.get(node.name, len(numbers)))  # it numbers new ones behind the others
    sizes = _sizes(given, nodes)
    origins = {name: node.origin for node in all_nodes(lower(graph, portable=False).nodes) for name in node.outputs}
    for node in left:  # what it puts in belongs to what it is put in for
        came_from = next((origins[name] for name in node.input if name in origins), UNKNOWN)
        for name in node.output:
            origins.setdefault(name, came_from)
    found = _alive(nodes, set(graph.outputs), sizes, handed)
    held = tuple([Held(name, sizes[name], origins.get(name, UNKNOWN)) for name in found.held])
    return Peak(found.most, held, found.arena.touched, origins.get(found.at, UNKNOWN), _count(nodes))


def _sizes(given: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> dict[str, int]:
    """Bytes of every value, by our own types, ONNX's shape inference, and what onnxruntime's own operators keep."""
    import onnx

    sizes: dict[str, int] = {}

    def read(proto: onnx.GraphProto) -> None:
        for value in (*proto.value_info, *proto.input, *proto.output):
            type_ = value.type.tensor_type
            width = onnx.helper.tensor_dtype_to_np_dtype(type_.elem_type).itemsize if type_.elem_type else 4
            sizes[value.name] = width * prod(dim.dim_value or 1 for dim in type_.shape.dim)
        for node in proto.node:
            for body in _bodies(node):
                read(body)

    read(onnx.shape_inference.infer_shapes(given, data_prop=True).graph)
    alike = [node for node in nodes if node.op_type in ALIKE or node.op_type in IN_PLACE]
    for ways in ((alike,), (alike[::-1],), (alike,)):  # forwards, backwards, and forwards again
        for node in ways[0]:
            ends = [name for name in (node.input[0], node.output[0]) if name in sizes]
            if len(ends) == 1:
                sizes[node.output[0]] = sizes[node.input[0]] = sizes[ends[0]]
    for node in nodes:
        for name in node.output:
            sizes.setdefault(name, max((sizes.get(given, 0) for given in node.input), default=0))
    return sizes


def _count(nodes: Sequence[onnx.NodeProto]) -> int:
    return sum(1 + sum(_count(body.node) for body in _bodies(node)) for node in nodes)


def _bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _order(nodes: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The order in which onnxruntime runs nodes: back from the last one that nothing reads, later inputs first."""
    made = {name: place for place, node in enumerate(nodes) for name in node.output if name}
    sources = [sorted({made[name] for name in _reads(node) if name in made}) for node in nodes]
    read = {place for given in sources for place in given}
    stack = [(place, False) for place in range(len(nodes)) if place not in read]
    seen: set[int] = set()
    order: list[onnx.NodeProto] = []
    while stack:
        place, ready = stack.pop()
        if ready:
            order.append(nodes[place])
        elif place not in seen:
            seen.add(place)
            stack += [(place, True), *((source, False) for source in sources[place] if source not in seen)]
    return order


def _reads(node: onnx.NodeProto) -> list[str]:
    """What a node reads, its bodies too."""
    return [*filter(None, node.input), *(name for body in _bodies(node) for name in _captured(body))]


def _captured(body: onnx.GraphProto) -> list[str]:
    made = {value.name for value in (*body.input, *body.initializer)} | {n for node in body.node for n in node.output}
    read = [*(value.name for value in body.output), *(name for node in body.node for name in _reads(node))]
    return [name for name in read if name not in made]


@dataclass(slots=True)
class _Alive:
    """What is alive while nodes run: the most at once, its names, its node, and what the arena has touched."""

    most: int = 0
    held: tuple[str, ...] = ()
    at: str = ""
    arena: Arena = field(default_factory=Arena)


def _alive(
    nodes: Sequence[onnx.NodeProto], bound: Collection[str], sizes: Mapping[str, int], handed: Collection[str] = ()
) -> _Alive:
    order = _order(nodes)
    base = _bases(order, bound)
    last = {base.get(name, name): place for place, node in enumerate(order) for name in _reads(node)}
    found, alive, now = _Alive(), dict[str, Piece](), 0
    for place, node in enumerate(order):
        made = [name for name in node.output if name and base.get(name, name) == name]
        made = [name for name in made if name not in bound or name in handed]
        dead = {base.get(name, name) for name in _reads(node)}
        dead = {name for name in dead if name in alive and last[name] == place and name not in handed}
        inside = sum(_alive(body.node, [v.name for v in body.output], sizes).most for body in _bodies(node))
        for name in made:
            over = _written_over(node, name, dead, sizes)
            alive[name] = alive.pop(over) if over is not None else found.arena.take(sizes[name])
            now += 0 if over is not None else sizes[name]
            dead.discard(over or "")
        if now + inside > found.most:
            found.most, found.at, found.held = now + inside, node.output[0], tuple(alive)
        for name in (*dead, *(name for name in made if name not in last and name not in handed)):
            found.arena.give(alive.pop(name))
            now -= sizes[name]
    return found


def _written_over(node: onnx.NodeProto, name: str, dead: Collection[str], sizes: Mapping[str, int]) -> str | None:
    """The input in whose place a result stands."""
    if node.op_type not in IN_PLACE or name != node.output[0]:
        return None
    return next((given for given in node.input if given in dead and sizes[given] == sizes[name]), None)


def _bases(order: Sequence[onnx.NodeProto], bound: Collection[str]) -> dict[str, str]:
    """For each view the value whose memory it is."""
    base: dict[str, str] = {}
    for node in order:
        if node.op_type in VIEWS and not node.domain and node.output[0] not in bound:
            base[node.output[0]] = base.get(node.input[0], node.input[0])
    return base
