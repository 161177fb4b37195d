"""Capsules against loops over them in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array, DType
from tests.support.derivatives import check_both_orders
from tests.support.elaborated import (
    codes,
    expression,
    findings,
    loss_and_gradients,
    measures,
    model,
    numbers,
    outputs,
    program,
)

U, W = numbers(2, 5, 3).astype(np.float64), numbers(5, 4, 3, 6, seed=1).astype(np.float64)


def squashed(s: Array) -> Array:
    size = np.linalg.norm(s)
    return size**2 / (1 + size**2) * s / size if size else 0 * s


def routed(u: Array, rounds: int) -> Array:
    """[count, size] of one example: procedure 1 of Sabour et al. 2017, capsule by capsule."""
    below, above = W.shape[:2]
    votes = np.array([[u[i] @ W[i, j] for j in range(above)] for i in range(below)])
    b, v = np.zeros((below, above)), np.zeros(votes.shape[1:])
    for _ in range(rounds):
        c = np.exp(b) / np.exp(b).sum(1, keepdims=True)
        v = np.array([squashed(sum(c[i, j] * votes[i, j] for i in range(below))) for j in range(above)])
        b = b + np.array([[votes[i, j] @ v[j] for j in range(above)] for i in range(below)])
    return v


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_routing_is_the_procedure_of_the_paper(rounds: int) -> None:
    of = program(
        model(f"caps = Capsules(4, 6, rounds={rounds})\noutput v = caps(u)", "u: [B, 5, 3]"), float_type=DType.f64
    )
    found = outputs(of, {"caps.W": W}, u=U)["v"]
    np.testing.assert_allclose(found, [routed(u, rounds) for u in U], rtol=1e-6)
    assert np.linalg.norm(found, axis=-1).max() < 1


def test_squash_keeps_directions_and_0() -> None:
    s = np.stack([1e-3 * U[0, 0], U[0, 0], 1e3 * U[0, 0], 0 * U[0, 0]])
    found = expression("squash(s)", "s: [4, 3]", float_type=DType.f64, s=s)
    np.testing.assert_allclose(found, [squashed(row) for row in s], rtol=1e-3, atol=1e-12)
    check_both_orders("squash(s)", "s: [2, 3]", {"s": U[0, :2]})


def test_the_gradient_goes_through_the_routing() -> None:
    body = "caps = Capsules(4, 6)\nv = caps(u)\nloss objective = sum(v * cos(v))"
    of = program(model(body, "u: [B, 5, 3]"), float_type=DType.f64)
    direction = numbers(*W.shape, seed=4).astype(np.float64)
    up, down = (float(measures(of, {"caps.W": W + h * direction}, u=U)["objective"]) for h in (1e-6, -1e-6))
    gradient = loss_and_gradients(of, "objective", {"u": U, "caps.W": W})["caps.W"]
    np.testing.assert_allclose((gradient * direction).sum(), (up - down) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("reduce", ["none", "sum", "mean"])
def test_the_margin_loss_is_its_formula(reduce: str) -> None:
    length, label = np.abs(numbers(4, 3, seed=2)) / 2, np.array([0, 2, 1, 1])
    rows = [
        sum(max(0.0, 0.8 - n) ** 2 if k == own else 0.3 * max(0.0, n - 0.2) ** 2 for k, n in enumerate(row))
        for row, own in zip(length, label, strict=True)
    ]
    found = expression(
        f"margin_loss(x, k, 0.8, 0.2, absent=0.3, reduce={reduce})", "x: [B, 3]; k: i64[B]", x=length, k=label
    )
    np.testing.assert_allclose(
        found, rows if reduce == "none" else np.sum(rows) / (4 if reduce == "mean" else 1), rtol=1e-5
    )


def test_a_label_that_is_no_class_costs_nan() -> None:
    found = expression(
        "margin_loss(x, k, reduce=none)", "x: [B, 3]; k: i64[B]", x=numbers(3, 3), k=np.array([0, 3, -1])
    )
    assert np.isnan(found).tolist() == [False, True, True]


def test_mistakes() -> None:
    (finding,) = findings(model("output v = u |> Capsules(4, 6, rounds=0)", "u: [B, 5, 3]"))
    assert (finding.code, "in 1 round at least, not in 0" in finding.headline) == ("AX0319", True)
    assert codes(model("output v = u |> Capsules(4, 6)", "u: [B, T, 3]")) == ["AX0315"]
    assert codes(model("output v = u |> Capsules(4, 6)", "u: [B, 5]")) == ["AX0308"]
