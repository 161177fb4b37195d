"""Pooling: one number for each window over the spatial axes, and the gradients. Global pools are reductions.

Max pooling moves elements and average pooling is linear, so their gradients have gradients of the same kind.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ZERO, Dim, product
from archonnx.compiler.ir.op import Arithmetic, Emitter, OnnxOp, Op, TypeProblem, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.older import SCATTER_ADDS

from .checks import check_equal, check_float
from .conv import emit_transposed
from .window import Window, spread


def _check_pads(op: str, window: Window) -> None:
    """ONNX's rule, without which a window could lie in the padding alone."""
    if any(pad >= size for pad, size in zip(window.pads, (*window.kernel, *window.kernel), strict=True)):
        raise TypeProblem("AX0322", f"`{op}` needs pads smaller than its window", argument="kernel")


def _places(window: Window, x: Any) -> list[int]:
    return [d.evaluate({}) for d in window.places([Dim.of(n) for n in x.shape[2:]])]


class MaxPooling(Op):
    """What max pooling and its gradients share: ``x: [N, C, *size]``, ``y: [N, C, *places]``.

    Where elements of a window tie for the largest, either they share alike (where windows tile the input), or the
    first takes all (elsewhere). Both are subgradients, and each is the cheaper one to compute in its case.
    """

    kernel: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()

    @property
    def window(self) -> Window:
        """The geometry."""
        return Window(self.kernel, self.strides, self.dilations, self.pads)

    def pooled(self, x: TensorType) -> TensorType:
        """The type of the result of pooling; TypeProblem if ``x`` does not fit."""
        window = self.window
        window.check(self.name, x)
        _check_pads(self.name, window)
        return x.with_shape((*x.shape[:2], *window.places(x.shape[2:])))

    def check_pooled(self, x: TensorType, given: TensorType, operand: int) -> None:
        """TypeProblem unless ``given`` has the shape of the result."""
        pooled = self.pooled(x)
        headline = f"`{self.name}` pools {x} to {pooled}, not to {given}"
        for left, right in zip(pooled.shape, given.shape, strict=True):
            check_equal(left, right, headline, operands=(operand,))

    def weights(self, x: Any, y: Any) -> list[tuple[Any, Any]]:
        """For each element of the window: what it covers in the padded ``x``, and its part in the result."""
        window = self.window
        padded = window.padded(x, -np.inf)
        covered = [window.covered(offset, y.shape[2:]) for offset in window.offsets()]
        if window.tiles:
            hits = [(padded[at] == y).astype(x.dtype) for at in covered]
            count = sum(hits)
            return [(at, hit / count) for at, hit in zip(covered, hits, strict=True)]
        result, free = [], np.ones(y.shape, bool)
        for at in covered:
            hit = free & (padded[at] == y)
            result.append((at, hit.astype(x.dtype)))
            free &= ~hit
        return result

    def emit_places(self, emit: Emitter, x: str) -> str:
        """Where the largest element of each window stands, counted over the whole flat ``x``."""
        return emit.nodes(
            "MaxPool",
            x,
            outputs=2,
            kernel_shape=self.kernel,
            strides=self.strides,
            pads=self.pads,
            dilations=self.dilations,
        )[1]

    def emit_mask(self, emit: Emitter, x: str, y: str, sizes: Sequence[Dim], dtype: DType) -> tuple[str, str]:
        """Where windows tile: 1 for each element that equals its window's largest, and how many do, by window."""
        whole = _emit_whole(emit, x, self.window, sizes)
        mask = emit.node("Cast", emit.node("Equal", whole, emit_repeated(emit, y, self.kernel)), to=dtype)
        mean = emit.node("AveragePool", mask, kernel_shape=self.kernel, strides=self.strides)
        return mask, emit.node("Mul", mean, emit.constant(float(prod(self.kernel)), dtype))


def emit_repeated(emit: Emitter, y: str, kernel: Sequence[int]) -> str:
    """Each element repeated over its window."""
    scales = emit.constant(np.array([1, 1, *kernel], np.float32))
    return emit.node(
        "Resize", y, "", scales, mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"
    )


