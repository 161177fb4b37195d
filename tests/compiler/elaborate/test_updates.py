"""`update` in a program: any value of the batch, buffers, and several that share one forward pass; against NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.programs import run_programs
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import codes, findings, model, numbers, program

CPU = SessionOptions(device="cpu", threads=1)
FIELDS = "x: [B, 3]; y: [B, 2]"
BODY = """
param W: [3, 4] ~ normal(0, 0.5)
param V: [4, 2] ~ normal(0, 0.5)
param R: [4, 2] ~ normal(0, 0.5), trainable=false
buffer seen: [] = 0
buffer chain: [5] = 0
h = tanh(x @ W)
e = h @ V - y
z: [5] ~ normal(chain, 1)
loss l = mean(sum(e * e, axis=1)) / 2
"""
FEEDBACK = "update W = W - 0.1 * transpose(x) @ (e @ transpose(R) * (1 - h * h)) / B"
OUTPUT = "update V = V - 0.1 * transpose(h) @ e / B"


def spec(train: str, body: str = BODY) -> str:
    return model(body, FIELDS, "", "\ntrain:\n" + "".join(f"    {line}\n" for line in train.strip().split("\n")))


def trainer(train: str, body: str = BODY) -> Trainer:
    return Trainer(program(spec(train, body)), options=CPU)


def batch(seed: int, rows: int = 6) -> dict[str, Any]:
    return {"x": numbers(rows, 3, seed=seed), "y": numbers(rows, 2, seed=seed + 100)}


def moves(w: dict[str, Any], x: Any, y: Any) -> tuple[dict[str, Any], float]:
    """By how much feedback alignment (Lillicrap et al. 2016) moves each matrix, and the loss before."""
    h = np.tanh(x @ w["W"])
    e = h @ w["V"] - y
    changes = {"W": x.T @ (e @ w["R"].T * (1 - h * h)), "V": h.T @ e}
    return {name: -0.1 * change / len(x) for name, change in changes.items()}, float((e * e).sum(1).mean() / 2)


@pytest.mark.parametrize("together", [True, False])
def test_a_rule_of_the_batch_moves_what_it_names_and_together_it_reads_what_was_before(together: bool) -> None:
    """Apart, the second statement has a forward pass of its own, after the first."""
    train = f"together:\n    {OUTPUT}\n    {FEEDBACK}" if together else f"{OUTPUT}\n{FEEDBACK}"
    ours = trainer(train)
    w = {name: np.asarray(value, np.float64) for name, value in ours.parameters.items()}
    for seed, rows in enumerate((6, 4, 6)):
        given = batch(seed, rows)
        first, loss = moves(w, **given)
        assert ours.step(given)["l"] == pytest.approx(loss, rel=1e-5)
        then = first if together else moves({**w, "V": w["V"] + first["V"]}, **given)[0]
        w["V"], w["W"] = w["V"] + first["V"], w["W"] + then["W"]
    for name in "WVR":
        np.testing.assert_allclose(ours.parameters[name], w[name], rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("order", ["MU", "UM"])
def test_minimize_and_update_of_a_together_share_the_pass_in_either_order(order: str) -> None:
    parts = {"M": "    minimize l over V with sgd(lr=0.1)\n", "U": f"    {FEEDBACK}\n"}
    ours, other = (
        trainer("together:\n" + "".join(parts[o] for o in order)),
        trainer(f"together:\n    {OUTPUT}\n{parts['U']}"),
    )
    for seed in range(3):
        assert ours.step(batch(seed)) == pytest.approx(other.step(batch(seed)), rel=1e-5)
    for name in "WV":
        np.testing.assert_allclose(ours.parameters[name], other.parameters[name], rtol=1e-4, atol=1e-6)


def test_buffers_are_updated_and_a_draw_is_one_in_a_together_and_new_in_each_statement() -> None:
    body = BODY + "buffer again: [5] = 0\n"
    shared = trainer("together:\n    update chain = z\n    update again = z\n    update seen = seen + 1", body)
    apart = trainer("update again = z - chain\nupdate chain = z - chain\nupdate seen = seen + mean(x)", body)
    for ours in (shared, apart):
        ours.step(batch(0))
    assert np.array_equal(shared.parameters["chain"], shared.parameters["again"])
    assert not np.array_equal(apart.parameters["chain"], apart.parameters["again"])
    before = shared.parameters["chain"]
    shared.step(batch(1))
    change = shared.parameters["chain"] - before
    assert shared.parameters["seen"] == 2 and 0 < abs(change).max() < 6, "z is drawn about the chain"


def test_a_field_may_be_kept_as_it_is() -> None:
    body = BODY.replace("buffer chain: [5] = 0", "buffer chain: [5] = 0\nbuffer kept: [3] = 0")
    ours, given = trainer("update kept = x[0]", body), batch(0)
    ours.step(given)
    assert np.array_equal(ours.parameters["kept"], given["x"][0])


def test_what_only_updates_tells_its_losses_and_may_stop_by_them() -> None:
    made = "fn made(n: int) -> (x: [n, 3], y: [n, 2]):\n    x: [n, 3] ~ normal(0, 1)\n    return x, x[:, :2]\n"
    train = "\ntrain:\n    data = generate(made, n=64)\n    epochs = 6\n    early_stopping = {monitor: train.l, patience: 2}\n"
    text = model(BODY, FIELDS, made, f"{train}    {OUTPUT}\n    {FEEDBACK}\n")
    (done,) = run_programs(program(text), Path(), options=CPU)
    history = done.outcome.history
    assert [set(epoch.train) for epoch in history] == [{"l"}] * 6
    assert history[-1].train["l"] < history[0].train["l"]


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        (["update V = 2 * V", "update V = V"], "parameter `V`"),
        (["minimize l with sgd", OUTPUT], "parameter `V`"),
        ([OUTPUT, "minimize l with sgd"], "parameter `V`"),
        (["update seen = seen", "update seen = 2 * seen"], "buffer `seen`"),
    ],
)
def test_two_statements_of_a_together_that_change_one_thing_are_both_shown(parts: list[str], what: str) -> None:
    (finding,) = findings(spec("together:\n" + "".join(f"    {part}\n" for part in parts)))
    assert finding.code == "AX0222" and what in finding.headline and len(finding.labels) == 2


def test_a_buffer_that_the_model_updates_with_the_loss_is_not_updated_beside_it() -> None:
    """`BatchNorm` updates its running mean where the loss is minimised."""
    body = BODY.replace("h = tanh(x @ W)", "norm = BatchNorm()\nh = norm(tanh(x @ W))")
    buffer = next(path for path in program(spec("minimize l with sgd", body)).parameters if "mean" in path)
    together = f"together:\n    minimize l with sgd\n    update {buffer} = 0 * {buffer}"
    (finding,) = findings(spec(together, body))
    assert finding.code == "AX0222" and f"buffer `{buffer}`" in finding.headline


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("update h = x", "AX0221"),
        ("update seen = x", "AX0307"),
        ("update W = missing", "AX0201"),
        ("together:\n    epochs = 2", "AX0212"),
        ("together:\n    repeat 2:\n        update seen = seen", "AX0212"),
    ],
)
def test_refused(statement: str, code: str) -> None:
    assert codes(spec(statement)) == [code]
