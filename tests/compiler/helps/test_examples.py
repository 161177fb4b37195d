"""Edits for axes of examples, and for what is written as if examples came one by one."""

from __future__ import annotations

import pytest

from tests.support.elaborated import findings, program

HEAD = "model M():\n    input x: [B, T, 8]\n    input count: i64[B]\n    target tag: i64[B, T]\n    target y: [B]\n"


@pytest.mark.parametrize(
    ("body", "wrong", "right"),
    [
        ("output seen = arange(T) < count", "< count", "< count[:, none]"),
        ("w = softmax(mean(x, axis=2))\n    output p = sum(w * x, axis=1)", "w * x", "w[:, :, none] * x"),
        ("m = x[:, 0] |> Dense(3)\n    loss l = -mean(normal_log_prob(y, m, exp(m)))", "prob(y,", "prob(y[:, none],"),
        ("param W: [4, 8] ~ glorot_uniform()\n    output p = W @ mean(x, axis=1)", "W @", None),
        ("loss l = sum((mean(x, axis=[1, 2]) - y) ** 2) / batch_size", "batch_size", "B"),
        (
            "z = x |> Dense(5)\n    loss l = cross_entropy(z, tag, ignore_index=0)",
            "cross_entropy(z, tag, ignore_index=0)",
            "masked_mean(cross_entropy(z, tag, reduce=none), tag != 0)",
        ),
        (
            "e = Embedding(9, 8)\n    h = e(tag)\n    loss l = cross_entropy(x @ e.weight.T, tag) + mean(h)",
            "e.weight.T",
            "transpose(e.W)",
        ),
    ],
)
def test_the_edit_does_what_was_meant(body: str, wrong: str, right: str | None) -> None:
    text = f"{HEAD}    {body}\n"
    found = findings(text)[0]
    if right is None:  # the other way round does not fit either
        assert not any("examples are rows" in fix.text for fix in found.fixes)
        return
    fix = found.fixes[0]
    assert fix.applied() == text.replace(wrong, right)
    program(fix.applied())


def test_a_matrix_stands_behind_its_examples() -> None:
    text = f"{HEAD}    param W: [8, 4] ~ glorot_uniform()\n    output p = W @ x\n"
    assert findings(text)[0].fixes[0].applied() == text.replace("W @ x", "x @ W")


def test_a_loop_over_the_examples_is_not_needed() -> None:
    text = f"{HEAD}    s = 0\n    for i in range(B):\n        s = s + mean(x[i])\n    loss l = s\n"
    assert "leave the loop" in str(findings(text)[0].help)