def _emit_whole(emit: Emitter, x: str, window: Window, sizes: Sequence[Dim]) -> str:
    """Without the elements after the last whole tile."""
    rests = window.remainders(sizes)
    if not any(rest.terms for rest in rests):
        return x
    n = len(sizes)
    ends = emit.dims([size - rest for size, rest in zip(sizes, rests, strict=True)])
    return emit.node("Slice", x, emit.constant([0] * n), ends, emit.constant(list(range(2, n + 2))))


def _emit_refilled(emit: Emitter, dx: str, window: Window, sizes: Sequence[Dim]) -> str:
    """With zeros for the elements after the last whole tile."""
    rests = window.remainders(sizes)
    if not any(rest.terms for rest in rests):
        return dx
    return emit.node("Pad", dx, emit.dims([Dim.of(0)] * (len(sizes) + 4) + list(rests)))


@register
class MaxPool(MaxPooling):
    """The largest element of each window. Backward: ``dx = max_pool_grad(dy, x, y)``."""

    onnx = OnnxOp("MaxPool", attributes={"kernel": "kernel_shape"})

    def infer(self, x: TensorType) -> TensorType:
        check_float("max_pool", x=x)
        return self.pooled(x)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] == 0

    def evaluate(self, x: Any) -> Any:
        window, places = self.window, _places(self.window, x)
        padded = window.padded(x, -np.inf)
        return np.max([padded[window.covered(offset, places)] for offset in window.offsets()], axis=0)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (current_builder().add(MaxPoolGrad(self.kernel, self.strides, self.pads, self.dilations), dy, x, y),)


