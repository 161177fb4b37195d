"""Cases of convolution and its gradients. ``tests/compiler/ops/test_conv.py`` adds 200 random settings."""

from __future__ import annotations

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ops.conv import Conv, ConvInputGrad, ConvWeightGrad

from .op_cases import Case, arg

PLAIN = ((1, 1), (1, 1), (1, 1, 1, 1))
SKEWED = ((2, 1), (1, 2), (0, 2, 1, 0), 2)
X = arg("f32", "B", 4, 6, 5)
SIZE = (Dim.of(6), Dim.of(5))

CASES = (
    Case(Conv(*PLAIN), (X, arg("f32", 3, 4, 3, 3)), tolerance=1e-4),
    Case(Conv(*SKEWED), (X, arg("f32", 6, 2, 2, 3)), tolerance=1e-4),
    Case(Conv((2,), (1,), (1, 1)), (arg("f32", 3, 2, "B"), arg("f32", 4, 2, 2)), tolerance=1e-4),
    Case(
        Conv((1, 2, 1), (1, 1, 1), (0, 0, 1, 0, 0, 1)),
        (arg("f32", "B", 1, 3, 4, 3), arg("f32", 2, 1, 2, 2, 3)),
        tolerance=1e-4,
    ),
    Case(ConvInputGrad(*PLAIN, 1, SIZE), (arg("f32", "B", 3, 6, 5), arg("f32", 3, 4, 3, 3)), tolerance=1e-4),
    Case(ConvInputGrad(*SKEWED, SIZE), (arg("f32", "B", 6, 3, 3), arg("f32", 6, 2, 2, 3)), tolerance=1e-4),
    Case(
        ConvInputGrad((2,), (1,), (1, 1), 1, (Dim.of("B") + 1,)),
        (arg("f32", 3, 4, (Dim.of("B") + 1) // 2 + 1), arg("f32", 4, 2, 2)),
        tolerance=1e-4,
    ),
    Case(ConvWeightGrad(*PLAIN, 1, (3, 3)), (X, arg("f32", "B", 3, 6, 5)), tolerance=1e-4),
    Case(ConvWeightGrad(*SKEWED, (2, 3)), (X, arg("f32", "B", 6, 3, 3)), tolerance=1e-4),
    Case(
        ConvWeightGrad(*PLAIN, 1, (3, 3)),
        (arg("f32", "B", 16, 6, 5), arg("f32", "B", 3, 6, 5)),
        tolerance=1e-4,
        label="symbolic and wide: a product for each element of the kernel",
    ),
    Case(
        ConvWeightGrad((2, 1), (1, 1), (0, 0, 0, 0), 2, (1, 1)),
        (X, arg("f32", "B", 6, 3, 5)),
        tolerance=1e-4,
        label="one element: a product for each example",
    ),
    Case(
        ConvWeightGrad((1,), (1,), (0, 0), 1, (1,)),
        (arg("f32", "B", 8, 2), arg("f32", "B", 6, 2)),
        tolerance=1e-4,
        label="one element and few places: one product",
    ),
    Case(ConvWeightGrad(*PLAIN, 1, (3, 3)), (arg("f32", "B", 1, 6, 5), arg("f32", "B", 3, 6, 5)), tolerance=1e-4),
)
