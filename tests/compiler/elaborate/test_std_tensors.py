"""The library's parts, copies and products of tensors, sorting, and writing by indices: values by NumPy, in NumPy
and in onnxruntime, at known and at symbolic sizes; gradients by central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from archonnx.compiler.onnx_export import export
from tests.support.derivatives import check_both_orders
from tests.support.elaborated import codes, findings, model, numbers, output, outputs, program
from tests.support.onnx_run import run_onnx

X, Y, Z = numbers(3, 4), numbers(4, 5, seed=1), numbers(2, 3, 3, seed=2)
V, W = numbers(4, seed=3), numbers(5, seed=4)
ROWS = np.array([2, 0, 2, 3])
PLACES = np.array([[0, 2], [3, 3], [1, 0]])
FIELDS = {"x": X, "y": Y, "z": Z, "v": V, "w": W, "i": ROWS, "p": PLACES}
INPUTS = "x: [B, n]; y: [n, m]; z: [A, 3, 3]; v: [n]; w: [m]; i: i64[n]; p: i64[B, 2]"
KNOWN = "x: [3, 4]; y: [4, 5]; z: [2, 3, 3]; v: [4]; w: [5]; i: i64[4]; p: i64[3, 2]"


def scattered(kind: Callable[..., Any], x: Array, at: Any, value: Any) -> Array:
    result = np.array(x)
    kind(result, at, value)
    return result


def written(x: Array, at: Any, value: Any) -> Array:
    return scattered(lambda r, a, v: r.__setitem__(a, v), x, at, value)


CALLS: dict[str, Any] = {
    "sort(x)": np.sort(X),
    "sort(x, axis=0, descending=true)": -np.sort(-X, axis=0),
    "argsort(x, axis=0)": np.argsort(X, axis=0, kind="stable"),
    "argsort(round(x), descending=true)": np.argsort(-np.round(X), kind="stable"),
    "top_k(z, 2, axis=1).values": -np.sort(-Z, axis=1)[:, :2],
    "top_k(z, 2, axis=-2, largest=false).indices": np.argsort(Z, axis=1)[:, :2],
    "top_k(v, 3).values": -np.sort(-V)[:3],
    "flip(x, axis=0)": X[::-1],
    "take_along_axis(x, p, axis=1)": np.take_along_axis(X, PLACES, axis=1),
    "take_along_axis(z, i[none, :2, none], axis=1)": np.take_along_axis(Z, ROWS[None, :2, None], axis=1),
    "gather(x, i, axis=-1)": X[:, ROWS],
    "scatter_add(v, i, x[0])": scattered(np.add.at, V, ROWS, X[0]),
    "scatter_add(x, i, x, axis=1)": scattered(np.add.at, X, (slice(None), ROWS), X),
    "scatter_add_along_axis(x, p, x[:, 0:1] * (1.0 * p), axis=1)": scattered(
        np.add.at, X, (np.arange(3)[:, None], PLACES), X[:, :1] * PLACES
    ),
    "scatter(v, i[:2], 2 * (1.0 * i[:2]))": written(V, ROWS[:2], 2 * ROWS[:2]),
    "scatter(x, i[1:3], 0 * (1.0 * i[1:3]) + x[:, 1:2], axis=1)": written(X, (slice(None), ROWS[1:3]), X[:, 1:2]),
    "put(x, i[1] + 1, 0 * x[:, :1] + 9, axis=1)": written(X, (slice(None), [1]), 9),
    "one_hot(i, 3)": [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]],  # 3 is not an index of three
    "zeros_like(x)": np.zeros_like(X),
    "ones_like(i)": np.ones_like(ROWS),
    "diag(v)": np.diag(V),
    "diag(x)": X[:, :, None] * np.eye(4),
    "diagonal(z)": np.diagonal(Z, axis1=1, axis2=2),
    "trace(z)": np.trace(Z, axis1=1, axis2=2),
    "tril(x)": np.tril(X),
    "tril(z, -1)": np.tril(Z, -1),
    "triu(x, 1)": np.triu(X, 1),
    "triu(y)": np.triu(Y),
    "outer(v, w)": np.outer(V, W),
    "outer(x, x)": X[:, :, None] * X[:, None, :],
    "inner(v, v)": V @ V,
    "cross(z, flip(z, axis=0))": np.cross(Z, Z[::-1]),
    "kron(x, y)": np.kron(X, Y),
    "roll(x, 1)": np.roll(X, 1, axis=-1),
    "roll(x, -2, axis=0)": np.roll(X, -2, axis=0),
    "roll(x, 9, axis=1)": np.roll(X, 9, axis=1),
    "tile(x, [2, 3])": np.tile(X, (2, 3)),
    "repeat(x, 3)": np.repeat(X, 3, axis=-1),
    "repeat(x, 2, axis=0)": np.repeat(X, 2, axis=0),
    "stack(unstack(z, axis=1), axis=1)": Z,
    "meshgrid(v, w).rows": np.meshgrid(V, W, indexing="ij")[0],
    "meshgrid(v, w).columns": np.meshgrid(V, W, indexing="ij")[1],
    "diff(x)": np.diff(X),
    "diff(x, axis=0)": np.diff(X, axis=0),
    "eye(n)": np.eye(4),
    "arange(2, n)": np.arange(2, 4),
    "arange(0, n + 1, 2)": np.arange(0, 5, 2),
    "arange(n, -1, -1)": np.arange(4, -1, -1),
    "arange(5, 2)": np.arange(5, 2),
    "arange(5, 0, -2)": np.arange(5, 0, -2),
    'code_points("Añ€")': np.array([65, 241, 8364]),
    'code_points("Hi", 4)': np.array([72, 105, 0, 0]),
    'code_points("", 2)': np.array([0, 0]),
    "linspace(0, 1, n)": np.linspace(0, 1, 4),
    'einsum("i i ->", z[0])': np.trace(Z[0]),
    'einsum("... i i -> ... i", z)': np.einsum("...ii->...i", Z),
    'einsum("b i j, b j k, b k l -> b i l", z, z, z)': Z @ Z @ Z,
    'einsum("a b, b c, c, b -> a", x, y, w, v)': np.einsum("ab,bc,c,b->a", X, Y, W, V),
    'einsum("b i", x)': X,
    'einsum("j i", y)': Y.T,
    'einsum("a i, i j", x, y)': X @ Y,
    'einsum("i, i", v, v)': V @ V,
    'einsum("... i j, ... j k", z, z)': Z @ Z,
    'einsum("i, j, i, j, i, j ->", v, w, v, w, v, w)': np.sum(V**3) * np.sum(W**3),
}


@pytest.mark.parametrize("inputs", [INPUTS, KNOWN], ids=["symbolic", "known"])
@pytest.mark.parametrize("call", CALLS)
def test_values(call: str, inputs: str) -> None:
    expected = np.asarray(CALLS[call])
    text = f"assert n >= 4\noutput result = {call}" if inputs == INPUTS else f"n = 4\noutput result = {call}"
    of = program(model(text, inputs))
    given = {name: FIELDS[name] for name in of.infer.inputs}
    for value in (output(of, **given), run_onnx(export(of.infer), given)["result"]):
        assert value.shape == expected.shape
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)


SMOOTH = [
    call
    for call in CALLS
    if not call.startswith(("argsort", "one_hot", "zeros", "ones", "eye", "arange", "linspace", "code_points"))
    and not call.endswith("indices")
]


@pytest.mark.parametrize("call", SMOOTH)
def test_gradients_of_first_and_second_order(call: str) -> None:
    check_both_orders(call, KNOWN, FIELDS)


def test_ties_keep_their_order_in_both_directions() -> None:
    body = "output up = argsort(x)\noutput down = argsort(x, descending=true)\noutput best = top_k(x, 2).indices"
    of = program(model(body, "x: [B, 6]"))
    x = np.array([[1, 2, 1, 2, 1, 2]], np.float32)
    for values in (outputs(of, x=x), run_onnx(export(of.infer), {"x": x})):
        np.testing.assert_array_equal(values["up"], [[0, 2, 4, 1, 3, 5]])
        np.testing.assert_array_equal(values["down"], [[1, 3, 5, 0, 2, 4]])
        np.testing.assert_array_equal(values["best"], [[1, 3]])


def test_the_gradient_of_a_largest_element_goes_to_the_first_of_those_that_tie() -> None:
    of = program(model("v, i = top_k(x, 1)\noutput g = grad(sum(v), x)", "x: [4]"))
    np.testing.assert_array_equal(output(of, x=np.array([1, 3, 3, 2], np.float32)), [0, 1, 0, 0])


def test_a_symbolic_count_is_proved() -> None:
    assert codes(model("output y = top_k(x, 3, axis=0).values")) == ["AX0305"]
    assert codes(model("assert B >= 3\noutput y = top_k(x, 3, axis=0).values")) == []
    assert codes(model("output y = top_k(x, 5).values")) == ["AX0322"]
    (found,) = findings(model("output y = top_k(x, 5).values"))
    assert found.headline == "`top_k` cannot take 5 elements of axis 1, of size 4"


@pytest.mark.parametrize(("call", "code"), [
    ("sort(x > 0)", "AX0303"),
    ("sort(x, axis=2)", "AX0320"),
    ("top_k(x, x)", "AX0306"),
    ("take_along_axis(x, x, axis=1)", "AX0303"),
    ("take_along_axis(x, i64(x[0]), axis=1)", "AX0302"),
    ("scatter_add(x, i64(x[0]), x)", "AX0305"),
    ("roll(x, 1, axis=2)", "AX0320"),
    ("tile(x, [2])", "AX0319"),
    ("repeat(x, 2, axis=-3)", "AX0320"),
    ("diagonal(x)", "AX0305"),
    ("cross(x, x)", "AX0304"),
    ("arange(1, 2, 0)", "AX0311"),
    ("unstack(x)[0]", "AX0309"),
    ('einsum("a b, b", x)', "AX0323"),
])  # fmt: skip
def test_misuse(call: str, code: str) -> None:
    assert codes(model(f"output result = {call}")) == [code]


def test_a_text_that_is_longer_than_the_room_is_refused() -> None:
    (found,) = findings(model('output y = x\noutput z = code_points("Wednesday", 8)', "x: [B]"))
    assert (found.code, found.headline) == ("AX0322", "'Wednesday' has 9 characters, and there is room for 8")


@pytest.mark.parametrize(
    ("sizes", "known"),
    [("3, 3", True), ("3, 4", False), ("B, B", True), ("B, T", False), ("B, 3", False), ("2 * B, B + B", True), ("T, U", True)],
)  # fmt: skip
def test_sizes_that_are_certainly_equal(sizes: str, known: bool) -> None:
    """What is asserted is known."""
    of = program(model(f"assert T == U\noutput y = x if same_size({sizes}) else 2 * x", "x: [B, T, U]"))
    x = np.ones((1, 2, 2), np.float32)
    assert output(of, x=x).max() == (1 if known else 2)
