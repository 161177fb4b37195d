"""Fns that state their own derivative with ``backward``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from tests.support.elaborated import codes, expression, findings, model, numbers, output, program, run_steps, train_step
from tests.support.entries import entry_value

X = numbers(3, 4)
FNS = """
fn reverse_gradient(x: [...S], weight: float = 1.0) -> [...S]:
    return x
backward(dy):
    return -weight * dy

fn square_and_cube(x: [...S]) -> (square: [...S], cube: [...S]):
    return x ** 2, x ** 3
backward(ds, dc):
    return 10 * ds + 100 * dc

fn product(a: [...S], k: i64[...S], b: [...S], times: int, by: list) -> [...S]:
    return a * b * times
backward(dy):
    return 2 * dy * b * times, by[0] * dy * a

fn hard_sign(x: [...S]) -> [...S]:
    return where(x > 0, 1.0, -1.0)
backward(dy):
    return where(abs(x) <= 1, dy, 0.0)

fn clipped(x: [...S], limit: [] = 0.5) -> [...S]:
    return x
backward(dy):
    return max(min(dy, limit), -limit), sum(0 * dy)

fn cubed(x: [...S]) -> [...S]:
    return x ** 3
backward(dy):
    return 3 * x ** 2 * dy

fn helped(x: [...S]) -> [...S]:
    return x
backward(dy):
    a, b = square_and_cube(dy)
    for i in range(2):
        a = a + 1
    if 2 > 1:
        return a
    return b

block Reversed(units: int)(x: [B, n]) -> [B, units]:
    return x |> reverse_gradient(2.0) |> Dense(units)
"""


def value(text: str, inputs: str = "x: [B, 4]", **given: Any) -> Array:
    return expression(text, inputs, FNS, **({"x": X} | given))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reverse_gradient(x)", X),
        ("grad(sum(reverse_gradient(x) * x), x)", X - X),
        ("grad(sum(reverse_gradient(x, 3.0) * 2), x) + 0 * x", np.full_like(X, -6)),
        ("grad(sum(reverse_gradient(x, weight=0.5) ** 2), x)", -X),
        ("square_and_cube(x).cube", X**3),
        ("grad(sum(square_and_cube(x).square), x) + 0 * x", np.full_like(X, 10)),
        ("grad(sum(square_and_cube(x).cube), x) + 0 * x", np.full_like(X, 100)),
        ("grad(sum(square_and_cube(x).square * 2 + square_and_cube(x).cube * x), x)", 20 + 100 * X + X**3),
        ("hard_sign(x)", np.where(X > 0, 1, -1)),
        ("grad(sum(hard_sign(x) * x), x)", np.where(abs(X) <= 1, X, 0) + np.where(X > 0, 1, -1)),
        ("grad(sum(clipped(x) * x), x)", np.clip(X, -0.5, 0.5) + X),
        ("grad(sum(clipped(x, 0.1) * x), x)", np.clip(X, -0.1, 0.1) + X),
        ("grad(sum(grad(sum(cubed(x)), x)), x)", 6 * X),
        ("grad(sum(helped(x) * x), x)", X**2 + 2 + X),
    ],
)
def test_the_stated_derivative_is_the_one(text: str, expected: Array) -> None:
    np.testing.assert_allclose(value(text), expected, rtol=1e-5, atol=1e-6)


def test_results_that_share_a_call() -> None:
    body = "s, c = square_and_cube(x)\noutput y = grad(sum(s * 2) + sum(c * x), x)"
    np.testing.assert_allclose(output(model(body, before=FNS), x=X), 20 + 100 * X + X**3, rtol=1e-5)


def test_static_and_integer_arguments_have_no_cotangent() -> None:
    y, k = numbers(3, 4, seed=1), np.ones((3, 4), np.int64)
    for by, what, expected in (([5.0], "x", 6 * y), ([7.0], "y", 7 * X)):
        text = f"grad(sum(product(x, k, y, 3, {by})), {what})"
        actual = value(text, "x: [B, 4]; y: [B, 4]; k: i64[B, 4]", y=y, k=k)
        np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_values_are_exported_and_the_stated_gradient_too() -> None:
    text = model(
        "output y = reverse_gradient(x)\nentry slope(z: [R, 4]) -> [R, 4]:\n    return grad(sum(hard_sign(z) * z), z)",
        before=FNS,
    )
    np.testing.assert_allclose(entry_value(text, "slope", z=X), np.where(abs(X) <= 1, X, 0) + np.where(X > 0, 1, -1))


def test_in_a_method_and_through_a_partial() -> None:
    body = "k = 3.0\noutput y = grad(sum(turned(x) * x), x)\n"
    body += "fn turned(z: [...S]) -> [...S]:\n    return z |> reverse_gradient(k)"
    np.testing.assert_allclose(output(model(body, before=FNS), x=X), -3 * X + X, rtol=1e-5)
    chain = "block Chain(f: fn)(x: [B, n]) -> [B, n]:\n    return f(x)\n"
    text = model("output y = grad(sum(Chain(reverse_gradient(weight=4.0))(x) * x), x)", before=FNS + chain)
    np.testing.assert_allclose(output(text, x=X), -3 * X, rtol=1e-5)


LEARNED = """
fn learned(x: [B, 4]) -> [B, 4]:
    return x
