"""`@` against NumPy's rules, einsum against ``numpy.einsum``, and what both refuse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ops.einsum import Einsum, einsum
from archonnx.compiler.ops.linalg import MatMul, matmul
from archonnx.compiler.ops.reduce import reduce_sum
from archonnx.compiler.ops.shape import Transpose
from tests.support.tensors import run, slope, trace, value

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (1, 3, 4)),
        ((6, 1, 2, 3), (5, 3, 4)),
    ],
)
def test_matmul_is_numpys(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    left, right = GENERATOR.standard_normal(a), GENERATOR.standard_normal(b)
    np.testing.assert_allclose(run(matmul, left, right), left @ right, rtol=1e-12)


@pytest.mark.parametrize(
    ("equation", "plain", "shapes"),
    [
        ("i k, k j -> i j", "ik,kj->ij", [(2, 3), (3, 4)]),
        ("row in, out in -> out row", "ik,jk->ji", [(2, 3), (4, 3)]),
        ("b t d, d h -> b t h", "btd,dh->bth", [(5, 2, 3), (3, 4)]),
        ("b h q d, b h k d -> b h q k", "bhqd,bhkd->bhqk", [(2, 5, 3, 4), (2, 5, 6, 4)]),
        ("... d, d h -> ... h", "...d,dh->...h", [(5, 2, 3), (3, 4)]),
        ("... i, ... i -> ...", "...i,...i->...", [(5, 2, 3), (2, 3)]),
        ("i, j -> i j", "i,j->ij", [(2,), (3,)]),
        ("a b, b c, c d -> d a", "ab,bc,cd->da", [(2, 3), (3, 4), (4, 5)]),
        ("a b c -> c a b", "abc->cab", [(2, 3, 4)]),
        ("a b c -> c", "abc->c", [(2, 3, 4)]),
        ("i i ->", "ii->", [(4, 4)]),
        ("i i -> i", "ii->i", [(4, 4)]),
        ("b i i, b -> i", "bii,b->i", [(2, 4, 4), (2,)]),
        ("a b, a b ->", "ab,ab->", [(2, 3), (2, 3)]),
    ],
)
def test_einsum_is_numpys(equation: str, plain: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [GENERATOR.standard_normal(shape) for shape in shapes]
    result = run(lambda *x: einsum(equation, *x), *arrays)
    np.testing.assert_allclose(result, np.einsum(plain, *arrays), rtol=1e-10)


@pytest.mark.parametrize(
    ("equation", "shapes", "op"),
    [
        ("i k, j k -> j i", [(2, 3), (4, 3)], MatMul(False, True)),
        ("k i, k j -> i j", [(3, 2), (3, 4)], MatMul(True, False)),
        ("b t d, d h -> b t h", [(5, 2, 3), (3, 4)], MatMul()),
        ("a b -> b a", [(2, 3)], Transpose((1, 0))),
        ("b i, b j -> b i j", [(2, 3), (2, 4)], Einsum("ab,ac->abc")),
    ],
)
def test_einsum_is_a_matrix_product_where_it_can_be(equation: str, shapes: list[tuple[int, ...]], op: object) -> None:
    graph = trace(lambda *x: einsum(equation, *x), [np.zeros(shape) for shape in shapes])
    assert [node.op for node in graph.nodes] == [op]


def test_gradient_of_a_trace_is_the_identity() -> None:
    (dx,) = slope(lambda x: einsum("i i ->", x), GENERATOR.standard_normal((3, 3)))
    np.testing.assert_array_equal(dx, np.eye(3))


def test_gradient_of_shared_weights_is_one_product() -> None:
    x, w = GENERATOR.standard_normal((5, 2, 3)), GENERATOR.standard_normal((3, 4))
    dx, dw = slope(lambda x, w: reduce_sum(matmul(x, w)), x, w)
    np.testing.assert_allclose(dw, np.broadcast_to(x.sum((0, 1))[:, None], (3, 4)))
    np.testing.assert_allclose(dx, np.broadcast_to(w.sum(1), (5, 2, 3)))


REFUSED: list[tuple[Callable[[], object], str, str]] = [
    (
        lambda: matmul(value("f32", "B", 784), value("f32", 768, 10)),
        "AX0301",
        "`@` needs equal inner dims: 784 on the left, 768 on the right",
    ),
    (
        lambda: matmul(value("f32", "B", 784), value("f32", 768)),
        "AX0301",
        "`@` needs equal inner dims: 784 on the left, 768 on the right",
    ),
    (
        lambda: matmul(value("f32", "B", "n"), value("f32", "m", 10)),
        "AX0305",
        "cannot tell whether the inner dims of `@` are equal: n and m",
    ),
    (lambda: matmul(value("f32", "B", 3), value("f64", 3, 3)), "AX0303", "`@` needs one dtype: f32 and f64"),
    (
        lambda: matmul(value("bool", 3, 3), value("bool", 3, 3)),
        "AX0303",
        "`@` is not defined for bool: it takes number tensors",
    ),
    (
        lambda: matmul(value("f32"), value("f32", 3)),
        "AX0321",
        "`@` takes vectors, matrices or batches of them, not a scalar",
    ),
    (
        lambda: matmul(value("f32", 2, 5, 3), value("f32", 4, 3, 5)),
        "AX0302",
        "the batch dims of `@` do not match: f32[2, 5, 3] and f32[4, 3, 5]",
    ),
    (
        lambda: einsum("row in, out in -> row out", value("f32", 2, 3), value("f32", 4, 5)),
        "AX0323",
        "`in` of `einsum` has two sizes: 3 and 5",
    ),
    (
        lambda: einsum("a b -> c", value("f32", 2, 3)),
        "AX0323",
        "`c` on the right of `einsum` is on no axis on the left",
    ),
    (lambda: einsum("a b -> a a", value("f32", 2, 3)), "AX0323", "`a` is twice on the right of `einsum`"),
    (lambda: einsum("ab -> ba", value("f32", 2, 3)), "AX0323", "`ab` names 1 axes of f32[2, 3], which has 2"),
    (lambda: einsum("ab", value("f32", 2, 3)), "AX0323", "`ab` names 1 axes of f32[2, 3], which has 2"),
    (
        lambda: einsum("a b -> a", value("f32", 2, 3), value("f32", 2)),
        "AX0323",
        "`einsum` names the axes of 1 tensors and is given 2",
    ),
    (
        lambda: einsum("a ... b c -> a", value("f32", 2, 3)),
        "AX0323",
        "`a ... b c` names 4 axes of f32[2, 3], which has 2",
    ),
]


@pytest.mark.parametrize(("call", "code", "headline"), REFUSED, ids=[headline for _, _, headline in REFUSED])
def test_refused(call: Callable[[], object], code: str, headline: str) -> None:
    with Builder().active(), pytest.raises(TypeProblem) as caught:
        call()
    assert (caught.value.code, caught.value.headline) == (code, headline)


def test_classical_notation_gets_a_hint() -> None:
    with Builder().active(), pytest.raises(TypeProblem) as caught:
        einsum("ij,jk->ik", value("f32", 2, 3), value("f32", 3, 4))
    assert caught.value.help == "put spaces between names: `i j`"
