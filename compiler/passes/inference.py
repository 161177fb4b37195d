"""Scales and shifts that are known go into the weights before them, and what depends on weights alone is computed.

In a graph that is written with its weights, the statistics of batch normalisation are numbers as the weights are, and
``(conv(x, W) - mean) * scale + shift`` is ``conv(x, W')`` and a shift for each channel. First rules move scales to the
products (``Folding``), then ``frozen`` computes what has become known. Results differ by rounding. What this module
does not do: put shifts into the operators that take a bias (``joining`` does).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE
from archonnx.compiler.ir.graph import Graph, Node, needed
from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.parts import cut
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.conv import Conv, ConvInputGrad
from archonnx.compiler.ops.elementwise import Add, Div, Mul, Sub
from archonnx.compiler.ops.functions import Relu, Sqrt
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.norm import LayerNorm
from archonnx.compiler.ops.pool import MaxPool
from archonnx.compiler.ops.reduce import ReduceMean, reduce_sum
from archonnx.compiler.ops.shape import Broadcast, Constant, Reshape, broadcast_to, constant, reshape, transpose
from archonnx.grammar.record import replace

from .fold import SMALL
from .manager import Pipeline, standard_passes
from .rewrite import Rewrite, Rule, Site, rule

FLOATS = (DType.f32, DType.f64)
FOLDED, SHAPED = "/folded", "/shaped"
"""Behind the name of a weight that has become another; and of one that has the same elements in another shape."""


def folded(graph: Graph, weights: Mapping[str, Array]) -> tuple[Graph, dict[str, Array]]:
    """The graph with scales inside its weights, and the weights that it takes, by name.

    Args:
        graph: some of whose inputs are weights.
        weights: their values; those that the graph does not read are left aside.
    """
    known = {name: array for name, array in weights.items() if name in graph.inputs}
    if not known:
        return graph, known
    rules = Folding(frozenset(graph.inputs[name] for name in known))
    last = Rewrite((Rule("rectifier_first", (Relu,), rules.rectifier_first), channel_norm), name="for-kernels")
    return frozen(Pipeline((rules, *standard_passes(), last)).run(graph), known)


# ---------------------------------------------------------------- scales and shifts


@dataclass(frozen=True, slots=True)
class Product:
    """A convolution, or a product with a matrix, by a weight that is known: ``x``, the weight, and its axes.

    Attributes:
        node: what makes it.
        axis: of the result, which holds the channels that the weight makes.
        out: the axis of the weight for them.
        inner: that for the channels of ``x``; None where groups make it no whole axis.
        channel: the axis of ``x`` that has these.
    """

    node: Node
    axis: int
    out: int
    inner: int | None
    channel: int

    @property
    def value(self) -> Value:
        """The result."""
        return self.node.outputs[0]

    def by(self, weight: Value, x: Value | None = None) -> Value:
        """The same with another weight, and of another tensor if one is given."""
        return current_builder().add(self.node.op, x or self.node.inputs[0], weight)

    def scaled(self, axis: int, scale: Value) -> Value:
        """The weight with a factor for each element of an axis."""
        weight = self.node.inputs[1]
        return weight * along(scale, axis, weight)


def along(vector: Value, axis: int, like: Value) -> Value:
    """A vector as a tensor of the shape of another, the same along all axes but one."""
    ones = (1,) * (like.rank - 1 - axis % like.rank)
    return broadcast_to(reshape(vector, (*vector.shape, *ones)), like.shape)


class Folding:
    """The rules, for a graph of which some inputs are known."""

    name = "scales-into-weights"

    def __init__(self, weights: frozenset[Value]) -> None:
        self._known = dict.fromkeys(weights, True)

    def run(self, graph: Graph) -> Graph:
        """The graph after them."""
        rules = (
            Rule("scale_after", (Mul, Div), self.scale_after, exact=False),
            Rule("shift_after", (Sub,), self.shift_after, exact=False),
            Rule("shifts_together", (Add,), self.shifts_together, exact=False),
            Rule("scale_before", (Conv, MatMul), self.scale_before, exact=False),
            Rule("shift_before", (Conv, MatMul), self.shift_before, exact=False),
        )
        return Rewrite(rules, name=self.name).run(graph)

    def scale_after(self, site: Site) -> Value | None:
        """``(x @ W) * s`` is ``x @ (W * s)``; a shift between them is scaled too. A division likewise."""
        divides = isinstance(site.node.op, Div)
        a, b = site.inputs
        for y, factor in ((a, b), (b, a))[: 1 if divides else 2]:
            found = self._shifted(site, y)
            if found is None or not site.reads_alone(y):
                continue
            product, shift = found
            scale = self._vector(site, factor, product.axis)
            if scale is None:
                continue
            scale = 1 / scale if divides else scale
            result = product.by(product.scaled(product.out, scale))
            return result if shift is None else result + along(shift * scale, product.axis, result)
        return None

    def shift_after(self, site: Site) -> Value | None:
        """``x @ W - b`` is ``x @ W + (-b)``."""
        y, other = site.inputs
        found = self._shifted(site, y)
        shift = self._vector(site, other, found[0].axis) if found is not None else None
        return y + along(-shift, found[0].axis, y) if found is not None and shift is not None else None

    def shifts_together(self, site: Site) -> Value | None:
        """``(x @ W + a) + b`` is ``x @ W + (a + b)``."""
        for y, other in (site.inputs, site.inputs[::-1]):
            found = self._shifted(site, y)
            product, first = found if found is not None else (None, None)
            if product is None or first is None or not site.reads_alone(y):
                continue
            second = self._vector(site, other, product.axis)
            if second is not None:
                return product.value + along(first + second, product.axis, product.value)
        return None

    def scale_before(self, site: Site) -> Value | None:
        """``(x * s) @ W`` is ``x @ (s * W)``."""
        product = self._product(site, site.node)
        if product is None or product.inner is None or not site.reads_alone(site.inputs[0]):
            return None
        for x, factor in self._terms(site, Mul):
            scale = self._vector(site, factor, product.channel)
            if scale is not None:
                return product.by(product.scaled(product.inner, scale), x)
        return None

    def shift_before(self, site: Site) -> Value | None:
        """``(x + b) @ W`` is ``x @ W + b @ W``, and so it is of a convolution without padding."""
        product, op = self._product(site, site.node), site.node.op
        if product is None or product.inner is None or not site.reads_alone(site.inputs[0]):
            return None
        if isinstance(op, Conv) and any(op.pads):
            return None
        for x, term in self._terms(site, Add):
            if isinstance(op, Conv) and self._product(site, site.producers.get(x)) is not None:
                continue  # a convolution takes the shift as its bias, and what is between has the ranges of the layer
            shift = self._vector(site, term, product.channel)
            if shift is not None:
                weight = site.inputs[1]
                moved = reduce_sum(product.scaled(product.inner, shift), _without(product.out, weight.rank))
                result = product.by(weight, x)
                return result + along(moved, product.axis, result)
        return None

    def rectifier_first(self, site: Site) -> Value | None:
        """A rectifier before a pool is done within the convolution: training pools first, so that less is rectified."""
        (pooled,) = site.inputs
        pool = site.made_by(pooled, MaxPool)
        if pool is None or not site.reads_alone(pooled) or self._shifted(site, pool.inputs[0]) is None:
            return None
        builder = current_builder()
        return builder.add(pool.op, builder.add(site.node.op, pool.inputs[0]))

    # What is known.

    def _terms(self, site: Site, op: type[Mul | Add]) -> Iterable[tuple[Value, Value]]:
        """Of a product's left side, if it is a product or a sum: its two parts, both ways round."""
        made = site.made_by(site.inputs[0], op)
        if made is None:
            return ()
        left, right = made.inputs
        return (left, right), (right, left)

    def _shifted(self, site: Site, value: Value) -> tuple[Product, Value | None] | None:
        """A value as a product by a known weight that nothing else reads, and the shift that was added to it."""
        if (product := self._product(site, site.producers.get(value))) is not None:
            return product, None
        added = site.made_by(value, Add)
        for y, other in (added.inputs, added.inputs[::-1]) if added is not None else ():
            product = self._product(site, site.producers.get(y))
            shift = self._vector(site, other, product.axis) if product is not None else None
            if product is not None and shift is not None and site.reads_alone(y):
                return product, shift
        return None

    def _product(self, site: Site, node: Node | None) -> Product | None:
        if node is None or not isinstance(node.op, Conv | ConvInputGrad | MatMul):
            return None
        x, weight = node.inputs
        if node.outputs[0].type.dtype not in FLOATS or not self._is_known(site, weight) or self._is_known(site, x):
            return None
        op, rank = node.op, node.outputs[0].rank
        if isinstance(op, MatMul):
            if weight.rank != 2 or op.transpose_a:
                return None
            return Product(node, rank - 1, *((0, 1) if op.transpose_b else (1, 0)), rank - 1)
        if isinstance(op, Conv):
            return Product(node, 1, 0, 1 if op.groups == 1 else None, 1)
        return Product(node, 1, 1, None, 1) if op.groups == 1 else None

    def _vector(self, site: Site, value: Value, axis: int) -> Value | None:
        """What a tensor is along an axis, if it is known, and the same along all others."""
        source, size, rank = value, value.shape[axis], value.rank
        if (made := site.made_by(value, Broadcast)) is not None:
            (source,) = made.inputs
        own = axis - (rank - source.rank)
        others = [dim for place, dim in enumerate(source.shape) if place != own]
        if size.constant is None or any(dim != ONE for dim in others) or not self._is_known(site, source):
            return None
        if own >= 0 and source.shape[own] == size:
            return reshape(source, (size,))
        return broadcast_to(reshape(source, ()), (size,))

    def _is_known(self, site: Site, value: Value) -> bool:
        """Whether a value depends on weights alone."""
        known = self._known.get(value)
        if known is None:
            node = site.producers.get(value)
            known = node is not None and _computable(node) and all(self._is_known(site, v) for v in node.inputs)
            self._known[value] = known
        return known


