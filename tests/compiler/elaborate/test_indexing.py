"""Indexing and ``put`` against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archonnx.compiler.ir.types import Array
from tests.support.elaborated import codes, expression, findings, loss_and_gradients, model, numbers, program
from tests.support.entries import entry_value

SHAPE = (4, 3, 5)
X = numbers(*SHAPE)


def in_numpy(x: Array, subscripts: str, **names: Any) -> Array:
    """What NumPy says; subscripts are written the same there, but for ``none``."""
    known = {"none": None, "...": ..., **names}

    def one(text: str) -> Any:
        if ":" in text:
            return slice(*(int(part) if part.strip() else None for part in text.split(":")))
        return known[text] if text in known else int(text)

    return np.asarray(x[tuple(one(part.strip()) for part in subscripts.split(","))])


@pytest.mark.parametrize(
    "subscripts",
    [
        "0",
        "-1",
        "3",
        "0, 1",
        "0, -1, 2",
        "1:3",
        ":2",
        "2:",
        ":",
        "-2:",
        ":-1",
        "1:-1",
        "::2",
        "::-1",
        "3:0:-1",
        "1::2",
        ":, 1",
        ":, 1:",
        ":, :, -1",
        "none",
        "none, 0",
        ":, none",
        "..., 0",
        "..., none",
        "...",
        "0, ...",
        "0, ..., 1",
        "..., 1:3",
        "none, ..., none",
        ":, 0, none, 1:4:2",
        "none, none, :, none, 1",
        "5:",
        "2:1",
        ":100",
        "-100:2",
        "3:-3",
        "::-2, ::2, ::3",
        "-1:-3:-1",
    ],
)
def test_ints_slices_and_new_axes(subscripts: str) -> None:
    np.testing.assert_array_equal(expression(f"x[{subscripts}]", "x: [4, 3, 5]", x=X), in_numpy(X, subscripts))


@st.composite
def subscripts_of(draw: st.DrawFn) -> str:
    """Random subscripts that NumPy takes for ``X``."""
    bound = st.one_of(st.just(""), st.integers(-7, 7).map(str))
    step = st.one_of(st.just(""), st.sampled_from([":1", ":2", ":3", ":-1", ":-2"]))
    slices = st.builds(lambda a, b, c: f"{a}:{b}{c}", bound, bound, step)
    used = draw(st.integers(0, 3))
    parts = [draw(st.one_of(slices, st.integers(-size, size - 1).map(str))) for size in SHAPE[:used]]
    if used < 3 and draw(st.booleans()):
        at = draw(st.integers(0, used))
        rest = [draw(st.one_of(slices, st.integers(-size, size - 1).map(str))) for size in SHAPE[3 - used + at :]]
        parts[at:] = ["...", *rest]
    for _ in range(draw(st.integers(0, 2))):
        parts.insert(draw(st.integers(0, len(parts))), "none")
    return ", ".join(parts) or ":"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(subscripts_of())
def test_random_subscripts(subscripts: str) -> None:
    np.testing.assert_array_equal(expression(f"x[{subscripts}]", "x: [4, 3, 5]", x=X), in_numpy(X, subscripts))


I0, I1, I2 = np.array(2), np.array([2, 3, 0, 2]), np.array([[0, 1], [3, 1], [2, 2]])


@pytest.mark.parametrize(
    "subscripts",
    [
        "i",
        "j",
        "k",
        ":, i",
        ":, j",
        ":, k",
        "..., j",
        "..., i",
        ":, :, k",
        "j, 1:",
        "none, j",
        "j, none",
        "1:, j",
        ":, j, ::2",
        "0, j",
        "0, i",
        "i, i, i",
        "..., k, none",
        "k, 0, :",
        "none, k, ..., 1:3",
    ],
)
def test_integer_tensors_gather(subscripts: str) -> None:
    x = numbers(4, 4, 4)
    actual = expression(f"x[{subscripts}]", "x: [4, 4, 4]; i: i64[]; j: i64[n]; k: i64[m, 2]", x=x, i=I0, j=I1, k=I2)
    np.testing.assert_array_equal(actual, in_numpy(x, subscripts, i=int(I0), j=I1, k=I2))


def test_each_index_goes_along_its_own_axis() -> None:
    """NumPy joins an int with an array that is not beside it, and moves their axis to the front; here nothing moves."""
    x = numbers(4, 4, 4)
    actual = expression("x[0, :, j]", "x: [4, 4, 4]; j: i64[n]", x=x, j=I1)
    np.testing.assert_array_equal(actual, x[0][:, I1])


@pytest.mark.parametrize("dtype", ["i64", "i32"])
def test_tensors_that_are_computed_index_too(dtype: str) -> None:
    np.testing.assert_array_equal(expression("x[arange(3) * 2 % 4]", "x: [4, 3, 5]", x=X), X[[0, 2, 0]])
    shifted = expression("x[k + 1]", f"x: [4, 3, 5]; k: {dtype}[n]", x=X, k=np.array([0, -1]))
    np.testing.assert_array_equal(shifted, X[[1, 0]])
    np.testing.assert_array_equal(expression("x[argmax(x[:, 0, 0])]", "x: [4, 3, 5]", x=X), X[X[:, 0, 0].argmax()])


def test_a_window_from_a_tensor_on() -> None:
    for start in (0, 1, 2):
        actual = expression("x[i:i+2]", "x: [4, 3, 5]; i: i64[]", x=X, i=start)
        np.testing.assert_array_equal(actual, X[start : start + 2])
        actual = expression("x[:, :, i:i + 3]", "x: [4, 3, 5]; i: i64[]", x=X, i=start)
        np.testing.assert_array_equal(actual, X[:, :, start : start + 3])
    windows = expression("x[0, 0, j:j+1]", "x: [4, 3, 5]; j: i64[]", x=X, j=4)
    np.testing.assert_array_equal(windows, X[0, 0, 4:5])


def test_symbolic_dims() -> None:
    for text, expected in {
        "x[-1]": X[-1],
        "x[0]": X[0],
        "x[:, B - 4]": X[:, 0],
        "x[:B]": X,
        "x[::-1]": X[::-1],
        "x[:: 3]": X[::3],
        "x[none, ..., :2]": X[None, ..., :2],
        "x[B - B]": X[0],
    }.items():
        np.testing.assert_array_equal(expression(text, "x: [B, 3, 5]", x=X), expected, err_msg=text)


def test_slices_of_symbolic_axes_in_an_exported_entry() -> None:
    text = model(
        "output y = x\nentry tail(z: [R, 4], n: dim) -> [R - n, 4]:\n    assert n <= R\n    return z[n:]\n"
        "entry at(z: [R, 4], i: i64[]) -> [2]:\n    return z[i, 1:3]\n"
        "entry last(z: [R, 4]) -> [4]:\n    return z[-1]"
    )
    z = numbers(5, 4)
    for n in (0, 2, 5):
        np.testing.assert_array_equal(entry_value(text, "tail", z=z, n=n), z[n:])
    for i in (0, 3, 4):
        np.testing.assert_array_equal(entry_value(text, "at", z=z, i=i), z[i, 1:3])
    np.testing.assert_array_equal(entry_value(text, "last", z=z), z[-1])


def test_gathering_and_slicing_have_gradients() -> None:
    body = "target k: i64[n]\nparam w: [4, 3] = 1\n"
    body += "loss a = sum(w[k] * x[:, none, none])\nloss b = sum(w[1:, ::2] * 2)\noutput y = x"
    of = program(model(body, "x: [n]"))
    x, k, w = numbers(5), np.array([0, 2, 2, 3, 0]), np.ones((4, 3), np.float32)
    expected = np.zeros((4, 3))
    np.add.at(expected, k, np.full((5, 3), x.sum()))
    np.testing.assert_allclose(loss_and_gradients(of, "a", {"w": w, "x": x, "k": k})["w"], expected, rtol=1e-5)
    expected = np.zeros((4, 3))
    expected[1:, ::2] = 2
    np.testing.assert_array_equal(loss_and_gradients(of, "b", {"w": w, "x": x, "k": k})["w"], expected)


@pytest.mark.parametrize(
    ("text", "inputs", "code"),
    [
        ("x[4]", "x: [4]", "AX0318"),
        ("x[-5]", "x: [4]", "AX0318"),
        ("x[0, 0]", "x: [4]", "AX0318"),
        ("x[..., ...]", "x: [4]", "AX0318"),
        ("x[1.5]", "x: [4]", "AX0318"),
        ("x[true]", "x: [4]", "AX0318"),
        ('x["a"]', "x: [4]", "AX0318"),
        ("x[::0]", "x: [4]", "AX0318"),
        ("x[x > 0]", "x: [4]", "AX0318"),
        ("x[x]", "x: [4]", "AX0318"),
        ("x[k, k]", "x: [4, 4]; k: i64[n]", "AX0318"),
        ("x[:1.5]", "x: [4]", "AX0318"),
        ("x[i:i+2:2]", "x: [4]; i: i64[]", "AX0317"),
        ("x[i:]", "x: [4]; i: i64[]", "AX0317"),
        ("x[i:j]", "x: [4]; i: i64[]; j: i64[]", "AX0317"),
        ("x[i:i+j]", "x: [4]; i: i64[]; j: i64[]", "AX0317"),
        ("x[:N]", "x: [B]; y: [N]", "AX0317"),
        ("x[:3]", "x: [B]", "AX0317"),
        ("x[[0, 1]]", "x: [4]", "AX0318"),
    ],
)
def test_refused(text: str, inputs: str, code: str) -> None:
    assert codes(model(f"output result = {text}", inputs)) == [code]


def test_a_mask_is_refused_with_a_way_out() -> None:
    (finding,) = findings(model("output y = x[x > 0]"))
    assert "where" in (finding.help or "")


# ---------------------------------------------------------------- put


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_put_writes_a_slice(axis: int, at: int) -> None:
    update = numbers(*(2 if i == axis % 3 else n for i, n in enumerate(SHAPE)), seed=1)
    expected = X.copy()
    expected[tuple(slice(at, at + 2) if i == axis % 3 else slice(None) for i in range(3))][...] = update[
        tuple(slice(0, SHAPE[axis] - at) if i == axis % 3 else slice(None) for i in range(3))
    ]
    inputs = f"x: [4, 3, 5]; u: [{', '.join(map(str, update.shape))}]; i: i64[]"
    np.testing.assert_array_equal(expression(f"put(x, i, u, axis={axis})", inputs, x=X, u=update, i=at), expected)
    np.testing.assert_array_equal(expression(f"put(x, {at}, u, axis={axis})", inputs, x=X, u=update, i=0), expected)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(-3, 7), st.integers(1, 5), st.integers(1, 6))
def test_what_put_would_write_outside_is_left_out(at: int, rows: int, count: int) -> None:
    x, u = numbers(rows, 2), numbers(count, 2, seed=1)
    expected = x.copy()
    for i in range(count):
        if 0 <= at + i < rows:
            expected[at + i] = u[i]
    actual = expression("put(x, i, u, axis=0)", "x: [R, 2]; u: [C, 2]; i: i64[]", x=x, u=u, i=at)
    np.testing.assert_array_equal(actual, expected)


def test_put_has_gradients() -> None:
    body = "param w: [4, 2] = 1\nparam u: [2, 2] = 1\nloss l = sum(put(w, 1, u, axis=0) * x)"
    x = numbers(4, 2)
    gradients = loss_and_gradients(
        program(model(body, "x: [4, 2]")), "l", {"w": np.ones((4, 2)), "u": np.ones((2, 2)), "x": x}
    )
    expected = x.copy()
    expected[1:3] = 0
    np.testing.assert_array_equal(gradients["w"], expected)
    np.testing.assert_array_equal(gradients["u"], x[1:3])
