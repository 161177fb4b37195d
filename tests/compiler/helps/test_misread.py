"""Values that are taken for something else, and fields of tables: the edit gives what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source

HEAD = "model Net():\n    input x: [B, 5]\n    input n: i64[B]\n    target t: [B]\n    target k: i64[B]\n"
GAN = (
    "model Net():\n    input x: [B, 2]\n    maker = MLP([8, 2])\n    judge = MLP([8, 1])\n"
    "    made = maker(x)\n    score = judge(stop_gradient(made))\n    loss real = mse(score, 0 * score)\n"
    "    loss fake = mse(score, 1 + 0 * score)\n    output y = made\n"
    "train:\n    minimize real over judge with adam()\n    minimize fake over maker with adam()\n"
)
PADDED = (
    "model Net():\n    input w: i64[B, 6]\n    input n: i64[B]\n    here = arange(6)[none, :] < n[:, none]\n"
    "    gone = w == 0\n    h = w |> Embedding(9, 4)\n"
)
NAMED = "model: Net\ninputs: {x: '[N, 3]'}\nlayers:\n- Dense: 1\n  as: y\noutputs: {y: y}\nlosses: {l: mean(y * y)}\n"
YAML = "model: Net\ninputs: {x: '[N, 3]'}\nlayers:\n"


def first(text: str, name: str = "net.arch") -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        elaborate(parse_spec(Source(name, text), path=Path(name)))
    return caught.value.diagnostics[0]


@pytest.mark.parametrize(
    ("wrong", "name", "right"),
    [
        (f"{HEAD}    i = argmin(x, axis=1)\n    output y = 0.5 * t * i\n", "net.arch", ("argmin", "min")),
        (
            f"{HEAD}    z = x |> Dense(1)\n    output y: [B, 1] = z\n    loss l = cross_entropy(z, k)\n",
            "net.arch",
            ("[B, 1]", "[B, 2]"),
        ),
        (
            f"{PADDED}    output y = TransformerEncoder(1, heads=2)(h, mask=not here)\n",
            "net.arch",
            ("mask=not here", "mask=here[:, none]"),
        ),
        (
            f"{PADDED}    output y = TransformerEncoder(1, heads=2)(h, mask=gone)\n",
            "net.arch",
            ("mask=gone", "mask=(not gone)[:, none]"),
        ),
        (
            f"{HEAD}    p = softmax(x)\n    move = categorical(p)\n    output y = move\n",
            "net.arch",
            ("move = ", "move: i64[B] ~ "),
        ),
        (
            f"{NAMED}train:\n  early:\n    steps: [{{minimize: l, with: adam()}}]\n"
            "  late:\n    steps: [{minimize: l, with: sgd(0.1)}]\n",
            "net.yaml",
            ("early:", "- name: early"),
        ),
        (
            f"{NAMED}train: {{data: {{npz: a.npz}}, whole: {{x: data.x}}, steps: [{{minimize: l, with: adam()}}]}}\n",
            "net.yaml",
            ("whole:", "feed_whole:"),
        ),
        (GAN, "net.arch", ("fake = mse(score", "fake = mse(judge(made)")),
        (
            f"{YAML}- Dense: 2\noutputs: {{y: {{type: '[N, 2]', value: relu(out)}}}}\n",
            "net.yaml",
            ("- Dense: 2", "- {Dense: 2, as: out}"),
        ),
        (f"{YAML}- {{Dense: 2, as: y}}\noutputs: {{y: y}}\n".replace("'[N, 3]'", "3"), "net.yaml", ("3", '"[B, 3]"')),
        (
            "model: Net\ninputs: {x: '[B, 3]'}\nlayers:\n- {Dense: 2, as: h}\noutputs: {y: h}\n"
            "losses: {l: mean(h)}\ntrain:\n  data: {csv: a.csv}\n  test_size: 0.2\n"
            "  steps: [{minimize: l, with: adam()}]\n",
            "net.yaml",
            ("test_size: 0.2", "split: {train: 0.8, test: 0.2}"),
        ),
    ],
)
def test_an_edit_says_what_was_meant(wrong: str, name: str, right: tuple[str, str]) -> None:
    found = first(wrong, name)
    assert found.fixes, found
    text = found.fixes[0].applied()
    assert right[1] in text and (right[0] not in text or right[0] in right[1]), text


def test_a_number_is_not_declared_a_class() -> None:
    found = first(f"{HEAD}    loss l = mse(x[:, 0], t)\n    metric a = accuracy(x, t)\n")
    assert not found.fixes
    assert "`mae(prediction, target)`" in str(found.help)


def test_windows_go_around_a_source() -> None:
    text = f"{YAML}- {{Dense: 2, as: h}}\noutputs: {{y: h}}\ntrain:\n  data: {{csv: a.csv, windows: {{length: 9}}}}\n"
    assert 'windows(csv("a.csv"), length=9)' in str(first(text, "net.yaml").help)


def test_a_dim_of_an_entry_has_no_default() -> None:
    entry = "    output y = x\n    entry more(n: dim = 3) -> [n]:\n        return zeros([n])\n"
    assert first(f"{HEAD}{entry}").code == "AX0209"
