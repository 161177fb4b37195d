"""Cases of losses."""

from __future__ import annotations

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ops.loss import ClassCheck, CrossEntropy

from .op_cases import Case, arg

RIGHT = arg("i64", "B", values=(0, 1))

CASES = (
    Case(CrossEntropy(), (arg("f32", "B", 5), arg("i64", "B", low=0, high=5))),
    Case(CrossEntropy(), (arg("f32", 2, "B", 3), arg("i64", 2, "B", low=0, high=3))),
    Case(CrossEntropy(), (arg("f32", 4), arg("i64", low=0, high=4))),
    Case(
        CrossEntropy(),
        (arg("f32", "B", 5, low=-900, high=900), arg("i64", "B", low=0, high=5)),
        gradient=False,
        tolerance=1e-3,
    ),
    Case(ClassCheck(Dim.of(3)), (arg("f32", "B"), RIGHT, RIGHT), smooth=False),
    Case(ClassCheck(Dim.of(3)), (arg("f32", "B"), RIGHT, arg("i64", "B", low=0, high=2)), smooth=False, gradient=False),
)
