"""Convolution and its two gradients. All three are bilinear, and each is made of the other two when differentiated.

Transposed convolution is the gradient of the input. What this module does not do: bias (an addition), and padding by
name ("same", "causal": arithmetic on ``pads``, in the library).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE, ZERO, Dim, product
from archonnx.compiler.ir.facts import at_most
from archonnx.compiler.ir.op import Arithmetic, Emitter, OnnxOp, Op, TypeProblem, register
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value

from .checks import check_divides, check_equal, check_float
from .linalg import sums_of_products
from .window import Window, spread

NARROW, SMALL = 16, 1 << 18
"""A product for each element of the kernel is slower than one for all where channels, or elements of all shifted
views together, are fewer than these."""
LARGE = 32 * 32
"""From so many places on, products for each example are faster than one for all, which needs both images transposed."""


class Convolution(Op):
    """What the three ops share: ``x: [N, C, *size]``, ``w: [O, C / groups, *kernel]``, ``y: [N, O, *places]``.

    They have n spatial axes, n strides, n dilations, and 2 n pads: at all beginnings, then at all ends.
    """

    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    groups: int = 1

    def window(self, kernel: Sequence[int]) -> Window:
        """The geometry for a kernel of this size."""
        return Window(tuple(kernel), self.strides, self.dilations, self.pads)

    def check_weight(self, w: TensorType) -> Window:
        """The geometry; TypeProblem unless the weight's kernel is of known size, and its groups come out even."""
        if w.rank != len(self.strides) + 2:
            raise TypeProblem(
                "AX0321",
                f"`{self.name}` over {len(self.strides)} axes needs a weight of two axes more, not {w}",
                operands=(1,),
                help="weights are [out, in / groups, *kernel]",
            )
        kernel = [dim.constant for dim in w.shape[2:]]
        if None in kernel:
            raise TypeProblem("AX0322", f"the size of a kernel must be known at compile time: {w}", operands=(1,))
        headline = f"{w.shape[0]} output channels do not divide evenly into {self.groups} groups"
        if self.groups < 1:
            raise TypeProblem("AX0322", headline, operands=(1,))
        check_divides(self.groups, w.shape[0], headline, operands=(1,))
        return self.window([size for size in kernel if size is not None])

    def check_places(self, window: Window, sizes: Sequence[Dim], dy: TensorType, operand: int) -> None:
        """TypeProblem unless ``dy`` has an element for each place of the window."""
        for axis, (expected, given) in enumerate(zip(window.places(sizes), dy.shape[2:], strict=True), 2):
            headline = f"`{self.name}` has {expected} places along axis {axis}, and {dy} has {given}"
            check_equal(expected, given, headline, operands=(operand,))


def _in_groups(x: Any, groups: int, axis: int) -> Any:
    return x.reshape(*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1 :])


@register
class Conv(Convolution):
    """Cross-correlation of ``x`` with ``w``, as is usual in deep learning.

    Backward: ``dx = conv_input_grad(dy, w)``, ``dw = conv_weight_grad(x, dy)``.
    """

    onnx = OnnxOp("Conv", attributes={"groups": "group"})

    def infer(self, x: TensorType, w: TensorType) -> TensorType:
        check_float("conv", x=x, w=w)
        window = self.check_weight(w)
        window.check("conv", x)
        channels = w.shape[1] * self.groups
        check_equal(
            x.shape[1],
            channels,
            operands=(0, 1),
            headline=f"`conv` takes {channels} input channels by its weight {w}, and is given {x.shape[1]}",
            help="axis 1 of both is the channels; weights are [out, in / groups, *kernel]",
        )
        return x.with_shape((x.shape[0], w.shape[0], *window.places(x.shape[2:])))

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        return sums_of_products(results[0], product(inputs[1].shape[1:]))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return list(places) == [0, None]

    def evaluate(self, x: Any, w: Any) -> Any:
        window = self.window(w.shape[2:])
        places = [d.evaluate({}) for d in window.places([Dim.of(n) for n in x.shape[2:]])]
        padded = _in_groups(window.padded(x), self.groups, 1)
        weight = _in_groups(w, self.groups, 0)
        y = np.zeros((x.shape[0], *weight.shape[:2], *places), x.dtype)
        for offset in window.offsets():
            y += np.einsum("ngc...,goc->ngo...", padded[window.covered(offset, places)], weight[window.element(offset)])
        return y.reshape(x.shape[0], w.shape[0], *places)

    def vjp(self, dy: Value, y: Value, x: Value, w: Value) -> tuple[Value | None, ...]:
        return _input_grad(self, dy, w, x.shape[2:]), _weight_grad(self, x, dy, w)


