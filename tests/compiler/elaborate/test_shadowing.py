"""A user's own fns and blocks work as the library's do, and hide them in the user's file alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.elaborated import (
    codes,
    expression,
    initial,
    measures,
    model,
    numbers,
    output,
    program,
    run_steps,
    train_step,
)

X = numbers(3, 4)


def test_a_users_relu_hides_the_librarys_in_the_users_file_alone() -> None:
    before = "fn relu(x: [...S]) -> [...S]:\n    return 5 * x\n"
    np.testing.assert_allclose(expression("relu(x)", before=before, x=X), 5 * X, rtol=1e-6)
    np.testing.assert_allclose(expression("x |> relu", before=before, x=X), 5 * X, rtol=1e-6)
    of = program(model("output y = MLP([4, 2])(x)", before=before))
    values = initial(of)
    hidden = np.maximum(X @ values["mlp.dense.0.W"], 0)
    np.testing.assert_allclose(output(of, x=X), hidden @ values["mlp.dense.1.W"], rtol=1e-4, atol=1e-5)


def test_a_users_dense_hides_the_librarys_in_the_users_file_alone() -> None:
    before = (
        "block Dense(units: int)(x: [...S, n]) -> [...S, units]:\n"
        "    param kernel: [n, units] = 1\n    return x @ kernel\n"
    )
    of = program(model("output y = x |> Dense(2)\noutput z = x |> MLP([2])", before=before))
    assert list(of.parameters) == ["dense.kernel", "mlp.dense.W", "mlp.dense.b"]
    assert codes(model("output y = x |> Dense(2, bias=false)", before=before)) == ["AX0202"]


def test_a_users_initialiser_serves_the_users_blocks_alone() -> None:
    before = (
        "fn glorot_uniform(shape: list) -> [...shape]:\n    return constant(shape, 3)\n"
        "block Own(units: int, init: fn = glorot_uniform)(x: [B, n]) -> [B, units]:\n"
        "    param W: [n, units] ~ init()\n    return x @ W\n"
    )
    body = "output y = x |> Own(2) |> Dense(2) |> Dense(2, init=glorot_uniform)"
    values = initial(program(model(body, before=before)))
    np.testing.assert_array_equal(values["own.W"], np.full((4, 2), 3))
    assert values["dense.0.W"].std() > 0
    np.testing.assert_array_equal(values["dense.1.W"], np.full((2, 2), 3))


def test_a_users_loss_and_metric() -> None:
    before = (
        "fn cross_entropy(logits: [B, c], label: i64[B]) -> []:\n    return mean(logits) + 1\n"
        "fn accuracy(scores: [B, c], label: i64[B]) -> []:\n    return mean(scores)\n"
    )
    body = "target k: i64[B]\nloss objective = cross_entropy(x, k)\nmetric accuracy = accuracy(x, k)"
    actual = measures(model(body, before=before), x=X, k=np.zeros(3))
    np.testing.assert_allclose(actual["objective"], X.mean() + 1, rtol=1e-5)
    np.testing.assert_allclose(actual["accuracy"], X.mean(), rtol=1e-5)


def test_a_users_optimizer_and_schedule() -> None:
    before = (
        "optimizer adam(lr: schedule = 1.0)(p: [...S], g: [...S], t: i64[]) -> [...S]:\n"
        "    return p - lr(t) * sign(g)\n"
        "schedule warmup_cosine(peak: float)(t: i64[]) -> []:\n    return peak / f32(t)\n"
    )
    after = "\ntrain:\n    minimize objective with adam(lr=warmup_cosine(0.5))\n"
    of = program(model("param w: [4] = 0\nloss objective = mean(x * w)", before=before, after=after))
    history = run_steps(train_step(of), {"w": np.zeros(4, np.float32)}, {"x": np.ones((2, 4))}, 3)
    np.testing.assert_allclose([state["w"][0] for state in history], [-0.5, -0.75, -0.75 - 0.5 / 3], rtol=1e-6)


@pytest.mark.parametrize("name", ["sqrt", "mean", "where", "zeros"])
def test_builtin_functions_may_be_hidden_too(name: str) -> None:
    before = f"fn {name}(x: [...S]) -> [...S]:\n    return x + 7\n"
    np.testing.assert_allclose(expression(f"{name}(x) + l2(x)", before=before, x=X), X + 7 + (X * X).sum(), rtol=1e-5)
    normed = output(model("output y = standardise(x)", before=before), x=X)
    np.testing.assert_allclose(normed, (X - X.mean(0)) / X.std(0), rtol=1e-4, atol=1e-5)


def test_local_names_hide_declarations() -> None:
    np.testing.assert_allclose(output(model("pi = 2\noutput y = x * pi"), x=X), 2 * X)


def test_a_fn_passed_to_the_library_keeps_its_own_meaning() -> None:
    before = "fn scale():\n    return 3.0\nfn mine(x: [...S]) -> [...S]:\n    return scale() * x\n"
    of = program(model("output y = MLP([4, 4], activation=mine)(x)", before=before))
    values = initial(of)
    expected = 3 * (X @ values["mlp.dense.0.W"]) @ values["mlp.dense.1.W"]
    np.testing.assert_allclose(output(of, x=X), expected, rtol=1e-4, atol=1e-5)


def test_fns_may_be_declared_after_their_use() -> None:
    after = "fn late(x: [...S]) -> [...S]:\n    return later(x)\nfn later(x: [...S]) -> [...S]:\n    return 2 * x\n"
    np.testing.assert_allclose(output(model("output y = late(x)", after=after), x=X), 2 * X)


def test_a_name_is_declared_once_in_a_file() -> None:
    twice = "fn f(x: [B]) -> [B]:\n    return x\nfn f(x: [B]) -> [B]:\n    return 2 * x\n"
    assert codes(model("output y = f(x)", "x: [B]", twice)) == ["AX0205"]
