"""``grad`` in the language against closed forms, finite differences and NumPy, to the second order and beyond."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array, DType
from tests.support.elaborated import (
    codes,
    expression,
    findings,
    initial,
    loss_and_gradients,
    measures,
    model,
    numbers,
    output,
    outputs,
    program,
)
from tests.support.entries import entry_value

X = numbers(3, 4).astype(np.float64)


def value(text: str, **inputs: Any) -> Array:
    """An expression of ``x: [B, 4]`` in double precision."""
    return expression(text, "x: [B, 4]", float_type=DType.f64, x=X, **inputs)


def slopes(f: Callable[[Array], float], x: Array, h: float = 1e-6) -> Array:
    """Central differences of a scalar function."""
    result = np.zeros_like(x)
    for at in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[at] = h
        result[at] = (f(x + step) - f(x - step)) / (2 * h)
    return result


# ---------------------------------------------------------------- of tensors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("grad(sum(x * x), x)", 2 * X),
        ("grad(sum(sin(x)), x)", np.cos(X)),
        ("grad(mean(x ** 3), x)", 3 * X**2 / 12),
        ("x + grad(sum(x), x)", X + 1),
        ("x + grad(x[0, 1], x)", X + np.eye(12)[1].reshape(3, 4)),
        ("grad(sum(exp(x) * stop_gradient(x)), x)", np.exp(X) * X),
        ("grad(x * x, x, weight=x)", 2 * X**2),
        ("grad(sum(x * x, axis=1), x, weight=ones([B]))", 2 * X),
        ("grad(sin(x), x, weight=zeros([B, 4]) + 2)", 2 * np.cos(X)),
        ("grad(sum(grad(sum(x ** 4), x)), x)", 12 * X**2),
        ("grad(sum(grad(sum(grad(sum(x ** 4), x)), x)), x)", 24 * X),
        ("grad(sum(grad(sum(grad(sum(sin(x)), x)), x)), x)", -np.cos(X)),
        ("grad(sum(grad(sum(exp(2 * x)), x) ** 2), x)", 16 * np.exp(4 * X)),
        ("grad(grad(sum(x ** 3), x), x, weight=x)", 6 * X**2),
        ("grad(sum(x) ** 2, x)", np.full_like(X, 2 * X.sum())),
        ("grad(max(x), x)", (X.max() == X).astype(float)),
        ("grad(f64(sum(f32(x * x))), x)", 2 * X),
    ],
)
def test_closed_forms(text: str, expected: Array) -> None:
    np.testing.assert_allclose(value(text), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "sum(tanh(x @ transpose(x)))",
        "sum(softmax(x) * x)",
        "sum(logsumexp(x, axis=1) ** 2)",
        "sum(x / (1 + x * x))",
        "prod(x)",
        "sum(cumsum(x, axis=1) * sin(x))",
        "mean(gelu(x) * sigmoid(x))",
        'sum(einsum("b i, c i -> b c", x, x) ** 2)',
        "sum(layer_norm(x, ones([4]), zeros([4])) ** 3)",
        'sum(rearrange(x, "b (c d) -> (b c) d", d=2) ** 3)',
        "sum(concat([x, x * x], axis=0)[1:5] ** 2)",
        "sum(sqrt(1 + abs(x)) * x[::-1])",
    ],
)
def test_first_and_second_order_by_finite_differences(text: str) -> None:
    def f(x: Array) -> float:
        return float(expression(text, "x: [3, 4]", float_type=DType.f64, x=x))

    def directional(x: Array) -> float:
        return float(expression(f"sum(grad({text}, x) * v)", "x: [3, 4]; v: [3, 4]", float_type=DType.f64, x=x, v=v))

    v = numbers(3, 4, seed=9).astype(np.float64)
    first = expression(f"grad({text}, x)", "x: [3, 4]", float_type=DType.f64, x=X)
    np.testing.assert_allclose(first, slopes(f, X), rtol=1e-5, atol=1e-7)
    second = expression(f"grad(sum(grad({text}, x) * v), x)", "x: [3, 4]; v: [3, 4]", float_type=DType.f64, x=X, v=v)
    np.testing.assert_allclose(second, slopes(directional, X), rtol=1e-4, atol=1e-6)


def test_intermediate_tensors() -> None:
    body = "h = x * x\ny = sum(h * h)\noutput a = grad(y, h)\noutput b = grad(y, x)\noutput c = grad(y, [x, h])[1]"
    result = outputs(model(body), float_type=DType.f64, x=X)
    np.testing.assert_allclose(result["a"], 2 * X**2)
    np.testing.assert_allclose(result["b"], 4 * X**3)
    np.testing.assert_allclose(result["c"], 2 * X**2)


# ---------------------------------------------------------------- of parameters, modules and lists

NET = "net = MLP([5, 1], activation=tanh)\ny = mean(net(x) ** 2)\n"


def loss(w: dict[str, Any], x: Array) -> float:
    """The loss of ``NET`` in NumPy."""
    h = np.tanh(x @ w["net.dense.0.W"] + w["net.dense.0.b"])
    return float(((h @ w["net.dense.1.W"] + w["net.dense.1.b"]) ** 2).mean())


def slope_of(w: dict[str, Any], path: str, x: Array) -> Array:
    return slopes(lambda value: loss({**w, path: value}, x), np.asarray(w[path], np.float64))


def test_a_parameter_a_module_and_a_list_of_them() -> None:
    body = NET + "g = grad(y, net)\noutput vector = vec(g)\n"
    body += "both = grad(y, [net, x])\noutput same = vec(both[0])\noutput other = both[1]\noutput n = l2(g)"
    of = program(model(body), float_type=DType.f64)
    w = {path: array.astype(np.float64) for path, array in initial(of).items()}
    expected = np.concatenate([slope_of(w, path, X).ravel() for path in w])
    result = outputs(of, w, x=X)
    np.testing.assert_allclose(result["vector"], expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(result["same"], expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(result["other"], slopes(lambda x: loss(w, x), X), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(result["n"], (expected**2).sum(), rtol=1e-5)


def test_the_gradient_of_a_module_is_a_module() -> None:
    body = "net = Dense(2)\ny = sum(net(x))\ng = grad(y, net)\noutput a = g(x)\noutput w = g.W\noutput b = g.b"
    result = outputs(model(body), float_type=DType.f64, x=X)
    w, b = np.repeat(X.sum(0)[:, None], 2, 1), np.full(2, 3.0)
    np.testing.assert_allclose(result["w"], w)
    np.testing.assert_allclose(result["b"], b)
    np.testing.assert_allclose(result["a"], X @ w + b)


def test_a_single_parameter() -> None:
    text = model("param w: [4] = [1.0, -2.0, 0.5, 3.0]\ny = sum((x * w) ** 2)\noutput g = grad(y, w)")
    np.testing.assert_allclose(output(text, float_type=DType.f64, x=X), 2 * (X**2).sum(0) * [1, -2, 0.5, 3])


def test_a_hessian_vector_product() -> None:
    body = "net = MLP([3, 1], activation=tanh)\ny = mean(net(x) ** 2)\ng = grad(y, net)\n"
    body += "output hv = grad(sum(vec(g) * v), net) |> vec\noutput g0 = vec(g)"
    of = program(model(body, "x: [B, 4]; v: [19]"), float_type=DType.f64)
    w = {path: array.astype(np.float64) for path, array in initial(of).items()}
    v, h = numbers(19).astype(np.float64), 1e-5

    def gradient(amount: float) -> Array:
        moved, at = {}, 0
        for path, array in w.items():
            moved[path] = array + amount * v[at : at + array.size].reshape(array.shape)
            at += array.size
        return outputs(of, moved, x=X, v=v)["g0"]

    expected = (gradient(h) - gradient(-h)) / (2 * h)
    np.testing.assert_allclose(outputs(of, w, x=X, v=v)["hv"], expected, rtol=1e-5, atol=1e-8)


# ---------------------------------------------------------------- in losses and entries


def test_a_gradient_penalty_is_trained_through() -> None:
    body = NET + "g = grad(sum(net(x)), x)\nloss penalty = mean((sqrt(sum(g * g, axis=1) + 1e-12) - 1) ** 2)"
    of = program(model(body), float_type=DType.f64)
    w = {path: array.astype(np.float64) for path, array in initial(of).items()}

    def penalty(w: dict[str, Any]) -> float:
        h = np.tanh(X @ w["net.dense.0.W"] + w["net.dense.0.b"])
        g = ((1 - h**2) * w["net.dense.1.W"].T) @ w["net.dense.0.W"].T
        return float(((np.sqrt((g**2).sum(1) + 1e-12) - 1) ** 2).mean())

    for path, gradient in loss_and_gradients(of, "penalty", {**w, "x": X}).items():
        expected = slopes(lambda value, path=path: penalty({**w, path: value}), w[path])  # type: ignore[misc]
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-7, err_msg=path)


def test_saliency_is_exported() -> None:
    body = "net = MLP([6, 3], activation=tanh)\noutput p = softmax(net(x))\n"
    body += "entry saliency(image: [R, 4], label: i64[R]) -> [R, 4]:\n"
    body += "    scores = net(image)\n    return abs(grad(sum(scores * one_hot(label, 3)), image))"
    of = program(model(body))
    w, label = {path: array.astype(np.float64) for path, array in initial(of).items()}, np.array([0, 2, 1])
    h = np.tanh(X @ w["net.dense.0.W"] + w["net.dense.0.b"])
    expected = np.abs(((1 - h**2) * w["net.dense.1.W"].T[label]) @ w["net.dense.0.W"].T)
    actual = entry_value(of, "saliency", image=X.astype(np.float32), label=label)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_an_inner_step_is_differentiated_to_the_second_order() -> None:
    """MAML on a linear model: the outer gradient of w - lr g(w), by hand."""
    body = "target y: [B]\ninput u: [C, 4]\ntarget v: [C]\nnet = Dense(1, bias=false)\n"
    body += "fast = net - 0.1 * grad(mse(squeeze(net(x), axis=1), y), net)\n"
    body += "for _ in range(1):\n    fast = fast - 0.1 * grad(mse(squeeze(fast(x), axis=1), y), fast)\n"
    body += "loss meta = mse(squeeze(fast(u), axis=1), v)\nmetric error = mse(squeeze(net(u), axis=1), v)"
    of = program(model(body), float_type=DType.f64)
    y, u, v = numbers(3, seed=1), numbers(5, 4, seed=2), numbers(5, seed=3)
    w = numbers(4, 1, seed=4).astype(np.float64)
    hessian = 2 * X.T @ X / 3
    fast, jacobian = w, np.eye(4)
    for _ in range(2):
        fast = fast - 0.1 * 2 * X.T @ (X @ fast - y[:, None]) / 3
        jacobian = (np.eye(4) - 0.1 * hessian) @ jacobian
    expected = jacobian.T @ (2 * u.T @ (u @ fast - v[:, None]) / 5)
    gradients = loss_and_gradients(of, "meta", {"net.W": w, "x": X, "y": y, "u": u, "v": v})
    np.testing.assert_allclose(gradients["net.W"], expected, rtol=1e-5, atol=1e-8)
    measured = measures(of, {"net.W": w}, x=X, y=y, u=u, v=v)
    np.testing.assert_allclose(
        [measured["meta"], measured["error"]], [((u @ at - v[:, None]) ** 2).mean() for at in (fast, w)], rtol=1e-5
    )


def test_first_order_maml_stops_the_gradient() -> None:
    body = "net = Dense(1, bias=false)\ng = map(stop_gradient, grad(mean(net(x) ** 2), net))\nfast = net - 0.1 * g\n"
    body += "loss meta = mean(fast(x) ** 2)"
    of, w = program(model(body), float_type=DType.f64), numbers(4, 1).astype(np.float64)
    fast = w - 0.1 * 2 * X.T @ (X @ w) / 3
    gradients = loss_and_gradients(of, "meta", {"net.W": w, "x": X})
    np.testing.assert_allclose(gradients["net.W"], 2 * X.T @ (X @ fast) / 3, rtol=1e-6)


# ---------------------------------------------------------------- what has no gradient


DRAW = "net = Dense(4)\np = softmax(net(x))\nk: i64[B] ~ categorical(p)\n"


def test_a_gradient_through_a_discrete_draw_is_refused_with_the_ways_out() -> None:
    (finding,) = findings(
        model(
            DRAW + "loss l = mean(f32(k) * sum(p, axis=1))\noutput y = p", after="\ntrain:\n    minimize l with sgd\n"
        )
    )
    assert finding.code == "AX0401" and "discrete draw" in finding.headline
    assert all(word in (finding.help or "") for word in ("stop_gradient", "straight_through", "log_prob"))
    (finding,) = findings(model(DRAW + "output y = grad(sum(f32(k)), p)"))
    assert finding.code == "AX0401"


@pytest.mark.parametrize(
    ("emitted", "refused"),
    [("f32(k)", True), ("f32(before)", True), ("f32(stop_gradient(k))", False), ("f32(i64(y[:, 0] > 0))", False)],
)
def test_a_draw_inside_a_scan_is_refused_as_one_outside_is(emitted: str, refused: bool) -> None:
    body = "net = Dense(4)\nscan y in x along 1, before = i64(zeros([B])) -> ks along 1:\n"
    body += "    k: i64[B] ~ categorical(softmax(net(y)))\n"
    body += f"    emit {emitted} + 0 * mean(net(y), axis=1)\n    before = k\nloss l = mean(ks)\noutput o = ks"
    found = findings(model(body, "x: [B, 3, 5]", after="\ntrain:\n    minimize l with sgd\n"))
    assert [one.code for one in found] == ["AX0401"] * refused
    assert all("categorical" in one.span.text for one in found if one.span is not None)


def test_a_draw_that_is_a_constant_for_the_gradient() -> None:
    body = "param w: [4] = [0.1, 0.2, -0.3, 0.4]\np = softmax(x * w)\nk: i64[B] ~ categorical(p)\n"
    of = program(model(body + "loss l = sum(log(p) * one_hot(stop_gradient(k), 4))\nmetric first = mean(f32(k == 0))"))
    w = np.array([0.1, 0.2, -0.3, 0.4])
    p = np.exp(X * w) / np.exp(X * w).sum(1, keepdims=True)
    gradient = loss_and_gradients(of, "l", {"w": w, "x": X})["w"]
    possible = [((np.eye(4)[list(k)] - p) * X).sum(0) for k in np.ndindex(4, 4, 4)]
    assert min(np.abs(gradient - g).max() for g in possible) < 1e-5


def test_straight_through_lends_a_draw_its_gradient() -> None:
    body = "param w: [4] = 0\np = sigmoid(x * w)\nh: bool[B, 4] ~ bernoulli(p)\n"
    body += "hard = straight_through(f32(h), p)\nloss l = sum(hard * x)\noutput y = hard"
    of = program(model(body))
    gradient = loss_and_gradients(of, "l", {"w": np.zeros(4), "x": X})["w"]
    np.testing.assert_allclose(gradient, (X * X * 0.25).sum(0), rtol=1e-5)
    assert set(np.unique(output(of, x=X))) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("grad(x, x)", "AX0402"),
        ("grad(sum(x, axis=0), x)", "AX0402"),
        ("grad(x * x, x, weight=ones([4]))", "AX0408"),
        ("grad(sum(stop_gradient(x)), x)", "AX0409"),
        ("grad(sum(ones([2])), x)", "AX0409"),
        ("grad(sum(f32(argmax(x, axis=1))), x)", "AX0409"),
        ("grad(sum(i64(x)), x)", "AX0402"),
        ("grad(sum(x), argmax(x, axis=1))", "AX0403"),
        ("grad(sum(x), 3)", "AX0306"),
        ("grad(sum(x), relu)", "AX0306"),
        ("grad(sum(x), [])", "AX0306"),
        ("grad(sum(x))", "AX0203"),
        ("grad(sum(x), net)", "AX0316"),
    ],
)
def test_refused(text: str, code: str) -> None:
    assert codes(model(f"net = Dense(2)\nz = {text}\noutput y = x")) == [code]
