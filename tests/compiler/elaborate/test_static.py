"""What is computed at compile time: for, if, comprehensions, choices, defaults, arguments, pipes, partial calls."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.elaborated import codes, expression, findings, model, numbers, output, program

X = numbers(3, 4)


def run(body: str, before: str = "") -> np.ndarray:
    """The output ``y`` of a model over ``x``."""
    return output(model(body, before=before), x=X)


def test_for_unrolls_and_does_not_scope() -> None:
    actual = run("for i in range(1, 4):\n    x = x * i\n    last = i\noutput y = x + last")
    np.testing.assert_allclose(actual, X * 6 + 3)


def test_for_over_lists_of_pairs() -> None:
    body = "for i, c in enumerate([5, 7]):\n    x = x + i * c\n"
    body += "for a, b in zip([1, 2], [3, 4]):\n    x = x + a * b\noutput y = x"
    np.testing.assert_allclose(run(body), X + 7 + 11, rtol=1e-6)


def test_if_takes_one_branch() -> None:
    body = "k = 2\nif k == 1:\n    y = x\nelif k == 2:\n    y = 2 * x\nelse:\n    y = unknown\noutput z = y"
    np.testing.assert_allclose(run(body), 2 * X)


def test_a_branch_not_taken_makes_nothing() -> None:
    assert list(program(model("if 1 > 2:\n    x = x |> Dense(3)\noutput y = x")).parameters) == []


def test_comprehensions_have_names_of_their_own() -> None:
    body = "i = 10\na = [i * j for i, j in zip([1, 2], [3, 4]) if i > 1]\noutput y = x * i + a[0]"
    np.testing.assert_allclose(run(body), X * 10 + 8, rtol=1e-6)


def test_comprehensions_nest() -> None:
    body = "a = [[i + j for j in range(i)] for i in range(3)]\noutput y = x + a[2][1] + len(a[0])"
    np.testing.assert_allclose(run(body), X + 3, rtol=1e-6)


def test_return_inside_for_and_if() -> None:
    first_above = (
        "fn first_above(n: int, a: list[int]):\n"
        "    for v in a:\n        if v > n:\n            return v\n    return n\n"
    )
    body = "output y = x * first_above(3, [1, 2, 5, 9]) + first_above(9, [1])"
    np.testing.assert_allclose(run(body, first_above), 5 * X + 9, rtol=1e-5)


def test_static_recursion_ends() -> None:
    factorial = "fn factorial(n: int):\n    return 1 if n == 0 else n * factorial(n - 1)\n"
    np.testing.assert_allclose(run("output y = x * factorial(5)", factorial), 120 * X)


@pytest.mark.parametrize("text", [
    "x |> relu |> neg |> scaled(3)",
    "scaled(neg(relu(x)), 3)",
    "scaled(x |> relu |> neg, by=3)",
    "scaled(by=3, x=neg(relu(x)))",
    "apply(x |> relu |> neg, scaled(3))",
    "apply(x |> relu |> neg, scaled(by=3))",
    "x |> relu |> neg |> apply(scaled(3))",
    "x |> relu\n    |> neg\n    |> scaled(3)",
    "x |> relu |> neg |> twice_of(1) |> scaled(1.5)",
])  # fmt: skip
def test_pipes_arguments_and_partial_calls(text: str) -> None:
    before = (
        "fn neg(x: [...S]) -> [...S]:\n    return -x\n"
        "fn scaled(x: [...S], by: float) -> [...S]:\n    return by * x\n"
        "fn twice_of(x: [...S], by: float) -> [...S]:\n    return 2 * by * x\n"
        "fn apply(x: [...S], f: fn) -> [...S]:\n    return f(x)\n"
    )
    np.testing.assert_allclose(expression(text, before=before, x=X), -3 * np.maximum(X, 0), rtol=1e-6)


def test_partials_of_library_fns_and_builtins() -> None:
    before = "fn apply(x: [...S], f: fn) -> [...S]:\n    return f(x)\n"
    np.testing.assert_allclose(expression("apply(x, leaky_relu(0.2))", before=before, x=X), np.where(X > 0, X, 0.2 * X))
    shifted = np.exp(X - X.max(0))
    actual = expression("apply(x, softmax(axis=0))", before=before, x=X)
    np.testing.assert_allclose(actual, shifted / shifted.sum(0), rtol=1e-5)


def test_partials_of_partials() -> None:
    before = (
        "fn f(x: [...S], a: float, b: float) -> [...S]:\n    return x * a + b\n"
        "fn outer(x: [...S], g: fn) -> [...S]:\n    return inner(x, g(b=3))\n"
        "fn inner(x: [...S], g: fn) -> [...S]:\n    return g(x)\n"
    )
    np.testing.assert_allclose(expression("outer(x, f(2))", before=before, x=X), X * 2 + 3, rtol=1e-6)


def test_defaults_see_earlier_parameters() -> None:
    before = "fn f(x: [...S], a: int = 2, b: int = a * 3, c: list = [a, b]) -> [...S]:\n    return x * b + c[0]\n"
    np.testing.assert_allclose(expression("f(x) + f(x, 1) + f(x, b=0)", before=before, x=X), X * 9 + 5, rtol=1e-6)


def test_defaults_are_read_where_the_fn_was_written() -> None:
    before = "fn scale():\n    return 3\nfn f(x: [...S], a: int = scale()) -> [...S]:\n    return x * a\n"
    np.testing.assert_allclose(run("scale = 5\noutput y = f(x)", before), 3 * X)


def test_models_take_arguments() -> None:
    text = "model M(width: int = 3, deep: list[int] = [width]):\n    input x: [B, 2]\n    output y = MLP(deep)(x)\n"
    assert program(text).parameters["mlp.dense.W"].shape == (2, 3)
    assert program(text, width=5).parameters["mlp.dense.W"].shape == (2, 5)
    assert program(text, deep=[4, 1]).parameters["mlp.dense.1.W"].shape == (4, 1)
    assert codes(text, widht=5) == ["AX0202"]
    assert codes(text, width="wide") == ["AX0306"]


CHOICES = """
fn size(mode: choice[small, large, none] = none):
    if mode == small:
        return 1
    if mode in [large]:
        return 2
    return 0 if mode == none else -1

