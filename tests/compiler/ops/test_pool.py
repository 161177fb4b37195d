"""Pooling: against loops written here, against ONNX Runtime, and what ties do to the gradient."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ops.pool import AveragePool, MaxPool, MaxPoolGrad, MaxPoolSelect
from tests.support.graphs import graph_of, in_numpy, in_onnx, slope

Geometry = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]
TILES: Geometry = ((2, 3), (2, 3), (0, 0, 0, 0), (1, 1))
OVERLAPPING: Geometry = ((3, 3), (2, 1), (1, 1, 0, 1), (1, 2))


def random_geometries(count: int) -> list[tuple[tuple[int, ...], Geometry]]:
    """Sizes of spatial axes, and a window with strides, pads and dilations; a third of them tile."""
    rng = np.random.default_rng(77)
    found: list[tuple[tuple[int, ...], Geometry]] = []
    while len(found) < count:
        n = int(rng.integers(1, 4))
        ranges = ((4, 9), (1, 4), (1, 4), (1, 3))
        size, kernel, strides, dilations = (tuple(map(int, rng.integers(low, high, n))) for low, high in ranges)
        pads = tuple(int(rng.integers(0, k)) for k in (*kernel, *kernel))
        if len(found) % 3 == 0:
            strides, pads, dilations = kernel, (0,) * (2 * n), (1,) * n
        if all(s + b >= d * (k - 1) + 1 for s, b, d, k in zip(size, pads, dilations, kernel, strict=False)):
            found.append((size, (kernel, strides, pads, dilations)))
    return found


GEOMETRIES = random_geometries(60)


def windows(x: Any, geometry: Geometry) -> Any:
    """Each window's elements, NaN where it lies on pads: [N, C, *places, elements]."""
    kernel, strides, pads, dilations = geometry
    n = len(kernel)
    padded = np.pad(x, [(0, 0), (0, 0), *zip(pads[:n], pads[n:], strict=True)], constant_values=np.nan)
    starts = [
        range(0, size - d * (k - 1), s)
        for size, d, k, s in zip(padded.shape[2:], dilations, kernel, strides, strict=True)
    ]
    rows = []
    for place in product(*starts):
        at = tuple(slice(p, p + d * (k - 1) + 1, d) for p, d, k in zip(place, dilations, kernel, strict=True))
        rows.append(padded[(slice(None), slice(None), *at)].reshape(*x.shape[:2], -1))
    return np.stack(rows, 2).reshape(*x.shape[:2], *map(len, starts), -1)


def drawn(size: tuple[int, ...], dtype: Any = np.float64) -> Any:
    """Elements without ties."""
    shape = (2, 3, *size)
    return (np.random.default_rng(4).permutation(int(np.prod(shape))).reshape(shape) / 10).astype(dtype)


def test_against_the_definition() -> None:
    for size, geometry in GEOMETRIES:
        x = drawn(size)
        seen = windows(x, geometry)
        np.testing.assert_array_equal(MaxPool(*geometry).evaluate(x), np.nanmax(seen, -1), err_msg=str(geometry))
        kernel, strides, pads, dilations = geometry
        seen = windows(x, (kernel, strides, pads, (1,) * len(kernel))) if set(dilations) != {1} else seen
        for include, mean in ((False, np.nanmean(seen, -1)), (True, np.nan_to_num(seen).mean(-1))):
            y = AveragePool(kernel, strides, pads, include).evaluate(x)
            np.testing.assert_allclose(y, mean, err_msg=str(geometry))


def test_against_onnxruntime() -> None:
    """Forward, gradient, and the gradient's gradient, in every geometry."""
    for size, geometry in GEOMETRIES:
        x = drawn(size, np.float32)
        kernel, strides, pads, _ = geometry

        def build(x: Any, geometry: Any = geometry, average: Any = (kernel, strides, pads)) -> Any:
            y = current_builder().add(MaxPool(*geometry), x)
            (dx,) = MaxPool(*geometry).vjp(y, y, x)
            mean = current_builder().add(AveragePool(*average), x)
            (dmean,) = AveragePool(*average).vjp(mean, mean, x)
            return y, dx, current_builder().add(MaxPoolSelect(*geometry), x * x, x, y), mean, dmean

        graph = graph_of(build, x=TensorType.of("f32", "B", 3, *size))
        for ours, theirs in zip(in_numpy(graph, {"x": x}), in_onnx(graph, {"x": x}), strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5, err_msg=f"{size} {geometry}")


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("geometry", [TILES, OVERLAPPING])
def test_gradient_against_central_differences(geometry: Geometry, batch: int) -> None:
    op, x = MaxPool(*geometry), drawn((5, 7))[:batch]
    rng = np.random.default_rng(9)
    direction, dy = rng.standard_normal(x.shape), rng.standard_normal(op.evaluate(x).shape)
    dx = MaxPoolGrad(*geometry).evaluate(dy, x, op.evaluate(x))
    np.testing.assert_allclose(np.vdot(dx, direction), np.vdot(slope(op.evaluate, [x], [direction]), dy), rtol=1e-6)


@pytest.mark.parametrize("geometry", [TILES, OVERLAPPING])
def test_ties_share_out_what_they_get(geometry: Geometry) -> None:
    """With three values only, most windows have ties: a window's parts are in its largest elements and sum to 1."""
    rng = np.random.default_rng(6)
    x = rng.integers(0, 3, (2, 3, 5, 7)).astype(np.float32)

    def build(x: Any, dy: Any, u: Any) -> Any:
        y = current_builder().add(MaxPool(*geometry), x)
        (dx,) = MaxPool(*geometry).vjp(dy, y, x)
        return dx, MaxPoolGrad(*geometry).vjp(u, dx, dy, x, y)[0]

    y = MaxPool(*geometry).evaluate(x)
    dy, u = (rng.standard_normal(s).astype(np.float32) for s in (y.shape, x.shape))
    types = {name: TensorType.of("f32", "B", *a.shape[1:]) for name, a in (("x", x), ("dy", dy), ("u", u))}
    graph, feeds = graph_of(build, **types), {"x": x, "dy": dy, "u": u}
    for dx, selected in (in_numpy(graph, feeds), in_onnx(graph, feeds)):
        np.testing.assert_allclose(dx.sum(), dy.sum(), rtol=1e-4)
        np.testing.assert_allclose(np.vdot(dx, u), np.vdot(dy, selected), rtol=1e-4)
        np.testing.assert_allclose(np.vdot(dx, x), np.vdot(dy, y), rtol=1e-4)


def test_pads_stay_smaller_than_the_window() -> None:
    with pytest.raises(TypeProblem, match="pads smaller than its window"):
        MaxPool((2,), (1,), (2, 0), (1,)).infer(TensorType.of("f32", "B", 3, 8))
