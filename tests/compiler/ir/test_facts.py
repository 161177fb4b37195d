"""What follows from stated facts: compared with Python's integers at sizes for which the facts are true."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import assuming, at_most, facts_in_force, is_one, larger, learn, same, smaller
from archonnx.compiler.ir.parse import parse_dim
from tests.support.dims import Expression, expressions, meaning_at, sizes

T, U, N, M, K, L = map(Dim.of, "TUNMKL")


def equal(*pairs: tuple[Dim, Dim]) -> list[Dim]:
    """The facts of these equalities."""
    return [gap for a, b in pairs for gap in (a - b, b - a)]


@given(st.lists(st.tuples(expressions, expressions), max_size=3), expressions, expressions, sizes)
def test_what_follows_from_true_facts_is_true(
    stated: list[tuple[Expression, Expression]], left: Expression, right: Expression, at: Mapping[str, int]
) -> None:
    """Facts are those of the statements that are true at these sizes, whichever of <=, >= and == that is."""
    facts = []
    for a, b in stated:
        x, y = meaning_at(a, at), meaning_at(b, at)
        facts += [b[0] - a[0]] * (x <= y) + [a[0] - b[0]] * (x >= y)
    x, y = meaning_at(left, at), meaning_at(right, at)
    with assuming(facts):
        answer = same(left[0], right[0])
        assert answer is None or answer == (x == y)
        assert not at_most(left[0], right[0]) or x <= y
        assert not is_one(left[0]) or x == 1
        assert smaller(left[0], right[0]).evaluate(at) == min(x, y)
        assert larger(left[0], right[0]).evaluate(at) == max(x, y)


@given(st.lists(expressions, min_size=2, max_size=6), st.permutations(range(5)))
def test_equality_passes_along_a_chain_of_any_length_stated_in_any_order(
    expressions: list[Expression], order: list[int]
) -> None:
    dims = [dim for dim, _ in expressions]
    assume(not any(same(a, b) is False for a in dims for b in dims))
    with assuming(equal(*((dims[i], dims[i + 1]) for i in order if i + 1 < len(dims)))):
        assume(not any(same(a, b) is False for a in dims for b in dims))  # no numbers are so
        assert same(dims[0], dims[-1]) is True


@pytest.mark.parametrize(
    ("facts", "left", "right", "answer"),
    [
        (["2 * (T // 2) - T", "T - 2 * (T // 2)"], "4 * (T // 2)", "2 * T", True),
        (["2 * (T // 2) - T", "T - 2 * (T // 2)"], "U * 2 * (T // 2)", "U * T", True),
        (["2 * (T // 2) - T", "T - 2 * (T // 2)"], "T + 1", "2 * (T // 2)", False),
        (["-(T % 2)"], "2 * (T // 2)", "T", True),
        (["1 - T % 3"], "3 * (T // 3)", "T", None),
        (["T % 2 - 1", "1 - T % 2"], "2 * (T // 2)", "T", False),
        (["T % 2 - 1", "1 - T % 2"], "2 * (T // 2) + 1", "T", True),
        (["N * M - 6", "6 - N * M"], "N * M", "6", True),
        (["N * M - 6", "6 - N * M"], "2 * N * M", "11", False),
        (["T - 6", "6 - T"], "T", "6", True),
        (["T - 6"], "T", "5", False),
        (["T - 6"], "T", "6", None),
        (["10 - T"], "min(T, 10)", "T", True),
        (["10 - T"], "max(T, 10)", "10", True),
        (["10 - T"], "min(T, 9)", "T", None),
        (["N - M", "M - N"], "K * N", "K * M", True),
    ],
)
def test_answers(facts: list[str], left: str, right: str, answer: bool | None) -> None:
    with assuming(map(parse_dim, facts)):
        assert same(parse_dim(left), parse_dim(right)) is answer
        assert same(parse_dim(right), parse_dim(left)) is answer


def test_facts_end_with_their_block() -> None:
    before = facts_in_force()
    with assuming([T - U, U - T]):
        assert same(T, U) is True
        with assuming([]):
            assert same(T, U) is None
        learn(N - M)
        assert at_most(M, N)
        assert N - M in facts_in_force()
    assert same(T, U) is None and not at_most(M, N) and facts_in_force() == before


@pytest.mark.parametrize("compare", [operator.le, operator.ge, operator.eq])
def test_a_form_does_not_depend_on_what_is_stated(compare: Callable[[int, int], bool]) -> None:
    """A dim that is made under a fact is the same dim elsewhere: facts are asked, they are not built in."""
    gaps = {operator.le: [U - T], operator.ge: [T - U], operator.eq: [U - T, T - U]}[compare]
    with assuming(gaps):
        inside = (T.minimum(U), T.maximum(U), (T + U) // 2, (T - U) % 3)
    assert inside == (T.minimum(U), T.maximum(U), (T + U) // 2, (T - U) % 3)
