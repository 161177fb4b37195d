"""Samples beside samples, roots of matrices, the Laplacian of a grid and cubic resizing, against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
from scipy import linalg, ndimage, special

from archonnx.compiler.ir.types import Array, DType
from tests.support.elaborated import model, numbers, output

X, Y = (numbers(n, 3, seed=n).astype(np.float64) for n in (7, 5))


def found(call: str, inputs: str = "x: [n, 3]; y: [m, 3]", **given: Array) -> Array:
    return output(model(f"output r = {call}", inputs), float_type=DType.f64, **(given or {"x": X, "y": Y}))


def kernel(x: Array, y: Array, width: float) -> Array:
    return np.exp(-((x[:, None] - y[None]) ** 2).sum(-1) / (2 * width**2))


def test_kernels_and_their_discrepancy() -> None:
    np.testing.assert_allclose(found("gaussian_kernel(x, y, 0.7)"), kernel(X, Y, 0.7), rtol=1e-7)
    own, others, between = (kernel(a, b, 0.7) for a, b in ((X, X), (Y, Y), (X, Y)))
    pairs = (own.sum() - 7) / 42 + (others.sum() - 5) / 20 - 2 * between.mean()
    np.testing.assert_allclose(found("mmd(x, y, 0.7)"), pairs, rtol=1e-7)


def test_moments_and_frechets_distance() -> None:
    np.testing.assert_allclose(found("covariance(x)", x=X, inputs="x: [n, 3]"), np.cov(X.T), rtol=1e-7)
    c, d = np.cov(X.T), np.cov(Y.T)
    gap = X.mean(0) - Y.mean(0)
    expected = gap @ gap + np.trace(c + d - 2 * linalg.sqrtm(c @ d).real)
    np.testing.assert_allclose(found("frechet(x, y)"), expected, rtol=1e-5)


def test_roots_of_matrices() -> None:
    a = np.stack([np.cov(X.T), np.cov(Y.T), np.diag([4.0, 0.0, 1.0])])
    roots = found("matrix_sqrt(x)", "x: [k, 3, 3]", x=a)
    for root, one in zip(roots, a, strict=True):
        np.testing.assert_allclose(root, linalg.sqrtm(one).real, rtol=1e-5, atol=2e-4)


def test_modes_are_those_with_a_share_within_the_radius() -> None:
    centres = np.array([[0.0, 0, 0], [9, 9, 9], [0.2, 0, 0]])
    near = np.linalg.norm(X[:, None] - centres[None], axis=-1) < 1.2
    given = {"x": X, "y": centres}
    assert found("modes_covered(x, y, 1.2, share=0.2).modes", **given) == (near.mean(0) >= 0.2).sum()
    np.testing.assert_allclose(found("modes_covered(x, y, 1.2).near", **given), near.any(1).mean())


def test_the_laplacian_of_a_grid_keeps_the_sum() -> None:
    u = numbers(2, 1, 5, 6, seed=3)
    expected = np.stack([ndimage.laplace(one[0], mode="nearest")[None] for one in u])
    np.testing.assert_allclose(found("grid_laplacian(u)", "u: [B, 1, 5, 6]", u=u), expected, atol=1e-6)


def test_weights_of_cubic_convolution() -> None:
    """Keys' kernel, with its slope at 1, at the distances of the four nearest; outside the last element goes on."""

    def weight(s: float, a: float = -0.75) -> float:
        s = abs(s)
        inner, outer = (a + 2) * s**3 - (a + 3) * s**2 + 1, a * s**3 - 5 * a * s**2 + 8 * a * s - 4 * a
        return inner if s <= 1 else outer if s < 2 else 0.0

    n, m = 5, 8
    expected = np.zeros((m, n))
    for i in range(m):
        at = (i + 0.5) * n / m - 0.5
        for place in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
            expected[i, min(max(place, 0), n - 1)] += weight(at - place)
    np.testing.assert_allclose(found(f"cubic_weights({n}, {m}) + 0 * x", "x: []", x=np.zeros(())), expected, atol=1e-6)


def test_divergence_of_dirichlet_distributions() -> None:
    alpha, other = (np.abs(numbers(4, 3, seed=n)).astype(np.float64) + 0.3 for n in (5, 6))

    def norm(a: Array) -> Array:
        return special.gammaln(a.sum(-1)) - special.gammaln(a).sum(-1)

    slopes = (alpha - other) * (special.digamma(alpha) - special.digamma(alpha.sum(-1))[:, None])
    expected = norm(alpha) - norm(other) + slopes.sum(-1)
    given = {"x": alpha, "y": other}
    np.testing.assert_allclose(found("kl_dirichlet(x, y, reduce=none)", "x: [n, 3]; y: [n, 3]", **given), expected)


def test_functions_behind_the_gamma_function() -> None:
    x = np.array([0.5, 2.0, -1.0])
    np.testing.assert_allclose(found("horner(x, [1, -2, 3])", "x: [3]", x=x), 1 - 2 * x + 3 * x**2)
    np.testing.assert_array_equal(found("above_zero(x)", "x: [3]", x=x), [0.5, 2.0, np.nan])
    given = {"x": np.array([0.5, 20.0]), "y": np.array([3.0, 0.1])}
    expected = special.betaln(given["x"], given["y"])
    np.testing.assert_allclose(found("log_beta(x, y)", "x: [2]; y: [2]", **given), expected, rtol=1e-7)
