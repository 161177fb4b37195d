"""The functions of the language that are written in Python: one for each op that specs may call.

The other modules of this room hold more. Everything that can be said in the language is in ``specs/std`` instead.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.static import ITEMS, is_size
from archonnx.compiler.elaborate.core.tensors import as_tensor, promoted
from archonnx.compiler.elaborate.core.values import Builtin, BuiltinParameter, Results, describe
from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import at_most, same
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops import compare, elementwise, functions, loss, norm, random, registry, sizes, slicing
from archonnx.compiler.ops import einsum as einsum_ops
from archonnx.compiler.ops import shape as shape_ops

from . import einops
from .calling import (
    Axes,
    Ints,
    Items,
    Operand,
    Parts,
    Shape,
    Size,
    Sizes,
    Tensor,
    axis_of,
    builtin,
    described,
    dims_of,
    require,
)

UNARY = (
    "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "asinh", "acosh", "atanh", "sigmoid", "softplus", "relu", "erf", "abs", "sign", "floor", "ceil", "round",
)  # fmt: skip
"""Functions of one number: on a static number they compute, on a tensor they add the op of their name."""


def add_elementwise(table: dict[str, Builtin]) -> None:
    """Enter the functions of one number."""
    for name in UNARY:
        table.setdefault(name, _unary(name))


def _unary(name: str) -> Builtin:
    op = registry()[name]()

    def call(frame: Frame, x: Any) -> Any:
        if isinstance(x, Value):
            to_float = getattr(op, "accepts", "") == "float" and not x.type.dtype.is_float
            return current_builder().add(op, elementwise.cast(x, frame.build.float_type) if to_float else x)
        require(not isinstance(x, Dim), "AX0309", f"`{name}` of the dim {x} is known only when the model runs")
        with np.errstate(all="ignore"):
            result = float(op.evaluate(np.asarray(x, np.float64)))
        require(math.isfinite(result), "AX0311", f"`{name}` of {x} is not a finite number")
        return int(result) if name in ("abs", "sign", "floor", "ceil", "round") and isinstance(x, int) else result

    return described(name, (BuiltinParameter("x", "operand", None, True, False),), call, inspect.getdoc(op) or "")


@builtin
def where(frame: Frame, condition: Tensor, a: Operand, b: Operand) -> Value:
    """``a`` where the condition holds, else ``b``, element by element."""
    require(
        condition.type.dtype is DType.bool,
        "AX0303",
        f"the condition of `where` is bool, not {condition.type.dtype}",
        help="compare first, as in `x > 0`",
    )
    one, other = promoted(frame, "where", a, b)
    return elementwise.where(condition, one, other)


@builtin
def isnan(frame: Frame, x: Tensor) -> Value:
    """Whether an element is not a number."""
    return compare.is_nan(x)


@builtin
def isinf(frame: Frame, x: Tensor) -> Value:
    """Whether an element is infinite, of either sign."""
    return compare.is_inf(x)


@builtin
def gelu(frame: Frame, x: Tensor, *, approximate: bool = False) -> Value:
    """``x`` times the normal distribution function of ``x``; ``approximate`` uses tanh (Hendrycks and Gimpel 2016)."""
    return functions.gelu(x, "tanh" if approximate else "none")


# ---------------------------------------------------------------- making tensors


@builtin
def tensor(frame: Frame, values: Tensor) -> Value:
    """A tensor from (nested) lists of numbers: ``tensor([[0, 1], [1, 0]])``. All ints give i64."""
    return values


@builtin
def code_points(frame: Frame, text: str, length: int | None = None) -> Value:
    """The characters of a text by their numbers in Unicode, an i64 vector, and then zeros up to ``length``."""
    known = shape_ops.constant([ord(character) for character in text], DType.i64)
    room = len(text) if length is None else length
    require(len(text) <= room, "AX0322", f"{text!r} has {len(text)} characters, and there is room for {room}")
    return slicing.pad(known, [0], [room - len(text)])


@builtin
def zeros(frame: Frame, shape: Shape) -> Value:
    """Zeros, of the model's float type."""
    return _filled(frame, shape, 0)


@builtin
def ones(frame: Frame, shape: Shape) -> Value:
    """Ones, of the model's float type."""
    return _filled(frame, shape, 1)


@builtin
def constant(frame: Frame, shape: Shape, value: float) -> Value:
    """One number everywhere."""
    return _filled(frame, shape, value)


def _filled(frame: Frame, dims: Shape, value: float) -> Value:
    return shape_ops.full(dims_of(dims), value, frame.build.float_type)


@builtin
def zeros_like(frame: Frame, x: Tensor) -> Value:
    """Zeros of the shape and dtype of ``x``."""
    return shape_ops.zeros_like(x)


@builtin
def ones_like(frame: Frame, x: Tensor) -> Value:
    """Ones of the shape and dtype of ``x``."""
    return shape_ops.full(x.shape, 1, x.type.dtype)


@builtin
def eye(frame: Frame, n: Size) -> Value:
    """The identity matrix of n rows."""
    return sizes.eye(dims_of([n], "n")[0], frame.build.float_type)


