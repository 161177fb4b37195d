"""Random trials of every op: attributes, shapes and float64 arrays, drawn by hypothesis, one strategy for each family.

A family is a module of ``compiler/ops``; its strategy draws trials of any op of it, guided by the small tables below
(domains, attributes). The fixed cases of ``op_cases`` hold the edges, these the breadth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from string import ascii_lowercase
from typing import Any

import numpy as np
from hypothesis import strategies as st

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import Op
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ops import (
    blocks,
    conv,
    elementwise,
    functions,
    index,
    loss,
    norm,
    pool,
    random,
    registry,
    remat,
    resize,
    shape,
    sizes,
    slicing,
)
from archonnx.compiler.ops import reduce as reductions
from archonnx.compiler.ops.einsum import Einsum
from archonnx.compiler.ops.linalg import ProductSum
from archonnx.compiler.ops.sort import TopK

Shape = tuple[int, ...]


class Draw:
    """What a trial is drawn with: hypothesis for its form, a generator for its numbers, no two of which are equal."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw
        self.generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def __call__(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self._draw(strategy)


@dataclass(frozen=True)
class Trial:
    """An op on arrays; floats are float64. Inputs that are ``held`` are constants of the trial."""

    op: Op
    arrays: tuple[Array, ...]
    held: frozenset[int] = frozenset()

    def __str__(self) -> str:
        return f"{self.op} on {', '.join(f'{a.dtype}{list(a.shape)}' for a in self.arrays)}"


SIZES = st.integers(1, 4)
SHAPES = st.lists(SIZES, max_size=3).map(tuple)


def reals(draw: Draw, dims: Shape, low: float = -2.0, high: float = 2.0) -> Array:
    """Uniform numbers: kinks and ties are as good as never met."""
    return draw.generator.uniform(low, high, dims)


def integers(draw: Draw, dims: Shape, low: int, high: int) -> Array:
    """Integers from low up to high, which is not included."""
    return draw.generator.integers(low, high, dims)


def nonempty(draw: Draw) -> Shape:
    """A shape of at least one axis."""
    return tuple(draw(st.lists(SIZES, min_size=1, max_size=3)))


def some_axes(draw: Draw, rank: int) -> tuple[int, ...]:
    """A few axes, in order."""
    return tuple(sorted(draw(st.sets(st.integers(0, rank - 1), min_size=1))))


def dims_of(sizes: Shape) -> tuple[Dim, ...]:
    return tuple(map(Dim.of, sizes))


# ---------------------------------------------------------------- element by element

DOMAINS: Mapping[str, tuple[tuple[float, float], ...]] = {
    "sqrt": ((0.3, 2),), "log": ((0.3, 2),), "log1p": ((-0.7, 2),), "tan": ((-1, 1),), "asin": ((-0.8, 0.8),),
    "acos": ((-0.8, 0.8),), "atanh": ((-0.8, 0.8),), "acosh": ((1.3, 3),), "pow": ((0.3, 2), (-2, 2)),
    "div": ((-2, 2), (0.4, 2)), "mod": ((-2, 2), (0.4, 2)), "floor_div": ((-2, 2), (0.4, 2)),
}  # fmt: skip
"""Where the arguments of functions lie that are not defined, or not smooth, everywhere."""
ATTRIBUTES: Mapping[type[Op], st.SearchStrategy[Op]] = {
    elementwise.Heaviside: st.floats(0, 1).map(elementwise.Heaviside),
    elementwise.Cast: st.just(elementwise.Cast(DType.f64)),
    functions.Gelu: st.sampled_from(["none", "tanh"]).map(functions.Gelu),
}


def of_elements(draw: Draw, kind: type[Op]) -> Trial:
    op = draw(ATTRIBUTES.get(kind, st.builds(kind)))
    count, dims = len(signature(op.evaluate).parameters), draw(SHAPES)
    if "inputs" in signature(op.evaluate).parameters:
        count = 1 if kind.name in ("logical_not", "is_nan", "is_inf") else 2
    domains = DOMAINS.get(kind.name, ((-2, 2),) * count)
    if kind is elementwise.Where:
        return Trial(op, (reals(draw, dims) > 0, reals(draw, dims), reals(draw, dims)))
    arrays = tuple(reals(draw, dims, *domain) for domain in domains)
    return Trial(op, tuple(a > 0 for a in arrays) if kind.name.startswith("logical") else arrays)


# ---------------------------------------------------------------- along axes


def of_reductions(draw: Draw, kind: type[Op]) -> Trial:
    dims = nonempty(draw)
    axes = some_axes(draw, len(dims))
    if issubclass(kind, reductions.CumSum):
        return Trial(kind(axes[0], draw(st.booleans()), draw(st.booleans())), (reals(draw, dims),))
    if issubclass(kind, reductions.ExtremePlace):
        return Trial(kind(axes[0], draw(st.booleans())), (reals(draw, dims),))
    if issubclass(kind, reductions.ReduceProd):
        axes = axes[:1]
        return Trial(kind(axes, draw(st.booleans())), (np.round(reals(draw, dims)),))  # with zeros
    x = reals(draw, dims)
    return Trial(kind(axes, draw(st.booleans())), (x > 0 if issubclass(kind, reductions.TruthReduction) else x,))


def of_norms(draw: Draw, kind: type[Op]) -> Trial:
    dims = (*nonempty(draw), draw(st.integers(2, 4)))
    axis = draw(st.integers(0, len(dims) - 1))
    if issubclass(kind, norm.LayerNorm):
        scale, bias = reals(draw, dims[axis:]), reals(draw, dims[axis:])
        return Trial(kind(axis, draw(st.sampled_from([1e-5, 0.1]))), (reals(draw, dims), scale, bias))
    return Trial(kind(axis), (reals(draw, dims),))


def of_sorting(draw: Draw, kind: type[Op]) -> Trial:
    dims = nonempty(draw)
    axis = draw(st.integers(0, len(dims) - 1))
    return Trial(TopK(Dim.of(draw(st.integers(1, dims[axis]))), axis, draw(st.booleans())), (reals(draw, dims),))


def of_losses(draw: Draw, kind: type[Op]) -> Trial:
    dims = nonempty(draw)
    if kind is loss.ClassCheck:
        label = integers(draw, dims, 0, 3)
        return Trial(kind(Dim.of(3)), (reals(draw, dims), label, label))
    assert kind is loss.CrossEntropy
    return Trial(kind(), (reals(draw, dims), integers(draw, dims[:-1], 0, dims[-1])))


# ---------------------------------------------------------------- products


def of_products(draw: Draw, kind: type[Op]) -> Trial:
    batch, flags = tuple(draw(st.lists(SIZES, max_size=2))), (draw(st.booleans()), draw(st.booleans()))
    i, k, j = draw(SIZES), draw(SIZES), draw(SIZES)
    if kind is ProductSum:
        sides = ((k, i) if flags[0] else (i, k), (j, k) if flags[1] else (k, j), (i, j))
        factors = draw(st.sampled_from([1.0, -0.5, 2.0])), draw(st.sampled_from([1.0, -2.0, 0.0]))
        return Trial(ProductSum(*flags, *factors), tuple(reals(draw, side) for side in sides))
    shared = draw(st.sampled_from(["neither", "left", "right"]))
    left = (() if shared == "left" else batch) + ((k, i) if flags[0] else (i, k))
    right = (() if shared == "right" else batch) + ((j, k) if flags[1] else (k, j))
    return Trial(kind(*flags), (reals(draw, left), reals(draw, right)))


def of_einsum(draw: Draw, kind: type[Op]) -> Trial:
    letters = ascii_lowercase[: draw(st.integers(1, 4))]
    sizes = {letter: draw(st.integers(1, 3)) for letter in letters}
    terms = draw(st.lists(st.lists(st.sampled_from(letters), unique=True, max_size=3), min_size=1, max_size=3))
    known = sorted({letter for term in terms for letter in term})
    result = draw(st.lists(st.sampled_from(known), unique=True)) if known else []
    op = Einsum(f"{','.join(map(''.join, terms))}->{''.join(result)}")
    return Trial(op, tuple(reals(draw, tuple(sizes[letter] for letter in term)) for term in terms))


# ---------------------------------------------------------------- shapes and parts


def of_shapes(draw: Draw, kind: type[Op]) -> Trial:
    dims = draw(SHAPES)
    x, rank = reals(draw, dims), len(dims)
    if kind is shape.Broadcast:
        old = tuple(draw(st.sampled_from([1, size])) for size in dims)[draw(st.integers(0, rank)) :]
        return Trial(shape.Broadcast(dims_of(dims)), (reals(draw, old),))
    if kind is shape.Reshape:
        new = tuple(draw(st.permutations([*dims, *[1] * draw(st.integers(0, 2))])))
        cut = draw(st.integers(0, len(new)))
        return Trial(shape.Reshape(dims_of((int(np.prod(new[:cut])), *new[cut:]))), (x,))
    if kind is shape.Transpose:
        return Trial(shape.Transpose(tuple(draw(st.permutations(range(rank))))), (x,))
    if kind in (shape.Squeeze, shape.Unsqueeze):
        axes = tuple(sorted(draw(st.sets(st.integers(0, rank + 1), min_size=2, max_size=2))))
        return Trial(kind(axes), (np.expand_dims(x, axes) if kind is shape.Squeeze else x,))
    made = {shape.Constant: shape.Constant.of(x), sizes.DimValue: sizes.DimValue(Dim.of(rank))}
    if kind is shape.StopGradient:
        return Trial(shape.StopGradient(), (x,))
    return Trial(made.get(kind, sizes.Iota(Dim.of(rank))), ())


def of_edges(draw: Draw, kind: type[Op]) -> Trial:
    x = reals(draw, draw(SHAPES))
    if kind is remat.After:
        return Trial(remat.After(), (x, reals(draw, draw(SHAPES))))
    side = draw(st.sampled_from(["in", "out", "turn"]))
    return Trial(remat.RematEdge(1, side), (x, x) if side == "turn" else (x,))


def of_slices(draw: Draw, kind: type[Op]) -> Trial:
    dims = nonempty(draw)
    axes, x = some_axes(draw, len(dims)), reals(draw, dims)
    axis = axes[0]
    if kind is slicing.Concat:
        others = [(*dims[:axis], size, *dims[axis + 1 :]) for size in draw(st.lists(SIZES, max_size=2))]
        return Trial(slicing.Concat(axis), (x, *(reals(draw, other) for other in others)))
    if kind is slicing.Split:
        sizes = tuple(draw(st.lists(SIZES, min_size=1, max_size=3)))
        return Trial(slicing.Split(axis, dims_of(sizes)), (reals(draw, (*dims[:axis], sum(sizes), *dims[axis + 1 :])),))
    if kind is slicing.Reverse:
        return Trial(slicing.Reverse(axes), (x,))
    if kind is slicing.Pad:
        pads = [dims_of(tuple(draw(st.integers(0, 2)) for _ in dims)) for _ in range(2)]
        return Trial(slicing.Pad(*pads, draw(st.sampled_from([0.0, 1.5]))), (x,))
    starts = [draw(st.integers(0, dims[a] - 1)) for a in axes]
    ends = [draw(st.integers(start + 1, dims[a])) for a, start in zip(axes, starts, strict=True)]
    steps = tuple(draw(st.integers(1, 3)) for _ in axes)
    return Trial(slicing.Slice(axes, dims_of(tuple(starts)), dims_of(tuple(ends)), steps), (x,))


def of_indices(draw: Draw, kind: type[Op]) -> Trial:
    dims, count = nonempty(draw), draw(SHAPES)
    axis, x = draw(st.integers(0, len(dims) - 1)), reals(draw, dims)
    if kind is index.OneHot:
        return Trial(index.OneHot(Dim.of(3)), (integers(draw, count, 0, 3),))
    if kind is index.FromFront:
        return Trial(index.FromFront(Dim.of(3)), (integers(draw, count, -3, 3),))
    if kind is index.Gather:
        return Trial(index.Gather(axis), (x, integers(draw, count[:2], -dims[axis], dims[axis])))
    if issubclass(kind, index.ScatterRows):
        at = integers(draw, count[:2], -dims[0], dims[0])
        return Trial(kind(), (x, at, reals(draw, (*at.shape, *dims[1:]))))
    lines = integers(draw, (*dims[:axis], draw(SIZES), *dims[axis + 1 :]), -dims[axis], dims[axis])
    if kind is index.GatherElements:
        return Trial(index.GatherElements(axis), (x, lines))
    return Trial(index.ScatterElementsAdd(axis), (x, lines, reals(draw, lines.shape)))


# ---------------------------------------------------------------- windows


@dataclass(frozen=True)
class Windows:
    """A window over spatial axes, as the ops take it, and a size that it fits."""

    size: Shape
    kernel: Shape
    strides: Shape
    dilations: Shape
    pads: Shape

    @property
    def places(self) -> Shape:
        ends = zip(self.size, self.kernel, self.strides, self.dilations, self.pads, self.pads[len(self.size) :])  # noqa: B905
        return tuple((n + a + b - d * (k - 1) - 1) // s + 1 for n, k, s, d, a, b in ends)


def windows(draw: Draw, dilated: bool = True) -> Windows:
    """One or two axes; pads are smaller than the kernel."""
    count = draw(st.integers(1, 2))
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(count))
    dilations = tuple(draw(st.integers(1, 2)) if dilated else 1 for _ in range(count))
    size = tuple(d * (k - 1) + draw(st.integers(1, 3)) for k, d in zip(kernel, dilations, strict=True))
    pads = tuple(draw(st.integers(0, k - 1)) for k in (*kernel, *kernel))
    return Windows(size, kernel, tuple(draw(st.integers(1, 3)) for _ in range(count)), dilations, pads)


def of_convolutions(draw: Draw, kind: type[Op]) -> Trial:
    at, groups, batch = windows(draw), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    c, o = draw(st.integers(1, 2)), draw(st.integers(1, 2)) * groups
    x, w = reals(draw, (batch, c * groups, *at.size)), reals(draw, (o, c, *at.kernel))
    dy = reals(draw, (batch, o, *at.places))
    setting = (at.strides, at.dilations, at.pads, groups)
    if kind is conv.Conv:
        return Trial(conv.Conv(*setting), (x, w))
    if kind is conv.ConvInputGrad:
        return Trial(conv.ConvInputGrad(*setting, dims_of(at.size)), (dy, w))
    return Trial(conv.ConvWeightGrad(*setting, at.kernel), (x, dy))


def of_blocks(draw: Draw, kind: type[Op]) -> Trial:
    block, batch = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    c, o, h, w = (draw(st.integers(1, 3)) for _ in range(4))
    if kind is blocks.ToBlocks:
        block, fours = draw(st.sampled_from([(block, block), (8, 4)]))
        return Trial(blocks.ToBlocks(block), (reals(draw, (batch, c * fours, h, w)),))
    if kind is blocks.FromBlocks:
        channels = Dim.of(c * block - draw(st.integers(0, block - 1)))
        return Trial(blocks.FromBlocks(channels), (reals(draw, (batch, c, h, w, block)),))
    pads = tuple(draw(st.integers(0, 1)) for _ in range(4))
    images, kernel = reals(draw, (batch, c, h, w, block)), reals(draw, (o, c, 1, min(2, w), block, block))
    return Trial(blocks.BlockConv((draw(st.integers(1, 2)), 1), (1, 1), pads), (images, kernel))


def of_pools(draw: Draw, kind: type[Op]) -> Trial:
    if issubclass(kind, pool.AveragePooling):
        at = windows(draw, dilated=False)
        setting = (at.kernel, at.strides, at.pads, draw(st.booleans()))
        if kind is pool.AveragePool:
            return Trial(pool.AveragePool(*setting), (reals(draw, (2, 1, *at.size)),))
        return Trial(pool.AveragePoolGrad(*setting, dims_of(at.size)), (reals(draw, (2, 1, *at.places)),))
    at = windows(draw)
    setting = (at.kernel, at.strides, at.pads, at.dilations)
    x = reals(draw, (1, 2, *at.size))
    if kind is pool.MaxPool:
        return Trial(pool.MaxPool(*setting), (x,))
    y = pool.MaxPool(*setting).evaluate(x)
    moved = reals(draw, y.shape if kind is pool.MaxPoolGrad else x.shape)
    return Trial(kind(*setting), (moved, x, y), held=frozenset({1, 2}))


def of_resizing(draw: Draw, kind: type[Op]) -> Trial:
    size = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=2)))
    x, scaled = reals(draw, (2, 1, *size)), tuple(draw(st.integers(1, 5)) for _ in size)
    if kind is resize.Repeat:
        return Trial(resize.Repeat(scaled), (x,))
    return Trial(resize.Interpolate(dims_of(scaled), draw(st.sampled_from(resize.COORDINATES))), (x,))


