"""The data of a train program, made ready: loaded, split, learned from, fed.

What this module does not do: batch (``data.batches`` does), or keep anything (``folders`` do).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as data_replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from archonnx.compiler.feeding import INDEX, Feeding
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import feeding as elaborated_feeding
from archonnx.compiler.program import DATA, Field, ModelProgram, TrainProgram
from archonnx.compiler.settings import Split, TrainSettings
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import replace
from archonnx.grammar.source import Span
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.buckets import Bucketing
from archonnx.runtime.data.feeding import Fitted, Learner, check_rows, fed, learned, sample_of
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.memory import Memory, changes
from archonnx.runtime.data.parts import Indices, Parts, share_out
from archonnx.runtime.data.parts import check_rows as check_parts
from archonnx.runtime.data.ranges import Given, check_set
from archonnx.runtime.data.sources import load_given, load_source

from .joining import besides, check_parts_of_others, settings_of, shared_out


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
        others: the data of further sources, by their names.
    """

    examples: Examples
    parts: Parts
    loaded: Loaded
    feeding: Feeding
    fitted: Fitted
    note: str | None = None
    others: Mapping[str, Prepared] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """What people should know of it."""
        own = [*self.loaded.notes, *([self.note] if self.note is not None else [])]
        return [*own, *(f"{name}: {line}" for name, other in self.others.items() for line in other.notes())]

    def memory(self, program: TrainProgram, choice: DataChoice | None) -> Memory:
        """What a run remembers of it."""
        others = {
            source.name: self.others[source.name].memory(program.reading(source), choice) for source in program.others
        }
        replaced = choice.replaced(program) if choice is not None else None
        memory = Memory.of(self.loaded, self.feeding, self.fitted, together=bool(program.whole), replaced=replaced)
        return data_replace(memory, others=others, fields=tuple(self.feeding.feed.outputs))


@dataclass(frozen=True, slots=True)
class DataChoice:
    """What takes the place of the data that a spec names.

    Attributes:
        sources: a path, a frame, arrays by name, or what is loaded already, for a source by its name (``data``);
            nothing of them lies in the folder of the spec.
        changed: whether a run goes on although its data is not what it was.
        read: what was read by its means, which is not read again: what decides arguments of a model also trains it,
            and one file is that of all folds and seeds.
    """

    sources: Mapping[str, Any] = field(default_factory=dict)
    changed: bool = False
    read: dict[str, Loaded] = field(default_factory=dict, compare=False, repr=False)

    def given(self, program: TrainProgram) -> Any:
        """What takes the place of the data of a program with one source; None where it is that of the spec.

        What is given for ``data`` is meant for the first source, whatever its name.
        """
        first = self.sources.get(DATA) if not program.beside else None
        return self.sources.get(program.data, first)

    def replaced(self, program: TrainProgram) -> str | None:
        """What stands for it: a path, "" for what is in memory, None where it is that of the spec."""
        given = self.given(program)
        return None if given is None else str(given) if isinstance(given, str | Path) else ""


def load_data(
    model: str,
    program: TrainProgram,
    settings: TrainSettings,
    base: Path,
    choice: DataChoice | None = None,
    known: Memory | None = None,
) -> Loaded:
    """What the source of a program holds; SpecError if it has none.

    Args:
        model: its name.
        program: whose data.
        settings: its settings.
        base: the folder in which data files are looked for.
        choice: what takes the place of that.
        known: what a run remembers of it.
    """
    choice = choice or DataChoice()
    kinds, settled, kept = (known.kinds, known.settled, known.tokenizers) if known is not None else (None, None, None)
    given = choice.given(program)
    if program.source is None and given is not None:
        return load_given(given, base, kinds, kept)
    if program.source is None:
        fail(
            "AX0615",
            f"the train program of {model} has no data",
            program.span,
            help='add a source, as in `data = sklearn("digits")`',
        )
    source = program.source
    how: dict[str, Any] = {"kinds": kinds, "settled": settled, "tokenizers": kept}
    if source.graph is not None:  # it draws, and is another one for another model
        return load_source(source, base, seed_of(settings.seed, program), given=given, **how)
    key = repr((source.kind, source.arguments, base, choice.replaced(program), how))
    if key not in choice.read:
        choice.read[key] = load_source(source, base, settings.seed, given=given, **how)
    return choice.read[key]


