"""Dims: integer polynomials over names, with floor-division, modulo, min and max as atoms, in a canonical form.

Coefficients are Python's integers, so the form is exact at any size. Where ``c`` is a number, what stands before
``// c`` or ``% c`` has coefficients from 0 to ``c - 1``, so two spellings of one polynomial give one form. What this
module does not do: decide whether two dims are equal given what a spec states (``facts``), or keep within 64 bits
(``elaborate.core.static`` and ``lowering`` do).

Atoms hold dims, so a dim is a tree. Its size is bounded (``MAX_SIZE``), and what is asked of it again and again, its
text, its hash and its bound, is kept with it: so each operation costs about the product of the sizes at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import total_ordering
from typing import Any, TypeVar, Union

from archonnx.grammar.budget import Cost, spend

INT64 = 2**63
"""Integers of 64 bits are below it."""
LARGEST = 2**31
"""No axis of a tensor that fits into memory is larger."""
MAX_TERMS = 256
"""Terms of a polynomial: OverflowError beyond, since products of products grow without end."""
MAX_SIZE = 2_000
"""Names and numbers in a dim, those in its atoms too: OverflowError beyond."""
MAX_BITS = 4_096
"""Bits of a coefficient: OverflowError beyond. Nothing that a graph can compute has more than 64 in the end."""

Kept = TypeVar("Kept")

Factor = Union[str, "Atom"]
"""What a monomial multiplies: a dim's name, or an atom."""
Monomial = tuple[tuple[Factor, int], ...]
"""Factors with their powers, sorted; ``()`` is the constant monomial."""


def kept() -> Any:
    """A field for what is worked out once, when it is asked: it takes no part in equality, and is not pickled."""
    return field(init=False, repr=False, compare=False)


def keep(owner: Atom | Dim, name: str, value: Kept) -> Kept:
    """Set such a field, and give its value. Until then it has none, and reading it is an AttributeError."""
    object.__setattr__(owner, name, value)
    return value


@dataclass(frozen=True, slots=True)
class Atom:
    """An integer function of dims that is not a polynomial: ``//``, ``%``, ``min`` or ``max``."""

    op: str
    left: Dim
    right: Dim
    _hash: int = kept()
    _repr: str = kept()

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            return keep(self, "_hash", hash((self.op, self.left, self.right)))

    def __repr__(self) -> str:
        try:
            return self._repr
        except AttributeError:
            return keep(self, "_repr", f"Atom(op={self.op!r}, left={self.left!r}, right={self.right!r})")

    def __str__(self) -> str:
        if self.op in ("min", "max"):
            return f"{self.op}({self.left}, {self.right})"
        left = str(self.left) if len(self.left.terms) <= 1 else f"({self.left})"
        right = str(self.right) if self.right.symbol or self.right.constant is not None else f"({self.right})"
        return f"{left} {self.op} {right}"

    def __reduce__(self) -> tuple[type[Atom], tuple[str, Dim, Dim]]:
        return Atom, (self.op, self.left, self.right)


