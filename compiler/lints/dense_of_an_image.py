"""A ``Dense`` on the last axis of an image mixes the columns of each row alone."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ops.conv import Conv
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.norm import Softmax
from archonnx.compiler.ops.pool import AveragePool, MaxPool
from archonnx.grammar.diagnostics import Diagnostic

from .channels_last import SMALLEST
from .rules import Sight, lint, warning


@lint("AX0813")
def dense_of_an_image(sight: Sight) -> Iterator[Diagnostic]:
    """What a convolution or pool gives, or a field ``[B, n, n]``, goes to ``Dense`` with its axes."""
    for node in sight.nodes(MatMul):
        x = node.inputs[0]
        if sight.user(node) not in ("Dense", "MLP") or x.type.rank < 3:
            continue
        made = sight.elementwise_source(x)
        if made is not None and isinstance(made.op, Conv | MaxPool | AveragePool):
            channels, sides = x.shape[1], x.shape[2:]
            yield warning(
                "AX0813",
                f"`Dense` maps the last axis of {x.type}, the columns of an image: each row of each channel alone",
                node.origin.place,
                f"made by {made.origin.subject}: {channels} channels of {' by '.join(map(str, sides))}",
                help="`|> flatten` before it takes all of the image, `|> GlobalAveragePool` a number for each channel",
            )
            continue
        field = sight.field_of(x)
        sides = field.type.shape[1:] if field is not None else ()
        first = sides[0].constant if sides else None
        if field is None or first is None or first < SMALLEST or any(side.constant != first for side in sides):
            continue
        if len(sides) == 2 and not _is_sequence(sight):
            yield warning(
                "AX0813",
                f"`Dense` maps the last axis of `{field.name}`: {field.type}: each of its {sides[0]} rows alone",
                node.origin.place,
                "the rows of an image do not meet here",
                help="`|> flatten` before it takes all of the image",
            )


def _is_sequence(sight: Sight) -> bool:
    """Whether rows are steps of a sequence or places that attend to each other."""
    nodes = [node for of in sight.computations for node in of.graph.nodes]
    attends = any(isinstance(node.op, Softmax) and node.inputs[0].type.rank > 2 for node in nodes)
    return attends or any(node.op.bodies() for node in nodes)
