"""A mean over steps of which a mask of lengths makes some 0: they are counted."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Cast, Mul
from archonnx.compiler.ops.reduce import ReduceMean
from archonnx.compiler.ops.shape import Broadcast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0857")
def mean_of_padding(sight: Sight) -> Iterator[Diagnostic]:
    """``mean(x * float(length_mask(lengths, T))[:, :, none], axis=1)``."""
    for node in sight.nodes(ReduceMean):
        product = sight.producers.get(node.inputs[0])
        if node.origin.used or product is None or not isinstance(product.op, Mul):
            continue
        assert isinstance(node.op, ReduceMean)
        mask = next((made for value in product.inputs if (made := _mask(sight, value)) is not None), None)
        folded = {node.inputs[0].shape[axis] for axis in node.op.axes}
        if mask is not None and mask.outputs[0].shape[-1] in folded:
            yield warning(
                "AX0857",
                "the mean counts the steps that the mask makes 0: of a short sequence it is too small",
                node.origin.place,
                "divided by the number of all steps",
                help="`masked_mean(x, mask)` is the mean of what is left; along an axis it is "
                "`sum(x * mask, axis=1) / sum(mask, axis=1)`",
            )


def _mask(sight: Sight, value: Value) -> Node | None:
    """The node of ``length_mask`` that a factor is, as numbers and repeated."""
    node = sight.producers.get(value)
    while node is not None and (isinstance(node.op, Broadcast | Cast) or Trait.VIEW in node.op.traits):
        node = sight.producers.get(node.inputs[0])
    return node if node is not None and sight.user(node) == "length_mask" else None
