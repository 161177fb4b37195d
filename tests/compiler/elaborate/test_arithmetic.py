"""Operators on numbers and tensors: values as NumPy's, dtypes as the promotion rules of the language say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.support.elaborated import codes, expression, findings, model, numbers

X, Y = numbers(3, 4), numbers(3, 4, seed=1, low=0.5)
K = np.array([-7, -2, 3, 8])
A = np.array([True, True, False, False])


@pytest.mark.parametrize(("text", "expected"), [
    ("x + y", X + Y),
    ("x - y", X - Y),
    ("x * y", X * Y),
    ("x / y", X / Y),
    ("x // y", np.floor(X / Y)),
    ("x % y", X - Y * np.floor(X / Y)),
    ("y ** x", Y**X),
    ("-x", -X),
    ("+x", X),
    ("x + 1", X + 1),
    ("1 - x", 1 - X),
    ("2 / y", 2 / Y),
    ("y ** 2", Y * Y),
    ("2 ** x", 2**X),
    ("-y ** 2", -(Y**2)),
    ("1 + 2 * x ** 2", 1 + 2 * X**2),
    ("x @ transpose(y)", X @ Y.T),
    ("x @ transpose(y) * 2", X @ Y.T * 2),
    ("x * B", X * 3),
    ("x / (B + 1)", X / 4),
])  # fmt: skip
def test_numbers(text: str, expected: Any) -> None:
    actual = expression(text, "x: [B, 4]; y: [B, 4]", x=X, y=Y)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(("text", "expected"), [
    ("k + 1", K + 1),
    ("k // 3", K // 3),
    ("k % 3", K % 3),
    ("k * k", K * K),
    ("k ** 2", K**2),
    ("-k", -K),
    ("abs(k)", abs(K)),
    ("i32(k)", K.astype(np.int32)),
    ("k / 2", (K / 2).astype(np.float32)),
    ("k / k", np.ones(4, np.float32)),
    ("k + 0.5", (K + 0.5).astype(np.float32)),
    ("0.5 * k", (0.5 * K).astype(np.float32)),
    ("k > 0", K > 0),
    ("k == 3", K == 3),
    ("k != 3", K != 3),
    ("k >= 0.5", K >= 0.5),
    ("f32(k)", K.astype(np.float32)),
    ("f64(k) + 1", K.astype(np.float64) + 1),
    ("bool(k + 2)", K + 2 != 0),
    ("mean(k)", np.float32(K.mean())),
    ("sqrt(abs(k))", np.sqrt(abs(K)).astype(np.float32)),
])  # fmt: skip
def test_promotion_of_integers(text: str, expected: Any) -> None:
    actual = expression(text, "k: i64[B]", k=K)
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize(("text", "expected"), [
    ("a and b", A & A[[0, 2, 1, 3]]),
    ("a or b", A | A[[0, 2, 1, 3]]),
    ("not a", ~A),
    ("not a and b", ~A & A[[0, 2, 1, 3]]),
    ("a and true", A),
    ("a or true", np.ones(4, bool)),
    ("a == b", A[[0, 2, 1, 3]] == A),
    ("where(a, 1.5, 2)", np.where(A, 1.5, 2).astype(np.float32)),
    ("where(a, 1, 2)", np.where(A, 1, 2)),
    ("f32(a)", A.astype(np.float32)),
    ("i64(a) + 1", A.astype(np.int64) + 1),
    ("all(a)", np.bool_(False)),
    ("any(a)", np.bool_(True)),
])  # fmt: skip
def test_truth_values(text: str, expected: Any) -> None:
    actual = expression(text, "a: bool[B]; b: bool[B]", a=A, b=A[[0, 2, 1, 3]])
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(("text", "expected"), [
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3", 9),
    ("2 ** 3 ** 2", 512),
    ("-2 ** 2", -4),
    ("7 // 2", 3),
    ("-7 // 2", -4),
    ("-7 % 3", 2),
    ("7 / 2", 3.5),
    ("1e-3 * 1000", 1.0),
    ("pi", math.pi),
    ("2 * e", 2 * math.e),
    ("sqrt(16)", 4),
    ("exp(1)", math.e),
    ("max(3, 5)", 5),
    ("min([3, 1, 2])", 1),
    ("sum([1, 2, 3])", 6),
    ("prod([2, 3, 4])", 24),
    ("len([1, 2, 3])", 3),
    ("len([])", 0),
    ("int(2.9)", 2),
    ("[1, 2, 3][-1]", 3),
    ("[1, 2, 3][1:][0]", 2),
    ("sum([1, 2, 3, 4][::2])", 4),
    ("{a: 1, b: 2}.b", 2),
    ('{a: 1, b: 2}["a"]', 1),
    ("1 if 2 > 1 else 0", 1),
    ("1 if 2 in [1, 2] and not 3 in [1] else 0", 1),
    ("1 if none == none else 0", 1),
    ("sum([1, 2] + [3] * 2)", 9),
    ("sum(range(2, 10, 3))", 15),
    ("sum(reversed([1, 2])) + reversed([1, 2])[0]", 5),
])  # fmt: skip
def test_static_numbers(text: str, expected: float) -> None:
    one = np.ones(1, np.float32)
    np.testing.assert_allclose(expression(f"x * ({text})", "x: [B]", x=one), [expected], rtol=1e-6)


def test_the_models_float_type_is_that_of_numbers() -> None:
    from archonnx.compiler.ir.types import DType

    assert expression("k / 3", "k: i64[B]", float_type=DType.f64, k=K).dtype == np.float64
    assert expression("zeros([B, 2]) + x", "x: [B, 2]", float_type=DType.f64, x=np.ones((1, 2))).dtype == np.float64


@pytest.mark.parametrize(("text", "inputs"), [
    ("x * k", "x: [B]; k: i64[B]"),
    ("x / k", "x: [B]; k: i64[B]"),
    ("x + d", "x: [B]; d: f64[B]"),
    ("k + j", "k: i64[B]; j: i32[B]"),
    ("a * x", "a: bool[B]; x: [B]"),
    ("a + a", "a: bool[B]"),
    ("x and x", "x: [B]"),
    ("not x", "x: [B]"),
    ("where(x, 1, 2)", "x: [B]"),
    ("where(x > 0, x, k)", "x: [B]; k: i64[B]"),
])  # fmt: skip
def test_different_dtypes_do_not_mix(text: str, inputs: str) -> None:
    (finding,) = findings(model(f"output result = {text}", inputs))
    assert finding.code == "AX0303"


@pytest.mark.parametrize(("text", "code"), [
    ("x * (1 / 0)", "AX0311"),
    ("x * (1 % 0)", "AX0311"),
    ("x * log(0)", "AX0311"),
    ("x * sqrt(-1)", "AX0311"),
    ("x * 2 ** 64", "AX0311"),
    ("x * 2 ** 10 ** 10", "AX0311"),
    ("x * (-8) ** 0.5", "AX0311"),
    ("x * (2 ** 62 * 2)", "AX0311"),
    ("x * [1, 2][2]", "AX0312"),
    ("x * [1, 2][-3]", "AX0312"),
    ("x * [1, 2][0.5]", "AX0306"),
    ("x * {a: 1}.b", "AX0206"),
    ("x * relu", "AX0306"),
    ("x * none", "AX0306"),
    ("x + [1, 2]", "AX0306"),
    ('x + "a"', "AX0306"),
    ("x * (1 + true)", "AX0306"),
    ("x if x else x", "AX0309"),
    ("x if B > 2 else x", "AX0309"),
    ("x if 1 and true else x", "AX0306"),
])  # fmt: skip
def test_refused(text: str, code: str) -> None:
    assert codes(model(f"output result = {text}", "x: [B]")) == [code]
