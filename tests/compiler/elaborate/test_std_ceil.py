"""Pools that leave no element over, against PyTorch's rule written out: every size, window, stride, padding, dilation.

A window more is counted if elements are left over, unless it would start in the padding at the end."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.support.elaborated import codes, model, program
from tests.support.pointwise import run

SIZES, WINDOWS, STRIDES, DILATIONS = (4, 5, 7, 8), (1, 2, 3), (1, 2, 3, 4), (1, 2, 3)


def starts(n: int, window: int, stride: int, padding: int, dilation: int) -> list[int]:
    """Where windows start, the first at minus the padding."""
    extent = dilation * (window - 1) + 1
    count = -(-(n + 2 * padding - extent) // stride) + 1
    if (count - 1) * stride >= n + padding:
        count -= 1
    return [i * stride - padding for i in range(count)]


def pooled(x: Any, window: int, stride: int, padding: int, dilation: int, of: Any) -> list[float]:
    places = starts(len(x), window, stride, padding, dilation)
    covered = [[x[s + i * dilation] for i in range(window) if 0 <= s + i * dilation < len(x)] for s in places]
    return [of(elements) if elements else -np.inf for elements in covered]


SETTINGS = [
    (n, k, s, p, d)
    for n, k, s, d in product(SIZES, WINDOWS, STRIDES, DILATIONS)
    for p in range(k // 2 + 1)
    if d * (k - 1) + 1 <= n + 2 * p
]


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("n", SIZES)
def test_every_pool_with_ceil(n: int, where: str) -> None:
    """All settings of one size are outputs of one model."""
    x = np.random.default_rng(n).permutation(n).astype(float) - n / 2
    lines, expected = [], {}
    for number, (_, k, s, p, d) in enumerate(setting for setting in SETTINGS if setting[0] == n):
        lines.append(f"output m{number} = x |> MaxPool({k}, stride={s}, padding={p}, dilation={d}, ceil=true)")
        expected[f"m{number}"] = pooled(x, k, s, p, d, max)
        if d == 1:
            lines.append(f"output a{number} = x |> AveragePool({k}, stride={s}, padding={p}, ceil=true)")
            expected[f"a{number}"] = pooled(x, k, s, p, d, np.mean)
    found = run(program(model("\n".join(lines), f"x: [1, 1, {n}]")).infer, {"x": x[None, None]}, where)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name][0, 0], values, rtol=1e-6, err_msg=lines[list(expected).index(name)])


@pytest.mark.parametrize("settings", ["2, stride=3", "2, padding=1", "3, stride=2, dilation=2"])
def test_slopes_go_where_the_largest_stood(settings: str) -> None:
    body = f"y = x |> MaxPool({settings}, ceil=true)\ng = grad(sum(y), x)\noutput y = y\noutput slope = g"
    x = np.random.default_rng(0).permutation(49).reshape(1, 1, 7, 7).astype(float)
    found = [run(program(model(body, "x: [1, 1, 7, 7]")).infer, {"x": x}, where) for where in ("numpy", "onnxruntime")]
    for result in found:
        assert result["slope"].sum() == result["y"].size
        assert (result["slope"] * x).sum() == pytest.approx(result["y"].sum())


def test_an_axis_of_unknown_size_may_be_pooled_where_no_window_could_lie_in_the_padding() -> None:
    of = program(model("output y = x |> MaxPool(3, stride=2, ceil=true)", "x: [1, 1, n]")).infer
    for n in SIZES:
        x = np.random.default_rng(n).permutation(n).astype(float)
        np.testing.assert_array_equal(
            run(of, {"x": x[None, None]}, "onnxruntime")["y"][0, 0], pooled(x, 3, 2, 0, 1, max)
        )
    assert codes(model("output y = x |> MaxPool(2, stride=3, ceil=true)", "x: [1, 1, n]")) == ["AX0319"]
