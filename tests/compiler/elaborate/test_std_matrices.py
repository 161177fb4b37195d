"""Initialisers that make matrices, and derivatives of vectors, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from tests.support.elaborated import initial, model, numbers, outputs, program


@pytest.mark.parametrize(("shape", "gain"), [("[5, 3]", 1.0), ("[3, 5]", 2.0), ("[4, 4]", 0.5), ("[8, 2, 3, 3]", 1.0)])
def test_orthogonal_rows_or_columns(shape: str, gain: float) -> None:
    (w,) = initial(program(model(f"param w: {shape} ~ orthogonal({gain})\noutput y = x + sum(w)"))).values()
    matrix = w.reshape(len(w), -1).astype(np.float64)
    small = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(small, gain**2 * np.eye(len(small)), atol=1e-5)


def test_sparse_density_and_spectral_radius() -> None:
    body = "param w: [100, 100] ~ sparse(0.1, 0.9)\nparam v: [200, 50] ~ sparse(0.3)\noutput y = x + sum(w) + sum(v)"
    values = initial(program(model(body)))
    assert np.abs(np.linalg.eigvals(values["w"])).max() == pytest.approx(0.9, abs=0.02)
    assert (values["w"] != 0).mean() == pytest.approx(0.1, abs=0.015)
    assert (values["v"] != 0).mean() == pytest.approx(0.3, abs=0.02)


def test_jacobians_are_those_of_each_example_and_are_differentiated() -> None:
    body = "param W: [4, 3] ~ normal()\nh = tanh(x @ W)\nJ = jacobians(h, x)\n"
    body += "output each = J\noutput slope = grad(sum(J ** 2), W)"
    of, x, w = program(model(body)), numbers(5, 4), numbers(4, 3, seed=1)

    def jacobians(w: Array) -> Array:
        slope: Array = (1 - np.tanh(x @ w) ** 2)[:, :, None] * w.T
        return slope

    found = outputs(of, {"W": w}, x=x)
    np.testing.assert_allclose(found["each"], jacobians(w), rtol=1e-5, atol=1e-6)
    h, wide = 1e-6, w.astype(np.float64)
    for at in np.ndindex(w.shape):
        step = np.zeros_like(wide)
        step[at] = h
        numeric = ((jacobians(wide + step) ** 2).sum() - (jacobians(wide - step) ** 2).sum()) / (2 * h)
        np.testing.assert_allclose(found["slope"][at], numeric, rtol=1e-3, atol=1e-4)


def test_jacobian_and_hessian() -> None:
    body = "y = stack([x[0] * x[1], sin(x[2]) + x[3] ** 2], axis=0)\noutput j = jacobian(y, x)\n"
    body += "output h = hessian(sum(x ** 3) + x[0] * x[1], x)"
    x = np.array([1, 2, 0.5, 3], np.float32)
    results = outputs(model(body, "x: [4]"), x=x)
    np.testing.assert_allclose(results["j"], [[2, 1, 0, 0], [0, 0, np.cos(0.5), 6]], rtol=1e-6)
    cross = np.zeros((4, 4))
    cross[0, 1] = cross[1, 0] = 1
    np.testing.assert_allclose(results["h"], np.diag(6 * x) + cross, rtol=1e-6)