@register
class ConvInputGrad(Convolution):
    """What a convolution's input of spatial ``size`` gets from ``dy``; also transposed convolution of ``dy``.

    Backward, for ``u`` shaped like ``x``: ``conv(u, w)``, ``conv_weight_grad(u, dy)``.
    """

    size: tuple[Dim, ...] = ()

    def infer(self, dy: TensorType, w: TensorType) -> TensorType:
        check_float(self.name, dy=dy, w=w)
        window = self.check_weight(w)
        check_equal(
            dy.shape[1],
            w.shape[0],
            operands=(0, 1),
            headline=f"`{self.name}` takes {w.shape[0]} channels by its weight {w}, and is given {dy.shape[1]}",
        )
        x = dy.with_shape((dy.shape[0], w.shape[1] * self.groups, *self.size))
        window.check(self.name, x)
        self.check_places(window, self.size, dy, 0)
        return x

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        """Each element of ``dy`` times all of its kernels; what meets is added."""
        products = inputs[0].size * product(inputs[1].shape[1:])
        return Arithmetic(products, (products - results[0].size).maximum(ZERO))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return list(places) == [0, None]

    def evaluate(self, dy: Any, w: Any) -> Any:
        window = self.window(w.shape[2:])
        sizes = [d.evaluate({}) for d in self.size]
        grad, weight = _in_groups(dy, self.groups, 1), _in_groups(w, self.groups, 0)
        dx = window.padded(np.zeros((dy.shape[0], self.groups, w.shape[1], *sizes), dy.dtype))
        for offset in window.offsets():
            part = np.einsum("ngo...,goc->ngc...", grad, weight[window.element(offset)])
            dx[window.covered(offset, dy.shape[2:])] += part
        return window.cropped(dx, sizes).reshape(dy.shape[0], -1, *sizes)

    def vjp(self, dy: Value, y: Value, grad: Value, w: Value) -> tuple[Value | None, ...]:
        return _conv(self, dy, w), _weight_grad(self, dy, grad, w)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        dy, w = inputs
        kernel = [d.evaluate({}) for d in types[1].shape[2:]]
        return emit_transposed(emit, dy, w, self.window(kernel), self.size, self.groups)


def emit_transposed(emit: Emitter, dy: str, w: str, window: Window, sizes: Sequence[Dim], groups: int) -> str:
    """ONNX's ConvTranspose to exactly these sizes.

    Pads that differ at the two ends of an axis would leave CUDA, so the smaller of the two serves both ends, and a
    slice takes off the rest; so it does where the remainder of a symbolic size is not known.
    """
    output_pads, starts, sliced = [], [], False
    shared = [min(pads) for pads in zip(window.begins, window.ends, strict=True)]
    for left, begin, end, stride, common in zip(
        window.remainders(sizes), window.begins, window.ends, window.strides, shared, strict=True
    ):
        remainder = left.constant
        needed = (stride - 1 if remainder is None else remainder) + common - end
        output_pads.append(max(0, needed))
        starts.append(begin - common)
        sliced |= remainder is None or needed < 0 or begin != common
    dx = emit.node(
        "ConvTranspose",
        dy,
        w,
        strides=window.strides,
        dilations=window.dilations,
        pads=(*shared, *shared),
        output_padding=output_pads,
        group=groups,
    )
    if not sliced:
        return dx
    ends = emit.dims([size + start for size, start in zip(sizes, starts, strict=True)])
    return emit.node("Slice", dx, emit.constant(starts), ends, emit.constant(list(range(2, 2 + len(starts)))))


