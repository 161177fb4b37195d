"""The algebra of dims against Python's integers, at random sizes."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archonnx.compiler.ir.dims import ZERO, Dim, exact_quotient, product
from archonnx.compiler.ir.facts import at_most, same
from archonnx.compiler.ir.parse import parse_dim
from tests.support.dims import NAMES, Expression, expressions, large_expressions, meaning_at, numbers, sizes

polynomials: st.SearchStrategy[Dim] = st.lists(
    st.tuples(numbers, st.lists(st.sampled_from(NAMES), max_size=3)), max_size=4
).map(lambda terms: sum((product([Dim.of(k), *map(Dim.of, names)]) for k, names in terms), ZERO))
any_expressions = st.one_of(expressions, large_expressions)


@given(any_expressions, sizes)
def test_canonical_form_has_the_value_of_what_was_written(expression: Expression, at: Mapping[str, int]) -> None:
    expected = meaning_at(expression, at)
    assert expression[0].evaluate(at) == expected


@given(any_expressions, any_expressions, sizes)
def test_comparisons_are_never_wrong(left: Expression, right: Expression, at: Mapping[str, int]) -> None:
    a, b = meaning_at(left, at), meaning_at(right, at)
    answer = same(left[0], right[0])
    assert answer is None or answer == (a == b)
    assert not at_most(left[0], right[0]) or a <= b
    bound = left[0].lower_bound()
    assert bound is None or bound <= a


@given(any_expressions, any_expressions)
def test_exact_quotient_times_divisor_is_the_dividend(left: Expression, right: Expression) -> None:
    assume(right[0].terms)
    quotient = exact_quotient(left[0] * right[0], right[0])
    assert quotient is not None
    assert quotient * right[0] == left[0] * right[0]
    if (other := exact_quotient(left[0], right[0])) is not None:
        assert other * right[0] == left[0]


@given(any_expressions, sizes, st.sampled_from(NAMES), expressions)
def test_substitution_is_evaluation_in_two_steps(
    expression: Expression, at: Mapping[str, int], name: str, by: Expression
) -> None:
    inner = meaning_at(by, at)
    assume(inner >= 0)
    expected = meaning_at(expression, {**at, name: inner})
    assert expression[0].substitute({name: by[0]}).evaluate(at) == expected


@given(any_expressions)
def test_text_reads_back_as_the_same_dim(expression: Expression) -> None:
    assert parse_dim(str(expression[0])) == expression[0]


@given(st.data(), sizes)
def test_two_spellings_of_one_polynomial_have_one_form(data: st.DataObject, at: Mapping[str, int]) -> None:
    """``(p + q * d) // d`` is ``p // d + q``, and ``(p + q * d) % d`` is ``p % d``, at any size of numbers."""
    p, q = data.draw(polynomials), data.draw(polynomials)
    d = data.draw(numbers.filter(bool))
    assert (p + q * d) // d == p // d + q
    assert (p + q * d) % d == p % d
    assert (d * (p // d) + p % d).evaluate(at) == p.evaluate(at)
    k = data.draw(st.integers(1, 2**40))
    assert (p * k) // (d * k) == p // d
    assert (p * k) % (d * k) == (p % d) * k


@given(st.lists(st.tuples(numbers, st.lists(st.sampled_from(NAMES), max_size=3)), max_size=5), st.randoms())
def test_a_polynomial_has_one_form_whatever_the_order_of_its_terms(
    terms: list[tuple[int, list[str]]], random: Random
) -> None:
    def total() -> Dim:
        order = random.sample(terms, len(terms))
        parts = (product([Dim.of(k), *map(Dim.of, random.sample(names, len(names)))]) for k, names in order)
        return sum(parts, ZERO)

    first, second = total(), total()
    assert first == second and hash(first) == hash(second) and str(first) == str(second)
    assert same(first, second) is True and same(first, second + 1) is False


@pytest.mark.parametrize("power", [31, 53, 55, 63, 64, 100])
@pytest.mark.parametrize("offset", [-3, -1, 0, 1, 3])
@pytest.mark.parametrize("divisor", [2, 3, 7, 2**31 - 1, 2**53 + 1])
def test_quotients_of_large_numbers_are_exact(power: int, offset: int, divisor: int) -> None:
    k = 2**power + offset
    assert (B * k) // divisor == (B * (k + divisor)) // divisor - B
    assert (B * k) % divisor == (B * (k - divisor)) % divisor
    for size in (0, 1, 5):
        assert ((B * k + H) // divisor).evaluate({"B": size, "H": 3}) == (size * k + 3) // divisor
        assert ((B * -k + H) % divisor).evaluate({"B": size, "H": 3}) == (size * -k + 3) % divisor


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
