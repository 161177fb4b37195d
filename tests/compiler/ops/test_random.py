"""The generator: golden vectors, agreement with ONNX Runtime to the last bit, and statistics.

Each statistic is a z-score of fixed draws: the bound of 5 is passed by all of them with room, and a flaw (a lost bit,
a linear relation, streams that overlap) shows as tens or thousands.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ops.random import RandomBernoulli, RandomUniform, random_bernoulli, random_uniform
from tests.support.graphs import graph_of, in_numpy, in_onnx

SCALAR = TensorType.of("i64")
BOUND = 5.0


def uniform(count: int, seed: int = 0, step: int = 0, site: int = 0, dtype: DType = DType.f64) -> Any:
    return RandomUniform((Dim.of(count),), site, dtype).evaluate(np.int64(seed), np.int64(step))


def bernoulli(count: int, p: float, seed: int = 0, step: int = 0, site: int = 0) -> Any:
    return RandomBernoulli((Dim.of(count),), site).evaluate(np.int64(seed), np.int64(step), np.float32(p))


def correlation(a: Any, b: Any) -> float:
    """The z-score of the correlation of two uniform samples on [0, 1]."""
    return float(np.mean((a - 0.5) * (b - 0.5)) * 12 * np.sqrt(a.size))


def chi_square(counts: Any, expected: float) -> float:
    """The z-score of a chi-square statistic with many degrees of freedom."""
    free = counts.size - 1
    return float((((counts - expected) ** 2 / expected).sum() - free) / np.sqrt(2 * free))


def test_golden_vectors() -> None:
    """These numbers are the contract: a change of any breaks every recorded run."""
    assert uniform(4, seed=42, step=7, site=3, dtype=DType.f32).tolist() == GOLDEN_F32
    assert uniform(2, seed=42, step=7, site=3).tolist() == GOLDEN_F64
    assert uniform(3000, seed=-1, step=2**40, site=2**63)[[1023, 1024, 2999]].tolist() == GOLDEN_FAR
    assert "".join("01"[int(b)] for b in bernoulli(64, 0.3, seed=42, step=7, site=3)) == GOLDEN_MASK


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("shape", [(5, 7), (1024, 3), (3, 1001), ("B", 999)])
def test_onnxruntime_draws_the_same_bits(shape: Any, seed: int) -> None:
    def build(seed: Any, step: Any, p: Any, x: Any) -> Any:
        dims, inner = [Dim.of(n) for n in shape], step * 31 + seed
        return (
            random_uniform(dims, seed, step, 11),
            random_uniform(dims, seed, inner, 11, DType.f64),
            random_bernoulli(dims, seed, step, p, 11),
        )

    graph = graph_of(build, seed=SCALAR, step=SCALAR, p=TensorType.of("f32"), x=TensorType.of("f32", "B"))
    feeds = {"seed": np.int64(seed), "step": np.int64(12345), "p": np.float32(0.4), "x": np.zeros(4, np.float32)}
    for ours, theirs in zip(in_numpy(graph, feeds), in_onnx(graph, feeds), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_element_depends_on_its_index_not_on_the_shape() -> None:
    many = uniform(5000, seed=9)
    for count in (1, 10, 1023, 1024, 1025, 4096):
        np.testing.assert_array_equal(uniform(count, seed=9), many[:count])


def test_uniform_moments_and_bins() -> None:
    for seed in range(4):
        u = uniform(1 << 20, seed=seed)
        n = np.sqrt(u.size)
        moments = (u.mean() - 0.5) * np.sqrt(12) * n, (((u - 0.5) ** 2).mean() - 1 / 12) * np.sqrt(180) * n
        assert max(map(abs, moments)) < BOUND
        assert abs(chi_square(np.histogram(u, 4096, (0, 1))[0], u.size / 4096)) < BOUND
        for low in (8, 16, 24):  # the bits from the 2**-low on are as good as the first ones
            rest = u * 2**low % 1
            assert abs(chi_square(np.histogram(rest, 1024, (0, 1))[0], u.size / 1024)) < BOUND
            assert abs(correlation(rest[1:], rest[:-1])) < BOUND


def test_neighbours_are_independent() -> None:
    """Along rows and columns of the generator's layout, at small lags and as pairs in a plane."""
    u = uniform(1 << 20, seed=5)
    for lag in (1, 2, 3, 7, 28, 784, 1023, 1024, 1025, 2048, 3 * 1024):
        assert abs(correlation(u[lag:], u[:-lag])) < BOUND, lag
    for lag in (1, 1024):
        plane = np.histogram2d(u[lag:], u[:-lag], 64, ((0, 1), (0, 1)))[0]
        assert abs(chi_square(plane, (u.size - lag) / 4096)) < BOUND


