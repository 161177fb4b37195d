"""Modules: which expressions make one, which share one, and the paths and order of parameters."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.elaborated import codes, findings, model, numbers, output, program

X = numbers(3, 4)
TWO = """
block Two()(x: [B, n]) -> [B, n]:
    first = Dense(n, bias=false)
    return x |> first |> Dense(n, bias=false)

block Wrap(inner: module)(x: [B, n]) -> [B, n]:
    return x + inner(x)

block Chain(layers: list)(x: [B, n]) -> [B, n]:
    for layer in layers:
        x = layer(x)
    return x

block Bare()(x: [B, n]) -> [B, n]:
    param w: [n] = 1
    return x * w

fn dense(x: [B, n], k: int) -> [B, k]:
    return x |> Dense(k, bias=false)

fn through(x: [B, n], layer: module) -> [B, n]:
    return layer(x)

fn make(k: int):
    return Dense(k, bias=false)

fn both(x: [B, n], f: fn) -> [B, n]:
    return f(f(x))
"""


def paths(body: str) -> list[str]:
    """The parameters of a model over ``x: [B, 4]``, in order."""
    return list(program(model(body, before=TWO)).parameters)


@pytest.mark.parametrize(("body", "expected"), [
    ("output y = x |> Dense(4)", ["dense.W", "dense.b"]),
    ("output y = x |> Dense(4, bias=false) |> Dense(4, bias=false)", ["dense.0.W", "dense.1.W"]),
    ("net = Dense(4)\noutput y = net(x)", ["net.W", "net.b"]),
    ("net = Two()\noutput y = net(x)", ["net.first.W", "net.dense.W"]),
    ("output y = x |> Two |> Two", ["two.0.first.W", "two.0.dense.W", "two.1.first.W", "two.1.dense.W"]),
    ("nets = [Bare(), Bare()]\noutput y = nets[1](nets[0](x))", ["nets.0.w", "nets.1.w"]),
    ("nets = [Bare() for i in range(2)]\noutput y = nets[0](nets[1](x))", ["nets.1.w", "nets.0.w"]),
    ("nets = [[Bare()], [Bare()]]\noutput y = nets[0][0](nets[1][0](x))", ["nets.1.0.w", "nets.0.0.w"]),
    ("for i in range(2):\n    x = x |> Bare\noutput y = x", ["bare.0.w", "bare.1.w"]),
    ("output y = [Bare() for i in range(2)][1](x)", ["bare.1.w"]),
    ("a, b = Bare(), Bare()\noutput y = a(b(x))", ["b.w", "a.w"]),
    ("output y = Wrap(Bare())(x)", ["wrap.inner.w"]),
    ("output y = x |> Wrap(Wrap(Bare()))", ["wrap.inner.inner.w"]),
    ("output y = Wrap(inner=Bare())(x)", ["wrap.inner.w"]),
    ("shared = Bare()\noutput y = x |> Wrap(shared) |> Wrap(shared)", ["shared.w"]),
    ("output y = x |> Chain([Bare(), Two()])",
     ["chain.layers.0.w", "chain.layers.1.first.W", "chain.layers.1.dense.W"]),
    ("net = Chain([Bare() for i in range(2)])\noutput y = net(x)", ["net.layers.0.w", "net.layers.1.w"]),
    ("output y = through(x, Bare())", ["layer.w"]),
    ("output y = through(through(x, Bare()), Bare())", ["layer.0.w", "layer.1.w"]),
    ("output y = dense(x, 4)", ["dense.W"]),
    ("output y = dense(dense(x, 4), 4)", ["dense.0.W", "dense.1.W"]),
    ("for i in range(2):\n    x = dense(x, 4)\noutput y = x", ["dense.0.W", "dense.1.W"]),
    ("a = make(4)\nb = make(4)\noutput y = a(b(x))", ["dense.1.W", "dense.0.W"]),
    ("dense = Dense(4, bias=false)\noutput y = dense(x) |> Dense(4, bias=false)", ["dense.W", "dense.0.W"]),
    ("param w: [4] = 1\nnet = Bare()\noutput y = net(x) * w", ["w", "net.w"]),
    ("output y = MLP([4, 4])(x)", ["mlp.dense.0.W", "mlp.dense.0.b", "mlp.dense.1.W", "mlp.dense.1.b"]),
    ("net = Bare() if 1 > 2 else Two()\noutput y = net(x)", ["net.first.W", "net.dense.W"]),
    ("unused = Dense(3)\noutput y = x", []),
    ("output y = LayerNorm()(x)", ["layer_norm.scale", "layer_norm.shift"]),
])  # fmt: skip
def test_paths(body: str, expected: list[str]) -> None:
    assert sorted(paths(body)) == sorted(expected)


@pytest.mark.parametrize(("name", "snake"), [
    ("LSTM", "lstm"), ("LSTMCell", "lstm_cell"), ("Conv2d", "conv2d"), ("MyNet", "my_net"), ("gate", "gate"),
])  # fmt: skip
def test_anonymous_modules_bear_the_blocks_name_in_snake_case(name: str, snake: str) -> None:
    block = f"block {name}()(x: [B, n]) -> [B, n]:\n    param w: [n] = 1\n    return x * w\n"
    assert list(program(model(f"output y = x |> {name}", before=block)).parameters) == [f"{snake}.w"]


def test_parameters_stand_in_order_of_construction() -> None:
    body = "late = Bare()\nparam w: [4] = 1\nx = x |> Dense(4, bias=false)\nx = late(x)\noutput y = x * w"
    assert paths(body) == ["w", "dense.W", "late.w"]


def test_a_module_applied_twice_has_its_parameters_once() -> None:
    of = program(model("net = Dense(4)\noutput y = net(net(x))"))
    w, b = numbers(4, 4, seed=3), numbers(4, seed=4)
    np.testing.assert_allclose(output(of, {"net.W": w, "net.b": b}, x=X), (X @ w + b) @ w + b, rtol=1e-4, atol=1e-5)


def test_a_block_applied_twice_shares_what_is_made_in_its_body() -> None:
    assert paths("net = Two()\noutput y = net(net(x))") == ["net.first.W", "net.dense.W"]


def test_applications_in_a_loop_share() -> None:
    assert paths("net = Two()\nfor i in range(3):\n    x = net(x)\noutput y = x") == ["net.first.W", "net.dense.W"]


def test_two_modules_of_one_block_do_not_share() -> None:
    of = program(model("a = Bare()\nb = Bare()\noutput y = a(b(x))", before=TWO))
    np.testing.assert_allclose(output(of, {"a.w": np.full(4, 2), "b.w": np.full(4, 3)}, x=X), 6 * X, rtol=1e-6)


def test_a_modules_parameters_are_read_by_name() -> None:
    np.testing.assert_allclose(output(model("net = Bare()\ny = net(x)\noutput z = y + net.w", before=TWO), x=X), X + 1)
    assert paths("net = Two()\ny = net(x)\noutput z = y @ net.first.W") == ["net.first.W", "net.dense.W"]
    assert codes(model("net = Bare()\ny = net(x)\noutput z = net.v", before=TWO)) == ["AX0206"]


def test_names_of_parameters_and_modules_keep_their_meaning() -> None:
    assert codes(model("param w: [4] = 1\nw = 2 * w\noutput y = x * w")) == ["AX0204"]
    assert codes(model("net = Dense(4)\nnet = Dense(5)\noutput y = net(x)")) == ["AX0204"]
    assert codes(model("param w: [4] = 1\nparam w: [4] = 2\noutput y = x * w")) == ["AX0204"]
    assert codes(model("y = x\ny = 2 * y\noutput z = y")) == []


def test_options_of_parameters() -> None:
    of = program(model("param a: [4] = 1, trainable=false\nparam b: [4] = 1, decay=false\noutput y = x * a * b"))
    assert (of.parameters["a"].trainable, of.parameters["a"].decay) == (False, True)
    assert (of.parameters["b"].trainable, of.parameters["b"].decay) == (True, False)
    assert codes(model("param a: [4] = 1, trainble=false\noutput y = x * a")) == ["AX0202"]


def test_the_parameters_may_not_depend_on_training() -> None:
    (finding,) = findings(model("if training:\n    x = x |> Dense(4)\noutput y = x"))
    assert finding.code == "AX0314"


def test_parameters_have_integer_sizes_and_a_float_dtype() -> None:
    assert codes(model("param w: [B, 4] = 1\noutput y = x * w")) == ["AX0315"]
    assert codes(model("param w: i64[4] = 1\noutput y = x")) == ["AX0303"]