def _without(axis: int, rank: int) -> tuple[int, ...]:
    return tuple(place for place in range(rank) if place != axis)


def _computable(node: Node) -> bool:
    """Whether a node of known inputs has a known result."""
    traits = node.op.traits
    static = all(output.type.static_shape is not None for output in node.outputs)
    dtypes = {value.type.dtype for value in (*node.inputs, *node.outputs)}
    whole = static and not node.op.symbols() and DType.bf16 not in dtypes
    return Trait.PURE in traits and Trait.RANDOM not in traits and whole


@rule(Mul, exact=False)
def channel_norm(site: Site) -> Value | None:
    """``(x - mean(x)) / sqrt(variance + eps)`` over the channels is one operator on x with its channels last.

    Of what stands behind, a scale and a shift are mostly within a product by now.
    """
    for centred, inverse in (site.inputs, site.inputs[::-1]):
        x = _centred(site, centred)
        divided = site.made_by(_source(site, inverse), Div)
        root = site.made_by(divided.inputs[1], Sqrt) if divided and site.number(divided.inputs[0]) == 1 else None
        total = site.made_by(root.inputs[0], Add) if root is not None else None
        if x is None or total is None or x.type.dtype is not DType.f32:
            continue
        mean = site.made_by(total.inputs[0], ReduceMean)
        squares = site.made_by(mean.inputs[0], Mul) if mean is not None else None
        eps = site.number(total.inputs[1])
        if eps is None or mean is None or squares is None or squares.inputs != (centred, centred):
            continue
        assert isinstance(mean.op, ReduceMean)
        channels = x.shape[1]
        if mean.op.axes != (1,) or x.rank < 3 or channels.constant is None:
            continue
        last = transpose(x, (0, *range(2, x.rank), 1))
        ones, zeros = (constant(make(channels.constant, np.float32)) for make in (np.ones, np.zeros))
        op = LayerNorm(axis=x.rank - 1, epsilon=float(eps))
        return transpose(current_builder().add_many(op, last, ones, zeros)[0], (0, x.rank - 1, *range(1, x.rank - 1)))
    return None


