"""Cases of reading and writing by indices."""

from __future__ import annotations

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ops import index

from .op_cases import Case, arg

TABLE, ROWS = arg("f32", 5, 3), arg("i64", "B", 2, low=-5, high=5)
LINES, AT = arg("f32", "B", 4), arg("i64", "B", 3, low=-4, high=4)

CASES = (
    Case(index.Gather(0), (TABLE, ROWS)),
    Case(index.Gather(1), (arg("f32", 2, 5, 3), ROWS)),
    Case(index.Gather(1), (LINES, arg("i32", low=0, high=4))),
    Case(index.ScatterAdd(), (TABLE, ROWS, arg("f32", "B", 2, 3))),
    Case(index.ScatterAdd(), (TABLE, arg("i32", "B", low=0, high=5), arg("f32", "B", 3))),
    Case(index.ScatterAdd(), (TABLE, arg("i64", low=0, high=5), arg("f32", 3))),
    Case(index.ScatterMax(), (TABLE, ROWS, arg("f32", "B", 2, 3))),
    Case(index.ScatterMax(), (TABLE, arg("i32", "B", low=0, high=5), arg("f32", "B", 3))),
    Case(index.ScatterMax(), (TABLE, arg("i64", low=0, high=5), arg("f32", 3))),
    Case(index.ScatterMax(), (arg("i64", 4), arg("i64", "B", low=0, high=4), arg("i64", "B")), gradient=False),
    Case(index.GatherElements(1), (LINES, AT)),
    Case(index.GatherElements(0), (arg("f32", 5, "B"), arg("i64", 7, "B", low=0, high=5))),
    Case(index.ScatterElementsAdd(1), (LINES, AT, arg("f32", "B", 3))),
    Case(index.ScatterElementsAdd(0), (arg("f32", 5, "B"), arg("i32", 7, "B", low=0, high=5), arg("f32", 7, "B"))),
    Case(index.FromFront(Dim.of(5)), (ROWS,), gradient=False),
    Case(index.FromFront(Dim.of("B")), (arg("i32", "B", low=-2, high=2),), gradient=False),
    Case(index.FromFront(Dim.of(5)), (arg("i64", low=-5, high=0),), gradient=False, label="a scalar"),
    Case(index.OneHot(Dim.of(4)), (arg("i64", "B", 3, low=-6, high=7),), gradient=False),
    Case(index.OneHot(Dim.of("B"), DType.f64), (arg("i32", "B", low=0, high=2),), gradient=False),
    Case(index.OneHot(Dim.of(4)), (arg("i64", low=0, high=4),), gradient=False, label="a scalar"),
    Case(index.OneHot(Dim.of(4), DType.bool), (arg("i64", "B", low=0, high=4),), gradient=False),
)
