"""Cases of elementwise ops, comparisons and functions."""

from __future__ import annotations

from archonnx.compiler.ir.types import DType
from archonnx.compiler.ops import compare, elementwise, functions

from .op_cases import Arg, Case, arg

X = arg("f32", "B", 3)
AWAY = arg("f32", "B", 3, low=0.3)
"""Away from the singularities and kinks at 0."""
INT, COUNT = arg("i64", "B", 3, low=-9, high=9), arg("i64", "B", 3, low=1, high=9)
NATURAL = arg("u64", "B", low=1, high=99)
BOOL = arg("bool", "B", 3)
TIES = arg("f32", "B", 3, values=(-1.0, 0.0, 2.0, -0.0, 0.5))


def smooth(op: functions.Function, low: float = -2.0, high: float = 2.0, tolerance: float = 1e-5) -> Case:
    return Case(op, (arg("f32", "B", 3, low=low, high=high),), tolerance=tolerance)


def step(op: elementwise.Elementwise, *inputs: Arg) -> Case:
    return Case(op, inputs, gradient=op.infer(*(a.type for a in inputs)).dtype.is_float, smooth=False)


CASES = (
    Case(elementwise.Add(), (X, X)),
    Case(elementwise.Add(), (INT, INT), gradient=False),
    Case(elementwise.Sub(), (X, X)),
    Case(elementwise.Mul(), (X, X)),
    Case(elementwise.Mul(), (NATURAL, NATURAL), gradient=False),
    Case(elementwise.Div(), (X, AWAY)),
    Case(elementwise.Neg(), (X,)),
    step(elementwise.FloorDiv(), X, AWAY),
    step(elementwise.FloorDiv(), INT, COUNT),
    step(elementwise.FloorDiv(), INT, arg("i64", "B", 3, low=-9, high=0)),
    step(elementwise.FloorDiv(), NATURAL, NATURAL),
    Case(elementwise.Mod(), (X, AWAY), smooth=False),
    Case(elementwise.Mod(), (X, arg("f32", "B", 3, low=-2, high=-0.3)), smooth=False),
    step(elementwise.Mod(), INT, COUNT),
    step(elementwise.Mod(), INT, arg("i64", "B", 3, low=-9, high=0)),
    Case(elementwise.Maximum(), (X, X), smooth=False),
    Case(elementwise.Minimum(), (X, X), smooth=False),
    Case(elementwise.Minimum(), (INT, INT), gradient=False),
    Case(elementwise.Abs(), (X,), smooth=False),
    step(elementwise.Sign(), X),
    step(elementwise.Sign(), INT),
    Case(elementwise.Heaviside(), (TIES,), gradient=False),
    Case(elementwise.Heaviside(0.5), (TIES,), gradient=False),
    Case(elementwise.Heaviside(0.5), (arg("f64", "B", 3, values=(-1.0, 0.0, 2.0)),), gradient=False),
    step(elementwise.Heaviside(), X),
    step(elementwise.Floor(), X),
    step(elementwise.Ceil(), X),
    step(elementwise.Round(), X),
    Case(elementwise.Round(), (arg("f32", "B", values=(0.5, 1.5, 2.5, -0.5)),), gradient=False),
    Case(elementwise.Where(), (BOOL, X, X)),
    Case(elementwise.Where(), (BOOL, INT, INT), gradient=False),
    Case(elementwise.Cast(DType.f64), (X,)),
    Case(elementwise.Cast(DType.i64), (X,), gradient=False),
    Case(elementwise.Cast(DType.f32), (BOOL,), gradient=False),
    Case(elementwise.Cast(DType.bool), (TIES,), gradient=False),
    step(compare.Equal(), TIES, arg("f32", "B", 3, values=(-1.0, 0.0, 0.5))),
    step(compare.Equal(), BOOL, BOOL),
    step(compare.NotEqual(), arg("i64", "B", low=0, high=2), arg("i64", "B", low=0, high=2)),
    step(compare.Greater(), INT, INT),
    step(compare.Less(), X, X),
    step(compare.GreaterEqual(), arg("i64", "B", low=0, high=3), arg("i64", "B", low=0, high=3)),
    step(compare.LessEqual(), arg("i64", "B", low=0, high=3), arg("i64", "B", low=0, high=3)),
    step(compare.LogicalAnd(), BOOL, BOOL),
    step(compare.LogicalOr(), BOOL, BOOL),
    step(compare.LogicalXor(), BOOL, BOOL),
    step(compare.LogicalNot(), BOOL),
    step(compare.IsNan(), arg("f32", "B", values=(1.0, float("nan"), float("inf")))),
    step(compare.IsInf(), arg("f32", "B", values=(float("-inf"), float("nan"), float("inf"), 1.0))),
    Case(functions.Pow(), (AWAY, X)),
    Case(functions.Pow(), (X, arg("f32", "B", 3, values=(2.0, 3.0, 4.0))), gradient=False),
    Case(functions.Pow(), (INT, arg("i64", "B", 3, low=0, high=5)), gradient=False),
    Case(functions.Pow(), (arg("u8", "B", low=0, high=9), arg("u8", "B", low=0, high=3)), gradient=False),
    smooth(functions.Sqrt(), low=0.3),
    smooth(functions.Exp()),
    smooth(functions.Log(), low=0.3),
    smooth(functions.Expm1()),
    Case(functions.Expm1(), (arg("f32", "B", 4, values=(-200.0, 1e-30, -1e-7, 1e-5, 80.0, 0.0)),), gradient=False),
    smooth(functions.Log1p(), low=-0.7),
    Case(functions.Log1p(), (arg("f32", "B", 4, values=(-1.0, 1e-30, -1e-7, 1e-5, 1e30, 0.0)),), gradient=False),
    smooth(functions.Sin()),
    smooth(functions.Cos()),
    smooth(functions.Tan(), -1, 1),
    smooth(functions.Asin(), -0.8, 0.8),
    smooth(functions.Acos(), -0.8, 0.8),
    smooth(functions.Atan()),
    smooth(functions.Sinh()),
    smooth(functions.Cosh()),
    smooth(functions.Tanh()),
    smooth(functions.Asinh()),
    smooth(functions.Acosh(), 1.3, 3),
    smooth(functions.Atanh(), -0.8, 0.8),
    smooth(functions.Sigmoid()),
    Case(functions.Sigmoid(), (arg("f32", "B", 3, low=-200, high=200),), gradient=False),
    smooth(functions.Softplus()),
    Case(functions.Softplus(), (arg("f32", "B", 3, low=-200, high=200),), gradient=False),
    Case(functions.Relu(), (X,), smooth=False),
    smooth(functions.Erf()),
    smooth(functions.Gelu()),
    smooth(functions.Gelu("tanh")),
)