def _source(site: Site, value: Value) -> Value:
    """What a value is broadcast from, or itself."""
    made = site.made_by(value, Broadcast)
    return value if made is None else made.inputs[0]


def _centred(site: Site, value: Value) -> Value | None:
    """The x of ``x - mean(x)`` over axis 1."""
    made = site.made_by(value, Sub)
    mean = site.made_by(_source(site, made.inputs[1]), ReduceMean) if made is not None else None
    if made is None or mean is None or mean.inputs[0] is not made.inputs[0]:
        return None
    assert isinstance(mean.op, ReduceMean)
    return made.inputs[0] if mean.op.axes == (1,) else None


# ---------------------------------------------------------------- what is known is computed


def frozen(graph: Graph, weights: Mapping[str, Array]) -> tuple[Graph, dict[str, Array]]:
    """The graph with inputs in place of what depends on weights alone, and the weights it then takes.

    What is computed takes no more room than the weights that are no longer read, but for ``SMALL`` tensors.
    """
    made = _computed(graph, weights)
    part = cut("known", graph.nodes, graph.inputs, {name: value for value, name in made.items()})
    arrays = {**weights, **interpret(part, {name: weights[name] for name in part.inputs})}
    stands = {value: Value(value.type, name, value.origin) for value, name in made.items()}
    nodes = [Node(n.op, tuple(stands.get(v, v) for v in n.inputs), n.outputs, n.origin) for n in graph.nodes]
    kept = needed(nodes, graph.outputs.values())
    read = {value for node in kept for value in node.inputs} | set(graph.outputs.values())
    inputs = {name: value for name, value in graph.inputs.items() if name not in weights or value in read}
    inputs |= {name: stands[value] for value, name in made.items()}
    return replace(graph, inputs=inputs, nodes=tuple(kept)), {name: arrays[name] for name in inputs if name in arrays}


