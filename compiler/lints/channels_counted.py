"""A convolution that is given the channels of its input first, as other tools want them, and makes as many."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ops.conv import Conv
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

KERNELS = (2, 3, 4, 5, 6, 7, 9, 11)
"""Sizes that kernels have, where a third number is a kernel."""
NAMES = ("kernel", "stride", "padding", "dilation")
"""What follows the channels in other tools."""
WIDEST = 7
"""Odd kernels are not wider, as a rule."""


@lint("AX0831")
def channels_counted(sight: Sight) -> Iterator[Diagnostic]:
    """``Conv(1, 16, 5)`` of one channel: one filter, of 16 by 16, with a stride of 5."""
    places = {node.origin.place: node for node in sight.nodes(Conv)}
    for call in sight.syntax(ast.Call):
        node = places.get(call.span)
        if node is None or call.callee.span.text != "Conv":
            continue
        given = [argument for argument in call.arguments if argument.name is None]
        sizes = [argument.value.value for argument in given if isinstance(argument.value, ast.Number)]
        if len(sizes) != len(given) or not 3 <= len(sizes) <= 2 + len(NAMES):
            continue
        channels, filters, kernel = sizes[:3]
        odd = filters % 2 == 1 and filters <= WIDEST
        if channels != node.inputs[0].shape[1].constant or odd or kernel not in KERNELS or kernel >= filters:
            continue
        named = [f"{name}={number}" for name, number in zip(NAMES, sizes[2:], strict=False)]
        rest = [argument.span.text for argument in call.arguments if argument.name is not None]
        yield warning(
            "AX0831",
            f"`Conv` makes {channels} channel{'s' * (channels != 1)} here, by kernels of size {filters} at a stride of "
            f"{kernel}",
            call.span,
            "filters, kernel, stride: the channels of the input are known",
            help=f"write `Conv({', '.join([str(filters), *named, *rest])})`",
        )