backward(dy):
    return Dense(4, bias=false)(dy)
"""


def test_modules_of_a_backward_belong_to_the_call() -> None:
    of = program(model("y = learned(x)\nz = learned(2 * x)\noutput g = grad(sum(y + z), x)", before=LEARNED))
    assert list(of.parameters) == ["dense.0.W", "dense.1.W"]


def test_a_backward_makes_no_modules_in_an_entry() -> None:
    entry = "output y = x\nentry slope(z: [R, 4]) -> [R, 4]:\n    return grad(sum(learned(z)), z)"
    assert codes(model(entry, before=LEARNED)) == ["AX0220"]


@pytest.mark.parametrize(
    ("fn", "code"),
    [
        ("fn f(x: [B]) -> [B]:\n    return x\nbackward(a, b):\n    return a\n", "AX0404"),
        ("fn f(x: [B]) -> ([B], [B]):\n    return x, x\nbackward(a):\n    return a\n", "AX0404"),
        ("fn f(x: [B]) -> [B]:\n    return x\nbackward(a):\n    return a, a\n", "AX0404"),
        ("fn f(x: [B], y: [B] = 0) -> [B]:\n    return x\nbackward(a):\n    return a\n", "AX0404"),
        ("fn f(x: [B]) -> [B]:\n    return x\nbackward(a):\n    return 1.0\n", "AX0404"),
        ("fn f(x: [B]) -> [B]:\n    return x\nbackward(a):\n    return sum(a)\n", "AX0410"),
        ("fn f(x: [B]) -> [B]:\n    return x\nbackward(a):\n    return b\n", "AX0201"),
        ("fn f(x: [B]) -> [B]:\n    return x\nbackward(a):\n    b = a\n", "AX0404"),
        ("fn f(x: [B]):\n    return [x]\nbackward(a):\n    return a\n", "AX0404"),
        ("fn f(x: [B]):\n    return 3\nbackward(a):\n    return a\n", "AX0404"),
        ("fn f(x: [B]) -> ([B], [B]):\n    return x, x\nbackward(a, a):\n    return a\n", "AX0205"),
    ],
)
def test_refused(fn: str, code: str) -> None:
    body = "z = f(x)\noutput y = x" if ", [B])" in fn else "output y = grad(sum(f(x) * x), x)"
    assert codes(model(body, "x: [B]", fn)) == [code]


def test_a_wrong_backward_is_told_with_its_place() -> None:
    fn = "fn f(x: [B]) -> [B]:\n    return x\nbackward(a):\n    return relu(a, a)\n"
    (finding,) = findings(model("output y = grad(sum(f(x) * x), x)", "x: [B]", fn))
    assert finding.span is not None and finding.span.text == "a"
    assert any("the backward of fn `f`" in note for note in finding.notes)


REWRITTEN = """
fn gated(x: [...S], k: [...S]) -> [...S]:
    return x * k
backward(dy):
    return dy * k * x, dy * scale(k)

fn scale(x: [...S]) -> [...S]:
    return 3.0 * x

model M():
    input x: [B, 3]
    param w: [3] = 2.0
    h = (x * 1.0 + 0.0) * w
    loss l = mean(gated(h * 1.0, -(-h) * 1))

train:
    minimize l with sgd(lr=0.1)
"""


def test_what_a_backward_reads_may_be_rewritten_before_the_gradient_is_taken() -> None:
    """Its arguments are simplified (`-(-h)` is `h`), and the stated gradient is of what they have become."""
    x = numbers(4, 3)
    step = train_step(program(REWRITTEN))
    (after,) = run_steps(step, {"w": np.full(3, 2.0, np.float32)}, {"x": x}, 1)
    h = 2.0 * x
    slope = (h * h + 3 * h) / x.size
    np.testing.assert_allclose(after["w"], 2.0 - 0.1 * (slope * x).sum(axis=0), rtol=1e-5)
