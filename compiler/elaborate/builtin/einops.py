"""Axes by name: ``rearrange(x, "b t (h d) -> b h t d", h=8)`` and ``reduce(x, "b c h w -> b c", mean)``.

The notation is einops' (Rogozhnikov 2022), checked at compile time. What this module does not do: ``repeat`` (new axes
other than 1), which is ``broadcast``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from archonnx.compiler.ir.dims import ZERO, Dim, exact_quotient, product
from archonnx.compiler.ir.facts import same, way_to_tell
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops import reduce as reduce_ops
from archonnx.compiler.ops.shape import reshape, transpose
from archonnx.grammar.record import Record

Group = tuple[str, ...]
"""The elementary axes that make up one axis; ``("...",)`` stands for any number of axes."""
REDUCERS: Mapping[str, Callable[..., Value]] = {
    "sum": reduce_ops.reduce_sum, "mean": reduce_ops.reduce_mean, "max": reduce_ops.reduce_max,
    "min": reduce_ops.reduce_min, "prod": reduce_ops.reduce_prod,
}  # fmt: skip
_TOKEN = re.compile(r"\s*(\(|\)|\.\.\.|[^\W\d]\w*|1)")


class Pattern(Record):
    """Both sides of an arrow."""

    left: tuple[Group, ...]
    right: tuple[Group, ...]

    @staticmethod
    def parse(text: str) -> Pattern:
        """Read a pattern; TypeProblem if it is malformed."""
        sides = text.split("->")
        if len(sides) != 2:
            _fail(f'a pattern has one arrow, as in "b t d -> b d t": {text!r} has {len(sides) - 1}')
        left, right = _groups(sides[0]), _groups(sides[1])
        for side in (left, right):
            names = [name for group in side for name in group]
            for name in names:
                if names.count(name) > 1:
                    _fail(f"`{name}` stands twice on one side of {text!r}")
        return Pattern(left, right)


def rearrange(x: Value, text: str, sizes: Mapping[str, Dim]) -> Value:
    """Split, order and merge axes."""
    pattern = Pattern.parse(text)
    left = {name for group in pattern.left for name in group}
    right = {name for group in pattern.right for name in group}
    if left != right:
        name = sorted(left ^ right)[0]
        _fail(f"`{name}` stands on one side of {text!r} only", help="`reduce(x, pattern, mean)` drops axes")
    return _apply(x, pattern, sizes, None)


def reduce(x: Value, text: str, reducer: str, sizes: Mapping[str, Dim]) -> Value:
    """The same, with the axes that are missing on the right reduced."""
    pattern = Pattern.parse(text)
    left = {name for group in pattern.left for name in group}
    for name in (name for group in pattern.right for name in group):
        if name not in left:
            _fail(f"`{name}` stands on the right of {text!r} only")
    if reducer not in REDUCERS:
        _fail(f"`reduce` takes {', '.join(REDUCERS)}: not `{reducer}`")
    return _apply(x, pattern, sizes, reducer)


def _apply(x: Value, pattern: Pattern, sizes: Mapping[str, Dim], reducer: str | None) -> Value:
    left, right = _spread(pattern.left, pattern.right, x)
    known = {name: Dim.of(size) for name, size in sizes.items()}
    names = [name for group in left for name in group]
    for name in known:
        if name not in names:
            _fail(f"`{name}` is given a size and is not an axis of the pattern")
    for axis, group in enumerate(left):
        _solve(group, x.shape[axis], known, axis)
    value = reshape(x, [known[name] for name in names])
    kept = [name for group in right for name in group]
    if reducer is not None:
        dropped = [i for i, name in enumerate(names) if name not in kept]
        value = REDUCERS[reducer](value, dropped) if dropped else value
        names = [name for name in names if name in kept]
    order = [names.index(name) for name in kept]
    if order != sorted(order):
        value = transpose(value, order)
    return reshape(value, [product([known[name] for name in group]) for group in right])


def _spread(left: tuple[Group, ...], right: tuple[Group, ...], x: Value) -> tuple[list[Group], list[Group]]:
    """``...`` written out as that many axes."""
    count = x.rank - (len(left) - 1) if ("...",) in left else 0
    if ("...",) not in left and len(left) != x.rank:
        _fail(f"the pattern has {len(left)} axes on the left, and the tensor has {x.rank}")
    if count < 0:
        _fail(f"the pattern has {len(left) - 1} axes or more on the left, and the tensor has {x.rank}")
    dots = [(f"...{i}",) for i in range(count)]

    def spread(side: tuple[Group, ...]) -> list[Group]:
        return [part for group in side for part in (dots if group == ("...",) else [group])]

    return spread(left), spread(right)


def _solve(group: Group, size: Dim, known: dict[str, Dim], axis: int) -> None:
    """Sizes of the axes of one group; at most one of them may be unknown."""
    unknown = [name for name in group if name not in known]
    rest = product([known[name] for name in group if name in known])
    if len(unknown) > 1:
        _fail(f"the sizes of {' and '.join(f'`{name}`' for name in unknown)} are not known", help="give all but one")
    if unknown:
        quotient = exact_quotient(size, rest)
        if quotient is None and rest != ZERO and same(rest * (size // rest), size):
            quotient = size // rest
        if quotient is None:
            _fail(f"axis {axis}, which is {size}, does not divide into parts of {rest}")
        known[unknown[0]] = quotient
        return
    equal = same(rest, size)
    if equal is None:
        raise TypeProblem(
            "AX0305",
            f"cannot tell whether axis {axis}, which is {size}, equals {rest}",
            help=way_to_tell(size, rest),
        )
    if not equal:
        _fail(f"axis {axis} is {size}, and the pattern makes it {rest}")


def _groups(side: str) -> tuple[Group, ...]:
    groups: list[Group] = []
    inside: list[str] | None = None
    position = 0
    while side[position:].strip():
        match = _TOKEN.match(side, position)
        if match is None:
            _fail(f"{side[position:].strip()[0]!r} cannot stand in a pattern: names, `1`, `...` and brackets can")
        token, position = match[1], match.end()
        if token == "(":
            if inside is not None:
                _fail("brackets do not nest in a pattern")
            inside = []
        elif token == ")":
            if inside is None:
                _fail("a bracket is closed that was not opened")
            groups.append(tuple(inside))
            inside = None
        elif inside is not None:
            if token == "...":
                _fail("`...` stands alone, not in brackets")
            inside += [] if token == "1" else [token]
        else:
            groups.append(() if token == "1" else (token,))
    if inside is not None:
        _fail("a bracket is not closed in the pattern")
    return tuple(groups)


def _fail(headline: str, help: str | None = None) -> NoReturn:
    raise TypeProblem("AX0325", headline, argument="pattern", help=help)