def _computed(graph: Graph, weights: Mapping[str, Array]) -> dict[Value, str]:
    """What other nodes read and weights alone decide, with a name for each: nothing of it is made of another."""
    producers, sources = graph.producers(), _sources(graph, weights)
    given = set(graph.inputs.values())
    direct = {value for node in graph.nodes if node.outputs[0] not in sources for value in node.inputs}
    room = {name: 0 if graph.inputs[name] in direct else array.size for name, array in weights.items()}
    taken = set(graph.inputs)
    made: dict[Value, str] = {}
    waiting, seen = list(graph.outputs.values()), set[Value]()
    while waiting:
        node = producers.get(value := waiting.pop())
        if node is None or value in seen:
            continue
        seen.add(value)
        for read in node.inputs:
            inner, names = producers.get(read), sources.get(read)
            if read in made or inner is None:
                continue
            if names and not isinstance(inner.op, Broadcast | Constant) and _fits(read, names, room):
                shaped = isinstance(inner.op, Reshape) and inner.inputs[0] in given
                made[read] = _name(SHAPED if shaped else FOLDED, names, weights, taken)
            else:
                waiting.append(read)
    return made


def _sources(graph: Graph, weights: Mapping[str, Array]) -> dict[Value, frozenset[str]]:
    """The values that depend on weights and constants alone, with the weights of each."""
    sources: dict[Value, frozenset[str]] = {graph.inputs[name]: frozenset([name]) for name in weights}
    for node in graph.nodes:
        if _computable(node) and all(value in sources for value in node.inputs):
            names: frozenset[str] = frozenset().union(*(sources[value] for value in node.inputs))
            sources.update(dict.fromkeys(node.outputs, names))
    return sources


def _fits(value: Value, names: frozenset[str], room: dict[str, int]) -> bool:
    """Whether there is room for a value among what its weights took, which then is less."""
    size = math.prod(value.type.static_shape or ())
    if size <= SMALL:
        return True
    if size > sum(room[name] for name in names):
        return False
    for name in sorted(names):
        used = min(size, room[name])
        room[name] -= used
        size -= used
    return True


def _name(word: str, names: frozenset[str], weights: Mapping[str, Array], taken: set[str]) -> str:
    """A name for what was made of weights: that of the largest of them, with a word behind it."""
    largest = max(sorted(names, reverse=True), key=lambda name: weights[name].size)
    possible = (f"{largest}{word}{number or ''}" for number in range(len(taken) + 1))
    name = next(name for name in possible if name not in taken)
    taken.add(name)
    return name
