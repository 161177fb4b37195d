"""Cases of images in blocks of channels."""

from __future__ import annotations

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ops.blocks import BlockConv, FromBlocks, ToBlocks

from .op_cases import Case, arg

CASES = (
    Case(ToBlocks(2), (arg("f32", "B", 4, 2, 3),), machine=True),
    Case(ToBlocks(8), (arg("f32", "B", 12, 2, 3),), machine=True),
    Case(FromBlocks(Dim.of(4)), (arg("f32", "B", 2, 2, 3, 2),), machine=True),
    Case(FromBlocks(Dim.of(3)), (arg("f32", "B", 2, 2, 3, 2),), machine=True),
    Case(
        BlockConv((1, 1), (1, 1), (0,) * 4), (arg("f32", "B", 2, 3, 2, 2), arg("f32", 1, 2, 2, 1, 2, 2)), machine=True
    ),
    Case(
        BlockConv((2, 1), (1, 2), (1, 2, 0, 1)),
        (arg("f32", "B", 1, 4, 3, 2), arg("f32", 2, 1, 2, 2, 2, 2)),
        machine=True,
    ),
    Case(
        BlockConv((1, 1), (1, 1), (1,) * 4, 2),
        (arg("f32", "B", 2, 3, 2, 2), arg("f32", 2, 1, 2, 2, 2, 2)),
        machine=True,
    ),
    Case(
        BlockConv((1, 1), (1, 1), (1, 0, 1, 0), 4),
        (arg("f32", "B", 2, 3, 2, 2), arg("f32", 2, 1, 2, 2, 1, 2)),
        machine=True,
    ),
)
