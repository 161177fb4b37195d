"""Sources that are made of others: what they read, part by part, and what is drawn of each part put together.

An example of the test part is made of examples of the test parts of the others alone, so that nothing that is tested
was seen in training. What this module does not do: draw (``data.sources`` does), or feed (``preparing`` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from archonnx.compiler.feeding import INDEX
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import DataSource, TrainProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import Report, SpecError, did_you_mean, fail
from archonnx.runtime.data.lengths import numbered
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.parts import PARTS, Indices, PartName, Parts


def parts_of(source: DataSource, known: Mapping[str, Parts]) -> list[PartName]:
    """The parts that a source has: those of the sources that it reads, which must have the same ones."""
    found: list[PartName] = []
    for part in PARTS:
        having = {reading.source: bool(len(known[reading.source].of(part))) for reading in source.reads}
        if any(having.values()) and not all(having.values()):
            some, none = (next(name for name, has in having.items() if has is wanted) for wanted in (True, False))
            fail(
                "AX0606",
                f"the {part} part has examples of `{some}`, and none of `{none}`, and `{source.name}` is made of both",
                source.span,
                help="each part needs some of every source: give larger fractions",
            )
        if all(having.values()):
            found.append(part)
    return found


def columns_read(source: DataSource, known: Mapping[str, tuple[Loaded, Indices]]) -> dict[str, Array]:
    """The columns of which a source is made, by the names that its graph has for them.

    Args:
        source: what reads them.
        known: what the others hold, and which rows are meant.
    """
    found: dict[str, Array] = {}
    report = Report()
    for reading in source.reads:
        loaded, rows = known[reading.source]
        with report.collecting():
            if reading.field in loaded.problems:
                raise SpecError(Report([loaded.problems[reading.field]]))
            if reading.field in loaded.whole:
                found[reading.name] = loaded.whole[reading.field]
                continue
            if reading.field not in loaded.fields:
                names = [*loaded.fields, *loaded.whole]
                help = did_you_mean(reading.field, names) or f"it has {', '.join(names)}"
                fail("AX0206", f"{loaded.where} has no `{reading.field}`", source.span, help=help)
            column = loaded.fields[reading.field]
            if column.dtype.kind == "O":
                what = f"`{reading.name}` is a column of texts, and a fn takes tensors"
                fail("AX0608", what, source.span, help="number the texts in the file, or feed them as they are")
            found[reading.name] = column[rows]
    report.finish()
    return found


def joined(pieces: Mapping[PartName, Loaded]) -> tuple[Loaded, Parts]:
    """What was drawn of each part, one after the other, and which rows are which part's."""
    first = next(iter(pieces.values()))
    counts = [len(pieces[part].fields[INDEX]) if part in pieces else 0 for part in PARTS]
    ends = np.cumsum(counts)
    parts = Parts(*(np.arange(end - count, end) for count, end in zip(counts, ends, strict=True)))
    if len(pieces) == 1:
        return first, parts
    made = [name for name in first.fields if name not in first.made]
    fields = {name: np.concatenate([pieces[part].fields[name] for part in pieces]) for name in made}
    return numbered(replace(first, fields=fields, made=frozenset())), parts


def check_fresh(program: TrainProgram, settings: TrainSettings) -> None:
    """SpecError where a setting needs examples that stay what they are."""
    assert program.source is not None
    if settings.buckets is not None:
        fail(
            "AX0702",
            f"`buckets` sort examples by their lengths, and those of `{program.data}` are drawn anew in each epoch",
            program.source.span,
        )
