"""Cases of resizing. ``tests/compiler/ops/test_resize.py`` compares with ONNX's own evaluator."""

from __future__ import annotations

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ops.resize import Interpolate, Repeat

from .op_cases import Case, arg

X = arg("f32", "B", 2, 4, 3)


def sizes(*dims: int | str | Dim) -> tuple[Dim, ...]:
    return tuple(map(Dim.of, dims))


CASES = (
    Case(Repeat((2, 3)), (X,)),
    Case(Repeat((2,)), (arg("f32", 2, 3, "B"),)),
    Case(Repeat((1, 2, 2)), (arg("f32", "B", 2, 3, 2, 2),)),
    Case(Interpolate(sizes(8, 3)), (X,)),
    Case(Interpolate(sizes(7, 2)), (X,)),
    Case(Interpolate(sizes(8, 5), "asymmetric"), (X,)),
    Case(Interpolate(sizes(7, 1), "align_corners"), (X,)),
    Case(Interpolate(sizes(Dim.of("B") * 2)), (arg("f32", 2, 3, "B"),)),
    Case(Interpolate(sizes(5), "align_corners"), (arg("f32", 2, 3, "B"),)),
    Case(Interpolate(sizes(2, 5, 4)), (arg("f32", "B", 1, 4, 3, 2),)),
)