@builtin
def arange(frame: Frame, start: Size, stop: Size | None = None, step: int = 1) -> Value:
    """Integers from ``start`` (0 if one argument is given) up to ``stop``, which is not included, as i64."""
    require(step != 0, "AX0311", "the step of `arange` is 0")
    first, last = (Dim.of(0), Dim.of(start)) if stop is None else (Dim.of(start), Dim.of(stop))
    if stop is None and step == 1:
        return sizes.iota(dims_of([start], "start")[0])
    span = last - first if step > 0 else first - last
    count = (span + (abs(step) - 1)) // abs(step)
    places = sizes.iota(count if at_most(Dim.of(0), count) else count.maximum(0))
    return places * step + as_tensor(frame, first) if step != 1 else places + as_tensor(frame, first)


@builtin
def linspace(frame: Frame, start: float, stop: float, n: Size) -> Value:
    """n numbers from start to stop, both included."""
    dtype = frame.build.float_type
    if isinstance(n, int):
        require(n >= 1, "AX0313", f"`linspace` needs at least one point, not {n}", argument="n")
        require(n <= ITEMS, "AX0215", f"a constant of {n:,} numbers is too large for a spec")
        return shape_ops.constant(np.linspace(start, stop, n), dtype)
    gaps = sizes.dim_value((Dim.of(n) - 1).maximum(1), dtype)
    return sizes.iota(n, dtype) * (stop - start) / gaps + start


# ---------------------------------------------------------------- shapes


@builtin
def reshape(frame: Frame, x: Tensor, shape: Shape) -> Value:
    """The same elements, in row-major order, under another shape; one ``-1`` stands for what is left."""
    free = [i for i, d in enumerate(shape) if d == -1]
    require(len(free) <= 1, "AX0304", "only one dim of `reshape` may be -1")
    dims = [Dim.of(d) for d in shape]
    if free:
        rest = math.prod((d for i, d in enumerate(dims) if i != free[0]), start=Dim.of(1))
        size = x.type.size
        require(
            rest.constant != 0 and (rest.constant is None or same(size % rest, Dim.of(0)) is True),
            "AX0304",
            f"{size} elements do not divide into [{', '.join(map(str, shape))}]",
        )
        dims[free[0]] = size // rest
    return shape_ops.reshape(x, dims)


@builtin
def transpose(frame: Frame, x: Tensor, axes: Ints | None = None) -> Value:
    """Axes in another order; a matrix needs none given."""
    if axes is None:
        require(
            x.rank == 2,
            "AX0308",
            f"`transpose` of a tensor with {x.rank} axes needs their order",
            help=f"write `transpose(x, {[*range(x.rank - 2), x.rank - 1, x.rank - 2]})` to swap the last two",
        )
        axes = [1, 0]
    order = [axis_of(x, a, "axes") for a in axes]
    require(sorted(order) == list(range(x.rank)), "AX0320", f"{axes} is not an order of {x.rank} axes", argument="axes")
    return shape_ops.transpose(x, order)


@builtin
def concat(frame: Frame, tensors: Items, *, axis: int) -> Value:
    """Tensors one after the other along an axis."""
    require(len(tensors) > 0, "AX0306", "`concat` needs a tensor at least")
    return slicing.concat([as_tensor(frame, t) for t in tensors], axis)


@builtin
def stack(frame: Frame, tensors: Items, *, axis: int = 0) -> Value:
    """Tensors of one shape side by side along a new axis."""
    require(len(tensors) > 0, "AX0306", "`stack` needs a tensor at least")
    values = [as_tensor(frame, t) for t in tensors]
    rank = values[0].rank + 1
    require(-rank <= axis < rank, "AX0320", f"axis {axis} is outside the {rank} axes of the result", argument="axis")
    return slicing.stack(values, axis % rank)


@builtin
def split(frame: Frame, x: Tensor, parts: Parts, *, axis: int = -1) -> Results:
    """So many equal parts along an axis, or parts of the sizes of a list, which fill it."""
    pieces = slicing.split(x, parts, axis_of(x, axis))
    return Results(tuple(pieces), (None,) * len(pieces))


@builtin
def rearrange(frame: Frame, x: Tensor, pattern: str, sizes: Sizes = {}) -> Value:  # noqa: B006 - never changed
    """Axes split, ordered and merged by name: ``rearrange(x, "b t (h d) -> b h t d", h=8)``."""
    return einops.rearrange(x, pattern, {name: Dim.of(size) for name, size in sizes.items()})


@builtin
def reduce_(frame: Frame, x: Tensor, pattern: str, by: Any, sizes: Sizes = {}) -> Value:  # noqa: B006 - never changed
    """Axes that are missing on the right are reduced: ``reduce(x, "b c h w -> b c", mean)``."""
    require(isinstance(by, Builtin), "AX0306", f"`reduce` takes sum, mean, max, min or prod, not {describe(by)}")
    return einops.reduce(x, pattern, by.name, {name: Dim.of(size) for name, size in sizes.items()})


