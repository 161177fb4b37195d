"""Cases of ordering: ties in both directions, a symbolic count, every dtype that is ordered."""

from __future__ import annotations

from archonnx.compiler.ir.dims import ONE, Dim
from archonnx.compiler.ops.sort import TopK

from .op_cases import Case, arg

B = Dim.of("B")
X = arg("f32", 3, "B", 4)
TIES = arg("f32", 2, "B", values=(1.0, 3.0, 1.0, 3.0, 2.0))

CASES = (
    Case(TopK(Dim.of(2), 2), (X,)),
    Case(TopK(B, 1), (X,)),
    Case(TopK(B, 1, largest=False), (X,)),
    Case(TopK(ONE, 0, largest=False), (X,)),
    Case(TopK(Dim.of(0), 0), (X,), gradient=False),
    Case(TopK(B, 1), (TIES,), gradient=False, label="ties, the first stays first"),
    Case(TopK(B, 1, largest=False), (TIES,), gradient=False, label="ties, the first stays first"),
    Case(TopK(B - 1, 1), (arg("i64", 2, "B", low=-3, high=3),), gradient=False),
    Case(TopK(B, 1, largest=False), (arg("i32", 2, "B", low=-3, high=3),), gradient=False),
    Case(TopK(B, 0), (arg("u8", "B", low=0, high=255),), gradient=False),
    Case(TopK(B, 0, largest=False), (arg("i8", "B", low=-99, high=99),), gradient=False),
    Case(TopK(B, 0), (arg("f64", "B", low=-99, high=99),)),
)
