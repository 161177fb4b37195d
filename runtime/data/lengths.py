"""How many examples there are: what all fields of a source share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import fail, listing
from archonnx.grammar.source import Span

from .loader import Loaded


def numbered(loaded: Loaded, span: Span | None = None) -> Loaded:
    """The same with the field ``index``, unless it has one; SpecError if fields differ in length, or have no rows."""
    count = example_count(loaded.fields, span, stored=any(path.suffix in (".npz", ".npy") for path in loaded.files))
    if not count:
        fail("AX0603", f"{loaded.where} has no rows" if loaded.where else "there are no rows", span)
    if "index" in loaded.fields:
        return loaded
    fields = {**loaded.fields, "index": np.arange(count, dtype=np.int64)}
    return replace(loaded, fields=fields, made=loaded.made | {"index"})


def example_count(fields: Mapping[str, Array], span: Span | None = None, *, stored: bool = False) -> int:
    """The number of examples, which all fields share. ``stored``: they are arrays of a file, which a spec describes."""
    scalars = [name for name, array in fields.items() if array.ndim == 0]
    if scalars or not fields:
        fail(
            "AX0605",
            f"`{scalars[0]}` is a single number, not one value for each example"
            if scalars
            else "the data has no fields",
            span,
            help=(_whole(scalars) if stored else f"a list has one for each: `{scalars[0]}=[{fields[scalars[0]]}]`")
            if scalars
            else None,
        )
    lengths = {name: len(array) for name, array in fields.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
        usual = max(lengths.values(), key=lambda length: ([*lengths.values()].count(length), length))
        way = _whole([name for name, length in lengths.items() if length != usual]) if stored else None
        fail("AX0605", f"the fields differ in their number of examples: {shown}", span, help=way)
    return next(iter(lengths.values()))


def _whole(names: Sequence[str]) -> str:
    """How a source is told which arrays have no row for each example."""
    has = "it has" if len(names) == 1 else "they have"
    return f"if {has} no row for each example, say so in the source: `whole=[{listing(names)}]`"