@builtin
def pad(frame: Frame, x: Tensor, pads: Items, *, value: float = 0.0) -> Value:
    """Numbers added around: a pair [before, after] for each axis."""
    fits = len(pads) == x.rank and all(isinstance(pair, list) and len(pair) == 2 for pair in pads)
    fits = fits and all(is_size(n) for pair in pads for n in pair)
    require(fits, "AX0321", f"`pad` takes a pair [before, after] for each of {x.rank} axes")
    return slicing.pad(x, [pair[0] for pair in pads], [pair[1] for pair in pads], value)


@builtin
def squeeze(frame: Frame, x: Tensor, *, axis: Axes) -> Value:
    """Without axes of size 1."""
    return shape_ops.squeeze(x, axis)


@builtin
def unsqueeze(frame: Frame, x: Tensor, *, axis: Axes) -> Value:
    """With new axes of size 1."""
    return shape_ops.unsqueeze(x, axis)


@builtin
def broadcast(frame: Frame, x: Tensor, shape: Shape) -> Value:
    """Repeated to a shape, by NumPy's rule."""
    return shape_ops.broadcast_to(x, dims_of(shape))


@builtin
def broadcast_tensors(frame: Frame, a: Operand, b: Operand) -> Results:
    """Two tensors or numbers as tensors of one dtype, repeated to one shape by NumPy's rule."""
    return Results(shape_ops.broadcast(*promoted(frame, "broadcast_tensors", a, b)), (None, None))


@builtin
def stop_gradient(frame: Frame, x: Tensor) -> Value:
    """The same value; no gradient passes."""
    return shape_ops.stop_gradient(x)


# ---------------------------------------------------------------- linear algebra, neural ops


@builtin
def einsum(
    frame: Frame,
    equation: str,
    a: Tensor,
    b: Tensor | None = None,
    c: Tensor | None = None,
    d: Tensor | None = None,
    e: Tensor | None = None,
    f: Tensor | None = None,
) -> Value:
    """Einstein summation of up to six tensors: ``einsum("b i, i o -> b o", x, W)``."""
    return einsum_ops.einsum(equation, *(t for t in (a, b, c, d, e, f) if t is not None))


@builtin
def softmax(frame: Frame, x: Tensor, *, axis: int = -1, temperature: Operand = 1.0) -> Value:
    """``exp(x / temperature) / sum(exp(x / temperature))`` along an axis."""
    return norm.softmax(_cooled(frame, x, temperature), axis_of(x, axis))


@builtin
def log_softmax(frame: Frame, x: Tensor, *, axis: int = -1, temperature: Operand = 1.0) -> Value:
    """The logarithm of ``softmax``, without underflow."""
    return norm.log_softmax(_cooled(frame, x, temperature), axis_of(x, axis))


def _cooled(frame: Frame, x: Value, temperature: Any) -> Value:
    if isinstance(temperature, int | float):
        require(temperature > 0, "AX0311", f"a temperature is above 0, not {temperature}")
        if temperature == 1:
            return x
    one, other = promoted(frame, "softmax", x, temperature)
    return one / other


@builtin
def layer_norm(frame: Frame, x: Tensor, scale: Tensor, shift: Tensor, *, eps: float = 1e-5) -> Value:
    """Over the axes of ``scale``: mean 0 and variance 1, then scaled and shifted (Ba et al. 2016)."""
    return norm.layer_norm(x, scale, shift, axis=-1, epsilon=eps)


@builtin
def label_cross_entropy(frame: Frame, logits: Tensor, label: Tensor) -> Value:
    """``logsumexp(logits) - logits[label]`` over the last axis, for integer labels; no mean."""
    return loss.cross_entropy(logits, label)


@builtin
def nearest_class(frame: Frame, label: Tensor, classes: Size) -> Value:
    """The label where it is one of ``0 ... classes - 1``, else the one of these that is nearest."""
    return loss.nearest_class(label, classes)


@builtin
def class_check(frame: Frame, x: Tensor, label: Tensor, classes: Size) -> Value:
    """``x``, one number for each label; NaN where the label is not one of ``0 ... classes - 1``."""
    return loss.class_check(x, label, classes)


# ---------------------------------------------------------------- draws


@builtin
def random_uniform(frame: Frame, shape: Shape) -> Value:
    """Draws from the open interval (0, 1): what all other distributions are made of."""
    seed, step = frame.build.randomness()
    dtype = frame.build.float_type if frame.build.float_type is DType.f64 else DType.f32
    return random.random_uniform(dims_of(shape), seed, step, frame.draw_site("uniform"), dtype)


@builtin
def discrete(frame: Frame, draw: Tensor, parameters: Tensor) -> Value:
    """A discrete draw, marked as depending on these parameters: a gradient through it is an error, not zero."""
    return current_builder().add(random.DiscreteDraw(), draw, parameters)


@builtin
def random_mask(frame: Frame, shape: Shape, p: float) -> Value:
    """True with probability ``p``, as bool; a third of the cost of comparing uniform draws."""
    seed, step = frame.build.randomness()
    chance = as_tensor(frame, p, DType.f32)
    return random.random_bernoulli(dims_of(shape), seed, step, chance, frame.draw_site("mask"))
