"""The library's linear algebra against NumPy's: values in NumPy and onnxruntime, batches, pivoting; gradients of first
and second order by central differences, and in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.onnx_export import export
from tests.support.derivatives import check_both_orders
from tests.support.elaborated import codes, expression, model, numbers, output, outputs, program
from tests.support.onnx_run import run_onnx

A, B, C = numbers(4, 4), numbers(4, 2, seed=1), numbers(4, seed=2)
BATCH, RIGHT = numbers(2, 3, 4, 4, seed=3), numbers(2, 3, 4, seed=4)
SPD = np.einsum("...ik,...jk->...ij", BATCH, BATCH) + np.eye(4, dtype=np.float32)
SWAPPED = np.array([[0, 2, 1], [0, 0, 3], [4, 1, 0]], np.float32)
FIELDS = {"a": A, "b": B, "c": C, "t": BATCH, "r": RIGHT, "p": SPD, "s": SWAPPED}
INPUTS = "a: [4, 4]; b: [4, k]; c: [4]; t: [E, F, 4, 4]; r: [E, F, 4]; p: [E, F, 4, 4]; s: [3, 3]"
CALLS: dict[str, Any] = {
    "solve(a, b)": np.linalg.solve(A, B),
    "solve(a, c)": np.linalg.solve(A, C),
    "solve(t, r)": np.linalg.solve(BATCH, RIGHT[..., None])[..., 0],
    "solve(t, p)": np.linalg.solve(BATCH, SPD),
    "solve(s, eye(3))": np.linalg.inv(SWAPPED),
    "inverse(t)": np.linalg.inv(BATCH),
    "inverse(s)": np.linalg.inv(SWAPPED),
    "det(a)": np.linalg.det(A),
    "det(t)": np.linalg.det(BATCH),
    "det(s)": np.linalg.det(SWAPPED),
    "det(a[:1, :1])": A[0, 0],
    "slogdet(t).sign": np.linalg.slogdet(BATCH)[0],
    "slogdet(t).log": np.linalg.slogdet(BATCH)[1],
    "slogdet(-s).sign": np.linalg.slogdet(-SWAPPED)[0],
    "cholesky(p)": np.linalg.cholesky(SPD),
    "adjoint(t)": np.swapaxes(BATCH, -1, -2),
}


@pytest.mark.parametrize("call", CALLS)
def test_values_are_those_of_numpy(call: str) -> None:
    of = program(model(f"output result = {call}", INPUTS))
    fields = {name: FIELDS[name] for name in of.infer.inputs}
    for value in (output(of, **fields), run_onnx(export(of.infer), fields)["result"]):
        assert value.shape == np.shape(CALLS[call])
        np.testing.assert_allclose(value, CALLS[call], rtol=2e-3, atol=2e-4)


SMALL = "a: [3, 3]; b: [3, 2]; t: [2, 3, 3]; p: [2, 3, 3]; c: [3]; r: [2, 3]"
WELL = numbers(2, 3, 3, seed=9).astype(np.float64) + 3 * np.eye(3)
POINTS = {
    "a": WELL[0], "b": numbers(3, 2, seed=1), "c": numbers(3, seed=2), "t": WELL, "r": numbers(2, 3, seed=4),
    "p": WELL @ np.swapaxes(WELL, -1, -2),
}  # fmt: skip


@pytest.mark.parametrize("call", [
    "solve(a, b)", "solve(a, c)", "solve(t, r)", "inverse(t)", "det(t)", "slogdet(t).log", "cholesky(p)",
    "power_iteration(a @ adjoint(a), 12).value", "power_iteration(a, 4).vector", "spectral_radius(a, 6)",
])  # fmt: skip
def test_gradients_of_first_and_second_order(call: str) -> None:
    check_both_orders(call, SMALL, POINTS)


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 2**32 - 1), st.floats(-3, 3))
def test_solve_on_random_systems(n: int, columns: int, seed: int, scale: float) -> None:
    """Rows of very different size, in float64: A x = b to rounding, as for NumPy."""
    generator = np.random.default_rng(seed)
    a = generator.standard_normal((n, n)) * 10.0 ** (scale * generator.uniform(-1, 1, (n, 1)))
    b = generator.standard_normal((n, columns + 1))
    x = expression("solve(a, b)", f"a: [{n}, {n}]; b: [{n}, {columns + 1}]", float_type=DType.f64, a=a, b=b)
    expected = np.linalg.solve(a, b)
    np.testing.assert_allclose(x, expected, rtol=1e-9 * np.linalg.cond(a), atol=1e-12 * np.abs(expected).max())


def test_pivoting_keeps_the_digits_of_a_small_pivot() -> None:
    """Without it, 1e-20 as the first pivot would leave x_0 = 0 (Golub and Van Loan 2013, section 3.3)."""
    a, b = np.array([[1e-20, 1], [1, 1]], np.float32), np.array([1, 2], np.float32)
    np.testing.assert_allclose(expression("solve(a, b)", "a: [2, 2]; b: [2]", a=a, b=b), [1, 1], rtol=1e-6)


def test_a_singular_system_has_no_finite_solution() -> None:
    with np.errstate(all="ignore"):
        x = expression("solve(a, b)", "a: [2, 2]; b: [2]", a=np.ones((2, 2), np.float32), b=np.array([1, 2.0]))
        determinant = expression("det(a)", "a: [2, 2]", a=np.ones((2, 2), np.float32))
    assert not np.isfinite(x).all()
    assert not np.isfinite(determinant) or determinant == 0


def test_newtons_step_solves_a_quadratic_at_once() -> None:
    """x - H^-1 g of 1/2 x^T P x - c^T x is its minimum P^-1 c (003 6.6.1)."""
    body = "y = 0.5 * sum(x * (p @ x)) - sum(c * x)\noutput next = x - solve(hessian(y, x), grad(y, x))"
    p = SPD[0, 0].astype(np.float64)
    found = output(program(model(body, "x: [4]; p: [4, 4]; c: [4]"), float_type=DType.f64), x=C, p=p, c=C)
    np.testing.assert_allclose(found, np.linalg.solve(p, C), rtol=1e-9)


# ---------------------------------------------------------------- power iteration


ROTATION = np.linalg.qr(numbers(4, 4, seed=8).astype(np.float64))[0]
APART = ROTATION @ np.diag([3, 1, 0.5, -0.2]) @ ROTATION.T
"""A symmetric matrix whose eigenvalues are apart, so that 30 steps are enough: (1 / 3)^30 is 5e-15."""


def test_power_iteration_finds_the_dominant_pair() -> None:
    body = "value, vector = power_iteration(p, 30)\noutput a = value\noutput b = vector\n"
    found = outputs(program(model(body, "p: [4, 4]"), float_type=DType.f64), p=APART)
    np.testing.assert_allclose(found["a"], 3, rtol=1e-12)
    np.testing.assert_allclose(abs(found["b"] @ ROTATION[:, 0]), 1, rtol=1e-12)
    assert abs(expression("power_iteration(p, 30).value", "p: [2, 2]", p=np.diag([1, -2.0])) + 2) < 1e-6
    given_start = expression("power_iteration(p, 1, start=v).vector", "p: [2, 2]; v: [2]", p=np.eye(2), v=[0, 1.0])
    np.testing.assert_allclose(given_start, [0, 1])


def test_the_gradient_of_the_dominant_eigenvalue_is_its_projector() -> None:
    """d lambda / dA = v v^T for a symmetric A."""
    v = ROTATION[:, 0]
    gradient = expression("grad(power_iteration(p, 30).value, p)", "p: [4, 4]", float_type=DType.f64, p=APART)
    np.testing.assert_allclose(gradient, np.outer(v, v), rtol=1e-9, atol=1e-11)


def test_the_spectral_norm_and_its_gradient() -> None:
    w = ROTATION[:, :3] @ np.diag([4, 1, 0.5]) @ np.linalg.qr(numbers(3, 3, seed=5).astype(np.float64))[0]
    u, sizes, v = np.linalg.svd(w)
    body = "s = spectral_norm(w, 12)\noutput a = s\noutput b = grad(s, w)"
    found = outputs(program(model(body, "w: [4, 3]"), float_type=DType.f64), w=w)
    np.testing.assert_allclose(found["a"], sizes[0], rtol=1e-12)
    np.testing.assert_allclose(found["b"], np.outer(u[:, 0], v[0]), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("seed", range(2))
def test_the_spectral_radius_of_matrices_with_complex_eigenvalues(seed: int) -> None:
    w = numbers(5, 5, seed=seed).astype(np.float64)
    expected = np.abs(np.linalg.eigvals(w)).max()
    found = expression("spectral_radius(w, 120)", "w: [5, 5]", float_type=DType.f64, w=w)
    np.testing.assert_allclose(found, expected, rtol=2e-2)


@pytest.mark.parametrize(("call", "code"), [
    ("solve(x, x)", "AX0305"),
    ("solve(a, c)", "AX0304"),
    ("inverse(a[0])", "AX0308"),
    ("det(q)", "AX0319"),
    ("cholesky(q)", "AX0319"),
    ("cholesky(i64(a))", "AX0303"),
    ("power_iteration(a, a)", "AX0306"),
])  # fmt: skip
def test_misuse(call: str, code: str) -> None:
    assert codes(model(f"output result = {call}", "x: [B, 4]; a: [3, 3]; c: [4]; q: [B, B]")) == [code]


def test_ridge_regression_is_the_least_of_its_sum() -> None:
    """Its closed form, and that no neighbour is better."""
    x, y = numbers(20, 3), numbers(20, 2, seed=1)
    found = expression("ridge(x, y, 0.7)", "x: [20, 3]; y: [20, 2]", x=x, y=y)
    np.testing.assert_allclose(found, np.linalg.solve(x.T @ x + 0.7 * np.eye(3), x.T @ y), rtol=1e-4, atol=1e-5)

    def penalised(w: Array) -> float:
        return float(((x @ w - y) ** 2).sum() + 0.7 * (w**2).sum())

    for seed in range(5):
        assert penalised(found) < penalised(found + 0.05 * numbers(3, 2, seed=seed))
