"""Slices by Python's rules on lists, parts, padding, writing at an index, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ops.index import gather, put_slice, scatter_add
from archonnx.compiler.ops.reduce import reduce_max, reduce_sum
from archonnx.compiler.ops.shape import move_axis, reshape, squeeze, transpose, unsqueeze
from archonnx.compiler.ops.slicing import concat, pad, reverse, slice_axis, split, stack, take_at
from tests.support.tensors import run, slope, trace, value

B = Dim.of("B")


def test_slices_are_pythons() -> None:
    x = np.arange(5)
    bounds = [None, -7, -5, -2, 0, 1, 3, 5, 8]
    for start, end, step in product(bounds, bounds, [1, 2, 3, -1, -2]):
        result = run(lambda v, s=start, e=end, k=step: slice_axis(v, 0, s, e, k), x)
        np.testing.assert_array_equal(result, x[start:end:step], err_msg=f"[{start}:{end}:{step}]")


@pytest.mark.parametrize(
    ("start", "end", "step", "length"),
    [
        (1, None, 1, B - 1),
        (None, -1, 1, B - 1),
        (-3, None, 1, Dim.of(3)),
        (1, -1, 1, B - 2),
        (None, None, 2, (B + 1) // 2),
        (None, None, -1, B),
        (None, B - 4, 1, B - 4),
    ],
)
def test_slices_of_symbolic_axes(start: int | None, end: int | Dim | None, step: int, length: Dim) -> None:
    with Builder().active():
        assert slice_axis(value("f32", "B"), 0, start, end, step).shape == (length,)


def test_a_slice_of_everything_is_no_node() -> None:
    x = value("f32", "B", 3)
    with Builder().active() as builder:
        assert slice_axis(x, 0) is slice_axis(x, 1, 0, 3) is slice_axis(x, 1, -9, 9) is x
        assert pad(x, [0, 0], [0, 0]) is reverse(x, ()) is split(x, 1, 0)[0] is concat([x], 0) is x
    assert builder.nodes == []


def test_parts() -> None:
    x = np.arange(24.0).reshape(2, 12)
    np.testing.assert_array_equal(run(lambda v: split(v, 4, -1)[2], x), x[:, 6:9])
    np.testing.assert_array_equal(run(lambda v: split(v, [2, 10], 1)[1], x), x[:, 2:])
    np.testing.assert_array_equal(run(lambda v: stack([v, v], -1), x), np.stack([x, x], -1))
    np.testing.assert_array_equal(run(lambda v: take_at(v, 1, -2), x), x[:, -2])


def test_gradient_reaches_only_the_part_that_is_used() -> None:
    (dx,) = slope(lambda v: reduce_sum(split(v, 3, 0)[1]), np.ones(6))
    np.testing.assert_array_equal(dx, [0, 0, 1, 1, 0, 0])


def test_axes_in_another_order() -> None:
    x = np.zeros((2, 3, 4, 5))
    assert run(lambda v: move_axis(v, 1, -1), x).shape == np.moveaxis(x, 1, -1).shape
    assert run(lambda v: move_axis(v, 3, 0), x).shape == np.moveaxis(x, 3, 0).shape
    assert run(lambda v: unsqueeze(v, [0, -1]), x).shape == (1, 2, 3, 4, 5, 1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_scatter_is_the_adjoint_of_gather(axis: int) -> None:
    generator = np.random.default_rng(0)
    x, indices = generator.standard_normal((4, 4, 4)), generator.integers(0, 4, (2, 3))
    read = np.take(x, indices, axis)
    updates = generator.standard_normal(read.shape)
    written = run(lambda v, i, u: scatter_add(v, i, u, axis), np.zeros_like(x), indices, updates)
    assert np.sum(written * x) == pytest.approx(np.sum(updates * read))
    np.testing.assert_array_equal(run(lambda v, i: gather(v, i, axis), x, indices), read)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_put_replaces_one_place(axis: int) -> None:
    x = np.zeros((3, 4, 5))
    update = np.random.default_rng(0).standard_normal(np.delete(x.shape, axis))
    expected = x.copy()
    np.moveaxis(expected, axis, 0)[2] = update
    np.testing.assert_array_equal(
        run(lambda v, i, u: put_slice(v, i, unsqueeze(u, [axis]), axis), x, np.int64(2), update), expected
    )


REFUSED: list[tuple[Callable[[], object], str, str]] = [
    (lambda: split(value("f32", 2, 10), 3, 1), "AX0322", "`split` cannot make 3 equal parts of axis 1, of size 10"),
    (lambda: split(value("f32", "B"), 2, 0), "AX0305", "cannot tell whether B is a multiple of 2"),
    (lambda: split(value("f32", 10), [3, 4], 0), "AX0322", "`split` needs parts that fill axis 0: 7 of 10"),
    (lambda: take_at(value("f32", 3), 0, 3), "AX0322", "index 3 is outside axis 0, of size 3"),
    (lambda: take_at(value("f32", 3), 0, -4), "AX0322", "index -4 is outside axis 0, of size 3"),
    (lambda: slice_axis(value("f32", 3), 0, step=0), "AX0322", "the step of a slice is not 0"),
    (lambda: slice_axis(value("f32"), 0), "AX0320", "`slice` has no axis 0 to work along: a scalar has no axes"),
    (lambda: reduce_sum(value("f32", 2, 3), 2), "AX0320", "`sum` has no axis 2 to work along: axes run from -2 to 1"),
    (lambda: reduce_max(value("f32", 2, 3), [1, -1]), "AX0320", "`max` is given an axis twice: [1, 1]"),
    (
        lambda: transpose(value("f32", 2, 3), [0, 0]),
        "AX0320",
        "an order of axes names each axis of f32[2, 3] once: [0, 0] does not",
    ),
    (lambda: squeeze(value("f32", 2, 3), 0), "AX0322", "`squeeze` drops axes of size 1, and axis 0 of f32[2, 3] is 2"),
    (
        lambda: concat([value("f32", 2, 3), value("f32", 2, 3, 1)], 0),
        "AX0321",
        "`concat` needs one rank: f32[2, 3] and f32[2, 3, 1]",
    ),
    (
        lambda: concat([value("f32", 2, 3), value("f32", 2, 4)], 0),
        "AX0302",
        "`concat` along axis 0 needs equal dims elsewhere: axis 1 is 3 and 4",
    ),
    (lambda: concat([value("f32", "B"), value("i64", "B")], 0), "AX0303", "`concat` needs one dtype: f32 and i64"),
    (lambda: pad(value("f32", 3), [-1], [0]), "AX0322", "`pad` adds elements, and a size is negative"),
    (
        lambda: reshape(value("f32", 3, 4), [5, 2]),
        "AX0324",
        "cannot reshape f32[3, 4] to [5, 2]: 12 elements against 10",
    ),
    (lambda: reshape(value("f32", "n"), ["m"]), "AX0305", "cannot tell whether f32[n] has as many elements as [m]"),
    (lambda: gather(value("f32", 3), value("f32", 2), 0), "AX0303", "`gather` takes indices of i32 or i64, not f32"),
]


@pytest.mark.parametrize(("call", "code", "headline"), REFUSED, ids=[headline for _, _, headline in REFUSED])
def test_refused(call: Callable[[], object], code: str, headline: str) -> None:
    with Builder().active(), pytest.raises(TypeProblem) as caught:
        call()
    assert (caught.value.code, caught.value.headline) == (code, headline)


def test_slices_by_one_have_no_steps_in_onnx() -> None:
    """With steps of 1 given, onnxruntime copies up to seven times slower."""
    from archonnx.compiler.onnx_export import export

    model = export(trace(lambda v: slice_axis(v, 0, 1, 3), [np.zeros(5)]))
    assert [len(node.input) for node in model.graph.node] == [4]
