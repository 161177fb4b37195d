"""Gradients of what the library does to images, of first and second order, against central differences in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.derivatives import check_gradient
from tests.support.elaborated import numbers

W = numbers(2, 4, 5, 6)
T = numbers(2, 3, 4, 5, seed=3)
CALLS = (
    "LpPool(3.0, 3, stride=2, padding=1)(w)",
    "AveragePool(3, stride=1, padding=[[1, 0], 1])(w)",
    "AveragePool(2, ceil=true)(w)",
    "MaxPool(3, stride=2, padding=1, ceil=true)(w)",
    "AdaptiveAveragePool([3, 4])(w)",
    "GlobalAveragePool()(w)",
    "average_unpool(w, [2, 1])",
    "max_unpool(w, pad(w, [[0, 0], [0, 0], [0, 5], [6, 0]]), 2)",
    "Upsample([1.7, 2.5], linear)(w)",
    "resize(w, [3, 4], nearest)",
    "resize(w, [3, 9], linear, align_corners)",
    "pixel_shuffle(w, 2)",
    "unfold(w, kernel=[2, 3], stride=[2, 1], dilation=[1, 2], pads=[[1, 0], [0, 1]])",
    "wrap(w, [[1, 2], [0, 3]])",
)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("call", CALLS)
def test_gradient(call: str, order: int) -> None:
    check_gradient(call if order == 1 else f"grad(sum(({call}) ** 3), w)", "", W, {}, "")


@pytest.mark.parametrize("order", [1, 2])
def test_transposed_convolution(order: int) -> None:
    geometry = "stride=[2, 1], pads=[[1, 0], [0, 1]], output_padding=[1, 0], dilation=[1, 2], groups=1"
    call = f"convolve_transposed(t, w, {geometry})"
    weight = numbers(3, 2, 2, 3, seed=5)
    expression = call if order == 1 else f"grad(sum({call} ** 3), w)"
    check_gradient(expression, "", weight, {"t": T.astype(np.float64)}, "t: [2, 3, 4, 5]")
