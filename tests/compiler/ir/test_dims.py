"""The algebra of dims against Python's integers, at random sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archonnx.compiler.ir.dims import ATOMS, Dim, at_most, exact_quotient, same
from archonnx.compiler.ir.parse import parse_dim

NAMES = ("B", "H", "W")
Meaning = Callable[[Mapping[str, int]], int]
Expression = tuple[Dim, Meaning]
"""A dim in canonical form, and what was written, as a function of the sizes."""

PYTHON: Mapping[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "min": min,
    "max": max,
}
DIMS: Mapping[str, Callable[[Dim, Dim], Dim]] = {"+": Dim.__add__, "-": Dim.__sub__, "*": Dim.__mul__, **ATOMS}

sizes = st.fixed_dictionaries({name: st.integers(0, 9) for name in NAMES})


def _combine(op: str, left: Expression, right: Expression) -> Expression:
    if op in ("//", "%"):
        assume(right[0].constant != 0)
    return DIMS[op](left[0], right[0]), lambda at: PYTHON[op](left[1](at), right[1](at))


def _name(name: str) -> Expression:
    return Dim.of(name), lambda at: at[name]


def _number(number: int) -> Expression:
    return Dim.of(number), lambda at: number


expressions: st.SearchStrategy[Expression] = st.recursive(
    st.one_of(st.sampled_from(NAMES).map(_name), st.integers(-4, 9).map(_number)),
    lambda inner: st.builds(_combine, st.sampled_from(sorted(PYTHON)), inner, inner),
    max_leaves=6,
)


def _at(meaning: Meaning, at: Mapping[str, int]) -> int:
    try:
        return meaning(at)
    except ZeroDivisionError:
        assume(False)
        raise


@given(expressions, sizes)
def test_canonical_form_has_the_value_of_what_was_written(expression: Expression, at: Mapping[str, int]) -> None:
    dim, meaning = expression
    expected = _at(meaning, at)
    assert dim.evaluate(at) == expected


@given(expressions, expressions, sizes)
def test_comparisons_are_never_wrong(left: Expression, right: Expression, at: Mapping[str, int]) -> None:
    a, b = _at(left[1], at), _at(right[1], at)
    answer = same(left[0], right[0])
    assert answer is None or answer == (a == b)
    assert not at_most(left[0], right[0]) or a <= b
    bound = left[0].lower_bound()
    assert bound is None or bound <= a


@given(expressions, expressions)
def test_exact_quotient_times_divisor_is_the_dividend(left: Expression, right: Expression) -> None:
    assume(right[0].terms)
    quotient = exact_quotient(left[0] * right[0], right[0])
    assert quotient is not None
    assert quotient * right[0] == left[0] * right[0]
    if (other := exact_quotient(left[0], right[0])) is not None:
        assert other * right[0] == left[0]


@given(expressions, sizes, st.sampled_from(NAMES), expressions)
def test_substitution_is_evaluation_in_two_steps(
    expression: Expression, at: Mapping[str, int], name: str, by: Expression
) -> None:
    inner = _at(by[1], at)
    assume(inner >= 0)
    expected = _at(expression[1], {**at, name: inner})
    assert expression[0].substitute({name: by[0]}).evaluate(at) == expected


@given(expressions)
def test_text_reads_back_as_the_same_dim(expression: Expression) -> None:
    assert parse_dim(str(expression[0])) == expression[0]


B, H, W = map(Dim.of, NAMES)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (2 * (B + 3) - B, B + 6),
        ((B + 1) * (B - 1), B * B - 1),
        (4 * B // 2, 2 * B),
        (B * H // H, B),
        ((2 * B + 3) // 2, B + 1),
        ((H - 3) // 2 + 1, (H - 1) // 2),
        (5 * H // 2, 2 * H + H // 2),
        (H // 2 // 2, H // 4),
        (((H - 1) // 2 - 1) // 2, (H - 3) // 4),
        ((B * 6 + H) % 3, H % 3),
        (B.maximum(B + 1), B + 1),
        (H.minimum(W), W.minimum(H)),
        (B.maximum(0), B),
    ],
    ids=str,
)
def test_equal_dims_have_one_form(left: Dim, right: Dim) -> None:
    assert left == right
    assert same(left, right) is True


@pytest.mark.parametrize(
    ("left", "right", "answer"),
    [
        (B, B + 1, False),
        (B + H + 1, B, False),
        (B, H, None),
        (2 * B, B, None),
        (H // 2 + 1, Dim.of(0), False),
        (H % 2, Dim.of(-1), False),
    ],
    ids=str,
)
def test_same_says_no_or_cannot_tell(left: Dim, right: Dim, answer: bool | None) -> None:
    assert same(left, right) is answer
    assert same(right, left) is answer


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        ((H - 3) // 2 + 1, "(H + 1) // 2 - 1"),
        (-(H // 2), "-(H // 2)"),
        (H // (2 * W), "H // (2 * W)"),
        (3 * H.minimum(W) - B * B, "-B ** 2 + 3 * min(H, W)"),
        (Dim.of(0), "0"),
    ],
)
def test_text(dim: Dim, text: str) -> None:
    assert str(dim) == text


def test_division_by_zero_is_an_error_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        B // 0
    with pytest.raises(ZeroDivisionError):
        (B % H).evaluate({"B": 1, "H": 0})
    with pytest.raises(KeyError):
        (B % H).evaluate({"B": 1})
