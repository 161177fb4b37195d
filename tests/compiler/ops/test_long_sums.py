"""Sums and means of many elements in f32, in onnxruntime: as good as their numbers, however many there are."""

from __future__ import annotations

import numpy as np
import pytest

from archonnx.compiler.ir.types import DType
from tests.support.elaborated import model, program
from tests.support.pointwise import runtime

SHAPES = [
    ([1_000_000], [0]),
    ([1_000_000, 1], [0]),
    ([200_000, 16], [0]),
    ([16, 3, 224, 224], [0, 1, 2, 3]),
    ([16, 3, 224, 224], [0, 2, 3]),
    ([16, 3, 224, 224], [0, 1]),
    ([4, 100_000], [1]),
    ([2, 50_000, 3], [1]),
    ([64, 100, 30], [0, 1]),
    ([4096], [0]),
    ([64, 10], [0]),
    ([5003, 3], [0]),
]
"""5003 is a prime: it does not split, and its error is that of 5003 additions."""


@pytest.mark.parametrize("keep", ["false", "true"])
@pytest.mark.parametrize("kind", ["sum", "mean"])
@pytest.mark.parametrize(("shape", "axes"), SHAPES, ids=str)
def test_a_sum_of_alike_numbers_is_their_number_times_one(
    shape: list[int], axes: list[int], kind: str, keep: str
) -> None:
    """Alike numbers are the worst case: all roundings of a running sum point the same way for long."""
    x = np.full(shape, 0.1, np.float32)
    graph = program(model(f"output y = {kind}(x, axis={axes}, keep={keep})", f"x: {shape}")).infer
    y = runtime(graph, {"x": x})["y"]
    expected = (np.sum if kind == "sum" else np.mean)(x.astype(np.float64), axis=tuple(axes), keepdims=keep == "true")
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-4 if 5003 in shape else 1e-5)


def test_the_gradient_of_a_bias_over_a_million_rows() -> None:
    text = model("param b: [1] = 0\ny = x + b\ng = grad(mean(y), b)\noutput g = g", "x: [1000000, 1]")
    found = runtime(program(text).infer, {"x": np.zeros((1_000_000, 1)), "b": np.zeros(1)})
    np.testing.assert_allclose(found["g"], [1], rtol=1e-5)


def test_a_sum_over_a_dim_that_is_not_known_is_whole() -> None:
    """It is not split, and other dtypes have no need to be."""
    graph = program(model("output y = sum(x, axis=0)\noutput z = sum(k)", "x: [B, 3]; k: i64[B]")).infer
    found = runtime(graph, {"x": np.ones((5000, 3)), "k": np.arange(5000)})
    np.testing.assert_array_equal(found["y"], [5000] * 3)
    assert found["z"] == 5000 * 4999 // 2
    double = program(model("output y = sum(x)", "x: [10000]"), float_type=DType.f64).infer
    assert runtime(double, {"x": np.full(10000, 0.1)})["y"] == pytest.approx(1000, rel=1e-12)
