"""Channels of images are axis 1: joined along the last axis, images lie side by side."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.conv import Conv
from archonnx.compiler.ops.pool import AveragePool, MaxPool
from archonnx.compiler.ops.slicing import Concat
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

CONVOLVED = (Conv, MaxPool, AveragePool)
IMAGE = 4
"""Axes of a batch of images."""


@lint("AX0830")
def side_by_side(sight: Sight) -> Iterator[Diagnostic]:
    """``concat([a, b], axis=-1)`` of what convolutions give, all of one size, for a convolution behind it."""
    for node in sight.nodes(Concat):
        first, *others = node.inputs
        axis = getattr(node.op, "axis", 0) % first.type.rank
        if node.origin.used or first.type.rank != IMAGE or axis != IMAGE - 1 or not others:
            continue
        if any(other.shape != first.shape for other in others) or not all(_made(sight, v) for v in node.inputs):
            continue
        if _convolved(sight, node.outputs[0]):
            yield warning(
                "AX0830",
                f"{node.origin.subject} along axis {axis} puts {len(node.inputs)} images side by side: "
                f"{node.outputs[0].type}",
                node.origin.place,
                f"each has {first.shape[1]} channels, which are axis 1",
                help="channels are joined by `axis=1`",
            )


def _made(sight: Sight, value: Value) -> bool:
    """Whether a convolution or a pool gives this, through functions of one number."""
    made = sight.elementwise_source(value)
    return made is not None and isinstance(made.op, CONVOLVED)


def _convolved(sight: Sight, value: Value) -> bool:
    """Whether a convolution takes this, or what functions of one number make of it."""
    takers = (n for of in sight.computations for n in of.graph.nodes if isinstance(n.op, Conv))
    for taker in takers:
        taken, source = taker.inputs[0], sight.elementwise_source(taker.inputs[0])
        if taken is value or (source is not None and value in source.outputs):
            return True
    return False
