"""Linear algebra of small matrices, beside LAPACK's in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..analytic import Array
from ..setting import Setting, family, normal, single

Values = Mapping[str, Any]
CASES = 16


def _cholesky(A: Any) -> Any:
    """Column by column, of the lower triangle, so that complex steps are not conjugated."""
    n = A.shape[-1]
    low = 0 * A
    for k in range(n):
        low[k, k] = np.sqrt(A[k, k] - (low[k, :k] ** 2).sum())
        for i in range(k + 1, n):
            low[i, k] = (A[i, k] - (low[i, :k] * low[k, :k]).sum()) / low[k, k]
    return low


def _root(A: Array) -> Array:
    values, vectors = np.linalg.eigh(A)
    return np.asarray(vectors * np.sqrt(values) @ vectors.T)


def _top(A: Array) -> tuple[float, Array]:
    values, vectors = np.linalg.eigh(A)
    at = int(np.argmax(np.abs(values)))
    return float(values[at]), vectors[:, at]


@family("linear algebra", seeds=5 * CASES, sample=7, units=100)
def linear(rng: np.random.Generator, seed: int) -> Setting:
    """Systems, inverses, determinants, factors, the largest eigenvalues; gradients by complex steps through LAPACK."""
    n, m = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    A, b, B = normal(rng, n, n), normal(rng, n), normal(rng, n, m)
    A = single(A + 1.5 * np.eye(n))
    S = single(A @ A.T + 0.5 * np.eye(n))
    R = normal(rng, n, m)
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    even = single(Q @ np.diag([3.0, *np.linspace(1, 0.2, n - 1)]) @ Q.T) if n > 1 else single([[3.0]])
    cases: list[tuple[str, dict[str, Array], Callable[[Values], Any], tuple[str, ...]]] = [
        ("solve($A, $b)", {"A": A, "b": b}, lambda v: np.linalg.solve(v["A"], v["b"]), ("A", "b")),
        ("solve($A, $b)", {"A": A, "b": B}, lambda v: np.linalg.solve(v["A"], v["b"]), ("A", "b")),
        ("solve_columns($A, $b)", {"A": A, "b": B}, lambda v: np.linalg.solve(v["A"], v["b"]), ("A", "b")),
        ("ridge($A, $b, 0.5)", {"A": A, "b": B},
         lambda v: np.linalg.solve(v["A"].T @ v["A"] + 0.5 * np.eye(n), v["A"].T @ v["b"]), ("A", "b")),
        ("inverse($A)", {"A": A}, lambda v: np.linalg.inv(v["A"]), ("A",)),
        ("det($A)", {"A": A}, lambda v: np.linalg.det(v["A"]), ("A",)),
        ("slogdet($A).log", {"A": A}, lambda v: np.log(np.linalg.det(v["A"]) * np.sign(
            np.real(np.linalg.det(v["A"])))), ("A",)),
        ("slogdet($A).sign", {"A": A}, lambda v: np.linalg.slogdet(v["A"])[0], ()),
        ("cholesky($A)", {"A": S}, lambda v: _cholesky(v["A"]), ("A",)),
        ("adjoint($R)", {"R": R}, lambda v: np.swapaxes(v["R"], -1, -2), ("R",)),
        ("spectral_norm($R, steps=300)", {"R": even}, lambda v: np.linalg.norm(v["R"], 2), ()),
        ("power_iteration($R).value", {"R": even}, lambda v: _top(v["R"])[0], ()),
        ("abs(power_iteration($R).vector)", {"R": even}, lambda v: np.abs(_top(v["R"])[1]), ()),
        ("spectral_radius($R)", {"R": even}, lambda v: np.abs(np.linalg.eigvals(v["R"])).max(), ()),
        ("matrix_sqrt($A)", {"A": S}, lambda v: _root(v["A"]), ()),
        ("eliminate($A, $b).X", {"A": A, "b": B}, lambda v: np.linalg.solve(v["A"], v["b"]), ()),
    ]  # fmt: skip
    call, inputs, f, wrt = cases[seed % CASES]
    return Setting(call, inputs, lambda v: np.asarray(f(v)), wrt, normwise=True)


@family("batches of matrices", seeds=16, sample=4, units=100)
def batches(rng: np.random.Generator, seed: int) -> Setting:
    """The same with leading axes, and second derivatives."""
    n = int(rng.integers(1, 4))
    A = single(rng.normal(size=(2, 3, n, n)) + 2 * np.eye(n))
    b = normal(rng, 2, 3, n)
    cases: list[tuple[str, dict[str, Array], Callable[[Values], Any]]] = [
        ("solve($A, $b)", {"A": A, "b": b}, lambda v: np.linalg.solve(v["A"], v["b"][..., None])[..., 0]),
        ("det($A)", {"A": A}, lambda v: np.linalg.det(v["A"])),
        ("inverse($A)", {"A": A}, lambda v: np.linalg.inv(v["A"])),
        ("solve($A[0, 0], $b[0, 0])", {"A": A, "b": b}, lambda v: np.linalg.solve(v["A"][0, 0], v["b"][0, 0])),
    ]
    call, inputs, f = cases[seed % len(cases)]
    return Setting(call, inputs, lambda v: np.asarray(f(v)), ("A",), normwise=True, second=n == 2)
