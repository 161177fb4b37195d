"""Modules as values: frozen, copied, mapped, added and scaled, laid out as vectors; penalties of all parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import train_steps
from archonnx.compiler.steps import initial_state
from tests.support.elaborated import (
    SEED,
    codes,
    findings,
    initial,
    loss_and_gradients,
    measures,
    model,
    numbers,
    output,
    outputs,
    program,
    run_steps,
    train_step,
)
from tests.support.entries import entry_value

X = numbers(3, 4)
BLOCKS = """
block Bare(start: float = 1.0)(x: [B, n]) -> [B, n]:
    param w: [n] = start

    fn back(y: [B, n]) -> [B, n]:
        return y / w

    return x * w

block Two()(x: [B, n]) -> [B, n]:
    inner = Bare(2.0)
    return inner(x) |> Bare(3.0)

fn double(p: [...S]) -> [...S]:
    return 2 * p

fn mixed(p: [...S], q: [...S]) -> [...S]:
    return 0.9 * p + 0.1 * q
"""


def value(body: str, **parameters: Any) -> Array:
    """The only output of a model with these blocks."""
    return output(model(body, before=BLOCKS), {path.replace("__", "."): v for path, v in parameters.items()}, x=X)


# ---------------------------------------------------------------- arithmetic, map, vectors


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("a + b", 5),
        ("a - b", -1),
        ("a * b", 6),
        ("a / b", 2 / 3),
        ("2 * a", 4),
        ("a * 2", 4),
        ("a + 1", 3),
        ("1 - a", -1),
        ("a / 4", 0.5),
        ("1 / a", 0.5),
        ("B * a", 6),
        ("a / (B + 1)", 0.5),
        ("a + 2 * (b - a)", 4),
        ("map(double, a)", 4),
        ("map(mixed, a, b)", 2.1),
        ("map(tanh, a)", np.tanh(2)),
        ("unvec(vec(a) * 3, a)", 6),
        ("unvec(vec(a) + vec(b), b)", 5),
        ("map(double, a + b) - a", 8),
        ("a * sum(b.w)", 24),
    ],
)
def test_derived_modules_are_applied_like_the_first(text: str, factor: float) -> None:
    body = f"a = Bare(2.0)\nb = Bare(3.0)\nfirst = a(x)\nsecond = b(x)\nd = {text}\noutput y = d(x)"
    np.testing.assert_allclose(value(body), X * factor, rtol=1e-5)


def test_the_parts_of_a_derived_module_are_derived_too() -> None:
    body = "a = Two()\nfirst = a(x)\nd = a * 2\noutput whole = d(x)\noutput inner = d.inner(x)\noutput w = d.inner.w\n"
    body += "output back = d.inner.back(x)\noutput old = a.inner(x)"
    result = outputs(model(body, before=BLOCKS), x=X)
    np.testing.assert_allclose(result["whole"], 24 * X, rtol=1e-6)
    np.testing.assert_allclose(result["inner"], 4 * X, rtol=1e-6)
    np.testing.assert_allclose(result["w"], np.full(4, 4))
    np.testing.assert_allclose(result["back"], X / 4, rtol=1e-6)
    np.testing.assert_allclose(result["old"], 2 * X, rtol=1e-6)


def test_derived_modules_may_be_derived_again_and_rebound() -> None:
    body = "a = Bare(2.0)\ny = a(x)\nd = a * 2\nfor i in range(3):\n    d = d + a\noutput z = d(x)"
    np.testing.assert_allclose(value(body), 10 * X, rtol=1e-6)


def test_lists_of_modules() -> None:
    body = "ms = [Bare(2.0), Bare(3.0)]\ny = ms[1](ms[0](x))\nd = map(double, ms)\noutput z = d[1](d[0](x))"
    np.testing.assert_allclose(value(body), 24 * X, rtol=1e-6)
    body = "ms = [Bare(2.0), Bare(3.0)]\ny = ms[1](ms[0](x))\nd = unvec(vec(ms) + 1, ms)\noutput z = d[1](d[0](x))"
    np.testing.assert_allclose(value(body), 12 * X, rtol=1e-6)
    body = "ms = [Bare(2.0), Bare(3.0)]\ny = ms[1](ms[0](x))\nd = ms * 2 - ms\noutput z = d[1](d[0](x)) + sum(vec(ms))"
    np.testing.assert_allclose(value(body), 6 * X + 20, rtol=1e-6)
    body = "ms = [Bare(2.0)]\ny = ms[0](x)\nmore = ms + [Bare(3.0)]\noutput z = more[1](x) + len(more)"
    np.testing.assert_allclose(value(body), 3 * X + 2, rtol=1e-6)


def test_vec_lays_parameters_out_in_order_of_construction() -> None:
    of = program(model("net = MLP([3, 2])\ny = net(x)\noutput v = vec(net)\noutput t = vec(x)\noutput s = vec(self)"))
    expected = np.concatenate([array.ravel() for array in initial(of).values()])
    result = outputs(of, x=X)
    np.testing.assert_array_equal(result["v"], expected)
    np.testing.assert_array_equal(result["s"], expected)
    np.testing.assert_array_equal(result["t"], X.ravel())


def test_gradients_pass_through_derived_modules() -> None:
    body = "a = Bare(2.0)\ny = a(x)\nd = a * a + 1\nloss l = sum(d(x))"
    gradients = loss_and_gradients(program(model(body, before=BLOCKS)), "l", {"a.w": np.full(4, 2), "x": X})
    np.testing.assert_allclose(gradients["a.w"], 4 * X.sum(0), rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a + c", "AX0304"),
        ("map(mixed, a, c)", "AX0304"),
        ("unvec(zeros([3]), a)", "AX0304"),
        ("a + relu", "AX0306"),
        ("a ** 2", "AX0306"),
        ("map(double, x)", "AX0306"),
        ("frozen(x)", "AX0306"),
        ("copy(x)", "AX0306"),
        ("vec(3)", "AX0306"),
        ("late * 2", "AX0316"),
        ("map(sum, a)", "AX0304"),
        ("unvec(x, a)", "AX0304"),
    ],
)
def test_refused(text: str, code: str) -> None:
    body = f"a = Bare(2.0)\nc = Dense(2)\nlate = Bare()\ny = a(x)\nz = c(x)\nd = {text}\noutput out = y"
    assert codes(model(body, before=BLOCKS)) == [code]


# ---------------------------------------------------------------- frozen


def test_no_gradient_reaches_a_frozen_module_but_one_passes_through_it() -> None:
    body = "a = Bare(2.0)\nb = Bare(3.0)\nloss l = sum(frozen(b)(a(x)))"
    of = program(model(body, before=BLOCKS, after="\ntrain:\n    minimize l with sgd(lr=0.1)\n"))
    gradients = loss_and_gradients(of, "l", {**initial(of), "x": X})
    np.testing.assert_allclose(gradients["a.w"], 3 * X.sum(0), rtol=1e-5)
    np.testing.assert_array_equal(gradients["b.w"], np.zeros(4))
    (after,) = run_steps(train_step(of), initial(of), {"x": X}, 1)
    assert "b.w" not in after or np.all(after["b.w"] == 3)


def test_a_module_may_be_used_both_ways() -> None:
    body = "a = Bare(2.0)\nloss l = sum(a(x)) + 10 * sum(frozen(a)(x))"
    of = program(model(body, before=BLOCKS))
    np.testing.assert_allclose(loss_and_gradients(of, "l", {"a.w": np.full(4, 2), "x": X})["a.w"], X.sum(0), rtol=1e-5)
    np.testing.assert_allclose(measures(of, x=X)["l"], 22 * X.sum(), rtol=1e-5)


def test_training_is_false_inside_a_frozen_module() -> None:
    before = "block D()(x: [B, n]) -> [B, n]:\n    param w: [n] = 1\n    return x * w |> Dropout(0.5)\n"
    body = "d = D()\ny = d(x)\nloss a = mean(y * y)\nloss b = mean(frozen(d)(x))\nloss c = mean((d * 1)(x))"
    x = np.ones((64, 8), np.float32)
    of = program(model(body, "x: [B, 8]", before, "\ntrain:\n    minimize a with sgd\n"))
    step = train_step(of)
    given = {**initial(of), **initial_state(step), "x": x, "seed": SEED, "step": 0}
    result = interpret(step.graph, {name: given[name] for name in step.graph.inputs})
    assert result["b"] == 1  # nothing is dropped
    assert result["a"] != 1 and result["c"] != 1


def test_frozen_lists_parts_and_methods() -> None:
    body = "ms = [Bare(2.0), Two()]\nf = frozen(ms)\nall = sum(f[1](f[0](x))) + sum(f[1].inner.back(x)) + sum(f[0].w)\n"
    of = program(model(body + "loss l = all + sum(ms[0](x))", before=BLOCKS))
    gradients = loss_and_gradients(of, "l", {**initial(of), "x": X})
    np.testing.assert_allclose(gradients["ms.0.w"], X.sum(0), rtol=1e-5)
    assert all(np.all(g == 0) for path, g in gradients.items() if path != "ms.0.w")


# ---------------------------------------------------------------- copy


def test_a_copy_starts_alike_and_is_not_trained() -> None:
    body = "net = MLP([3, 2])\ny = net(x)\ntarget_net = copy(net)\noutput z = target_net(x) - y\n"
    body += "loss l = mean(y ** 2 + target_net(x) ** 2)"
    of = program(model(body, after="\ntrain:\n    minimize l with sgd(lr=0.5)\n"))
    values = initial(of)
    paths = [path for path in values if path.startswith("net.")]
    assert list(values) == [*paths, *(f"target_{path}" for path in paths)]
    for path in paths:
        np.testing.assert_array_equal(values[path], values[f"target_{path}"])
        assert of.parameters[path].trainable and not of.parameters[f"target_{path}"].trainable
    np.testing.assert_array_equal(output(of, x=X), np.zeros((3, 2)))
    assert set(loss_and_gradients(of, "l", {**values, "x": X})) == set(paths)
    (after,) = run_steps(train_step(of), values, {"x": X}, 1)
    assert not np.array_equal(after["net.dense.0.W"], values["net.dense.0.W"])
    assert not any(path.startswith("target_net") for path in train_step(of).carried)


def test_a_target_network_follows_slowly() -> None:
    body = "net = Dense(1)\ny = net(x)\nslow = copy(net)\nloss l = mean((y - stop_gradient(slow(x)) - 1) ** 2)"
    after = "\ntrain:\n    minimize l with sgd(lr=0.1)\n    update slow = 0.9 * slow + 0.1 * net\n"
    of = program(model(body, after=after))
    step, follow = train_steps(of, of.programs[0], None, None)
    w, b = (initial(of)[name].astype(np.float64) for name in ("net.W", "net.b"))
    slow_w, slow_b = w, b
    state: dict[str, Any] = {**initial(of), **initial_state(step), **initial_state(follow)}
    for number in range(4):
        for statement in (step, follow):
            given = {**state, "x": X, "seed": SEED, "step": number}
            result = interpret(statement.graph, {name: given[name] for name in statement.graph.inputs})
            state |= {name: result[f"next/{name}"] for name in statement.carried}
        residual = X @ (w - slow_w) + (b - slow_b) - 1
        w, b = w - 0.2 * X.T @ residual / 3, b - 0.2 * residual.mean(0)
        slow_w, slow_b = 0.9 * slow_w + 0.1 * w, 0.9 * slow_b + 0.1 * b
        for name, expected in {"net.W": w, "net.b": b, "slow.W": slow_w, "slow.b": slow_b}.items():
            np.testing.assert_allclose(state[name], expected, rtol=1e-4, atol=1e-6)


def test_copies_of_copies_lists_and_inside_blocks() -> None:
    body = "ms = [Bare(2.0), Two()]\ny = ms[1](ms[0](x))\nc = copy(ms)\nd = copy(c[1])\noutput z = c[1](c[0](x)) + d(x)"
    np.testing.assert_allclose(value(body), 18 * X, rtol=1e-6)
    before = BLOCKS + "block Pair()(x: [B, n]) -> [B, n]:\n    a = Bare(2.0)\n    y = a(x)\n"
    before += "    b = copy(a)\n    return y + b(x)\n"
    of = program(model("p = Pair()\noutput y = p(p(x))", before=before))
    assert list(of.parameters) == ["p.a.w", "p.b.w"]
    np.testing.assert_allclose(output(of, x=X), 16 * X, rtol=1e-6)


# ---------------------------------------------------------------- self, penalties


def test_self_is_all_parameters_of_the_model() -> None:
    body = "net = MLP([3, 2])\nparam k: [] = 2\ny = net(x) * k\nloss a = l2(self, 0.5)\nloss b = l1(self)\n"
    body += "loss c = l2(net)\nloss d = l2(k, 3.0)"
    of = program(model(body))
    values = {path: array.astype(np.float64) for path, array in initial(of).items()}
    squares = sum((v**2).sum() for v in values.values())
    measured = measures(of, x=X)
    np.testing.assert_allclose(measured["a"], 0.5 * squares, rtol=1e-5)
    np.testing.assert_allclose(measured["b"], sum(abs(v).sum() for v in values.values()), rtol=1e-5)
    np.testing.assert_allclose(measured["c"], squares - 4, rtol=1e-5)
    assert measured["d"] == 12
    for path, gradient in loss_and_gradients(of, "a", {**values, "x": X}).items():
        np.testing.assert_allclose(gradient, values[path], rtol=1e-5)


def test_module_algebra_in_an_entry() -> None:
    text = model(
        "a = Bare(2.0)\nb = Bare(3.0)\noutput y = a(b(x))\nentry between(z: [R, 4], t: []) -> [R, 4]:\n"
        "    return (a * (1 - t) + b * t)(z)",
        before=BLOCKS,
    )
    np.testing.assert_allclose(entry_value(text, "between", z=X, t=0.25), 2.25 * X, rtol=1e-6)


def test_a_module_without_parameters_yet_is_told_with_a_way_out() -> None:
    (finding,) = findings(model("net = Dense(2)\nloss l = l2(net)"))
    assert finding.code == "AX0316" and "apply it" in (finding.help or "")
