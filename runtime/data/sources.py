"""Loading the data source of a train program: its fields, as many examples of each.

What this module does not do: read a format (``loaders`` do), or change examples (feeds do, in the language).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import SEED, DataSource
from archonnx.compiler.sources import SOURCES
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .loader import Loaded, Place, loader_of


def load_source(
    source: DataSource,
    base: Path,
    seed: int = 0,
    *,
    path: Path | None = None,
    kinds: Mapping[str, str] | None = None,
) -> Loaded:
    """What a data source holds: all fields with as many examples, and ``index``, the example's number.

    Args:
        source: what to load.
        base: the folder of the spec; files are looked for there and may not lie outside it.
        seed: for sources that draw.
        path: a file or folder to read instead of the one that the source names; it may lie anywhere.
        kinds: kinds of columns in an earlier reading (``Loaded.kinds``), which must hold now; a column that is not
            there is not among the fields.
    """
    if source.graph is not None:
        drawn = interpret(source.graph, {SEED: np.int64(seed)} if SEED in source.graph.inputs else {})
        loaded = Loaded(drawn, "the generated data")
    else:
        taken = SOURCES[source.kind]
        place = Place(base, source.span, path, kinds or {})
        loaded = loader_of(taken)(taken.model_construct(None, **source.arguments), place)
    return numbered(loaded, source.span)


def numbered(loaded: Loaded, span: Span | None = None) -> Loaded:
    """The same with the field ``index``, unless the source has one; SpecError if fields differ in length."""
    count = example_count(loaded.fields, span)
    if "index" in loaded.fields:
        return loaded
    fields = {**loaded.fields, "index": np.arange(count, dtype=np.int64)}
    return replace(loaded, fields=fields, made=loaded.made | {"index"})


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
