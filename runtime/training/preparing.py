"""The data of a train program, made ready: loaded, split, learned from, fed.

What this module does not do: batch (``data.batches`` does), or keep anything (``folders`` do).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archonnx.compiler.feeding import INDEX, Feeding
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import feeding as elaborated_feeding
from archonnx.compiler.program import Field, ModelProgram, TrainProgram
from archonnx.compiler.settings import Split, TrainSettings
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.feeding import Fitted, Learner, check_rows, fed, learned, sample_of
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.parts import Indices, Parts, share_out
from archonnx.runtime.data.parts import check_rows as check_parts
from archonnx.runtime.data.ranges import Given, check_set
from archonnx.runtime.data.sources import load_source


@dataclass(frozen=True, slots=True)
class Prepared:
    """The data of a program, ready to be batched.

    Attributes:
        examples: the fields of the model.
        parts: which of them train.
        loaded: what they are made of.
        feeding: how.
        fitted: what was learned of the train part.
        note: how the parts were made, where people should know.
    """

    examples: Examples
    parts: Parts
    loaded: Loaded
    feeding: Feeding
    fitted: Fitted
    note: str | None = None


def load_data(model: str, program: TrainProgram, settings: TrainSettings, base: Path) -> Loaded:
    """What the source of a program holds; SpecError if it has none."""
    if program.source is None:
        fail(
            "AX0615",
            f"the train program of {model} has no data",
            program.span,
            help='add a source, as in `data = sklearn("digits")`',
        )
    return load_source(program.source, base, settings.seed)


def prepare(
    model: ModelProgram, program: TrainProgram, settings: TrainSettings, base: Path, parts: Parts | None = None
) -> Prepared:
    """Load, split and feed the data of a train program; parts that are given are taken as they are."""
    loaded, note = load_data(model.name, program, settings, base), None
    count = len(loaded.fields[INDEX])
    if parts is None:
        named = _named(model, program, settings.split, loaded)
        parts, note = share_out(count, settings.split, loaded, named, program.span, shuffle=settings.shuffle)
    else:
        check_parts(parts, count, program.span)
    feeding, keys = _elaborated(model, program, loaded, parts.train)
    fitted = learned(feeding, loaded, keys, parts.train, together=bool(program.whole))
    fields = fields_of(model, program, feeding, fitted, loaded)
    if not program.whole:
        check_rows(feeding, fitted, loaded, model.fields, spans_of(program, model.fields))
    examples = Examples(fields, {name: model.fields[name].type for name in fields}, program.whole)
    return Prepared(examples, parts, loaded, feeding, fitted, note)


def fields_of(
    model: ModelProgram, program: TrainProgram, feeding: Feeding, fitted: Fitted, loaded: Loaded
) -> dict[str, Array]:
    """All fields of the model; SpecError also where one that is an index names nothing."""
    fields = fed(feeding, fitted, loaded, model.fields, spans_of(program, model.fields))
    check_set(model, program, fields, given_by(program, loaded))
    return fields


def given_by(program: TrainProgram, loaded: Loaded) -> Given:
    """What messages say of the data of a program."""

    def row(field: str, number: int) -> str:
        if field in program.whole:
            return f"row {number}"
        line = f"example {number}" if loaded.lines is None else f"line {loaded.lines[number]}"
        return f"{line} of {loaded.where}"

    def expression(field: str) -> str | None:
        feed = program.feeds.get(field)
        return f"data.{field}" if feed is None else feed.statement.value.span.text

    return Given(row, expression)


def spans_of(program: TrainProgram, fields: Mapping[str, Field]) -> dict[str, Span | None]:
    """Where the spec says how each field is fed."""
    return {
        name: program.feeds[name].statement.value.span if name in program.feeds else program.span for name in fields
    }


def _elaborated(model: ModelProgram, program: TrainProgram, loaded: Loaded, train: Indices) -> tuple[Feeding, Learner]:
    keys = Learner(loaded, train)
    sample = sample_of(loaded, model.float_type, counted=bool(program.whole))
    return elaborated_feeding(model, program, sample, keys), keys


def _named(model: ModelProgram, program: TrainProgram, how: Split, loaded: Loaded) -> dict[str, Array]:
    """The fields of the model that a split goes by, as they are if all rows are learned from."""
    names = {name for name in (how.stratify, how.group, how.column) if name in model.fields}
    wanted = {name: field for name, field in model.fields.items() if name in names and name not in program.whole}
    if not wanted:
        return {}
    everything = np.arange(len(loaded.fields[INDEX]))
    feeding, keys = _elaborated(model, program, loaded, everything)
    fitted = learned(feeding, loaded, keys, everything, together=True)
    return fed(feeding, fitted, loaded, wanted, spans_of(program, wanted))