@register
class ConvWeightGrad(Convolution):
    """What a convolution's weight with this ``kernel`` gets from ``dy``.

    Backward, for ``v`` shaped like ``w``: ``conv_input_grad(dy, v)``, ``conv(x, v)``.
    Measured with 2 threads, x 64x32x28x28, 32 kernels 3x3: products with shifted views 11.9 ms, with transposed Gemms
    14, as a convolution 36.6. For larger images products for each example: x 64x64x32x32, 64 kernels 46.4 and 63.5; x
    8x16x64x64, 16 kernels 1.84 and 2.81; x 64x32x20x20, 32 kernels 6.1 and 5.7. With one input channel the convolution
    is as fast, or faster for larger kernels. With as many groups as channels the convolution takes 22 ms, sums of
    products with shifted views 17 (of 7x7: 49 and 71). Kernels of one element: a product for each example 1.3 ms, one
    for all 5.8.
    """

    kernel: tuple[int, ...] = ()

    def infer(self, x: TensorType, dy: TensorType) -> TensorType:
        check_float(self.name, x=x, dy=dy)
        window = self.window(self.kernel)
        window.check(self.name, x)
        self.check_places(window, x.shape[2:], dy, 1)
        check_equal(
            x.shape[0], dy.shape[0], f"`{self.name}` has batches of {x.shape[0]} and {dy.shape[0]}", operands=(0, 1)
        )
        check_divides(self.groups, x.shape[1], f"{x.shape[1]} channels do not divide evenly into {self.groups} groups")
        return x.with_shape((dy.shape[1], x.shape[1] // self.groups, *map(Dim.of, self.kernel)))

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        """Each element of a kernel is a sum over the examples and the places of the window."""
        return sums_of_products(results[0], product((inputs[1].shape[0], *inputs[1].shape[2:])))

    def evaluate(self, x: Any, dy: Any) -> Any:
        window = self.window(self.kernel)
        padded, grad = _in_groups(window.padded(x), self.groups, 1), _in_groups(dy, self.groups, 1)
        grad = grad.reshape(*grad.shape[:3], -1)
        dw = np.zeros((self.groups, grad.shape[2], padded.shape[2], *self.kernel), x.dtype)
        for offset in window.offsets():
            patch = padded[window.covered(offset, dy.shape[2:])]
            dw[window.element(offset)] = np.einsum("ngcp,ngop->goc", patch.reshape(*patch.shape[:3], -1), grad)
        return dw.reshape(-1, *dw.shape[2:])

    def vjp(self, dy: Value, y: Value, x: Value, grad: Value) -> tuple[Value | None, ...]:
        return _input_grad(self, grad, dy, x.shape[2:]), _conv(self, x, dy)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        (x, dy), (x_type, dy_type) = inputs, types
        if {*self.kernel} == {1} and not any(self.pads):
            examples = dy_type.shape[1] * x_type.shape[1]
            if at_most(examples, (dy_type.shape[1] + x_type.shape[1]) * product(dy_type.shape[2:]) * self.groups):
                return self._by_examples(emit, x, dy, x_type, dy_type)
        unknown = emit.everywhere and any(dim.constant is None for dim in dy_type.shape)  # no kernel in OpenVINO
        if self.groups == 1 and (unknown or x_type.shape[1] != ONE):
            if self.is_large(dy_type):
                return self._by_shifts(emit, x, dy, x_type, dy_type)
            return self._by_products(emit, x, dy, x_type, dy_type)
        return self._by_conv(emit, x, dy, x_type)

    def is_large(self, dy: TensorType) -> bool:
        """Whether products for each example are faster than one for all."""
        return {*self.strides} == {1} and at_most(Dim.of(LARGE), product(dy.shape[2:]))

    def _by_examples(self, emit: Emitter, x: str, dy: str, x_type: TensorType, dy_type: TensorType) -> str:
        """Kernels of one element: a product for each example and group, summed. All results together are kept small."""
        n, groups, places = len(self.kernel), Dim.of(self.groups), product(dy_type.shape[2:])
        batch, channels, outputs = x_type.shape[0], x_type.shape[1] // self.groups, dy_type.shape[1] // self.groups
        if set(self.strides) != {1}:
            ends = [s * (p - 1) + 1 for s, p in zip(self.strides, dy_type.shape[2:], strict=True)]
            spatial = emit.constant(list(range(2, n + 2)))
            x = emit.node("Slice", x, emit.constant([0] * n), emit.dims(ends), spatial, emit.constant(self.strides))
        x = emit.node("Reshape", x, emit.dims([batch, groups, channels, places]))
        dy = emit.node("Reshape", dy, emit.dims([batch, groups, outputs, places]))
        each = emit.node("MatMul", dy, emit.node("Transpose", x, perm=[0, 1, 3, 2]))
        dw = emit.node("ReduceSum", each, emit.constant([0]), keepdims=0)
        return emit.node("Reshape", dw, emit.dims([outputs * groups, channels, *map(Dim.of, self.kernel)]))

    def _by_shifts(self, emit: Emitter, x: str, dy: str, x_type: TensorType, dy_type: TensorType) -> str:
        """Stride 1: a product for each example and element of the kernel, summed over the examples.

        An element's place in the first spatial axis shifts dy down among rows of zeros, its place in the others is a
        slice of x: images are copied once for each place in an axis, not once for each element, and never transposed.
        """
        n, places = len(self.kernel), dy_type.shape[2:]
        batch, channels, outputs = x_type.shape[0], x_type.shape[1], dy_type.shape[1]
        if any(self.pads):
            x = emit.node("Pad", x, emit.constant([0, 0, *self.pads[:n], 0, 0, *self.pads[n:]]))
        reach = (self.kernel[0] - 1) * self.dilations[0]
        every = product((places[0] + reach, *places[1:]))
        shifted, views = [], []
        for first in range(self.kernel[0]):
            before = first * self.dilations[0]
            zeros = [0, 0, before, *[0] * (n - 1), 0, 0, reach - before, *[0] * (n - 1)]
            moved = emit.node("Pad", dy, emit.constant(zeros)) if reach else dy
            shifted.append(emit.node("Reshape", moved, emit.dims([batch, outputs, every])))
        starts = [0] * n
        for others in np.ndindex(*self.kernel[1:]):
            starts[1:] = [o * d for o, d in zip(others, self.dilations[1:], strict=True)]
            ends = [places[0] + reach, *(s + p for s, p in zip(starts[1:], places[1:], strict=True))]
            view = emit.node("Slice", x, emit.constant(starts), emit.dims(ends), emit.constant(list(range(2, n + 2))))
            view = emit.node("Reshape", view, emit.dims([batch, channels, every]))
            views.append(emit.node("Transpose", view, perm=[0, 2, 1]))
        each = [emit.node("MatMul", dy, view) for dy in shifted for view in views]
        sums = [emit.node("ReduceSum", one, emit.constant([0]), keepdims=0) for one in each]
        dw = emit.node("Concat", *(emit.node("Unsqueeze", one, emit.constant([2])) for one in sums), axis=2)
        return emit.node("Reshape", dw, emit.dims([outputs, channels, *map(Dim.of, self.kernel)]))

    def _by_products(self, emit: Emitter, x: str, dy: str, x_type: TensorType, dy_type: TensorType) -> str:
        """With the spatial axes leading, each element of the kernel sees one slice of x: dy, as a matrix, times it."""
        n = len(self.kernel)
        spatial, places = list(range(n)), dy_type.shape[2:]
        channels, outputs = x_type.shape[1], dy_type.shape[1]
        x = emit.node("Transpose", x, perm=[*range(2, n + 2), 0, 1])
        if any(self.pads):
            x = emit.node("Pad", x, emit.constant([*self.pads[:n], 0, 0, *self.pads[n:], 0, 0]))
        dy = emit.node("Transpose", dy, perm=[1, *range(2, n + 2), 0])
        dy = emit.node("Reshape", dy, emit.dims([outputs, Dim.of(-1)]))
        patches = []
        for offset in self.window(self.kernel).offsets():
            starts = [o * d for o, d in zip(offset, self.dilations, strict=True)]
            ends = [s + t * (p - 1) + 1 for s, t, p in zip(starts, self.strides, places, strict=True)]
            steps = [] if set(self.strides) == {1} else [emit.constant(self.strides)]
            patch = emit.node("Slice", x, emit.constant(starts), emit.dims(ends), emit.constant(spatial), *steps)
            patches.append(emit.node("Reshape", patch, emit.dims([Dim.of(-1), channels])))
        views = product([dy_type.shape[0], *places, channels]) * len(patches)
        if at_most(channels, Dim.of(NARROW - 1)) or at_most(views, Dim.of(SMALL - 1)):
            dw = emit.node("MatMul", dy, emit.node("Concat", *patches, axis=1))
        else:
            dw = emit.node("Concat", *(emit.node("MatMul", dy, patch) for patch in patches), axis=1)
        dw = emit.node("Reshape", dw, emit.dims([outputs, *map(Dim.of, self.kernel), channels]))
        return emit.node("Transpose", dw, perm=[0, n + 1, *range(1, n + 1)])

    def _by_conv(self, emit: Emitter, x: str, dy: str, x_type: TensorType) -> str:
        """A convolution of x by dy, where batch and channels change places, and strides and dilations do.

        Elements of x past the last place of the window would make a larger kernel; a slice takes that off.
        """
        n, groups = len(self.kernel), self.groups
        axes = list(range(2, n + 2))
        batch, channels, *sizes = x_type.shape
        within = channels // groups
        if groups > 1:
            x = emit.node("Reshape", x, emit.dims([batch, Dim.of(groups), within, *sizes]))
            x = emit.node("Transpose", x, perm=[2, 1, 0, *range(3, n + 3)])
            x = emit.node("Reshape", x, emit.dims([within, batch * groups, *sizes]))
        else:
            x = emit.node("Transpose", x, perm=[1, 0, *axes])
        dy = emit.node("Transpose", dy, perm=[1, 0, *axes])
        dw = emit.node("Conv", x, dy, strides=self.dilations, dilations=self.strides, pads=self.pads, group=groups)
        if any(rest != ZERO for rest in self.window(self.kernel).remainders(sizes)):
            dw = emit.node("Slice", dw, emit.constant([0] * n), emit.constant(self.kernel), emit.constant(axes))
        return emit.node("Transpose", dw, perm=[1, 0, *axes])


# Each of the three with the geometry of another.


def _conv(like: Convolution, x: Value, w: Value) -> Value:
    return current_builder().add(Conv(like.strides, like.dilations, like.pads, like.groups), x, w)


def _input_grad(like: Convolution, dy: Value, w: Value, size: Sequence[Dim]) -> Value:
    op = ConvInputGrad(like.strides, like.dilations, like.pads, like.groups, tuple(size))
    return current_builder().add(op, dy, w)


def _weight_grad(like: Convolution, x: Value, dy: Value, w: Value) -> Value:
    kernel = tuple(d.evaluate({}) for d in w.shape[2:])
    return current_builder().add(ConvWeightGrad(like.strides, like.dilations, like.pads, like.groups, kernel), x, dy)


def conv(
    x: Value,
    w: Value,
    strides: int | Sequence[int] = 1,
    dilations: int | Sequence[int] = 1,
    pads: int | Sequence[int] = 0,
    groups: int = 1,
) -> Value:
    """Convolve ``x: [N, C, *size]`` with ``w: [O, C / groups, *kernel]``, over one axis or more.

    Args:
        x: the input.
        w: the weights.
        strides: steps between places; one number for all axes, or one for each.
        dilations: steps between elements of the window.
        pads: zeros around: one number, or one for each beginning and then one for each end.
        groups: parts of the channels that do not see each other.
    """
    n = w.rank - 2
    op = Conv(spread(strides, n), spread(dilations, n), spread(pads, 2 * n), groups)
    return current_builder().add(op, x, w)


def conv_transpose(
    x: Value,
    w: Value,
    strides: int | Sequence[int] = 1,
    dilations: int | Sequence[int] = 1,
    pads: int | Sequence[int] = 0,
    output_pads: int | Sequence[int] = 0,
    groups: int = 1,
) -> Value:
    """The transpose of ``conv``: ``x: [N, C, *size]`` with ``w: [C, O / groups, *kernel]`` to ``[N, O, *larger]``.

    ``output_pads``, below the stride, choose among the sizes that ``conv`` would take to the size of ``x``.
    """
    n = w.rank - 2
    like = Convolution(spread(strides, n), spread(dilations, n), spread(pads, 2 * n), groups)
    more = spread(output_pads, n)
    if x.rank != w.rank or not (len(like.strides) == len(like.dilations) == len(more) == n == len(like.pads) / 2):
        raise TypeProblem(
            "AX0322",
            f"a transposed convolution with {w.type} needs an input, strides, dilations, pads and output pads for {n} "
            f"axes, and its input is {x.type}",
        )
    window = like.check_weight(w.type)
    size = [
        (places - 1) * stride + extent + extra - begin - end
        for places, stride, extent, extra, begin, end in zip(
            x.shape[2:], window.strides, window.extents, more, window.begins, window.ends, strict=True
        )
    ]
    return _input_grad(like, x, w, size)
