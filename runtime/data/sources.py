"""Loading the data source of a train program: its fields, as many examples of each.

What this module does not do: read a format (``loaders`` do), or change examples (feeds do, in the language).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import SEED, DataSource
from archonnx.compiler.sources import SOURCES
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .loader import Fields, Place, loader_of


def load_source(source: DataSource, base: Path, seed: int = 0) -> Fields:
    """The fields of a data source, all with as many examples, and ``index``, the example's number.

    Args:
        source: what to load.
        base: the folder of the spec; files are looked for there and may not lie outside it.
        seed: for sources that draw.
    """
    if source.graph is not None:
        fields = interpret(source.graph, {SEED: np.int64(seed)} if SEED in source.graph.inputs else {})
    else:
        taken = SOURCES[source.kind]
        fields = loader_of(taken)(taken.model_construct(None, **source.arguments), Place(base, source.span))
    count = example_count(fields, source.span)
    return fields if "index" in fields else {**fields, "index": np.arange(count, dtype=np.int64)}


def example_count(fields: Mapping[str, Array], span: Span | None = None) -> int:
    """The number of examples, which all fields share."""
    scalars = [name for name, array in fields.items() if array.ndim == 0]
    if scalars or not fields:
        fail(
            "AX0605",
            f"`{scalars[0]}` is a single number, not one value for each example"
            if scalars
            else "the data has no fields",
            span,
        )
    lengths = {name: len(array) for name, array in fields.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
        fail("AX0605", f"the fields differ in their number of examples: {shown}", span)
    return next(iter(lengths.values()))
