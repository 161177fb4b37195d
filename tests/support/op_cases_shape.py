"""Cases of constants, sizes, views and parts."""

from __future__ import annotations

import numpy as np

from archonnx.compiler.ir.dims import ONE, ZERO, Dim
from archonnx.compiler.ops import remat, shape, sizes, slicing

from .op_cases import Case, arg

B = Dim.of("B")
X = arg("f32", "B", 2, 3)
LONG = arg("f32", 2, B + 3)
"""The last axis is long enough for slices of 3."""


def dims(*sizes: int | Dim) -> tuple[Dim, ...]:
    return tuple(Dim.of(size) for size in sizes)


CASES = (
    Case(shape.Constant.of(np.arange(6, dtype=np.float32).reshape(2, 3)), gradient=False),
    Case(shape.Constant.of(np.array([True, False])), gradient=False),
    Case(sizes.DimValue(2 * B + 1), gradient=False),
    Case(sizes.DimValue(Dim.of(7)), gradient=False),
    Case(sizes.Iota(B + 1), gradient=False),
    Case(sizes.Iota(Dim.of(4)), gradient=False),
    Case(shape.StopGradient(), (X,), gradient=False),
    Case(remat.RematEdge(1, "in"), (X,)),
    Case(remat.RematEdge(2, "out"), (X,)),
    Case(remat.RematEdge(1, "turn"), (X, X)),
    Case(remat.After(), (X, arg("f32", "B"))),
    Case(remat.After(), (X, arg("f32", 0, 3))),
    Case(remat.After(), (arg("f32"), arg("f32"))),
    Case(remat.After(), (arg("bool", "B", 2), X), gradient=False),
    Case(shape.Broadcast(dims(4, B, 2, 3)), (X,)),
    Case(shape.Broadcast(dims(B, 2, 3)), (arg("f32", 1, 3),)),
    Case(shape.Broadcast(dims(B, 5, 3)), (arg("f32", "B", 1, 3),)),
    Case(shape.Broadcast(dims(B, 2)), (arg("f32"),)),
    Case(shape.Reshape(dims(B, 6)), (X,)),
    Case(shape.Reshape(dims(2 * B, B, 3)), (arg("f32", "B", "B", 6),)),
    Case(shape.Reshape(()), (arg("f32", 1, 1),)),
    Case(shape.Transpose((2, 0, 1)), (X,)),
    Case(shape.Unsqueeze((0, 3)), (X,)),
    Case(shape.Squeeze((0, 2)), (arg("f32", 1, "B", 1, 3),)),
    Case(slicing.Concat(1), (X, arg("f32", "B", 4, 3), X)),
    Case(slicing.Concat(0), (X, arg("f32", 1, 2, 3))),
    Case(slicing.Split(1, dims(B, 1, 2)), (LONG,)),
    Case(slicing.Split(0, dims(1, 1)), (LONG,)),
    Case(slicing.Split(0, dims(2)), (LONG,)),
    Case(slicing.Slice((1,), (ONE,), (B + 2,), (1,)), (LONG,)),
    Case(slicing.Slice((0, 1), dims(1, 0), dims(2, 3), (1, 1)), (LONG,)),
    Case(slicing.Slice((1,), (ONE,), (B + 3,), (2,)), (LONG,)),
    Case(slicing.Slice((0, 1), dims(0, 1), dims(2, 4), (2, 3)), (LONG,)),
    Case(slicing.Reverse((0, 1)), (LONG,)),
    Case(slicing.Pad(dims(0, 1, 2), dims(B, 0, 1)), (X,)),
    Case(slicing.Pad((ONE, ZERO), (ZERO, ONE), 1.0), (arg("f32", "B", 3),)),
    Case(slicing.Pad((ONE,), (ZERO,), 1.0), (arg("i64", "B"),), gradient=False),
)