def of_draws(draw: Draw, kind: type[Op]) -> Trial:
    seed = integers(draw, (), 0, 99), integers(draw, (), 0, 99)
    if kind is random.RandomUniform:
        return Trial(random.RandomUniform(dims_of((3,)), 0, DType.f64), seed)
    if kind is random.RandomBernoulli:
        return Trial(random.RandomBernoulli(dims_of((3,)), 0), (*seed, np.float32(0.5)))
    return Trial(random.DiscreteDraw(), (integers(draw, (2,), 0, 3), reals(draw, (2,))))


FAMILIES: Mapping[str, Callable[[Draw, type[Op]], Trial]] = {
    "elementwise": of_elements, "compare": of_elements, "functions": of_elements, "reduce": of_reductions,
    "linalg": of_products, "einsum": of_einsum, "shape": of_shapes, "sizes": of_shapes, "slicing": of_slices, "index": of_indices,
    "sort": of_sorting, "conv": of_convolutions, "blocks": of_blocks, "pool": of_pools, "resize": of_resizing, "norm": of_norms,
    "loss": of_losses, "random": of_draws, "remat": of_edges,
}  # fmt: skip
"""By module of ``compiler/ops``, what draws trials of its ops."""


@st.composite
def trials(draw: Callable[[st.SearchStrategy[Any]], Any], name: str) -> Trial:
    """Trials of the op of this name. KeyError if its family has no strategy."""
    kind = registry()[name]
    return FAMILIES[kind.__module__.rpartition(".")[2]](Draw(draw), kind)
