"""Cases of matrix products and sums of products."""

from __future__ import annotations

from archonnx.compiler.ops.einsum import Einsum
from archonnx.compiler.ops.linalg import MatMul, ProductSum

from .op_cases import Arg, Case, arg


def product(batch_a: tuple[int | str, ...], batch_b: tuple[int | str, ...], *flags: bool) -> Case:
    """``[..., 2, 3] @ [..., 3, 4]`` with these batch dims, stored transposed as the flags say."""
    transpose_a, transpose_b = flags
    a: Arg = arg("f32", *batch_a, *((3, 2) if transpose_a else (2, 3)))
    b: Arg = arg("f32", *batch_b, *((4, 3) if transpose_b else (3, 4)))
    return Case(MatMul(*flags), (a, b))


def product_sum(*flags: bool) -> Case:
    """``0.5 * (a @ b) - 2 * c``, of ``[B, 3] @ [3, 4]`` stored transposed as the flags say."""
    a = arg("f32", 3, "B") if flags[0] else arg("f32", "B", 3)
    b = arg("f32", 4, 3) if flags[1] else arg("f32", 3, 4)
    return Case(ProductSum(*flags, alpha=0.5, beta=-2.0), (a, b, arg("f32", "B", 4)))


FLAGS = [(a, b) for a in (False, True) for b in (False, True)]
BATCHES: list[tuple[tuple[int | str, ...], tuple[int | str, ...]]] = [
    ((), ()),
    (("B", 2), ("B", 2)),
    (("B", 2), ()),
    ((), ("B",)),
]

CASES = (
    *(product(*batches, *flags) for batches in BATCHES for flags in FLAGS),
    *(Case(MatMul(*flags), (arg("f32", "B", "B"), arg("f32", "B", "B"))) for flags in FLAGS),
    *(product_sum(*flags) for flags in FLAGS),
    Case(MatMul(), (arg("i64", "B", 3, low=-9, high=9), arg("i64", 3, 2, low=-9, high=9)), gradient=False),
    Case(MatMul(False, True), (arg("i64", "B", 3, low=-9, high=9), arg("i64", 2, 3, low=-9, high=9)), gradient=False),
    Case(MatMul(True, False), (arg("u8", 3, "B", low=0, high=99), arg("u8", 3, 2, low=0, high=99)), gradient=False),
    Case(Einsum("ab,b->b"), (arg("i8", "B", 3, low=-9, high=9), arg("i8", 3, low=-9, high=9)), gradient=False),
    Case(Einsum("ab,cb,cd->da"), (arg("f32", "B", 2), arg("f32", 3, 2), arg("f32", 3, 4))),
    Case(Einsum("abc,cd->ad"), (arg("f32", "B", 2, 3), arg("f32", 3, 2))),
    Case(Einsum("ab->"), (arg("f32", "B", 3),)),
    Case(Einsum("abc,ad->cd"), (arg("f32", "B", 2, 3), arg("f32", "B", 4))),
)
