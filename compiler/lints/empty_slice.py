"""A slice between written bounds that holds nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.compiler.ops.slicing import Slice
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0814")
def empty_slice(sight: Sight) -> Iterator[Diagnostic]:
    """``x[:, 8:10]`` of 8 columns, ``x[:, 3:1]``: a mean of nothing is not a number."""
    for node in sight.nodes(Slice):
        (x, *_), (y, *_), place = node.inputs, node.outputs, node.origin.place
        if node.origin.used or place is None or _bounds_have_names(place.text):
            continue
        for axis, (before, after) in enumerate(zip(x.shape, y.shape, strict=True)):
            if after.constant == 0 and before.constant != 0:
                yield warning(
                    "AX0814",
                    f"this slice is empty: axis {axis} of {x.type} holds nothing between its bounds",
                    place,
                    f"{y.type}",
                    help=f"positions go from 0 to {before - 1}, and the end is not included"
                    if before.constant is not None
                    else "the first bound is below the second",
                )


def _bounds_have_names(text: str) -> bool:
    """Whether the bounds, in the last brackets, are not all numbers: an argument may make a slice empty on purpose."""
    return re.search(r"\[[^\[\]]*[^\W\d][^\[\]]*\]$", text) is not None
