"""Counts of arithmetic: the formula of an op, written as loops over numbers that count what is done with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import reduce
from itertools import product
from operator import add
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import Op, Trait
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ops import registry
from archonnx.compiler.ops.conv import Conv, ConvInputGrad, ConvWeightGrad
from archonnx.compiler.ops.einsum import Einsum
from archonnx.compiler.ops.elementwise import Add, Div, Mod, Mul, Neg, Sub
from archonnx.compiler.ops.functions import Exp, Relu
from archonnx.compiler.ops.index import ScatterAdd
from archonnx.compiler.ops.linalg import MatMul, ProductSum
from archonnx.compiler.ops.loss import CrossEntropy
from archonnx.compiler.ops.norm import LayerNorm, LogSoftmax, Softmax
from archonnx.compiler.ops.pool import AveragePool, MaxPool
from archonnx.compiler.ops.reduce import CumSum, ReduceMax, ReduceMean, ReduceProd, ReduceSum
from archonnx.compiler.ops.resize import Interpolate


class Number:
    """A number of no value: what is done with it goes to a tally."""

    def __init__(self, tally: Counter[str]) -> None:
        self.tally = tally

    def _did(self, what: str) -> Number:
        self.tally[what] += 1
        return self

    def __add__(self, other: object) -> Number:
        return self._did("additions")

    def __sub__(self, other: object) -> Number:
        return self._did("additions")

    def __mul__(self, other: object) -> Number:
        return self._did("multiplications")

    def __truediv__(self, other: object) -> Number:
        return self._did("multiplications")

    def floor(self) -> Number:
        return self

    def __neg__(self) -> Number:
        return self


def total(terms: Iterable[Any]) -> Any:
    """A sum that starts from its first term."""
    return reduce(add, terms)


def convolution(stride: int, pad: int, groups: int = 1) -> Callable[..., None]:
    """Formula of a two-dimensional convolution; what padding adds are numbers too."""

    def formula(x: Any, w: Any) -> None:
        sizes = [(n + 2 * pad - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
        for _ in product(range(x.shape[0]), range(w.shape[0]), *map(range, sizes)):
            total(v * v for v in w[0].flat)

    return formula


def transposed(dy: Any, w: Any, shape: tuple[int, ...], stride: int) -> None:
    """Every element of ``dy`` times a kernel for each channel, added where others have been."""
    reached: dict[tuple[int, ...], Any] = {}
    for n, o, i, j in np.ndindex(dy.shape):
        for c, a, b in np.ndindex(w.shape[1:]):
            at = (n, c, i * stride + a, j * stride + b)
            term = dy[n, o, i, j] * w[o, c, a, b]
            reached[at] = reached[at] + term if at in reached else term
    assert len(reached) == np.prod(shape)


def softmax(x: Any) -> None:
    for row in x:
        below = total(row)
        for v in row:
            v / below


def log_softmax(x: Any) -> None:
    for row in x:
        below = total(row)
        for v in row:
            v - below


def layer_norm(x: Any, scale: Any, bias: Any) -> None:
    for row in x:
        centred = [v - total(row) / 1 if i == 0 else v - v for i, v in enumerate(row)]
        variance = total(v * v for v in centred) / 1
        inverse = variance / (variance + 1e-5)
        for v, s, b in zip(centred, scale, bias, strict=True):
            v * inverse * s + b


def cross_entropy(logits: Any, label: Any) -> None:
    for row in logits:
        total(row) - row[0]


CASES: list[tuple[Op, list[tuple[int, ...]], Callable[..., None]]] = [
    (Add(), [(2, 3), (2, 3)], lambda a, b: a + b),
    (Sub(), [(2, 3), (2, 3)], lambda a, b: a - b),
    (Mul(), [(2, 3), (2, 3)], lambda a, b: a * b),
    (Div(), [(2, 3), (2, 3)], lambda a, b: a / b),
    (Mod(), [(4,), (4,)], lambda a, b: [u - v * (u / v).floor() for u, v in zip(a, b, strict=True)]),
    (Neg(), [(2, 3)], lambda a: -a),
    (Exp(), [(2, 3)], lambda a: None),
    (Relu(), [(2, 3)], lambda a: None),
    (MatMul(), [(2, 5), (5, 3)], lambda a, b: [total(r * c) for r in a for c in b.T]),
    (MatMul(True, True), [(5, 2), (3, 5)], lambda a, b: [total(r * c) for r in a.T for c in b]),
    (MatMul(), [(4, 2, 5), (5, 3)], lambda a, b: [total(r * c) for m in a for r in m for c in b.T]),
    (ProductSum(alpha=0.5, beta=2.0), [(2, 5), (5, 3), (2, 3)],
     lambda a, b, c: [total(a[i] * b.T[j]) * 0.5 + c[i, j] * 2.0 for i in range(2) for j in range(3)]),
    (Einsum("bi,ij,bj->b"), [(2, 3), (3, 4), (2, 4)],
     lambda x, w, y: [total(x[b, i] * w[i, j] * y[b, j] for i in range(3) for j in range(4)) for b in range(2)]),
    (ReduceSum((1,), False), [(2, 5)], lambda x: [total(row) for row in x]),
    (ReduceMean((0, 1), False), [(2, 5)], lambda x: total(x.flat) / 10),
    (ReduceProd((1,), True), [(2, 5)], lambda x: [reduce(lambda a, b: a * b, row) for row in x]),
    (ReduceMax((1,), False), [(2, 5)], lambda x: None),
    (CumSum(1), [(2, 5)], lambda x: [total(row) for row in x]),
    (Softmax(1), [(3, 4)], softmax),
    (LogSoftmax(1), [(3, 4)], log_softmax),
    (LayerNorm(1), [(3, 4), (4,), (4,)], layer_norm),
    (ScatterAdd(), [(5, 2), (3,), (3, 2)], lambda x, at, updates: updates + updates),
    (Conv((1, 1), (1, 1), (0, 0, 0, 0)), [(2, 3, 5, 6), (4, 3, 2, 3)], convolution(1, 0)),
    (Conv((2, 2), (1, 1), (1, 1, 1, 1)), [(2, 3, 5, 7), (4, 3, 3, 3)], convolution(2, 1)),
    (Conv((1, 1), (1, 1), (0, 0, 0, 0), 2), [(1, 4, 4, 4), (6, 2, 3, 3)], convolution(1, 0, 2)),
    (ConvInputGrad((1, 1), (1, 1), (0, 0, 0, 0), 1, (Dim.of(5), Dim.of(6))), [(2, 4, 4, 4), (4, 3, 2, 3)],
     lambda dy, w: transposed(dy, w, (2, 3, 5, 6), 1)),
    (ConvInputGrad((2, 2), (1, 1), (0, 0, 0, 0), 1, (Dim.of(5), Dim.of(7))), [(2, 4, 2, 3), (4, 3, 3, 3)],
     lambda dy, w: transposed(dy, w, (2, 3, 5, 7), 2)),
    (ConvWeightGrad((1, 1), (1, 1), (0, 0, 0, 0), 1, (2, 3)), [(2, 3, 5, 6), (2, 4, 4, 4)],
     lambda x, dy: [total(v * v for v in dy[:, 0].flat) for _ in range(4 * 3 * 2 * 3)]),
    (AveragePool((2, 2), (2, 2), (0, 0, 0, 0)), [(1, 2, 4, 4)],
     lambda x: [total(x[0, 0, :2, :2].flat) / 4 for _ in range(8)]),
    (Interpolate((Dim.of(6), Dim.of(9))), [(1, 2, 3, 3)],
     lambda x: [total(v * v for v in x[0, 0, :2, :2].flat) for _ in range(2 * 6 * 9)]),
    (MaxPool((2, 2), (2, 2), (0, 0, 0, 0), (1, 1)), [(1, 2, 4, 4)], lambda x: None),
]  # fmt: skip


def typed(op: Op, shapes: list[tuple[int, ...]]) -> list[TensorType]:
    """Types of inputs; indices are integers."""
    integers = {1} if isinstance(op, ScatterAdd) else set()
    return [TensorType.of("i64" if i in integers else "f32", *shape) for i, shape in enumerate(shapes)]


@pytest.mark.parametrize(("op", "shapes", "formula"), CASES, ids=[str(case[0]) for case in CASES])
def test_counts_are_those_of_the_formula(op: Op, shapes: list[tuple[int, ...]], formula: Callable[..., None]) -> None:
    tally: Counter[str] = Counter()
    arrays = [np.array([Number(tally) for _ in range(int(np.prod(s)))], dtype=object).reshape(s) for s in shapes]
    formula(*arrays)
    types = typed(op, shapes)
    inferred = op.infer(*types)
    found = op.arithmetic(types, inferred if isinstance(inferred, tuple) else (inferred,))
    assert {"multiplications": found.multiplications.constant, "additions": found.additions.constant} == {
        "multiplications": tally["multiplications"],
        "additions": tally["additions"],
    }


def test_cross_entropy_counts_the_sum_and_the_difference() -> None:
    tally: Counter[str] = Counter()
    cross_entropy(np.array([[Number(tally)] * 7] * 3, dtype=object), None)
    op, types = CrossEntropy(), [TensorType.of("f32", 3, 7), TensorType.of("i64", 3)]
    found = op.arithmetic(types, (op.infer(*types),))
    assert (found.multiplications.constant, found.additions.constant) == (0, tally["additions"])


def test_symbolic_counts_are_polynomials_that_agree_at_every_size() -> None:
    symbolic = [TensorType.of("f32", "B", "T", 5), TensorType.of("f32", 5, 3)]
    found = MatMul().arithmetic(symbolic, (MatMul().infer(*symbolic),))
    assert str(found.multiplications) == "15 * B * T"
    assert found.additions.evaluate({"B": 4, "T": 7}) == 4 * 7 * 3 * 4


def test_what_moves_no_arithmetic_counts_none() -> None:
    for name, kind in registry().items():
        if Trait.VIEW in kind.traits:
            assert kind.arithmetic is Op.arithmetic, name
