"""Cases of reductions and running sums."""

from __future__ import annotations

from archonnx.compiler.ops import reduce

from .op_cases import Case, arg

X = arg("f32", 2, "B", 3)
INT = arg("i64", 2, "B", 3, low=-9, high=9)
BOOL = arg("bool", 2, "B", 3)
ZEROS = arg("f32", "B", 3, values=(0.0, 1.5, -2.0, 0.5, 0.0, 0.0, 3.0))
TIES = arg("f32", 2, "B", 3, values=(1.0, 2.0, 0.0))

CASES = (
    Case(reduce.ReduceSum((1,)), (X,)),
    Case(reduce.ReduceSum((0, 2), keep=True), (X,)),
    Case(reduce.ReduceSum((0, 1, 2)), (INT,), gradient=False),
    Case(reduce.ReduceSum((1,)), (arg("u8", 2, "B", low=0, high=255),), gradient=False, label="wraps around"),
    Case(reduce.ReduceProd((0,)), (arg("i8", 2, "B", low=-99, high=99),), gradient=False, label="wraps around"),
    Case(reduce.ReduceMax((1,)), (arg("u8", 2, "B", low=0, high=255),), gradient=False),
    Case(reduce.CumSum(1), (arg("i8", 2, "B", low=-99, high=99),), gradient=False, label="wraps around"),
    Case(reduce.ReduceMean((1, 2)), (X,)),
    Case(reduce.ReduceMean((0,), keep=True), (X,)),
    Case(reduce.ReduceMax((1, 2)), (X,), smooth=False),
    Case(reduce.ReduceMax((0,), keep=True), (INT,), gradient=False),
    Case(reduce.ReduceMin((0, 1, 2)), (X,), smooth=False),
    Case(reduce.ReduceMin((1,), keep=True), (X,), smooth=False),
    Case(reduce.ReduceProd((1,)), (X,)),
    Case(reduce.ReduceProd((0,), keep=True), (ZEROS,)),
    Case(reduce.ReduceProd((1,)), (INT,), gradient=False),
    Case(reduce.ReduceLogSumExp((1, 2)), (X,)),
    Case(reduce.ReduceLogSumExp((0,), keep=True), (X,)),
    Case(reduce.ReduceLogSumExp((1,)), (arg("f32", 2, "B", 3, low=-900, high=900),), gradient=False),
    Case(reduce.ReduceAny((1,)), (BOOL,), gradient=False),
    Case(reduce.ReduceAll((0,), keep=True), (BOOL,), gradient=False),
    Case(reduce.ArgMax(1), (X,), gradient=False),
    Case(reduce.ArgMax(2, keep=True), (TIES,), gradient=False),
    Case(reduce.ArgMin(0), (TIES,), gradient=False),
    Case(reduce.CumSum(1), (X,)),
    Case(reduce.CumSum(0, exclusive=True), (X,)),
    Case(reduce.CumSum(1, exclusive=True, reverse=True), (X,)),
    Case(reduce.CumSum(1, reverse=True), (INT,), gradient=False),
)
