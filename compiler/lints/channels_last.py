"""A convolution or pool takes another axis than the channels of an image for its channels."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ops.conv import Conv
from archonnx.compiler.ops.pool import AveragePool, MaxPool
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

COLOURS = (1, 2, 3, 4)
SMALLEST, SHORTEST = 5, 8
"""An image has as many rows and columns, and a series as many steps, to be told from channels."""


@lint("AX0812")
def channels_last(sight: Sight) -> Iterator[Diagnostic]:
    """A field ``[B, n, n, 3]``, ``[B, n, 3]`` or ``[B, n, n]`` that goes to a convolution as it is: rows are taken for
    channels."""
    for node in sight.nodes(Conv, MaxPool, AveragePool):
        field = sight.field_of(node.inputs[0])
        if field is None or not field.type.rank > 2:
            continue
        sides = field.type.shape[1:]
        what, name = f"`{sight.user(node)}`" if sight.user(node) else node.origin.subject, field.name
        if _is_image(sides[:2]) and len(sides) == 3 and sides[2].constant in COLOURS:
            yield warning(
                "AX0812",
                f"{what} takes axis 1 for the channels, and `{name}`: {field.type} has its channels last",
                node.origin.place,
                f"read as {sides[0]} channels of {sides[1]} by {sides[2]}",
                help=f"bring them to the front: `transpose({name}, [0, 3, 1, 2])`",
            )
        elif isinstance(node.op, Conv) and len(sides) == 2 and _is_long(sides[0]) and sides[1].constant in COLOURS:
            yield warning(
                "AX0812",
                f"{what} takes axis 1 for the channels, and `{name}`: {field.type} has its channels last",
                node.origin.place,
                f"read as {sides[0]} channels of {sides[1]} steps",
                help=f"bring them to the front: `transpose({name}, [0, 2, 1])`",
            )
        elif _is_image(sides) and len(sides) == 2:
            yield warning(
                "AX0812",
                f"{what} takes axis 1 for the channels, and `{name}`: {field.type} has its rows there",
                node.origin.place,
                f"read as {sides[0]} channels along one axis of {sides[1]}",
                help=f"give it an axis for one channel: `{name}[:, none]`",
            )


def _is_long(steps: Dim) -> bool:
    """Whether these are as many steps as a series has."""
    return steps.constant is not None and steps.constant >= SHORTEST


def _is_image(sides: tuple[Dim, ...]) -> bool:
    """Whether these are as many rows as columns, and not few."""
    first = sides[0].constant
    return first is not None and first >= SMALLEST and all(side.constant == first for side in sides)
