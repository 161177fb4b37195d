"""Cases of softmax and layer normalisation."""

from __future__ import annotations

from archonnx.compiler.ops.norm import LayerNorm, LogSoftmax, Softmax

from .op_cases import Case, arg

X = arg("f32", "B", 3, 4)
LARGE = arg("f32", "B", 6, low=-900, high=900)

CASES = (
    Case(Softmax(2), (X,)),
    Case(Softmax(0), (X,)),
    Case(Softmax(1), (LARGE,), gradient=False),
    Case(LogSoftmax(2), (X,)),
    Case(LogSoftmax(1), (X,)),
    Case(LogSoftmax(1), (LARGE,), gradient=False, tolerance=1e-3),
    Case(LayerNorm(2), (X, arg("f32", 4), arg("f32", 4)), tolerance=1e-4),
    Case(LayerNorm(1, 1e-3), (X, arg("f32", 3, 4), arg("f32", 3, 4)), tolerance=1e-4),
)
