"""Mistakes that were made once, each with its oracle: what a review of the newer features found."""

from __future__ import annotations

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import parse_spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import (
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
from tests.support.entries import entry, entry_value

X = numbers(3, 4)
CPU = SessionOptions(device="cpu", threads=1)
TRAIN = "\ntrain:\n    minimize l with sgd(lr=0.1)\n"
REVERSE = (
    "fn reverse(x: [...S], weight: float = 1.0) -> [...S]:\n    return x\nbackward(dy):\n    return -weight * dy\n"
)


def with_entry(body, inner, result="[R, 4]", arguments="z: [R, 4]", name="e"):
    return model(f"{body}\nentry {name}({arguments}) -> {result}:\n    " + inner.replace("\n", "\n    "))


def test_gradient_reversal_in_training():
    of = program(model("param w: [4] = 1\nloss l = mean(reverse(x * w, 2.0))", before=REVERSE, after=TRAIN))
    np.testing.assert_allclose(
        loss_and_gradients(of, "l", {"w": np.ones(4), "x": X})["w"], -2 * X.mean(0) / 4, rtol=1e-5
    )
    (after,) = run_steps(train_step(of), initial(of), {"x": X}, 1)
    np.testing.assert_allclose(after["w"], 1 + 0.05 * X.mean(0), rtol=1e-5)


def test_an_argument_may_not_bear_the_name_of_a_parameter():
    assert codes(with_entry("param w: [4] = 3\noutput y = x * w", "return 2 * w", "[4]", "w: [4]")) == ["AX0205"]


@pytest.mark.parametrize(
    ("arguments", "condition", "value"),
    [
        ("z: [R, 4], n: dim", "R == n", "z + zeros([n, 4])"),
        ("z: [R, 4]", "R == 3", "z + zeros([3, 4])"),
        ("z: [B, 4]", "B == 3", "z + zeros([3, 4])"),
    ],
)
def test_equalities_in_entries(arguments, condition, value):
    text = with_entry(
        "output y = x", f"assert {condition}\nreturn {value}", "[R, 4]" if "R" in arguments else "[B, 4]", arguments
    )
    np.testing.assert_array_equal(entry_value(text, "e", z=X, n=3), X)
    np.testing.assert_array_equal(output(text, x=numbers(7, 4)), numbers(7, 4))  # the model's own dims are not touched


def test_an_equality_under_training():
    of = program(model("if training:\n    assert B == 3\nparam w: [] = 1\nloss l = mean(x * w)", after=TRAIN))
    Trainer(of, options=CPU).step({"x": X})
    with pytest.raises(SpecError):
        Trainer(of, options=CPU).step({"x": X[:2]})


def test_an_inequality_under_training_is_checked_in_steps():
    of = program(model("if training:\n    assert B > 1\nparam w: [] = 1\nloss l = mean(x * w)", after=TRAIN))
    with pytest.raises(SpecError, match="AX0617"):
        Trainer(of, options=CPU).step({"x": X[:1]})


@pytest.mark.parametrize(("condition", "bad"), [("R % 2 == 1", 2), ("R != 2", 2), ("R > 3", 3)])
def test_an_entry_checks_its_asserts_with_their_message(condition, bad):
    of = program(with_entry("output y = x", f'assert {condition}, "R is {{R}}"\nreturn z'))
    with pytest.raises(SpecError, match=f"R is {bad}"):
        Trainer(of, options=CPU).call("e", z=X[:bad])


@pytest.mark.parametrize(
    "body",
    [
        "t = 0 * x\nfor v in [x, 2 * x]:\n    t = t + v\noutput y = t",
        "if len(shape_of(x)) == 2:\n    t = 3 * x\noutput y = t",
        "layers = [1.0, 2.0]\nhs = [x, x]\nt = 0 * x\nfor h, k in zip(hs, layers):\n    t = t + k * h\noutput y = t",
    ],
)
def test_loops_over_tensors_beside_an_entry(body):
    text = with_entry(body, "return z")
    np.testing.assert_allclose(output(text, x=X), 3 * X, rtol=1e-6)
    np.testing.assert_array_equal(entry_value(text, "e", z=X), X)


def test_loops_over_tensors_beside_a_method():
    before = (
        "block A()(x: [B, n]) -> [B, n]:\n    fn f(v: [B, n]) -> [B, n]:\n        return 2 * v\n"
        "    for h in [x, 2 * x]:\n        x = x + f(h)\n    return x\n"
    )
    np.testing.assert_allclose(output(model("a = A()\noutput y = a(x) + a.f(x)", before=before), x=X), 9 * X, rtol=1e-6)


def test_arguments_of_a_model_size_its_inputs_and_its_modules():
    text = "model M(width: int = 4):\n    input x: [B, width]\n    net = Dense(width)\n    output y = net(x)\n"
    text += "    entry e(z: [R, width]) -> [R, width]:\n        return net(z)\n"
    of = program(text)
    np.testing.assert_allclose(entry_value(of, "e", z=X), output(of, x=X), rtol=1e-5)


def test_an_inner_step_starts_from_another_name():
    of = program(
        model(
            "net = Dense(1, bias=false)\nfast = net\nfor _ in range(2):\n"
            "    fast = fast - 0.1 * grad(mean(fast(x) ** 2), fast)\nloss l = mean(fast(x) ** 2)"
        )
    )
    w = numbers(4, 1).astype(np.float64)
    fast, jacobian = w, np.eye(4)
    for _ in range(2):
        fast = fast - 0.2 * X.T @ X @ fast / 3
        jacobian = (np.eye(4) - 0.2 * X.T @ X / 3) @ jacobian
    np.testing.assert_allclose(
        loss_and_gradients(of, "l", {"net.W": w, "x": X})["net.W"],
        jacobian.T @ (2 * X.T @ X @ fast / 3),
        rtol=1e-4,
        atol=1e-6,
    )


def test_penalties_and_vectors_leave_buffers_out():
    of = program(
        model(
            "buffer c: [4] = 3\nbuffer k: i64[] = 2\nparam w: [4] = 1\ny = x * w + c\noutput v = vec(self) * f32(k)\nmetric a = l2(self)\n"
            "metric b = l1(self)"
        )
    )
    assert measures(of, x=X)["a"] == measures(of, x=X)["b"] == 4
    np.testing.assert_array_equal(outputs(of, x=X)["v"], np.full(4, 2))


COUNTED = "block N()(x: [B, n]) -> [B, n]:\n    buffer c: i64[] = 0\n    param w: [n] = 1\n    update c = c + 1\n    return x * w\n"


def test_modules_with_counters_can_be_joined():
    of = program(
        model("net = N()\ny = net(x)\nfast = net - 0.1 * grad(sum(y), net)\noutput v = fast(x)", before=COUNTED)
    )
    np.testing.assert_allclose(output(of, x=X), X * (1 - 0.1 * X.sum(0)), rtol=1e-5)
    follow = TRAIN + "    update slow = 0.9 * slow + 0.1 * net\n"
    Trainer(
        program(
            model(
                "net = N()\ny = net(x)\nslow = copy(net)\nz = slow(x)\nloss l = mean(y + stop_gradient(z))",
                before=COUNTED,
                after=follow,
            )
        ),
        options=CPU,
    ).step({"x": X})


def test_the_score_of_a_draw_has_a_gradient():
    w = np.array([0.1, 0.2, -0.3, 0.4])
    body = "param w: [4] = [0.1, 0.2, -0.3, 0.4]\np = softmax(x * w)\nk: i64[B] ~ categorical(p)\nloss l = sum(categorical_log_prob(k, p))"
    gradient = loss_and_gradients(program(model(body)), "l", {"w": w, "x": X})["w"]
    p = np.exp(X * w) / np.exp(X * w).sum(1, keepdims=True)
    possible = [((np.eye(4)[list(k)] - p) * X).sum(0) for k in np.ndindex(4, 4, 4)]
    assert min(np.abs(gradient - g).max() for g in possible) < 1e-5


@pytest.mark.parametrize(
    ("inner", "result", "arguments"),
    [
        ("return z * n", "[R, 4]", "z: [R, 4], n: dim"),
        ("return R * 2", "i64[]", "z: [R, 4]"),
        ("return 2 * n + 1", "i64[]", "n: dim"),
    ],
)
def test_a_dim_that_is_only_a_number_is_an_input(inner, result, arguments):
    given = {"z": X, "n": 3} if "n:" in arguments and "z" in arguments else {"z": X} if "z" in arguments else {"n": 3}
    (value,) = entry(with_entry("output y = x", inner, result, arguments), "e", **given).values()
    np.testing.assert_allclose(
        value, {"z * n": 3 * X, "R * 2": 6, "2 * n + 1": 7}[inner.removeprefix("return ")], rtol=1e-6
    )


BARE = (
    "block Bare(start: float = 1.0)(x: [B, n]) -> [B, n]:\n    param w: [n] = start\n    return x * w\n"
    "fn mixed(p: [...S], q: [...S], t: float = 0.5) -> [...S]:\n    return (1 - t) * p + t * q\n"
)


@pytest.mark.parametrize(
    "text",
    [
        "[a] + a",
        "a + [a]",
        "[a, b] * [a]",
        "[a] * [a, b]",
        "map(mixed, [a], a)",
        "map(mixed, [a, b], [a])",
        "map(mixed, [a], [a, b])",
    ],
)
def test_groups_of_different_form_do_not_join(text):
    assert (
        len(findings(model(f"a = Bare(2.0)\nb = Bare(3.0)\ny = a(b(x))\nd = {text}\noutput out = y", before=BARE))) == 1
    )


@pytest.mark.parametrize(("f", "factor"), [("max(2.5)", 2.5), ("mixed(q=4.0)", 3.0)])
def test_map_takes_partials(f, factor):
    body = f"a = Bare(2.0)\ny = a(x)\nd = map({f}, a)\noutput out = d(x)"
    np.testing.assert_allclose(
        output(model(body, before=BARE.replace("q: [...S]", "q: float = 1.0")), x=X), factor * X, rtol=1e-6
    )


def test_programs_make_no_modules():
    text = model("param k: [] = 1\nloss l = mean(x * k)", after=TRAIN + "    update k = mean(Dense(1)(x))\n")
    assert codes(text) in (["AX0220"], ["AX0314"])


@pytest.mark.parametrize("name", ["infer", "evaluate", "gradients", "train_step"])
def test_an_entry_does_not_hide_a_graph_of_the_model(name):
    spec = parse_spec(
        Source(
            "s.arch", with_entry("param w: [] = 1\noutput y = x * w\nloss l = mean(y)", "return z", name=name) + TRAIN
        )
    )
    with pytest.raises(SpecError):
        archonnx.compile(spec)


def test_linspace_of_one_point_is_the_start():
    assert entry_value(with_entry("output y = x", "return linspace(2, 3, n)", "[n]", "n: dim"), "e", n=1) == [2]


def test_bools_fill_declared_bools():
    text = model("buffer c: bool[] = true\nd: bool[B, 4] = false\noutput y = where(c, x, 0)\noutput z = where(d, x, 1)")
    np.testing.assert_array_equal(outputs(text, x=X)["y"], X)


def test_half_of_a_dim_is_at_most_the_dim():
    np.testing.assert_array_equal(output(model(["output y = x[:B // 2]", " = 0"][0]), x=X), X[:1])
