"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import same, way_to_tell
from archonnx.compiler.ir.op import Arithmetic, Emitter, Merging, Op, TypeProblem, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value

from .broadcasting import broadcast_shapes
from .checks import check_dtypes, check_same_shape
from .narrow import NARROW, narrowed, widened
from .shape import broadcast_to, flatten, squeeze, unsqueeze


@register
class MatMul(Op):
    """``[...S, i, k] @ [...S, k, j] -> [...S, i, j]``, each factor read transposed where its flag says so.

    Either factor may lack the batch dims S, and is then shared. Backward, without flags: ``da = dy @ b^T``,
    ``db = a^T @ dy``, summed over the batch for a shared factor; for a shared ``b`` that is one product of matrices.
    """

    transpose_a: bool = False
    transpose_b: bool = False

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        check_dtypes("@", "number", a, b)
        for position, factor in enumerate((a, b)):
            if factor.rank < 2:
                raise TypeProblem(
                    "AX0321", f"a factor of a matrix product is a matrix, not {factor}", operands=(position,)
                )
        i, k = (a.shape[-1], a.shape[-2]) if self.transpose_a else (a.shape[-2], a.shape[-1])
        inner, j = (b.shape[-1], b.shape[-2]) if self.transpose_b else (b.shape[-2], b.shape[-1])
        check_inner(k, inner)
        if a.rank > 2 and b.rank > 2:
            headline = f"a matrix product needs equal batch dims: {a} and {b}"
            check_same_shape(a.shape[:-2], b.shape[:-2], headline, operands=(1, 0))
        return a.with_shape((*(a.shape[:-2] or b.shape[:-2]), i, j))

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        terms = inputs[0].shape[-2 if self.transpose_a else -1]
        return sums_of_products(results[0], terms)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        (a, b), (left, right) = places, inputs
        if a is not None and b is not None:
            return a == b < left.rank - 2
        inner = self._inner(left, right)
        return a != inner[0] and b != inner[1]

    def merges(self, places: Sequence[int | None], inputs: Sequence[TensorType]) -> Merging | None:
        return "sum" if tuple(places) == self._inner(*inputs) else None

    def _inner(self, a: TensorType, b: TensorType) -> tuple[int, int]:
        """The axes along which products are summed."""
        return a.rank - (2 if self.transpose_a else 1), b.rank - (1 if self.transpose_b else 2)

    def evaluate(self, a: Any, b: Any) -> Any:
        left = np.swapaxes(a, -1, -2) if self.transpose_a else a
        return np.matmul(left, np.swapaxes(b, -1, -2) if self.transpose_b else b)

    def vjp(self, dy: Value, y: Value, a: Value, b: Value) -> tuple[Value | None, ...]:
        if b.rank == 2 < a.rank and not self.transpose_a:
            rows, dy_rows = flatten(a, 0, a.rank - 1), flatten(dy, 0, dy.rank - 1)
            return self._da(dy, b), self._db(dy_rows, rows)
        return _sum_to(self._da(dy, b), a), _sum_to(self._db(dy, a), b)

    def _da(self, dy: Value, b: Value) -> Value:
        if self.transpose_a:
            return matrix_product(b, dy, self.transpose_b, True)
        return matrix_product(dy, b, False, not self.transpose_b)

    def _db(self, dy: Value, a: Value) -> Value:
        if self.transpose_b:
            return matrix_product(dy, a, True, self.transpose_a)
        return matrix_product(a, dy, not self.transpose_a, False)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        left, right = types
        if left.dtype in NARROW:
            wide = [type_.with_dtype(DType.i32) for type_ in types]
            product = self.lower(emit, widened(emit, inputs, left.dtype), wide, results)
            return narrowed(emit, product, left.dtype)
        a, b = inputs
        if not (self.transpose_a or self.transpose_b):
            return emit.node("MatMul", a, b)
        if left.rank == right.rank == 2 and left.dtype.is_float:
            return emit.node("Gemm", a, b, transA=self.transpose_a, transB=self.transpose_b)
        if left.dtype is DType.f32 and not emit.portable:
            return emit.node(
                "FusedMatMul", a, b, domain="com.microsoft", transA=self.transpose_a, transB=self.transpose_b
            )
        if self.transpose_a:
            a = emit.node("Transpose", a, perm=_last_two_swapped(left.rank))
        if self.transpose_b:
            b = emit.node("Transpose", b, perm=_last_two_swapped(right.rank))
        return emit.node("MatMul", a, b)