@register
class MaxPoolGrad(MaxPooling):
    """``dy`` put where the largest elements stood, 0 elsewhere. Inputs: ``dy``, ``x``, ``y``.

    Measured with the forward pass for 64x32x28x28, 2 threads: windows that tile 1.6 ms (0.3 of it for ties), 3x3 with
    stride 2 7.2, most of it MaxPool with Indices.

    Backward, for ``u`` shaped like ``x``: ``max_pool_select(u, x, y)``; nothing for ``x`` and ``y``.
    """

    def infer(self, dy: TensorType, x: TensorType, y: TensorType) -> TensorType:
        check_float(self.name, dy=dy, x=x, y=y)
        self.check_pooled(x, dy, 0)
        self.check_pooled(x, y, 2)
        return x

    def evaluate(self, dy: Any, x: Any, y: Any) -> Any:
        dx = self.window.padded(np.zeros_like(x))
        for at, weight in self.weights(x, y):
            dx[at] += weight * dy
        return self.window.cropped(dx, x.shape[2:])

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        _, x, pooled = inputs
        op = MaxPoolSelect(self.kernel, self.strides, self.pads, self.dilations)
        return current_builder().add(op, dy, x, pooled), None, None

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        (dy, x, y), shape = inputs, types[1].shape
        if self.window.tiles:
            mask, count = self.emit_mask(emit, x, y, shape[2:], types[1].dtype)
            share = emit_repeated(emit, emit.node("Div", dy, count), self.kernel)
            return _emit_refilled(emit, emit.node("Mul", share, mask), self.window, shape[2:])
        zeros = emit.node("Expand", emit.constant([0], types[1].dtype), emit.dims([product(list(shape))]))
        places = self.emit_places(emit, x)
        if emit.everywhere or emit.opset < SCATTER_ADDS:
            return emit.node("Reshape", self._emit_apart(emit, zeros, places, dy, types[0].shape[2:]), emit.dims(shape))
        flat = [emit.node("Reshape", part, emit.constant([-1])) for part in (places, dy)]
        return emit.node("Reshape", emit.node("ScatterElements", zeros, *flat, reduction="add"), emit.dims(shape))

    def _emit_apart(self, emit: Emitter, zeros: str, places: str, dy: str, counts: Sequence[Dim]) -> str:
        """Without a scatter that adds: windows so far apart that they share no element are written together.

        Of those that reach over each other each set gives a tensor of its own, and these are added.
        """
        n = len(self.kernel)
        sets = [
            min(-(-extent // stride), count.constant or extent)
            for extent, stride, count in zip(self.window.extents, self.strides, counts, strict=True)
        ]
        axes, steps = emit.constant(list(range(2, n + 2))), emit.constant(sets)
        ends = emit.constant([np.iinfo(np.int64).max] * n)
        total = ""
        for first in itertools.product(*map(range, sets)):
            parts = [emit.node("Slice", part, emit.constant(list(first)), ends, axes, steps) for part in (places, dy)]
            flat = [emit.node("Reshape", part, emit.constant([-1])) for part in parts]
            made = emit.node("ScatterElements", zeros, *flat)
            total = emit.node("Add", total, made) if total else made
        return total


@register
class MaxPoolSelect(MaxPooling):
    """The elements of ``u`` where the largest of ``x`` stood, one for each window. Inputs: ``u``, ``x``, ``y``.

    Backward: ``du = max_pool_grad(dy, x, y)``; nothing for ``x`` and ``y``.
    """

    def infer(self, u: TensorType, x: TensorType, y: TensorType) -> TensorType:
        check_float(self.name, u=u, x=x, y=y)
        self.check_pooled(x, y, 2)
        return y

    def evaluate(self, u: Any, x: Any, y: Any) -> Any:
        padded = self.window.padded(u)
        return sum((weight * padded[at] for at, weight in self.weights(x, y)), np.zeros_like(y))

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        _, x, pooled = inputs
        op = MaxPoolGrad(self.kernel, self.strides, self.pads, self.dilations)
        return current_builder().add(op, dy, x, pooled), None, None

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        (u, x, y), sizes = inputs, types[1].shape[2:]
        if not self.window.tiles:
            return emit.node("Gather", emit.node("Reshape", u, emit.constant([-1])), self.emit_places(emit, x))
        mask, count = self.emit_mask(emit, x, y, sizes, types[1].dtype)
        chosen = emit.node("Mul", _emit_whole(emit, u, self.window, sizes), mask)
        mean = emit.node("AveragePool", chosen, kernel_shape=self.kernel, strides=self.strides)
        total = emit.node("Mul", mean, emit.constant(float(prod(self.kernel)), types[0].dtype))
        return emit.node("Div", total, count)


class AveragePooling(Op):
    """What average pooling and its gradient share. Pads count as zeros, or not at all."""

    kernel: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    count_include_pad: bool = False

    @property
    def window(self) -> Window:
        """The geometry."""
        return Window(self.kernel, self.strides, (1,) * len(self.kernel), self.pads)

    def counts(self, sizes: Sequence[int], places: Sequence[int], dtype: Any) -> Any:
        """What each window's sum is divided by."""
        window = self.window
        ones = window.padded(np.ones(sizes, dtype), 1 if self.count_include_pad else 0)
        return np.sum([ones[window.covered(offset, places)] for offset in window.offsets()], axis=0)


@register
class AveragePool(AveragePooling):
    """The mean of each window. Backward: ``dx = average_pool_grad(dy)``."""

    onnx = OnnxOp("AveragePool", attributes={"kernel": "kernel_shape"})

    def infer(self, x: TensorType) -> TensorType:
        check_float("average_pool", x=x)
        self.window.check("average_pool", x)
        _check_pads("average_pool", self.window)
        return x.with_shape((*x.shape[:2], *self.window.places(x.shape[2:])))

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        """The sum of a window, and a division."""
        return Arithmetic(results[0].size, results[0].size * (prod(self.kernel) - 1))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] == 0

    def evaluate(self, x: Any) -> Any:
        window, places = self.window, _places(self.window, x)
        padded = window.padded(x)
        total = np.sum([padded[window.covered(offset, places)] for offset in window.offsets()], axis=0)
        return total / self.counts(x.shape[2:], places, x.dtype)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        op = AveragePoolGrad(self.kernel, self.strides, self.pads, self.count_include_pad, x.shape[2:])
        return (current_builder().add(op, dy),)


@register
class AveragePoolGrad(AveragePooling):
    """``dy`` spread evenly over each window, to the spatial ``size`` that was pooled.

    Measured for 64x32x28x28, 2 threads: windows that tile 0.3 ms, 3x3 with stride 2 2.3; 3x3 with stride 1 as an
    average of ``dy`` 1.7, as a transposed convolution 4.2.

    Backward, for ``u`` of that size: ``average_pool(u)``.
    """

    size: tuple[Dim, ...] = ()

    def infer(self, dy: TensorType) -> TensorType:
        check_float(self.name, dy=dy)
        dx = dy.with_shape((*dy.shape[:2], *self.size))
        self.window.check(self.name, dx)
        for left, right in zip(self.window.places(self.size), dy.shape[2:], strict=True):
            check_equal(left, right, f"`{self.name}` needs {left} places, and {dy} has {right}")
        return dx

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        """A division, and an addition for each element of a window that another window has reached."""
        reached = inputs[0].size * prod(self.kernel)
        return Arithmetic(inputs[0].size, (reached - results[0].size).maximum(ZERO))

    def evaluate(self, dy: Any) -> Any:
        window, sizes = self.window, [d.evaluate({}) for d in self.size]
        dx = window.padded(np.zeros((*dy.shape[:2], *sizes), dy.dtype))
        for offset in window.offsets():
            dx[window.covered(offset, dy.shape[2:])] += dy / self.counts(sizes, dy.shape[2:], dy.dtype)
        return window.cropped(dx, sizes)

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        op = AveragePool(self.kernel, self.strides, self.pads, self.count_include_pad)
        return (current_builder().add(op, dy),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        (dy,), (dy_type,), dtype = inputs, types, types[0].dtype
        share = emit.node("Div", dy, emit.constant(float(prod(self.kernel)), dtype))
        if self.window.tiles:
            return _emit_refilled(emit, emit_repeated(emit, share, self.kernel), self.window, self.size)
        if any(self.pads) and not self.count_include_pad:
            share = emit.node("Div", share, self._emit_fractions(emit, dtype))
        if set(self.strides) == {1}:
            return self._by_pooling(emit, share, dtype)
        batch, channels, *places = dy_type.shape
        one_channel = emit.node("Reshape", share, emit.dims([batch * channels, Dim.of(1), *places]))
        ones = emit.constant(np.ones((1, 1, *self.kernel), dtype.numpy), dtype)
        dx = emit_transposed(emit, one_channel, ones, self.window, self.size, groups=1)
        return emit.node("Reshape", dx, emit.dims(results[0].shape))

    def _by_pooling(self, emit: Emitter, share: str, dtype: DType) -> str:
        """With stride 1 an element lies in as many windows as a window has elements: a sum of its neighbours."""
        pads = [k - 1 - pad for k, pad in zip((*self.kernel, *self.kernel), self.pads, strict=True)]
        mean = emit.node(
            "AveragePool", share, kernel_shape=self.kernel, strides=self.strides, pads=pads, count_include_pad=1
        )
        return emit.node("Mul", mean, emit.constant(float(prod(self.kernel)), dtype))

    def _emit_fractions(self, emit: Emitter, dtype: DType) -> str:
        """How much of each window lies on elements, not pads."""
        ones = emit.node("Expand", emit.constant(1, dtype), emit.dims([Dim.of(1), Dim.of(1), *self.size]))
        return emit.node(
            "AveragePool", ones, kernel_shape=self.kernel, strides=self.strides, pads=self.pads, count_include_pad=1
        )


def max_pool(
    x: Value,
    kernel: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    pads: int | Sequence[int] = 0,
    dilations: int | Sequence[int] = 1,
) -> Value:
    """The largest element of each window of ``x: [N, C, *size]``; without ``strides``, windows tile.

    One number serves all axes. ``pads`` in full are one for each beginning, then one for each end.
    """
    n = x.rank - 2
    op = MaxPool(
        spread(kernel, n), spread(kernel if strides is None else strides, n), spread(pads, 2 * n), spread(dilations, n)
    )
    return current_builder().add(op, x)


def average_pool(
    x: Value,
    kernel: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    pads: int | Sequence[int] = 0,
    count_include_pad: bool = False,
) -> Value:
    """The mean of each window of ``x: [N, C, *size]``; without ``strides``, windows tile.

    ``count_include_pad`` counts pads as zeros; otherwise the mean is over elements alone.
    """
    n = x.rank - 2
    op = AveragePool(
        spread(kernel, n), spread(kernel if strides is None else strides, n), spread(pads, 2 * n), count_include_pad
    )
    return current_builder().add(op, x)