def test_rectangles_and_lines_of_the_layout() -> None:
    """Four corners of a rectangle share two row words and two column words; rows and columns share one each."""
    u = uniform(1 << 20, seed=6).reshape(1024, 1024) - 0.5
    product = u[:-1, :-1] * u[1:, :-1] * u[:-1, 1:] * u[1:, 1:]
    assert abs(product.mean() * 144 * np.sqrt(product.size)) < BOUND
    for axis in (0, 1):
        spread = (u.mean(axis) ** 2 * 12 * 1024).mean()
        assert abs(spread - 1) * np.sqrt(1024 / 2) < BOUND
    rank = np.linalg.svd(u * np.sqrt(12 / 1024), compute_uv=False)
    assert 1.9 < rank[0] < 2.1  # the edge of the Marchenko-Pastur law is 2
    assert rank[-1] < 0.01


def test_streams_do_not_meet() -> None:
    """Draws of neighbouring seeds, steps, sites and iterations are uncorrelated, at any shift in a window."""
    base = uniform(1 << 16)
    others = [uniform(1 << 16, **{name: k}) for name in ("seed", "step", "site") for k in (1, 2, 3, 1 << 32)]
    scores = [correlation(a, b) for a, b in pairwise([base, *others])]
    scores += [correlation(base, other) for other in others]
    assert max(map(abs, scores)) < BOUND
    words = [set(u.tolist()) for u in (base, *others)]
    assert all(len(a & b) < 3 for a, b in pairwise(words))


def test_averages_over_steps_do_not_drift() -> None:
    """One element over many steps is as random as many elements of one step."""
    rows = np.stack([uniform(64, step=step) for step in range(4096)])
    assert np.abs((rows.mean(0) - 0.5) * np.sqrt(12 * 4096)).max() < BOUND
    for lag in (1, 2, 10):
        assert abs(correlation(rows[lag:], rows[:-lag])) < BOUND


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_masks(p: float) -> None:
    mask = bernoulli(1 << 20, p, seed=1)
    deviation = np.sqrt(p * (1 - p))
    assert abs((mask.mean() - p) / deviation * 1024) < BOUND
    for lag in (1, 28, 1024, 1025):
        together = ((mask[lag:] - p) * (mask[:-lag] - p)).mean() / deviation**2
        assert abs(together * 1024) < BOUND, lag
    assert abs((mask == bernoulli(1 << 20, p, seed=1, step=1)).mean() - (p * p + (1 - p) ** 2)) < 0.005


def test_certain_masks_and_open_ends() -> None:
    """Probability 0 is never and 1 is always; uniform draws reach neither 0 nor 1, even at the ends of their words."""
    assert not bernoulli(1 << 16, 0.0).any()
    assert bernoulli(1 << 16, 1.0).all()
    for dtype in (DType.f32, DType.f64):
        op = RandomUniform((), 0, dtype)
        ends = np.array([-(2**63), 2**63 - 1], np.int64).astype(dtype.numpy) * op._scale + dtype.numpy.type(0.5)
        assert 0 < ends[0] < ends[1] < 1


def test_a_flipped_bit_of_the_seed_changes_every_bit_half_the_time() -> None:
    top = (uniform(2048) * 2**32).astype(np.uint32)
    for bit in range(0, 63, 3):
        flipped = (uniform(2048, seed=1 << bit) * 2**32).astype(np.uint32) ^ top
        changed = np.unpackbits(flipped.view(np.uint8)).mean()
        assert abs(changed - 0.5) * 2 * np.sqrt(32 * 2048) < BOUND


def test_what_does_not_fit() -> None:
    op = RandomUniform((Dim.of(3),), 0)
    with pytest.raises(TypeProblem, match=r"the step of a draw is i64\[\], not f32\[\]"):
        op.infer(SCALAR, TensorType.of("f32"))
    with pytest.raises(TypeProblem, match="uniform draws are f32 or f64, not f16"):
        RandomUniform((), 0, DType.f16).infer(SCALAR, SCALAR)
    with pytest.raises(TypeProblem, match=r"the probability of a mask is f32\[\], not f32\[3\]"):
        RandomBernoulli((Dim.of(3),), 0).infer(SCALAR, SCALAR, TensorType.of("f32", 3))


GOLDEN_F32 = [0.5505595207214355, 0.6636748313903809, 0.24100080132484436, 0.4052964448928833]
GOLDEN_F64 = [0.5505595096406456, 0.6636748497202914]
GOLDEN_FAR = [0.8868759156539262, 0.3534784206535879, 0.10937316095612726]
GOLDEN_MASK = "0100100001000011000000000001110001000100001010000010000000000001"
