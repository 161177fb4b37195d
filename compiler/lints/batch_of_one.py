"""Batch normalisation of one number: its mean is the number, and what is left of it is 0."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ops.reduce import ReduceMean
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0855")
def batch_of_one(sight: Sight) -> Iterator[Diagnostic]:
    """``BatchNorm`` of features, [B, n], with ``batch_size = 1``."""
    if all(program.settings.batch_size != 1 for program in sight.model.programs):
        return
    for node in sight.nodes(ReduceMean):
        if sight.user(node) == "BatchNorm" and node.inputs[0].type.rank == 2:
            yield warning(
                "AX0855",
                "`BatchNorm` takes mean and variance over the batch, which is one example: it gives 0 for all",
                node.origin.place,
                "each number is its own mean",
                help="`batch_size = 32`, or `LayerNorm`, which is of each example alone",
            )
            return
