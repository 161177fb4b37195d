"""Cases of pooling. The gradients of max pooling need a result that fits its input: see test_pool.py as well."""

from __future__ import annotations

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ops.pool import AveragePool, AveragePoolGrad, MaxPool, MaxPoolGrad, MaxPoolSelect

from .op_cases import Case, arg

X = arg("f32", "B", 2, 5, 6)
SIZE = (Dim.of(5), Dim.of(6))
TILES = ((2, 2), (2, 2), (0, 0, 0, 0), (1, 1))
SKEWED = ((3, 2), (2, 1), (1, 0, 1, 1), (1, 2))
MEAN_TILES = ((2, 3), (2, 3), (0, 0, 0, 0))
MEAN_SKEWED = ((3, 2), (2, 1), (1, 0, 1, 1))
TIES = arg("f32", "B", 2, 5, 6, values=(1.0, 3.0))
LARGEST = arg("f32", "B", 2, 2, 3, values=(3.0,))
LARGEST_SKEWED = arg("f32", "B", 2, 3, 5, values=(1.0, 3.0, 1.0, 3.0, 1.0))

CASES = (
    Case(MaxPool(*TILES), (X,), smooth=False),
    Case(MaxPool(*SKEWED), (X,), smooth=False),
    Case(MaxPool((2,), (2,), (0, 0), (1,)), (arg("f32", 3, 2, Dim.of("B") + 2),), smooth=False),
    Case(MaxPool((2, 2, 2), (1, 2, 1), (0, 1, 0, 0, 0, 1), (1, 1, 1)), (arg("f32", "B", 1, 3, 4, 3),), smooth=False),
    Case(MaxPoolGrad(*TILES), (arg("f32", "B", 2, 2, 3), TIES, LARGEST), gradient=False),
    Case(MaxPoolSelect(*TILES), (X, TIES, LARGEST), gradient=False),
    Case(MaxPoolGrad(*SKEWED), (arg("f32", "B", 2, 3, 5), TIES, LARGEST_SKEWED), gradient=False, label="overlapping"),
    Case(MaxPoolSelect(*SKEWED), (X, TIES, LARGEST_SKEWED), gradient=False, label="overlapping"),
    Case(AveragePool(*MEAN_TILES), (X,)),
    Case(AveragePool(*MEAN_SKEWED), (X,)),
    Case(AveragePool(*MEAN_SKEWED, True), (X,)),
    Case(AveragePoolGrad(*MEAN_TILES, size=SIZE), (arg("f32", "B", 2, 2, 2),)),
    Case(AveragePoolGrad(*MEAN_SKEWED, size=SIZE), (arg("f32", "B", 2, 3, 6),)),
    Case(AveragePoolGrad(*MEAN_SKEWED, True, SIZE), (arg("f32", "B", 2, 3, 6),)),
    Case(AveragePoolGrad((3, 2), (1, 1), (1, 0, 2, 1), size=SIZE), (arg("f32", "B", 2, 6, 6),), label="stride 1"),
    Case(AveragePoolGrad((2,), (1,), (1, 1), size=(Dim.of("B"),)), (arg("f32", 3, 2, Dim.of("B") + 1),)),
)
