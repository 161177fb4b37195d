"""What generative models make, to be looked at: entries that ask for nothing but how many.

What this module does not do: call an entry that takes anything else.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.folders.run import Run
from archonnx.runtime.html import Html, element, image, table

from . import charts
from .images import pixels_of, square_of

COUNT = 16
MANY = 512
"""Points that are drawn in a plane."""


def samples(run: Run) -> Iterator[Html]:
    """For each such entry 16 of what it makes; of points in a plane more."""
    for name, arguments in run.entries.items():
        if len(arguments) != 1 or list(arguments.values()) not in (["i64[]"], ["dim"]):
            continue
        (count,) = arguments
        yield element("h3", f"{name}({count}={COUNT})")
        try:
            made = run.call(name, **{count: COUNT})
            for output, array in made.items():
                yield _shown(run, name, count, output, array)
        except SpecError as error:
            yield element("p", error.diagnostics[0].headline, class_="faint")


def _shown(run: Run, entry: str, count: str, output: str, array: Array) -> Html:
    """Pictures, points of a plane, or numbers."""
    if array.ndim == 2 and array.shape[1:] == (2,) and array.dtype.kind == "f":
        many = run.call(entry, **{count: MANY})[output]
        if np.isfinite(many).all():
            return charts.points(f"{output} of {entry}", many[:, 0], many[:, 1], "", "")
    drawn = [pixels_of(one) for one in array] if array.ndim >= 3 else [square_of(one) for one in array]
    pixels = [one for one in drawn if one is not None]
    if pixels:
        return element("div", *(image(charts.picture(one)) for one in pixels), class_="row")
    rows = [[str(i), ", ".join(f"{v:.4g}" for v in one.reshape(-1)[:16])] for i, one in enumerate(array)]
    return table([["", output], *rows], (0, 1))
