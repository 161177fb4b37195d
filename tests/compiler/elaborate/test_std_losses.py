"""The library's losses: values by NumPy, gradients by central differences, and what they do at their edges."""

from __future__ import annotations

import re

import numpy as np
import pytest

from archonnx.compiler.ir.types import DType
from tests.support.derivatives import check_gradient
from tests.support.elaborated import codes, expression, loss_and_gradients, model, program
from tests.support.oracles.losses import BITS, FIELDS, LOSSES, K, T, U, X


def used(call: str) -> str:
    """The fields that a call is of, without ``x``."""
    return "; ".join(f for f in FIELDS.split("; ")[1:] if re.search(rf"\b{f[0]}\b", call))


@pytest.mark.parametrize("call", LOSSES)
def test_values(call: str) -> None:
    loss = LOSSES[call]
    values = loss.values(X)
    body = "".join(f"output r_{word} = {call}, reduce={word})\n" for word in ("mean", "sum", "none"))
    body += f"output by_itself = {call})"
    from tests.support.elaborated import outputs

    actual = outputs(model(body, FIELDS), float_type=DType.f64, x=X, **loss.fields())
    np.testing.assert_allclose(actual["r_none"], values, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(actual["r_sum"], values.sum(), rtol=1e-6)
    np.testing.assert_allclose(actual["r_mean"], values.sum() / (loss.mean or values.size), rtol=1e-6)
    assert actual["by_itself"] == actual["r_mean"]


@pytest.mark.parametrize("call", LOSSES)
def test_gradients(call: str) -> None:
    fields, inputs = LOSSES[call].fields(), used(call)
    given = {f[0]: fields[f[0]] for f in inputs.split("; ")}
    check_gradient(re.sub(r"\bx\b", "w", call) + ")", "", X, given, inputs)


def test_losses_stay_finite_at_large_logits() -> None:
    large, inputs = np.array([[1e4, -1e4, 0, 0]], np.float32), "x: [B, 4]; t: [B, 4]; k: i64[B]"
    bits = np.array([[0, 1, 0, 0]], np.float32)
    given = {"x": large, "t": bits, "k": np.array([1])}
    assert expression("cross_entropy(x, k)", inputs, **{**given, "k": np.array([0])}) == 0
    np.testing.assert_allclose(expression("cross_entropy(x, k)", inputs, **given), 2e4)
    np.testing.assert_allclose(expression("bce_logits(x, t)", inputs, **given), (2e4 + 2 * np.log(2)) / 4)
    assert np.isfinite(expression("focal(x, t)", inputs, **given))
    np.testing.assert_allclose(
        expression("log_cosh(x, -x)", "x: [B, 4]", x=large), (4e4 - 2 * np.log(2)) / 4, rtol=1e-5
    )


def test_probabilities_of_0_and_1_have_finite_losses_and_gradients() -> None:
    p = np.array([[0.0, 1.0, 0.0, 1.0]], np.float32)
    t = np.array([[0.0, 1.0, 1.0, 0.0]], np.float32)
    for call in ("bce(w, x)", "cce(w, x)"):
        of = program(model(f"param w: [1, 4] = 0\nloss objective = {call}", "x: [1, 4]"))
        assert np.isfinite(loss_and_gradients(of, "objective", {"w": p, "x": t})["w"]).all()
    np.testing.assert_allclose(expression("bce(x, t)", "x: [B, 4]; t: [B, 4]", x=p, t=t), -np.log(1e-7) / 2, rtol=1e-5)


@pytest.mark.parametrize(
    "call", ["triplet(w, w, x)", "contrastive(w, w, x[:, 0])", "cosine_embedding(w, w, x[:, 0])", "info_nce(w, w)"]
)
def test_vectors_that_coincide_have_finite_gradients(call: str) -> None:
    of = program(model(f"param w: [5, 4] = 0\nloss objective = {call} + 0 * sum(x)", "x: [5, 4]"))
    for w in (X, 0 * X):
        gradient = loss_and_gradients(of, "objective", {"w": w.astype(np.float32), "x": T.astype(np.float32)})["w"]
        assert np.isfinite(gradient).all()


def test_each_argument_order_of_the_divergence_is_another_number() -> None:
    p, q = (np.exp(a) / np.exp(a).sum(-1, keepdims=True) for a in (T, U))
    for one, other, call in ((p, q, "kl(t, log(u))"), (q, p, "kl(u, log(t))")):
        expected = (one * (np.log(one) - np.log(other))).sum(-1).mean()
        actual = expression(call, "t: [B, 4]; u: [B, 4]", t=p.astype(np.float32), u=q.astype(np.float32))
        np.testing.assert_allclose(actual, expected, rtol=1e-5)
    same = np.array([[0.5, 0.5, 0, 0]], np.float32)
    assert expression("kl(t, log(max(t, 1e-30)))", "t: [B, 4]", t=same) == 0


def test_the_quantile_loss_is_smallest_at_the_quantile() -> None:
    sample = np.random.default_rng(0).normal(size=(1001, 1))
    levels = np.linspace(-2, 2, 81)
    losses = expression(
        "mean(quantile_loss(broadcast(a, [n, 81]), broadcast(x, [n, 81]), 0.9, reduce=none), axis=0)",
        "x: [n, 1]; a: [1, 81]", float_type=DType.f64, x=sample, a=levels[None],
    )  # fmt: skip
    assert abs(levels[losses.argmin()] - np.quantile(sample, 0.9)) <= 0.05


def test_focal_without_focus_is_cross_entropy() -> None:
    given = {"x": X, "t": BITS, "k": K}
    inputs = "x: [B, 4]; t: [B, 4]; k: i64[B]"
    pairs = ("focal(x, t, gamma=0)", "bce_logits(x, t)"), ("multiclass_focal(x, k, gamma=0)", "cross_entropy(x, k)")
    for one, other in pairs:
        values = [expression(text, inputs, float_type=DType.f64, **given) for text in (one, other)]
        np.testing.assert_allclose(*values, rtol=1e-12)


@pytest.mark.parametrize(("call", "code"), [
    ("mse(x, k)", "AX0303"),
    ("mse(x, x, reduce=max)", "AX0208"),
    ("cross_entropy(x, t)", "AX0303"),
    ("cross_entropy(x, x[0])", "AX0303"),
    ("cross_entropy(x, k, smoothing=1.0)", "AX0319"),
    ("quantile_loss(x, t, 1.5)", "AX0319"),
    ("multiclass_hinge(x, k, over=two)", "AX0208"),
    ("triplet(x, x, x[:, :3])", "AX0304"),
])  # fmt: skip
def test_misuse_is_told_at_the_users_call(call: str, code: str) -> None:
    assert codes(model(f"output y = {call}", "x: [B, 4]; t: [B, 4]; k: i64[B]")) == [code]
