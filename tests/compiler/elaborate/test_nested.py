"""Fns inside other bodies, which see what is bound above them, and blocks inside blocks and models."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.elaborated import (
    codes,
    findings,
    initial,
    loss_and_gradients,
    model,
    numbers,
    output,
    outputs,
    program,
    run_steps,
    train_step,
)

X = numbers(3, 4)


# ---------------------------------------------------------------- fns


def test_a_fn_sees_what_is_bound_above_it_as_it_was_then() -> None:
    before = """
fn outer(x: [...S], k: float) -> [...S]:
    scale = k + 1
    fn scaled(y: [...S]) -> [...S]:
        return scale * y + x
    scale = 100.0
    x = -x
    return scaled(x)
"""
    np.testing.assert_allclose(output(model("output y = outer(x, 2.0)", before=before), x=X), -2 * X, rtol=1e-6)


def test_a_fn_may_call_itself_and_make_names_of_its_own() -> None:
    before = """
fn power(x: [...S], n: int) -> [...S]:
    result = 1.0
    fn times(y: [...S], left: int) -> [...S]:
        result = x * y
        if left == 0:
            return y
        return times(result, left - 1)
    return times(x * result, n - 1)
"""
    np.testing.assert_allclose(output(model("output y = power(x, 3)", before=before), x=X), X**3, rtol=1e-5)


def test_dims_of_the_body_around_keep_their_meaning() -> None:
    before = """
fn outer(x: [B, n]) -> [B, n]:
    fn row(v: [n]) -> [B, n]:
        return broadcast(v, [B, n])
    return row(FIRST)
"""
    text = model("output y = outer(x)", before=before)
    expected = np.broadcast_to(X[0], X.shape)
    np.testing.assert_array_equal(output(text.replace("FIRST", "x[0]"), x=X), expected)
    assert codes(text.replace("FIRST", "x[0, :2]")) == ["AX0304"]


def test_each_round_of_a_loop_has_a_fn_of_its_own() -> None:
    body = """
fs = []
for k in range(3):
    fn plus(y: [...S]) -> [...S]:
        return y + k
    fs = fs + [plus]
output y = fs[0](x) + 10 * fs[2](x)
"""
    np.testing.assert_allclose(output(model(body), x=X), 11 * X + 20, rtol=1e-5)


def test_gradients_flow_to_what_a_fn_sees_through_a_block_that_it_is_given_to() -> None:
    """The activation of a net is a fn that multiplies by a parameter of the model; both builds see their own tensors."""
    body = """
param w: [] = 2
loss objective = sum(gated(x, w))
"""
    before = """
fn gated(x: [B, n], w: []) -> [B, 1]:
    h = w * x
    fn gate(y: [...S]) -> [...S]:
        return y * mean(h)
    return x |> MLP([4, 1], activation=gate)
"""
    of = program(model(body, before=before, after="\ntrain:\n    minimize objective over w with sgd(lr=0.1)\n"))
    values = {"x": X, **initial(of)}
    slope = loss_and_gradients(of, "objective", values)["w"]
    hidden = X @ values["mlp.dense.0.W"] + values["mlp.dense.0.b"]
    expected = (hidden * X.mean() @ values["mlp.dense.1.W"]).sum()
    np.testing.assert_allclose(slope, expected, rtol=1e-4)
    (after,) = run_steps(train_step(of), initial(of), {"x": X}, 1)
    np.testing.assert_allclose(after["w"], 2 - 0.1 * slope, rtol=1e-5)


def test_fns_stand_in_entries_and_methods() -> None:
    body = """
net = Affine()
output y = net.there(net(x))
entry e(a: [n, 4]) -> [n, 4]:
    fn half(b: [n, 4]) -> [n, 4]:
        return b / 2 + shift(a)
    return half(net(a))
fn shift(a: [n, 4]) -> [n, 4]:
    return 3 * a
"""
    before = """
block Affine()(x: [B, n]) -> [B, n]:
    param s: [n] = 2
    fn there(y: [B, n]) -> [B, n]:
        fn again(z: [B, n]) -> [B, n]:
            return s * z
        return again(again(y))
    return x * s
"""
    of = program(model(body, before=before))
    np.testing.assert_allclose(output(of, x=X), 8 * X, rtol=1e-6)
    from archonnx.compiler.interpret import interpret

    graph = of.entries["e"]
    given = {"a": X, **initial(of)}
    np.testing.assert_allclose(interpret(graph, {n: given[n] for n in graph.inputs})["e"], 4 * X, rtol=1e-6)


def test_modules_made_in_a_fn_belong_to_the_body_that_calls_it() -> None:
    body = """
fn twice(y: [B, n]) -> [B, 2]:
    return y |> Dense(2, bias=false)
if true:
    fn more(y: [B, n]) -> [B, 3]:
        return y |> Dense(3, bias=false)