@register
class ProductSum(Op):
    """``alpha * (a @ b) + beta * c``, of matrices of floats: [i, k] @ [k, j] + [i, j], each factor read transposed
    where its flag says so. It is one kernel, of which ``passes.kernels`` makes a step of descent.

    Backward: that of the product, of ``alpha * dy``, and ``dc = beta * dy``.
    """

    transpose_a: bool = False
    transpose_b: bool = False
    alpha: float = 1.0
    beta: float = 1.0

    def infer(self, a: TensorType, b: TensorType, c: TensorType) -> TensorType:
        check_dtypes("@", "float", a, b, c)
        product = MatMul(self.transpose_a, self.transpose_b).infer(a, b)
        check_same_shape(product.shape, c.shape, f"a product of {product} and a sum with {c}", operands=(0, 2))
        return product

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        size, terms = results[0].size, inputs[0].shape[-2 if self.transpose_a else -1]
        return Arithmetic(size * terms + 2 * size, size * terms)

    def evaluate(self, a: Any, b: Any, c: Any) -> Any:
        product = MatMul(self.transpose_a, self.transpose_b).evaluate(a, b)
        return a.dtype.type(self.alpha) * product + a.dtype.type(self.beta) * c

    def vjp(self, dy: Value, y: Value, a: Value, b: Value, c: Value) -> tuple[Value | None, ...]:
        product = MatMul(self.transpose_a, self.transpose_b)
        return (*product.vjp(self.alpha * dy, y, a, b), self.beta * dy)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return emit.node(
            "Gemm", *inputs, alpha=self.alpha, beta=self.beta, transA=self.transpose_a, transB=self.transpose_b
        )


def sums_of_products(result: TensorType, terms: Dim) -> Arithmetic:
    """The arithmetic of a tensor, each of whose elements is a sum of so many products."""
    return Arithmetic(result.size * terms, result.size * (terms - 1))


def check_inner(left: Dim, right: Dim) -> None:
    """TypeProblem unless the inner dims of a product are equal."""
    equal = same(left, right)
    if equal is None:
        raise TypeProblem(
            "AX0305",
            f"cannot tell whether the inner dims of `@` are equal: {left} and {right}",
            operands=(1, 0),
            help=way_to_tell(left, right),
        )
    if not equal:
        raise TypeProblem(
            "AX0301", f"`@` needs equal inner dims: {left} on the left, {right} on the right", operands=(1, 0)
        )


def _sum_to(gradient: Value, factor: Value) -> Value:
    """The gradient summed over the batch, for a factor that has none."""
    return gradient.sum(range(gradient.rank - factor.rank))


def _last_two_swapped(rank: int) -> list[int]:
    return [*range(rank - 2), rank - 1, rank - 2]


def _common_batch(a: TensorType, b: TensorType) -> tuple[Dim, ...]:
    try:
        return broadcast_shapes([a.shape[:-2], b.shape[:-2]])
    except TypeProblem as problem:
        raise TypeProblem(
            problem.code, f"the batch dims of `@` do not match: {a} and {b}", operands=(1, 0), help=problem.help
        ) from None


def matrix_product(a: Value, b: Value, transpose_a: bool = False, transpose_b: bool = False) -> Value:
    """The product of matrices or batches of them; see ``MatMul``."""
    return current_builder().add(MatMul(transpose_a, transpose_b), a, b)


def matmul(a: Value, b: Value) -> Value:
    """``a @ b`` by NumPy's rules: batch dims broadcast, a vector is a row on the left and a column on the right."""
    for position, factor in enumerate((a, b)):
        if factor.rank == 0:
            raise TypeProblem(
                "AX0321",
                "`@` takes vectors, matrices or batches of them, not a scalar",
                operands=(position,),
                help="`*` multiplies by a number",
            )
    check_dtypes("@", "number", a.type, b.type)
    check_inner(a.shape[-1], b.shape[-2] if b.rank > 1 else b.shape[0])
    left = unsqueeze(a, 0) if a.rank == 1 else a
    right = unsqueeze(b, 1) if b.rank == 1 else b
    if left.rank > 2 and right.rank > 2:
        batch = _common_batch(left.type, right.type)
        left = broadcast_to(left, (*batch, *left.shape[-2:]))
        right = broadcast_to(right, (*batch, *right.shape[-2:]))
    product = matrix_product(left, right)
    return squeeze(product, [axis for axis, factor in ((-2, a), (-1, b)) if factor.rank == 1])
