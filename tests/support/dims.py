"""Dims made at random, beside what they mean: the same expression of Python's integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hypothesis import assume
from hypothesis import strategies as st

from archonnx.compiler.ir.dims import ATOMS, Dim

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
LARGE = [sign * (2**power + offset) for power in (31, 53, 63, 64) for offset in range(-3, 4) for sign in (1, -1)]
"""Where integers and floats of machines end."""

sizes = st.fixed_dictionaries({name: st.integers(0, 9) for name in NAMES})
numbers = st.one_of(st.integers(-4, 9), st.sampled_from(LARGE), st.integers(-(2**70), 2**70))


def combined(op: str, left: Expression, right: Expression) -> Expression:
    """An operator on two expressions."""
    if op in ("//", "%"):
        assume(right[0].constant != 0)
    return DIMS[op](left[0], right[0]), lambda at: PYTHON[op](left[1](at), right[1](at))


def name(name: str) -> Expression:
    """A dim's name."""
    return Dim.of(name), lambda at: at[name]


def number(number: int) -> Expression:
    """An integer."""
    return Dim.of(number), lambda at: number


def of_numbers(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[Expression]:
    """Expressions over names and these integers."""
    return st.recursive(
        st.one_of(st.sampled_from(NAMES).map(name), numbers.map(number)),
        lambda inner: st.builds(combined, st.sampled_from(sorted(PYTHON)), inner, inner),
        max_leaves=6,
    )


expressions = of_numbers(st.integers(-4, 9))
"""Expressions of small numbers, in which coincidences are frequent."""
large_expressions = of_numbers(numbers)
"""Expressions of small and large numbers."""


def meaning_at(expression: Expression, at: Mapping[str, int]) -> int:
    """What an expression is at these sizes; a division by zero is no example."""
    try:
        return expression[1](at)
    except ZeroDivisionError:
        assume(False)
        raise
