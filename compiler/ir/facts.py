"""What is certain of dims: whether two are equal, whether one is at most another, given what a spec states.

Answers are yes, no or cannot tell; they are never guessed. What a spec states by ``assert`` is a fact: a dim that is
at least 0. Equalities (two facts, one the other's negative) are used in every linear combination; so what follows by
several of them is known, however many there are. What this module does not do: anything about nonlinear
inequalities, or more than two inequalities taken together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from archonnx.grammar.budget import Cost, spend
from archonnx.grammar.record import Record

from .dims import ATOMS, ONE, ZERO, Atom, Dim, Monomial, exact_quotient, is_never_negative

Equality = tuple[Monomial, Dim]
"""A dim that is 0, and one of its monomials: no later equality of a list has that one."""


class Facts(Record):
    """Dims that are at least 0, and the equalities among them, each freed of the monomials of those before."""

    dims: tuple[Dim, ...] = ()
    equalities: tuple[Equality, ...] = ()

    def and_also(self, fact: Dim) -> Facts:
        """These, and one fact more: as it stands, and with each ``a % b`` as ``a - b * (a // b)``."""
        facts = self
        for dim in dict.fromkeys((fact, _without_modulo(fact))):
            if dim not in facts.dims:
                facts = Facts((*facts.dims, dim), facts._equalities_with(dim))
        return facts

    def _equalities_with(self, fact: Dim) -> tuple[Equality, ...]:
        if -fact not in self.dims:
            return self.equalities
        rest = self.reduced(fact)
        named = [monomial for monomial, _ in rest.terms if monomial]
        return (*self.equalities, (named[-1], rest)) if named else self.equalities

    def reduced(self, dim: Dim) -> Dim:
        """A positive multiple of a dim, less multiples of what is 0; ZERO where the dim follows to be 0."""
        for monomial, zero in self.equalities:
            if k := dim.coefficient(monomial):
                c = zero.coefficient(monomial)
                dim = dim * abs(c) - zero * (k if c > 0 else -k)
                shared = math.gcd(*(coefficient for _, coefficient in dim.terms))
                dim = Dim(tuple((m, coefficient // shared) for m, coefficient in dim.terms))
        return dim


_NONE = Facts()
_facts: ContextVar[Facts] = ContextVar("facts", default=_NONE)


@contextmanager
def assuming(facts: Iterable[Dim]) -> Iterator[None]:
    """Inside, exactly these dims are known to be at least 0 (``context - T``, from ``assert T <= context``)."""
    token = _facts.set(_NONE)
    try:
        for fact in facts:
            learn(fact)
        yield
    finally:
        _facts.reset(token)


def learn(fact: Dim) -> None:
    """Add a fact to those in force: this dim is at least 0."""
    _facts.set(_facts.get().and_also(fact))


def facts_in_force() -> tuple[Dim, ...]:
    """Dims that are known to be at least 0 here."""
    return _facts.get().dims


def same(left: Dim, right: Dim) -> bool | None:
    """Whether two dims are equal: True, False, or None where it cannot be told."""
    if left == right:
        return True
    difference = left - right
    if _never_zero(difference):
        return False
    facts = _facts.get()
    if facts.dims:
        for gap in (difference, _settled(difference)):
            rest = facts.reduced(gap)
            if rest == ZERO:
                return True
            if _never_zero(rest):
                return False
        if at_most(left, right) and at_most(right, left):
            return True
        if at_most(left + 1, right) or at_most(right + 1, left):
            return False
    return None


def is_one(dim: Dim) -> bool:
    """Whether a dim is certainly 1, so that an axis of this size is repeated to any size."""
    return dim == ONE or (dim.constant is None and bool(_facts.get().dims) and same(dim, ONE) is True)


def at_most(left: Dim, right: Dim) -> bool:
    """Whether ``left <= right`` is certain, by itself or with the facts in force."""
    gap = right - left
    if is_never_negative(gap):
        return True
    facts = _facts.get()
    if not facts.dims:
        return False
    return any(_follows(one, facts.dims) for one in dict.fromkeys((gap, facts.reduced(gap), _settled(gap))))


def smaller(left: Dim, right: Dim) -> Dim:
    """The smaller of two dims: one of them, where it is certain which it is."""
    return left if at_most(left, right) else right if at_most(right, left) else left.minimum(right)


def larger(left: Dim, right: Dim) -> Dim:
    """The larger of two dims: one of them, where it is certain which it is."""
    return right if at_most(left, right) else left if at_most(right, left) else left.maximum(right)


def _never_zero(dim: Dim) -> bool:
    if (number := dim.constant) is not None:
        return number != 0
    bounds = dim.lower_bound(), (-dim).lower_bound()
    return any(bound is not None and bound > 0 for bound in bounds)


def _follows(gap: Dim, facts: tuple[Dim, ...]) -> bool:
    """Whether a dim is at least 0 by one fact, a multiple of one, or two of them."""
    if is_never_negative(gap):
        return True
    spend(Cost.facts, 10 * len(facts))
    names = gap.symbols()
    for f in facts:
        if f.symbols() <= names and (q := exact_quotient(gap, f)) is not None and is_never_negative(q):
            return True
    for f in _of_use(gap, facts):
        rest = gap - f
        if is_never_negative(rest):
            return True
        spend(Cost.facts, 4 * len(facts))
        if any(is_never_negative(rest - g) for g in facts if _may_leave_nothing(rest, g)):
            return True
    return False


def _of_use(dim: Dim, facts: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """The facts of which one has to be taken away for the rest to be never negative.

    Where a monomial has a negative coefficient, a fact has one as well that takes it away. (A quotient may go by
    itself, since ``x // c`` is at most ``x``.) All, where there is no such monomial.
    """
    for monomial, coefficient in dim.terms:
        if coefficient < 0 and not _has_quotient(monomial):
            return tuple(fact for fact in facts if fact.coefficient(monomial) < 0)
    return facts


def _may_leave_nothing(dim: Dim, fact: Dim) -> bool:
    """Whether no coefficient of ``dim - fact`` is negative, those of quotients left out: cheaper than to subtract."""
    return all(k <= 0 or k <= dim.coefficient(m) or _has_quotient(m) for m, k in fact.terms) and all(
        k >= 0 or k >= fact.coefficient(m) or _has_quotient(m) for m, k in dim.terms
    )


def _has_quotient(monomial: Monomial) -> bool:
    return any(isinstance(factor, Atom) and factor.op == "//" for factor, _ in monomial)


def _without_modulo(dim: Dim) -> Dim:
    return dim.rebuilt(Dim.of, _UNFOLDED)


def _settled(dim: Dim) -> Dim:
    """A dim without modulo, and with each ``min`` and ``max`` that the facts decide."""
    return dim.rebuilt(Dim.of, _SETTLED)


_UNFOLDED: Mapping[str, Callable[[Dim, Dim], Dim]] = {**ATOMS, "%": lambda a, b: a - b * (a // b)}
_SETTLED: Mapping[str, Callable[[Dim, Dim], Dim]] = {**_UNFOLDED, "min": smaller, "max": larger}


def way_to_tell(left: Dim, right: Dim) -> str:
    """Help where nobody can tell whether two sizes are equal. A size that may be any is not to be bound by a fact."""
    if left.constant is None and right.constant is None:
        return f"state it: `assert {left} == {right}`"
    number, size = (left, right) if left.constant is not None else (right, left)
    return f"`{size}` may be any size: declare it as {number} if it is; otherwise these axes are not meant to meet"
