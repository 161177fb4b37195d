"""Sums of products over named axes.

The notation is that of einops: axis names with spaces between them, ``b t d, d h -> b t h``; ``...`` for leading axes.
What this module does not do: order the products of three and more tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import Dim, product
from archonnx.compiler.ir.facts import same, way_to_tell
from archonnx.compiler.ir.op import Arithmetic, Emitter, Merging, Op, TypeProblem, register
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value

from .checks import check_dtypes
from .linalg import matrix_product
from .narrow import narrowed, widened
from .shape import broadcast_to, transpose, unsqueeze
from .sizes import eye


@register
class Einsum(Op):
    """A sum of products; ``equation`` is in single letters, ``ab,bc->ac``, none twice in one term.

    Backward: the gradient of a factor is the sum of products of ``dy`` and the other factors, over all axes that are
    not the factor's own.
    """

    equation: str = ""

    @property
    def terms(self) -> tuple[list[str], str]:
        """The letters of each factor, and of the result."""
        left, _, right = self.equation.partition("->")
        return left.split(","), right

    def infer(self, *inputs: TensorType) -> TensorType:
        check_dtypes(self.name, "number", *inputs)
        terms, result = self.terms
        sizes = _sizes(terms, inputs)
        return inputs[0].with_shape(tuple(sizes[letter] for letter in result))

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        """Each element of the result as one sum over all other axes; products of pairs in turn may need fewer."""
        terms, _ = self.terms
        places = product(list(_sizes(terms, inputs).values()))
        return Arithmetic(places * (len(inputs) - 1), places - results[0].size)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        letter = self._letter(places)
        return letter is not None and letter in self.terms[1]

    def merges(self, places: Sequence[int | None], inputs: Sequence[TensorType]) -> Merging | None:
        return "sum" if self._letter(places) not in (*self.terms[1], None) else None

    def _letter(self, places: Sequence[int | None]) -> str | None:
        """The letter of these axes, if it is one."""
        letters = {term[place] for term, place in zip(self.terms[0], places, strict=True) if place is not None}
        return letters.pop() if len(letters) == 1 else None

    def evaluate(self, *inputs: Any) -> Any:
        return np.einsum(self.equation, *inputs)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        dtype = types[0].dtype
        return narrowed(emit, emit.node("Einsum", *widened(emit, inputs, dtype), equation=self.equation), dtype)

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        terms, result = self.terms
        gradients = []
        for position, (term, x) in enumerate(zip(terms, inputs, strict=True)):
            others = [i for i in range(len(inputs)) if i != position]
            known = set(result).union(*(terms[i] for i in others))
            reached = "".join(letter for letter in term if letter in known)
            dx = contract([result, *(terms[i] for i in others)], reached, [dy, *(inputs[i] for i in others)])
            lost = [axis for axis, letter in enumerate(term) if letter not in known]
            gradients.append(broadcast_to(unsqueeze(dx, lost), x.shape))
        return tuple(gradients)


def _sizes(terms: Sequence[str], types: Sequence[TensorType], names: Sequence[str] = ()) -> dict[str, Dim]:
    """The dim of each letter; TypeProblem where two uses disagree. ``names`` are what letters stand for."""
    sizes: dict[str, tuple[Dim, int]] = {}
    for position, (term, x) in enumerate(zip(terms, types, strict=True)):
        for letter, dim in zip(term, x.shape, strict=True):
            known, first = sizes.setdefault(letter, (dim, position))
            equal = same(known, dim)
            if equal:
                continue
            name = names[ascii_letters.index(letter)] if names else letter
            if equal is None:
                raise TypeProblem(
                    "AX0305",
                    f"cannot tell whether `{name}` of `einsum` is one size: {known} and {dim}",
                    operands=(position, first),
                    help=way_to_tell(known, dim),
                )
            raise TypeProblem(
                "AX0323",
                f"`{name}` of `einsum` has two sizes: {known} and {dim}",
                operands=(position, first),
                argument="equation",
            )
    return {letter: dim for letter, (dim, _) in sizes.items()}


def contract(terms: Sequence[str], result: str, operands: Sequence[Value]) -> Value:
    """The sum of products, as a matrix product or transposition where it is one."""
    if len(operands) == 1 and sorted(terms[0]) == sorted(result):
        return transpose(operands[0], [terms[0].index(letter) for letter in result])
    if len(operands) == 2:
        for order in ((0, 1), (1, 0)):
            flags = _product_flags(terms[order[0]], terms[order[1]], result)
            if flags is not None:
                return matrix_product(operands[order[0]], operands[order[1]], *flags)
    return current_builder().add(Einsum(f"{','.join(terms)}->{result}"), *operands)


def _product_flags(left: str, right: str, result: str) -> tuple[bool, bool] | None:
    """The flags with which MatMul computes ``left,right->result``, if it does."""
    if min(len(left), len(right), len(result)) < 2:
        return None
    i, j = result[-2], result[-1]
    batch = result[:-2]
    inner = set(left) & set(right) - set(result)
    if len(inner) != 1:
        return None
    k = inner.pop()
    for transpose_a, a in enumerate((i + k, k + i)):
        for transpose_b, b in enumerate((k + j, j + k)):
            if (left, right) in ((batch + a, batch + b), (batch + a, b), (a, batch + b)):
                return bool(transpose_a), bool(transpose_b)
    return None


def einsum(equation: str, *operands: Value) -> Value:
    """A sum of products over named axes: ``einsum("b t d, d h -> b t h", x, w)``.

    A name that is not on the right is summed over; a name twice in one term is a diagonal. Without an arrow the
    result has, as in NumPy, the names that stand once, in the order of the alphabet, behind the axes under ``...``.
    """
    factors, result = _parse(equation, operands)
    names = list(dict.fromkeys(name for term in factors for name in term))
    if len(names) > len(ascii_letters):
        raise TypeProblem(
            "AX0323", f"`einsum` takes {len(ascii_letters)} axes at most, not {len(names)}", argument="equation"
        )
    for name in result:
        if name not in names:
            raise TypeProblem(
                "AX0323", f"`{name}` on the right of `einsum` is on no axis on the left", argument="equation"
            )
        if result.count(name) > 1:
            raise TypeProblem("AX0323", f"`{name}` is twice on the right of `einsum`", argument="equation")
    letters = dict(zip(names, ascii_letters, strict=False))
    terms = ["".join(letters[name] for name in term) for term in factors]
    _sizes(terms, [x.type for x in operands], names)
    terms, values = _without_diagonals(terms, operands, iter(ascii_letters[len(names) :]))
    return contract(terms, "".join(letters[name] for name in result), values)


def _parse(equation: str, operands: Sequence[Value]) -> tuple[list[list[str]], list[str]]:
    """Axis names of each factor and of the result, the axes under ``...`` named ``...0`` and so on from the right."""
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise TypeProblem(
            "AX0323",
            f"`einsum` names the axes of {len(terms)} tensors and is given {len(operands)}",
            argument="equation",
        )
    factors = [_factor(term, x, position) for position, (term, x) in enumerate(zip(terms, operands, strict=True))]
    dots = max((name for term in factors for name in term if name.startswith("...")), key=_dot, default=None)
    count = 0 if dots is None else _dot(dots) + 1
    return factors, list(_expanded(right.split() if arrow else _implied(left), count))


def _implied(terms: str) -> list[str]:
    """The axes of a result that is not written."""
    names = terms.replace(",", " ").split()
    single = sorted(name for name in set(names) if name != "..." and names.count(name) == 1)
    return ["...", *single] if "..." in names else single


def _factor(term: str, x: Value, position: int) -> list[str]:
    names = term.split()
    count = x.rank - (len(names) - 1) if "..." in names else 0
    expanded = list(_expanded(names, count))
    if count < 0 or len(expanded) != x.rank:
        spaced = len(names) == 1 and len(names[0]) == x.rank
        raise TypeProblem(
            "AX0323",
            f"`{term.strip()}` names {len(names)} axes of {x.type}, which has {x.rank}",
            operands=(position,),
            argument="equation",
            help=f"put spaces between names: `{' '.join(names[0])}`" if spaced else None,
        )
    return expanded


def _expanded(names: Sequence[str], count: int) -> Iterator[str]:
    for name in names:
        if name == "...":
            yield from (f"...{place}" for place in reversed(range(count)))
        else:
            yield name


def _dot(name: str) -> int:
    return int(name.removeprefix("..."))


def _without_diagonals(
    terms: Sequence[str], operands: Sequence[Value], spare: Iterator[str]
) -> tuple[list[str], list[Value]]:
    """A letter's second use in one term renamed, and tied to the first by an identity matrix as a further factor."""
    renamed, ties, matrices = [], [], []
    for term, x in zip(terms, operands, strict=True):
        letters: list[str] = []
        for axis, letter in enumerate(term):
            fresh = next(spare) if letter in letters else letter
            if fresh != letter:
                ties.append(letter + fresh)
                matrices.append(eye(x.shape[axis], x.type.dtype))
            letters.append(fresh)
        renamed.append("".join(letters))
    return [*renamed, *ties], [*operands, *matrices]