output a = more(x)
output b = more(x[:, :2])
"""
    of = program(model(body.replace("fn twice(y: [B, n]) -> [B, 2]:\n    return y |> Dense(2, bias=false)\n", "")))
    assert {path: p.shape for path, p in of.parameters.items()} == {"dense.0.W": (4, 3), "dense.1.W": (2, 3)}
    assert codes(model("output y = twice(x)\n" + body)) == ["AX0220"]  # a method makes none


# ---------------------------------------------------------------- blocks

CELLS = """
block Stack(units: int, depth: int = 2)(x: [B, n]) -> [B, units]:
    block Cell(size: int = units, gain: float = 1.0)(y: [B, m]) -> [B, size]:
        param W: [m, size] ~ ones
        param V: [n] = 1
        return gain * (y @ W) + shift * sum(V)

    shift = depth * 0.5
    for _ in range(depth):
        x = x |> Cell
    return x |> Cell(units, gain=2.0)
"""


def test_a_block_sees_what_a_method_sees() -> None:
    """Hyperparameters (also in defaults), module dims and setup names; parameters are its own."""
    of = program(model("output y = x |> Stack(3)", before=CELLS))
    shapes = {path: p.shape for path, p in of.parameters.items()}
    assert {path: shape for path, shape in shapes.items() if path.endswith("W")} == {
        "stack.cell.0.W": (4, 3),
        "stack.cell.1.W": (3, 3),
        "stack.cell.2.W": (3, 3),
    }
    assert {shape for path, shape in shapes.items() if path.endswith("V")} == {(4,)}
    first = X.sum(axis=1, keepdims=True) + 4
    expected = 2 * (3 * (3 * first + 4)) + 4
    np.testing.assert_allclose(output(of, x=X), np.broadcast_to(expected, (3, 3)), rtol=1e-5)


def test_two_modules_of_a_block_have_blocks_of_their_own() -> None:
    of = program(model("output y = x |> Stack(3, depth=0)\noutput z = x[:, :2] |> Stack(2, depth=0)", before=CELLS))
    assert {path: p.shape for path, p in of.parameters.items()} == {
        "stack.0.cell.W": (4, 3),
        "stack.0.cell.V": (4,),
        "stack.1.cell.W": (2, 2),
        "stack.1.cell.V": (2,),
    }


def test_blocks_nest_and_a_model_has_some() -> None:
    body = """
block Outer(k: int)(y: [B, n]) -> [B, k]:
    block Inner()(z: [B, m]) -> [B, k]:
        param W: [m, k] ~ ones
        fn twice(v: [B, k]) -> [B, k]:
            return 2 * v + offset
        return z @ W
    inner = Inner()
    return inner.twice(inner(y))

offset = 5
output y = x |> Outer(2)
"""
    of = program(model(body))
    assert list(of.parameters) == ["outer.inner.W"]
    expected = 2 * X.sum(axis=1, keepdims=True) + 5
    np.testing.assert_allclose(output(of, x=X), np.broadcast_to(expected, (3, 2)), rtol=1e-5)


def test_a_module_of_a_nested_block_is_applied_elsewhere_and_trained() -> None:
    body = """
gain = 3.0
block Gain()(y: [B, n]) -> [B, n]:
    param s: [n] = 1
    return gain * s * y
g = Gain()
net = MLP([4], activation=relu)
loss objective = mean(g(net(x)))
output y = frozen(g)(x)
"""
    of = program(model(body, after="\ntrain:\n    minimize objective over g with sgd(lr=0.1)\n"))
    np.testing.assert_allclose(outputs(of, x=X)["y"], 3 * X, rtol=1e-6)
    (after,) = run_steps(train_step(of), initial(of), {"x": X}, 1)
    assert set(after) >= {"g.s"} and not np.allclose(after["g.s"], 1)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            "fn f(y: [B]) -> [B]:\n    block C()(z: [B]) -> [B]:\n        return z\n    return y\noutput y = f(x[:, 0])",
            "AX0212",
        ),
        ("if true:\n    block C()(z: [B]) -> [B]:\n        return z\noutput y = x", "AX0212"),
        ("fn f(y: [...S]) -> [...S]:\n    return y\nbackward(dy):\n    return dy\noutput y = f(x)", "AX0212"),
        ("fn f(y: [...S], y: int) -> [...S]:\n    return y\noutput y = x", "AX0205"),
        ("block C(a: int, a: int)(y: [...S]) -> [...S]:\n    return y\noutput y = x", "AX0205"),
        ("h = 2 * x\nblock C()(y: [B, n]) -> [B, n]:\n    return y + h\noutput y = x |> C", "AX0201"),
        ("net = Dense(2)\nif true:\n    fn net(y: [B]) -> [B]:\n        return y\noutput y = net(x)", "AX0204"),
    ],
)
def test_refused(body: str, code: str) -> None:
    assert codes(model(body)) == [code]


def test_what_a_block_does_not_see_is_told_inside_it() -> None:
    (finding,) = findings(model("h = 2 * x\nblock C()(y: [B, n]) -> [B, n]:\n    return y + h\noutput y = x |> C"))
    assert any("inside block `C`" in note for note in finding.notes)