def seed_of(seed: int, program: TrainProgram) -> int:
    """What data is drawn with: the run's seed, and the name of the source where there is another one."""
    assert program.source is not None
    if not program.beside:
        return seed
    return int(np.random.SeedSequence([seed, crc32(program.source.name.encode())]).generate_state(1)[0])


def prepare(
    model: ModelProgram,
    program: TrainProgram,
    settings: TrainSettings,
    base: Path,
    parts: Parts | None = None,
    choice: DataChoice | None = None,
    known: Memory | None = None,
) -> Prepared:
    """Load, split and feed the data of a train program.

    Args:
        model: whose program.
        program: whose data.
        settings: its settings.
        base: the folder in which data files are looked for.
        parts: those that a run has kept; made anew if None.
        choice: what takes the place of the data that the spec names.
        known: what a run remembers: what was learned is not learned again, and the data must be what it was.
    """
    if program.others:
        return _several(model, program, settings, base, parts, choice, known)
    loaded = load_data(model.name, program, settings, base, choice, known)
    return _of_loaded(model, program, settings, loaded, parts, choice, known)


def _several(
    model: ModelProgram,
    program: TrainProgram,
    settings: TrainSettings,
    base: Path,
    parts: Parts | None = None,
    choice: DataChoice | None = None,
    known: Memory | None = None,
) -> Prepared:
    """The same of a program with several sources: each as if it were alone, with the fields that it feeds."""
    reading = {source.name: program.reading(source) for source in program.sources}
    remembered = {name: known if name == program.data or known is None else known.others.get(name) for name in reading}
    loaded = {name: load_data(model.name, of, settings, base, choice, remembered[name]) for name, of in reading.items()}
    held = {name: sample_of(of, model.float_type).names for name, of in loaded.items()}
    fields = shared_out(model, program, held)
    made: dict[str, Prepared] = {}
    for name, of in reading.items():
        part = replace(model, fields={field: model.fields[field] for field in fields[name]})
        own = settings_of(settings, part, of, loaded[name])
        kept = parts if name == program.data else None
        made[name] = _of_loaded(part, of, own, loaded[name], kept, choice, remembered[name])
    first = made.pop(program.data)
    check_parts_of_others(program, first.parts, {name: other.parts for name, other in made.items()})
    beside = [
        besides(reading[name], first.examples, other.examples, other.parts, settings) for name, other in made.items()
    ]
    return data_replace(first, examples=first.examples.with_others(beside), others=made)


def _of_loaded(
    model: ModelProgram,
    program: TrainProgram,
    settings: TrainSettings,
    loaded: Loaded,
    parts: Parts | None = None,
    choice: DataChoice | None = None,
    known: Memory | None = None,
) -> Prepared:
    """The same of data that is loaded, of a program with one source."""
    note = None
    if known is not None and loaded.checksum != known.checksum:
        note = changes(loaded, known, accepted=choice is not None and choice.changed)
    count = len(loaded.fields[INDEX])
    if parts is None:
        named = _named(model, program, settings.split, loaded)
        parts, note = share_out(count, settings.split, loaded, named, program.span, shuffle=settings.shuffle)
    else:
        check_parts(parts, count, program.span)
    feeding, keys = _elaborated(model, program, loaded, parts.train, known)
    if known is not None and not known.together:
        fitted = known.fitted
    else:
        fitted = learned(feeding, loaded, keys, parts.train, together=bool(program.whole))
    fields = fields_of(model, program, feeding, fitted, loaded)
    if not program.whole:
        check_rows(feeding, fitted, loaded, model.fields, spans_of(program, model.fields))
    types = {name: model.fields[name].type for name in fields}
    buckets = settings.buckets
    bucketing = Bucketing(buckets, fields, types, program.span) if buckets is not None else None
    examples = Examples(fields, types, program.whole, bucketing)
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
        return f"{program.data}.{field}" if feed is None else feed.statement.value.span.text

    return Given(row, expression)


def spans_of(program: TrainProgram, fields: Mapping[str, Field]) -> dict[str, Span | None]:
    """Where the spec says how each field is fed."""
    return {
        name: program.feeds[name].statement.value.span if name in program.feeds else program.span for name in fields
    }


def _elaborated(
    model: ModelProgram, program: TrainProgram, loaded: Loaded, train: Indices, known: Memory | None = None
) -> tuple[Feeding, Learner]:
    keys = Learner(loaded, train, known.fitted.keys if known is not None else None)
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
    arrays = fed(feeding, fitted, loaded, wanted, spans_of(program, wanted))
    return {name: array.reshape(-1) if array.size == len(array) else array for name, array in arrays.items()}