fn forward(mode: choice[small, large, none] = none):
    return size(mode) + 10 * size(mode=mode)
"""


@pytest.mark.parametrize(("text", "expected"), [
    ("size(small)", 1),
    ("size(large)", 2),
    ("size(none)", 0),
    ("size()", 0),
    ('size("large")', 2),
    ("forward(small)", 11),
    ("forward(none)", 0),
    ("forward()", 0),
])  # fmt: skip
def test_choice_words(text: str, expected: int) -> None:
    np.testing.assert_allclose(expression(f"x * 0 + {text}", before=CHOICES, x=X), np.full_like(X, expected))


UNION = """
fn kind(x: choice[small, none] | int | list[float] = small):
    return "word" if is_word(x) else "list" if is_list(x) else "other"
fn forward(x: choice[none, small, large] | int | list):
    return kind(x)
"""


@pytest.mark.parametrize(("text", "expected"), [
    ("kind()", "word"),
    ("kind(small)", "word"),
    ('kind("small")', "word"),
    ("kind(none)", "word"),
    ("kind(2)", "other"),
    ("kind(x=1 + 1)", "other"),
    ("kind([1, 2.5])", "list"),
    ("forward(small)", "word"),
    ("forward(none)", "word"),
    ("forward([])", "list"),
    ("kind([kind(k) for k in [1]])", "AX0208"),
    ("kind(2.5)", "AX0208"),
    ("kind(true)", "AX0208"),
    ("kind(smal)", "AX0208"),
    ("kind(i64)", "AX0208"),
    ("forward(large)", "AX0208"),
])  # fmt: skip
def test_a_parameter_of_several_types(text: str, expected: str) -> None:
    if expected.startswith("AX"):
        assert codes(model(f"output y = x * len({text})", before=UNION)) == [expected]
    else:
        run(f'assert {text} == "{expected}"\noutput y = x', UNION)


@pytest.mark.parametrize(
    "declared", ["int | tensor", "int | [B]", "int | f32", "fn | int", "list | choice[a] | module"]
)
def test_what_cannot_be_one_of_several_types(declared: str) -> None:
    before = f"fn f(k: {declared} = 1):\n    return k\n"
    assert codes(model("output y = x * f(2)", before=before)) == ["AX0209"]


def test_choice_words_are_bare_even_where_they_are_names() -> None:
    np.testing.assert_allclose(run("small = 5\nlarge = 7\noutput y = x * 0 + size(small)", CHOICES), np.ones_like(X))


def test_wrong_words() -> None:
    (finding,) = findings(model("output y = x * size(smal)", before=CHOICES))
    assert finding.code == "AX0208" and finding.help == "did you mean `small`?"
    before = "fn g(m: choice[small, large]):\n    return m == big\n"
    assert codes(model("output y = x * g(small)", before=before)) == ["AX0208"]


def test_several_results_by_position_and_by_name() -> None:
    before = "fn parts(x: [B, n]) -> (sum: [B], rest: [B, n]):\n    return sum(x, axis=1), x - 1\n"
    expected = X - 1 + X.sum(1)[:, None]
    for body in (
        "a, b = parts(x)\noutput y = b + unsqueeze(a, axis=1)",
        "r = parts(x)\noutput y = r.rest + unsqueeze(r.sum, axis=1)",
    ):
        np.testing.assert_allclose(run(body, before), expected, rtol=1e-5)


def test_in_call_position_a_value_is_skipped() -> None:
    np.testing.assert_allclose(run("relu = 3\noutput y = relu(x) * relu"), 3 * np.maximum(X, 0))


@pytest.mark.parametrize(("body", "code"), [
    ("for i in x:\n    x = x\noutput y = x", "AX0309"),
    ("for i in 3:\n    x = x\noutput y = x", "AX0306"),
    ("for i in range(B):\n    x = x\noutput y = x", "AX0309"),
    ("for a, b in [1, 2]:\n    x = x\noutput y = x", "AX0207"),
    ("if x > 0:\n    x = x\noutput y = x", "AX0309"),
    ("if relu:\n    x = x\noutput y = x", "AX0306"),
    ("a, b = split(x, 4)\noutput y = x", "AX0207"),
    ("a, b = 1, 2, 3\noutput y = x", "AX0207"),
    ("a, b = 3\noutput y = x", "AX0207"),
    ("output y = unknown", "AX0201"),
    ("output y = unknown(x)", "AX0201"),
    ("output y = leaky_relu()", "AX0203"),
    ("output y = leaky_relu(x, slop=1)", "AX0202"),
    ("output y = leaky_relu(x, 1, 2)", "AX0205"),
    ("output y = leaky_relu(x, 1, slope=2)", "AX0205"),
    ("x + 1\noutput y = x", "AX0211"),
])  # fmt: skip
def test_refused(body: str, code: str) -> None:
    assert codes(model(body)) == [code]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("n not in [1, 2]", True),
        ("n not in [1, 3]", False),
        ("not n in [1, 2]", True),
        ('"q" not in "abc"', True),
        ('"a" not in {a: 1}', False),
        ("mode not in [fast, exact]", False),
        ("mode not in [exact]", True),
        ("mode in words", True),
        ("mode not in words", False),
        ("n not in [1] and n not in [2]", True),
    ],
)
def test_what_is_not_in_a_list(condition: str, holds: bool) -> None:
    text = f'words = ["fast", "slow"]\noutput y = x * 2 if {condition} else x'
    spec = model(text).replace("model M()", "model M(mode: choice[fast, slow, exact] = fast, n: int = 3)")
    np.testing.assert_array_equal(output(spec, x=np.ones((1, 4), np.float32)), np.full((1, 4), 2 if holds else 1))


@pytest.mark.parametrize(
    ("text", "code"),
    [("x not in [1]", "AX0306"), ("1 if 2 not in 3 else 0", "AX0306"), ("1 < 2 not in [3]", "AX0114")],
)
def test_what_not_in_refuses(text: str, code: str) -> None:
    assert codes(model(f"output y = x * ({text})")) == [code]


@pytest.mark.parametrize("word", ["small", "large"])
def test_a_word_is_the_key_of_its_name(word: str) -> None:
    text = "model M(size: choice[small, large] = small):\n    input x: [B]\n    output y = x * {small: 2, large: 3}[size]\n"
    assert output(program(text, size=word), x=np.ones(1))[0] == {"small": 2, "large": 3}[word]


def test_a_word_that_is_no_key_is_told() -> None:
    text = (
        "model M(size: choice[small, huge] = huge):\n    input x: [B]\n    output y = x * {small: 2, large: 3}[size]\n"
    )
    assert [found.code for found in findings(text)] == ["AX0206"]