@total_ordering
@dataclass(frozen=True, slots=True)
class Dim:
    """The size of one axis: a polynomial with integer coefficients.

    >>> b = Dim.of("B")
    >>> str(2 * (b + 3) - b)
    'B + 6'
    >>> (4 * b) // 2 == 2 * b
    True
    """

    terms: tuple[tuple[Monomial, int], ...]
    _hash: int = kept()
    _text: str = kept()
    _size: int = kept()
    _symbols: frozenset[str] = kept()
    _bound: int | None = kept()
    _fits: bool = kept()
    _reach: int = kept()

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            return keep(self, "_hash", hash(self.terms))

    def __reduce__(self) -> tuple[type[Dim], tuple[tuple[tuple[Monomial, int], ...]]]:
        return Dim, (self.terms,)

    @staticmethod
    def of(value: int | str | Dim) -> Dim:
        """A dim from an integer or a name."""
        if isinstance(value, Dim):
            return value
        if isinstance(value, str):
            return Dim(((((value, 1),), 1),))
        return Dim((((), int(value)),) if value else ())

    @property
    def constant(self) -> int | None:
        """The integer, where it is one."""
        if not self.terms:
            return 0
        monomial, coefficient = self.terms[0]
        return coefficient if len(self.terms) == 1 and not monomial else None

    @property
    def symbol(self) -> str | None:
        """The name, where the dim is a bare name."""
        if len(self.terms) == 1:
            monomial, coefficient = self.terms[0]
            if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 and isinstance(monomial[0][0], str):
                return monomial[0][0]
        return None

    def symbols(self) -> frozenset[str]:
        """All names that occur."""
        try:
            return self._symbols
        except AttributeError:
            found: set[str] = set()
            for monomial, _ in self.terms:
                for factor, _ in monomial:
                    found |= {factor} if isinstance(factor, str) else factor.left.symbols() | factor.right.symbols()
            return keep(self, "_symbols", frozenset(found))

    @property
    def size(self) -> int:
        """How many names and numbers it is written with, those in its atoms too."""
        try:
            return self._size
        except AttributeError:
            size = len(self.terms)
            for monomial, _ in self.terms:
                for factor, _ in monomial:
                    size += 1 if isinstance(factor, str) else factor.left.size + factor.right.size
            return keep(self, "_size", size)

    def substitute(self, values: Mapping[str, Dim]) -> Dim:
        """The dim with names replaced."""
        if not self.symbols() & values.keys():
            return self
        return self.rebuilt(lambda name: values.get(name, Dim.of(name)), ATOMS)

    def evaluate(self, values: Mapping[str, int]) -> int:
        """The integer it is when each name has this value."""
        result = self.substitute({name: Dim.of(value) for name, value in values.items()}).constant
        if result is None:
            raise KeyError(f"no value for every name in {self}")
        return result

    def coefficient(self, monomial: Monomial) -> int:
        """What a monomial is multiplied by; 0 where it does not occur."""
        return next((k for own, k in self.terms if own == monomial), 0)

    def parts(self) -> Iterator[Dim]:
        """Whatever is computed on the way to it, operands of atoms before what is made of them, and the dim itself."""
        waiting, found = [self], []
        while waiting:
            dim = waiting.pop()
            found.append(dim)
            for monomial, _ in dim.terms:
                for factor, _ in monomial:
                    if not isinstance(factor, str):
                        waiting += (factor.right, factor.left)
        return reversed(found)

    @property
    def is_representable(self) -> bool:
        """Whether all its integers are within 64 bits, which is what graphs compute sizes in."""
        try:
            return self._fits
        except AttributeError:
            fits = all(abs(coefficient) < INT64 for part in self.parts() for _, coefficient in part.terms)
            return keep(self, "_fits", fits)

    @property
    def reach(self) -> int:
        """What its absolute value never exceeds while each name stands for ``LARGEST`` at most."""
        try:
            return self._reach
        except AttributeError:
            total = 0
            for monomial, coefficient in self.terms:
                total += abs(coefficient) * math.prod(_reach(factor) ** power for factor, power in monomial)
            return keep(self, "_reach", total)

    def rebuilt(self, leaf: Callable[[str], Dim], atoms: Mapping[str, Callable[[Dim, Dim], Dim]]) -> Dim:
        """The dim made again of what stands for its names, and of what these functions make of its atoms."""
        total = ZERO
        for monomial, coefficient in self.terms:
            product = Dim.of(coefficient)
            for factor, power in monomial:
                if isinstance(factor, str):
                    value = leaf(factor)
                else:
                    value = atoms[factor.op](factor.left.rebuilt(leaf, atoms), factor.right.rebuilt(leaf, atoms))
                product = product * value**power
            total = total + product
        return total

    def lower_bound(self) -> int | None:
        """A constant that the dim is never below, or None; names stand for sizes, which are at least 0."""
        try:
            return self._bound
        except AttributeError:
            return keep(self, "_bound", self._lower_bound())

    def _lower_bound(self) -> int | None:
        total = 0
        for monomial, coefficient in self.terms:
            if not monomial:
                total += coefficient
            elif coefficient < 0 or not all(_nonnegative(factor) for factor, _ in monomial):
                return None
        return total

    def __add__(self, other: int | Dim) -> Dim:
        sums = dict(self.terms)
        for monomial, coefficient in Dim.of(other).terms:
            sums[monomial] = sums.get(monomial, 0) + coefficient
        return _canonical(sums)

    def __mul__(self, other: int | Dim) -> Dim:
        products: dict[Monomial, int] = {}
        factors = Dim.of(other).terms
        spend(Cost.dims, 8 + 2 * len(self.terms) * len(factors))
        for left, a in self.terms:
            for right, b in factors:
                monomial = _multiply(left, right)
                products[monomial] = products.get(monomial, 0) + a * b
            if len(products) > 4 * MAX_TERMS:
                raise OverflowError("a dim has too many terms")
        if any(abs(k) >> MAX_BITS for k in products.values()):
            raise OverflowError("a coefficient of a dim is too large")
        return _canonical(products)

    def __neg__(self) -> Dim:
        return self * -1

    def __sub__(self, other: int | Dim) -> Dim:
        return self + Dim.of(other) * -1

    def __rsub__(self, other: int | Dim) -> Dim:
        return Dim.of(other) - self

    __radd__ = __add__
    __rmul__ = __mul__

    def __pow__(self, power: int) -> Dim:
        result, square = ONE, self
        while power:
            if power & 1:
                result = result * square
            power >>= 1
            square = square * square if power else square
        return result

    def __floordiv__(self, other: int | Dim) -> Dim:
        divisor = Dim.of(other)
        c = divisor.constant
        if c == 0:
            raise ZeroDivisionError(f"{self} // 0")
        if (quotient := exact_quotient(self, divisor)) is not None:
            return quotient
        if c is None:
            return _atom("//", self, divisor)
        if c < 0:
            return -self // -c
        whole, rest = _divided(self, c)
        if rest.constant is not None:
            return whole
        shared = math.gcd(c, *(k for m, k in rest.terms if m))  # (4 * H + 3) // 6 is (2 * H + 1) // 3
        return whole + _floor(_divided(rest, shared)[0], c // shared)

    def __mod__(self, other: int | Dim) -> Dim:
        divisor = Dim.of(other)
        c = divisor.constant
        if c == 0:
            raise ZeroDivisionError(f"{self} % 0")
        if exact_quotient(self, divisor) is not None:
            return ZERO
        if c is None:
            return _atom("%", self, divisor)
        if c < 0:
            return -(-self % -c)
        rest = _divided(self, c)[1]
        if rest.constant is not None:
            return rest
        shared = math.gcd(c, *(k for m, k in rest.terms if m))  # (4 * H + 3) % 6 is 2 * ((2 * H + 1) % 3) + 1
        inner, outer = _divided(rest, shared)
        return _atom("%", inner, Dim.of(c // shared)) * shared + outer

    def minimum(self, other: int | Dim) -> Dim:
        """The smaller of two dims."""
        return self._extreme("min", Dim.of(other))

    def maximum(self, other: int | Dim) -> Dim:
        """The larger of two dims."""
        return self._extreme("max", Dim.of(other))

    def _extreme(self, op: str, other: Dim) -> Dim:
        smaller = self if is_never_negative(other - self) else other if is_never_negative(self - other) else None
        if smaller is not None:
            larger = other if smaller is self else self
            return smaller if op == "min" else larger
        return _atom(op, *sorted((self, other)))

    def __lt__(self, other: Dim) -> bool:
        """An order of forms, for canonical printing; it says nothing about sizes."""
        return repr(self.terms) < repr(other.terms)

    def __str__(self) -> str:
        try:
            return self._text
        except AttributeError:
            return keep(self, "_text", self._written())

    def _written(self) -> str:
        if not self.terms:
            return "0"
        text = ""
        for monomial, coefficient in sorted(self.terms, key=lambda term: (not term[0], repr(term[0]))):
            alone = len(monomial) == 1 and coefficient == 1
            factors = [_factor_text(factor, power, alone) for factor, power in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} " if text else "-" if coefficient < 0 else ""
            text += " * ".join(factors)
        return text

    def __repr__(self) -> str:
        return f"Dim({self})"


def is_never_negative(dim: Dim) -> bool:
    """Whether a dim is at least 0 whatever its names stand for, as far as bounds tell."""
    bound = dim.lower_bound()
    if bound is None:
        bound = _multiple_without_quotients(dim).lower_bound()
    return bound is not None and bound >= 0


def _multiple_without_quotients(dim: Dim) -> Dim:
    """At most a positive multiple of a dim: where ``x // c`` is taken away, ``c`` times the dim less ``x`` is."""
    lower = dim
    for monomial, coefficient in dim.terms:
        factor, power = monomial[0] if len(monomial) == 1 else ("", 0)
        if isinstance(factor, Atom) and factor.op == "//" and power == 1 and coefficient < 0:
            c, x = factor.right.constant, factor.left.lower_bound()
            if c is not None and c >= 1 and x is not None and x >= 0:
                k = lower.coefficient(monomial)
                lower = (lower - Dim(((monomial, k),))) * c + factor.left * k
    return lower


def product(dims: Iterable[Dim]) -> Dim:
    """The product of dims; 1 for none."""
    return math.prod(dims, start=ONE)


def exact_quotient(dividend: Dim, divisor: Dim) -> Dim | None:
    """The polynomial ``q`` with ``q * divisor == dividend``, or None if there is none."""
    if not dividend.terms:
        return ZERO if divisor.terms else None
    if not divisor.terms:
        return None
    degree, least = _degree(dividend), _degree(divisor)
    if degree < least:
        return None
    if degree == least:  # the quotient is a number: most questions end here
        k, c = dividend.terms[0][1], divisor.terms[0][1]
        same = len(dividend.terms) == len(divisor.terms) and k % c == 0
        return Dim.of(k // c) if same and dividend == divisor * (k // c) else None
    factors = {factor for monomial, _ in dividend.terms + divisor.terms for factor, _ in monomial}
    order = sorted(factors, key=str)
    lead, c = _leading(divisor, order)
    quotient, rest = ZERO, dividend
    while rest.terms:
        spend(Cost.dims, len(rest.terms) * len(order) // 2)
        monomial, k = _leading(rest, order)
        part = _divide(monomial, lead)
        if part is None or k % c:
            return None
        step = Dim(((part, k // c),))
        quotient, rest = quotient + step, rest - step * divisor
    return quotient


def _degree(dim: Dim) -> int:
    """The largest sum of powers in a term."""
    return max([sum([power for _, power in monomial]) for monomial, _ in dim.terms])


def _leading(dim: Dim, order: list[Factor]) -> tuple[Monomial, int]:
    """The leading term in the lexicographic order of monomials over these factors."""
    return max(dim.terms, key=lambda term: [dict(term[0]).get(factor, 0) for factor in order])


def _divide(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    powers = dict(monomial)
    for factor, power in divisor:
        left = powers.pop(factor, 0) - power
        if left < 0:
            return None
        if left:
            powers[factor] = left
    return _sorted_monomial(powers)


def _multiply(left: Monomial, right: Monomial) -> Monomial:
    if not left or not right:
        return left or right
    powers = dict(left)
    for factor, power in right:
        powers[factor] = powers.get(factor, 0) + power
    return _sorted_monomial(powers)


def _sorted_monomial(powers: Mapping[Factor, int]) -> Monomial:
    return tuple(sorted(powers.items(), key=lambda item: (not isinstance(item[0], str), str(item[0]))))


def _canonical(terms: Mapping[Monomial, int]) -> Dim:
    if len(terms) > MAX_TERMS:
        raise OverflowError("a dim has too many terms")
    left = [(monomial, coefficient) for monomial, coefficient in terms.items() if coefficient]
    dim = Dim(tuple(left) if len(left) < 2 else tuple(sorted(left, key=lambda term: repr(term[0]))))
    spend(Cost.dims, 12 + dim.size // 2)
    if dim.size > MAX_SIZE:
        raise OverflowError("a dim is too long")
    return dim


def _divided(dim: Dim, divisor: int) -> tuple[Dim, Dim]:
    """``dim`` as ``divisor * whole + rest``, where the coefficients of ``rest`` run from 0 to ``divisor - 1``."""
    whole = _canonical({monomial: coefficient // divisor for monomial, coefficient in dim.terms})
    return whole, _canonical({monomial: coefficient % divisor for monomial, coefficient in dim.terms})


def _floor(dividend: Dim, divisor: int) -> Dim:
    """The atom ``dividend // divisor``. A quotient inside, ``(x // a + n) // b``, becomes ``(x + a * n) // (ab)``."""
    if divisor == 1:
        return dividend
    number, others = dividend.coefficient(()), [term for term in dividend.terms if term[0]]
    if len(others) == 1:
        monomial, coefficient = others[0]
        (factor, power), *more = monomial
        if coefficient == power == 1 and not more and isinstance(factor, Atom) and factor.op == "//":
            inner = factor.right.constant
            if inner is not None and inner > 0:
                return (factor.left + inner * number) // (inner * divisor)
    return _atom("//", dividend, Dim.of(divisor))


def _atom(op: str, left: Dim, right: Dim) -> Dim:
    return _canonical({((Atom(op, left, right), 1),): 1})


def _reach(factor: Factor) -> int:
    if isinstance(factor, str):
        return LARGEST
    left, right = factor.left.reach, factor.right.reach
    return {"//": left, "%": right}.get(factor.op, max(left, right))


def _nonnegative(factor: Factor) -> bool:
    if isinstance(factor, str):
        return True
    left, right = factor.left.lower_bound(), factor.right.lower_bound()
    if factor.op == "%":
        return right is not None and right >= 0
    if factor.op == "max":
        return (left is not None and left >= 0) or (right is not None and right >= 0)
    return left is not None and left >= 0 and right is not None and right >= 0


def _factor_text(factor: Factor, power: int, alone: bool) -> str:
    text = factor if isinstance(factor, str) else str(factor)
    if isinstance(factor, Atom) and factor.op in ("//", "%") and not (alone and power == 1):
        text = f"({text})"
    return text if power == 1 else f"{text} ** {power}"


ZERO = Dim(())
ONE = Dim((((), 1),))
ATOMS: Mapping[str, Callable[[Dim, Dim], Dim]] = {
    "//": Dim.__floordiv__,
    "%": Dim.__mod__,
    "min": Dim.minimum,
    "max": Dim.maximum,
}
